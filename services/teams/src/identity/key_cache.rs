//! When the key document is read again. Pure: events and times in, decisions out.
//!
//! Read at the start, then daily, and at once when a token names a key that is not there, but then at most once an
//! interval, however many such tokens come: anybody can make them up. The last good keys stay while the document
//! cannot be read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::key_set::KeySet;

/// How often the key document is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshSchedule {
    /// Between two reads when nothing happens. Microsoft asks for at least once in 24 hours.
    pub every: Duration,
    /// Least time between the last read and one because of an unknown key.
    pub unknown_key_interval: Duration,
    /// Before the first repeat of a failed read; doubles with each further failure.
    pub first_retry: Duration,
    /// Most time before a repeat of a failed read.
    pub longest_retry: Duration,
}

impl Default for RefreshSchedule {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(24 * 60 * 60),
            unknown_key_interval: Duration::from_secs(60),
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_secs(5 * 60),
        }
    }
}

/// What the task that owns the document does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read the document now and report to [`KeyCache::succeeded`] or [`KeyCache::failed`].
    Read,
    /// Nothing before that time, unless a request wakes it.
    WaitUntil(Instant),
}

/// What a request does whose key is not in the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownKey {
    /// Wait until the read of that number has ended, then look again.
    WaitForRead(u64),
    /// The document was read so recently that the key counts as unknown.
    ReadRecently,
}

/// What a read has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Ids of keys that came.
    pub came: Vec<String>,
    /// Ids of keys that left: nothing that they signed holds any more.
    pub left: Vec<String>,
}

/// The state of one key document.
#[derive(Debug)]
pub struct KeyCache {
    schedule: RefreshSchedule,
    keys: Arc<KeySet>,
    read_at: Option<Instant>,
    last_start: Option<Instant>,
    next_read: Instant,
    is_reading: bool,
    reads_ended: u64,
    failures: u32,
}

impl KeyCache {
    /// No keys yet, to be read at once.
    pub fn new(schedule: RefreshSchedule, now: Instant) -> Self {
        Self {
            schedule,
            keys: Arc::default(),
            read_at: None,
            last_start: None,
            next_read: now,
            is_reading: false,
            reads_ended: 0,
            failures: 0,
        }
    }

    /// What the owning task does now.
    pub fn next(&mut self, now: Instant) -> Step {
        if now < self.next_read {
            return Step::WaitUntil(self.next_read);
        }
        self.is_reading = true;
        self.last_start = Some(now);
        Step::Read
    }

    /// What a request does that found no key of its token's id.
    pub fn unknown_key(&mut self, now: Instant) -> UnknownKey {
        let next = UnknownKey::WaitForRead(self.reads_ended + 1);
        if self.is_reading {
            return next;
        }
        let is_recent = self
            .last_start
            .is_some_and(|start| now < start + self.schedule.unknown_key_interval);
        if is_recent {
            return UnknownKey::ReadRecently;
        }
        self.next_read = self.next_read.min(now);
        next
    }

    /// The document was read.
    pub fn succeeded(&mut self, keys: KeySet, now: Instant) -> Change {
        let keys = keys.after(&self.keys);
        let missing_in = |set: &KeySet, other: &KeySet| -> Vec<String> {
            set.keys()
                .iter()
                .filter(|key| !other.holds(key))
                .map(|key| key.kid().to_owned())
                .collect()
        };
        let change = Change {
            came: missing_in(&keys, &self.keys),
            left: missing_in(&self.keys, &keys),
        };
        self.keys = Arc::new(keys);
        self.read_at = Some(now);
        self.failures = 0;
        self.end_read(now + self.schedule.every);
        change
    }

