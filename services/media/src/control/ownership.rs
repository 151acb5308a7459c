//! Who may command a leg, what was commanded, and what the owner has still to hear: as a value.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Clip, Outcome, Reason, Seen};
use crate::leg::{AnswerEnd, LegEvent};

/// A leg that nobody is attached to ends after so long, unless set otherwise.
pub const ORPHANED_AFTER: Duration = Duration::from_secs(60);
/// Operations that are remembered.
const OPERATIONS: usize = 256;
/// Events that are kept for an owner that comes back; keys apart, because a menu must not lose one.
const EVENTS: usize = 256;
const TONES: usize = 64;

/// An event with its number.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbered {
    /// Counts the events of the leg, from 1.
    pub number: u64,
    /// What happened.
    pub event: Happening,
}

/// What the owner of a leg is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// On the leg itself.
    Leg(LegEvent),
    /// The peer's offer was answered.
    Offered,
    /// By its figures.
    Seen(Seen),
    /// The host ends within this time, and the leg with it.
    HostEnds(Duration),
    /// A recording is on the disk, or was given up.
    RecordingEnded {
        /// The operation that began it.
        operation: u64,
        /// `received` or `sent`.
        direction: &'static str,
        /// Where it lies, or why it was given up.
        result: Result<RecordedFile, String>,
    },
    /// The recording of an answer ended.
    Answered {
        /// The operation.
        operation: u64,
        /// Why.
        reason: AnswerEnd,
        /// Where it is fetched, and the SHA-256 of the file; `None` if nothing is kept.
        clip: Option<(Clip, String)>,
    },
}

/// A direction that was recorded to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedFile {
    /// The file of its last part: a path below the directory of recordings.
    pub file: String,
    /// How many parts it has.
    pub parts: u32,
    /// The SHA-256 of that file, in hexadecimal digits.
    pub sha256: String,
}

/// Whether a command is carried out.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// A newer owner is known: nothing is done.
    Fenced(u64),
    /// It was done before: this came of it.
    Known(Outcome),
    /// It is to be done.
    New,
}

/// Owner, operations and events of a leg.
#[derive(Debug)]
pub struct Ownership {
    epoch: u64,
    operations: VecDeque<(u64, Outcome)>,
    last_operation: u64,
    orphaned_after: Duration,
    detached_since: Option<Instant>,
    next_number: u64,
    events: VecDeque<Numbered>,
    tones: VecDeque<Numbered>,
}

impl Ownership {
    /// A leg of an owner that has still to attach.
    pub fn new(epoch: u64, orphaned_after: Duration, now: Instant) -> Self {
        Self {
            epoch,
            operations: VecDeque::new(),
            last_operation: 0,
            orphaned_after,
            detached_since: Some(now),
            next_number: 1,
            events: VecDeque::new(),
            tones: VecDeque::new(),
        }
    }

    /// Whether a command of an owner is to be carried out. A higher epoch is a new owner, whose operations count anew.
    pub fn admit(&mut self, epoch: u64, operation: u64) -> Admission {
        if epoch < self.epoch {
            return Admission::Fenced(self.epoch);
        }
        if epoch > self.epoch {
            self.epoch = epoch;
            self.operations.clear();
        }
        let known = self.operations.iter().find(|(known, _)| *known == operation);
        known.map_or(Admission::New, |(_, outcome)| Admission::Known(outcome.clone()))
    }

    /// What came of an operation. A refusal for want of time or room is not remembered: nothing was done, and who asks again may
    /// have more luck.
    pub fn completed(&mut self, operation: u64, outcome: Outcome) {
        if matches!(outcome, Outcome::Refused(Reason::Busy, _)) {
            return;
        }
        if self.operations.len() == OPERATIONS {
            self.operations.pop_front();
        }
        self.operations.push_back((operation, outcome));
        self.last_operation = self.last_operation.max(operation);
    }

    /// The number up to which every operation was done or refused, of whatever owner: a new one knows by it what an earlier one
    /// had asked. `waiting` is the lowest of those that are not done yet: from there on it asks again, and is told what comes of it.
    pub fn last_operation(&self, waiting: Option<u64>) -> u64 {
        let before = waiting.map_or(u64::MAX, |waiting| waiting.saturating_sub(1));
        self.last_operation.min(before)
    }

    /// An owner listens.
    pub fn attached(&mut self) {
        self.detached_since = None;
    }

    /// Nobody listens any more.
    pub fn detached(&mut self, now: Instant) {
        self.detached_since.get_or_insert(now);
    }

    /// Whether the leg is nobody's.
    pub fn is_orphaned(&self, now: Instant) -> bool {
        self.detached_since
            .is_some_and(|since| now.saturating_duration_since(since) >= self.orphaned_after)
    }

    /// Keeps an event and gives its number.
    pub fn happened(&mut self, event: Happening) -> Numbered {
        let numbered = Numbered {
            number: self.next_number,
            event,
        };
        self.next_number += 1;
        let is_tone = matches!(numbered.event, Happening::Leg(LegEvent::Tone { .. }));
        let (ring, limit) = if is_tone {
            (&mut self.tones, TONES)
        } else {
            (&mut self.events, EVENTS)
        };
        if ring.len() == limit {
            ring.pop_front();
        }
        ring.push_back(numbered.clone());
        numbered
    }

    /// The events after a number that are still kept, in order, and whether some are not.
    pub fn after(&self, last: u64) -> (Vec<Numbered>, bool) {
        let kept = self
            .events
            .iter()
            .chain(&self.tones)
            .filter(|event| event.number > last);
        let mut kept: Vec<_> = kept.cloned().collect();
        kept.sort_by_key(|event| event.number);
        let expected = (self.next_number - 1).saturating_sub(last);
        let is_lost = (kept.len() as u64) < expected;
        (kept, is_lost)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tone::Key;

    fn tone(sequence: u64) -> Happening {
        Happening::Leg(LegEvent::Tone {
            key: Key::of_character('5').unwrap(),
            duration: Duration::from_millis(100),
            sequence,
            end_seen: true,
        })
    }

    #[test]
    fn an_operation_is_done_once_and_a_lower_epoch_has_no_effect() {
        let mut ownership = Ownership::new(3, ORPHANED_AFTER, Instant::now());
        assert_eq!(ownership.admit(3, 1), Admission::New);
        ownership.completed(1, Outcome::Accepted);
        assert_eq!(ownership.admit(3, 1), Admission::Known(Outcome::Accepted));
        assert_eq!(ownership.admit(2, 2), Admission::Fenced(3));
        // A new owner counts anew, and the old one is fenced from now on.
        assert_eq!(ownership.admit(4, 1), Admission::New);
        assert_eq!(ownership.admit(3, 9), Admission::Fenced(4));
        assert_eq!(
            ownership.last_operation(None),
            1,
            "it knows what earlier owners had asked"
        );
    }

    #[test]
    fn a_new_owner_asks_again_from_what_waits_on() {
        let mut ownership = Ownership::new(1, ORPHANED_AFTER, Instant::now());
        for operation in [1, 2, 4] {
            ownership.completed(operation, Outcome::Accepted);
        }
        assert_eq!(ownership.last_operation(Some(3)), 2);
        assert_eq!(ownership.last_operation(Some(5)), 4);
        assert_eq!(ownership.last_operation(Some(0)), 0);
    }

    #[test]
    fn what_there_was_no_time_for_may_be_asked_again() {
        let mut ownership = Ownership::new(1, ORPHANED_AFTER, Instant::now());
        ownership.completed(1, Outcome::Refused(Reason::Busy, String::new()));
        assert_eq!(
            (ownership.admit(1, 1), ownership.last_operation(None)),
            (Admission::New, 0)
        );
    }

    #[test]
    fn a_leg_is_orphaned_only_while_nobody_is_attached() {
        let now = Instant::now();
        let mut ownership = Ownership::new(1, ORPHANED_AFTER, now);
        assert!(ownership.is_orphaned(now + ORPHANED_AFTER));
        ownership.attached();
        assert!(!ownership.is_orphaned(now + 10 * ORPHANED_AFTER));
        ownership.detached(now + ORPHANED_AFTER);
        ownership.detached(now + 2 * ORPHANED_AFTER);
        assert!(!ownership.is_orphaned(now + ORPHANED_AFTER + Duration::from_secs(59)));
        assert!(ownership.is_orphaned(now + 2 * ORPHANED_AFTER));
    }

    #[test]
    fn an_owner_that_comes_back_hears_what_it_missed_and_no_key_is_lost() {
        let mut ownership = Ownership::new(1, ORPHANED_AFTER, Instant::now());
        ownership.happened(tone(1));
        for _ in 0..1_000 {
            ownership.happened(Happening::Leg(LegEvent::Unstable));
        }
        ownership.happened(tone(2));
        let (events, is_lost) = ownership.after(0);
        assert!(is_lost);
        assert_eq!(
            (events.first().unwrap().number, events.last().unwrap().number),
            (1, 1_002)
        );
        assert_eq!(events.len(), EVENTS + 2);
        assert_eq!(ownership.after(1_001), (events[events.len() - 1..].to_vec(), false));
        assert_eq!(ownership.after(1_002), (Vec::new(), false));
    }

    proptest! {
        /// Whatever order commands come in, an epoch below the highest is never admitted, and nothing is new twice.
        #[test]
        fn epochs_only_rise(commands in proptest::collection::vec((0u64..5, 1u64..5), 1..60)) {
            let mut ownership = Ownership::new(0, ORPHANED_AFTER, Instant::now());
            let mut highest = 0;
            let mut done = std::collections::BTreeSet::new();
            for (epoch, operation) in commands {
                match ownership.admit(epoch, operation) {
                    Admission::Fenced(known) => prop_assert!(epoch < highest && known == highest),
                    Admission::Known(_) => prop_assert!(done.contains(&(epoch, operation))),
                    Admission::New => {
                        prop_assert!(epoch >= highest && done.insert((epoch, operation)));
                        highest = epoch;
                        ownership.completed(operation, Outcome::Accepted);
                    }
                }
            }
        }
    }
}