    /// The document could not be read: the last good keys stay.
    pub fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        let doubled = self
            .schedule
            .first_retry
            .saturating_mul(1 << (self.failures - 1).min(20));
        self.end_read(now + doubled.min(self.schedule.longest_retry));
    }

    fn end_read(&mut self, next_read: Instant) {
        self.is_reading = false;
        self.reads_ended += 1;
        self.next_read = next_read;
    }

    /// The last good keys; none before the first read.
    pub fn keys(&self) -> &Arc<KeySet> {
        &self.keys
    }

    /// How many reads have ended, well or not.
    pub fn reads_ended(&self) -> u64 {
        self.reads_ended
    }

    /// Failed reads since the last good one.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// How old the keys are.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.read_at.map(|read| now.saturating_duration_since(read))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn keys(kids: &[&str]) -> KeySet {
        let keys: Vec<_> = kids
            .iter()
            .map(|kid| serde_json::json!({"kty": "RSA", "kid": kid, "n": "AAAA", "e": "AQAB"}))
            .collect();
        KeySet::parse(serde_json::json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    /// A cache that has read `kids` at the time that is also returned.
    fn with_keys(kids: &[&str]) -> (KeyCache, Instant) {
        let start = Instant::now();
        let mut cache = KeyCache::new(RefreshSchedule::default(), start);
        assert_eq!(cache.next(start), Step::Read);
        cache.succeeded(keys(kids), start);
        (cache, start)
    }

    #[test]
    fn keys_are_read_at_the_start_and_then_daily() {
        let (mut cache, start) = with_keys(&["a"]);
        let tomorrow = start + Duration::from_secs(24 * 60 * 60);
        assert_eq!(cache.next(start + SECOND), Step::WaitUntil(tomorrow));
        assert_eq!(cache.next(tomorrow), Step::Read);
    }

    #[test]
    fn a_storm_of_unknown_keys_causes_one_read_an_interval() {
        let (mut cache, start) = with_keys(&["a"]);
        let mut reads = 0;
        // Ten minutes, a thousand tokens with made-up keys a second.
        for millisecond in 0..600_000 {
            let now = start + Duration::from_millis(millisecond);
            cache.unknown_key(now);
            if cache.next(now) == Step::Read {
                reads += 1;
                cache.succeeded(keys(&["a"]), now);
            }
        }
        assert_eq!(reads, 9, "one a minute, the first a minute after the start");
    }

    #[test]
    fn requests_that_come_during_a_read_wait_for_that_read() {
        let (mut cache, start) = with_keys(&["a"]);
        let later = start + 61 * SECOND;
        assert_eq!(cache.unknown_key(later), UnknownKey::WaitForRead(2));
        assert_eq!(cache.next(later), Step::Read);
        assert_eq!(cache.unknown_key(later + SECOND), UnknownKey::WaitForRead(2));
        cache.succeeded(keys(&["a", "b"]), later + 2 * SECOND);
        assert_eq!(cache.reads_ended(), 2);
        assert!(cache.keys().find("b").is_some());
        assert_eq!(cache.unknown_key(later + 2 * SECOND), UnknownKey::ReadRecently);
    }

    #[test]
    fn the_last_good_keys_stay_while_the_host_is_down() {
        let (mut cache, start) = with_keys(&["a"]);
        let mut now = start;
        let mut waits = Vec::new();
        for _ in 0..12 {
            if let Step::WaitUntil(next) = cache.next(now) {
                waits.push(next.duration_since(now).as_secs());
                now = next;
            }
            assert_eq!(cache.next(now), Step::Read);
            cache.failed(now);
        }
        assert_eq!(waits, [86_400, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert!(cache.keys().find("a").is_some());
        assert_eq!(cache.failures(), 12);
        assert_eq!(cache.age(now), Some(now - start));
    }

    #[test]
    fn a_key_that_left_the_document_is_gone_at_once() {
        let (mut cache, start) = with_keys(&["old", "stays"]);
        let old = Arc::clone(cache.keys().find("old").unwrap());
        let change = cache.succeeded(keys(&["stays", "new"]), start + SECOND);
        assert_eq!(
            change,
            Change {
                came: vec!["new".into()],
                left: vec!["old".into()]
            }
        );
        assert!(!cache.keys().holds(&old));
    }

    #[test]
    fn before_the_first_read_requests_wait_for_it() {
        let start = Instant::now();
        let mut cache = KeyCache::new(RefreshSchedule::default(), start);
        assert_eq!(cache.unknown_key(start), UnknownKey::WaitForRead(1));
        assert_eq!(cache.next(start), Step::Read);
        cache.failed(start);
        assert_eq!(cache.unknown_key(start), UnknownKey::ReadRecently);
        assert_eq!(cache.age(start), None);
    }
}
