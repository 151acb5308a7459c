//! Which media host is asked for a leg: two random ones of the zone, of these the one with more room, three tries; then other
//! zones. For a leg whose sound the bot hears itself the room of the codec threads counts, too.

use prost::Message as _;
use trunkline_proto::media::Host;
use trunkline_store::contract::MediaEntry;

/// Tries in the zone of the worker, and as many outside of it.
const TRIES: usize = 3;

/// A media host as the book knows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    /// Its name, for people.
    pub(super) name: String,
    /// What it said of itself.
    pub(super) host: Host,
}

/// The hosts that may still be asked.
#[derive(Debug)]
pub(super) struct Choice {
    first: Option<Candidate>,
    near: Vec<Candidate>,
    far: Vec<Candidate>,
    near_tries: usize,
    far_tries: usize,
    /// The leg needs codec threads.
    is_live: bool,
    /// Hosts that live, whatever they take.
    known: usize,
}

impl Choice {
    /// Of the book's entries those that take legs. What cannot be read is of a newer build, and not asked.
    /// A leg that is live needs codec threads.
    pub(super) fn of(entries: Vec<MediaEntry>, zone: &str, is_live: bool) -> Self {
        let known = entries.len();
        let read = entries.into_iter().filter_map(|entry| {
            let host = Host::decode(entry.entry).ok()?;
            let name = entry.name;
            Some(Candidate { name, host })
        });
        let takes_legs = |candidate: &Candidate| {
            let host = &candidate.host;
            let has_room = host.legs < host.limit && !(is_live && codecs(host) >= WHOLE);
            !host.draining && has_room && !host.address.is_empty() && !host.whip.is_empty()
        };
        let (near, far) = read
            .filter(takes_legs)
            .partition(|candidate| candidate.host.zone == zone);
        Self {
            first: None,
            near,
            far,
            near_tries: TRIES,
            far_tries: TRIES,
            is_live,
            known,
        }
    }

    /// Asks a host of that name before all others: another leg is there that this one shall be bridged with.
    pub(super) fn beginning_at(mut self, name: Option<&str>) -> Self {
        let is_it = |candidate: &mut Candidate| Some(candidate.name.as_str()) == name;
        self.first = self
            .near
            .extract_if(.., is_it)
            .chain(self.far.extract_if(.., is_it))
            .next();
        self
    }

    /// The next host to ask, each once. `random` gives a number below its argument.
    pub(super) fn next(&mut self, mut random: impl FnMut(usize) -> usize) -> Option<Candidate> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let (hosts, tries) = if self.near.is_empty() || self.near_tries == 0 {
            (&mut self.far, &mut self.far_tries)
        } else {
            (&mut self.near, &mut self.near_tries)
        };
        if hosts.is_empty() || *tries == 0 {
            return None;
        }
        *tries -= 1;
        let first = random(hosts.len());
        let mut chosen = first;
        if hosts.len() > 1 {
            let other = random(hosts.len() - 1);
            let other = if other >= first { other + 1 } else { other };
            let load = |at: usize| load(&hosts[at].host, self.is_live);
            if load(other) < load(first) {
                chosen = other;
            }
        }
        Some(hosts.swap_remove(chosen))
    }

    /// Why nobody was asked, for people.
    pub(super) fn why_nobody(&self) -> String {
        match self.known {
            0 => "there is no media host".to_owned(),
            1 => "the only media host has no room or takes no new legs".to_owned(),
            known => format!("none of {known} media hosts has room"),
        }
    }
}

/// All of something, in parts of [`share`].
const WHOLE: u64 = 10_000;

/// The part of its legs that a host has, or of its codec threads where they count and are fuller; and how late it serves them.
fn load(host: &Host, is_live: bool) -> (u64, u32) {
    let legs = share(host.legs, host.limit);
    let fuller = if is_live { legs.max(codecs(host)) } else { legs };
    (fuller, host.lag_ms)
}

/// The part of its codec threads that is given away. A host that does not tell counts as idle: it refuses if it must.
fn codecs(host: &Host) -> u64 {
    share(host.codec_used, host.codec_limit)
}

fn share(part: u32, whole: u32) -> u64 {
    u64::from(part) * WHOLE / u64::from(whole.max(1))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn entry(name: &str, zone: &str, legs: u32) -> MediaEntry {
        let host = Host {
            address: "127.0.0.1:1".to_owned(),
            whip: "https://host".to_owned(),
            zone: zone.to_owned(),
            legs,
            limit: 100,
            draining: name.starts_with("draining"),
            ..Host::default()
        };
        MediaEntry {
            name: name.to_owned(),
            entry: host.encode_to_vec().into(),
        }
    }

    fn all(mut choice: Choice) -> Vec<String> {
        let mut seed = 7_usize;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        std::iter::from_fn(|| choice.next(&mut random))
            .map(|it| it.name)
            .collect()
    }

    #[test]
    fn of_two_the_one_with_more_room_is_asked_first() {
        let choice = || Choice::of(vec![entry("busy", "a", 90), entry("idle", "a", 10)], "a", false);
        assert_eq!(all(choice()), ["idle", "busy"]);
    }

    #[test]
    fn the_own_zone_comes_first_and_after_three_tries_the_others() {
        let mut entries: Vec<_> = (0..5)
            .map(|number| entry(&format!("near{number}"), "a", number))
            .collect();
        entries.extend((0..5).map(|number| entry(&format!("far{number}"), "b", 0)));
        let asked = all(Choice::of(entries, "a", false));
        assert_eq!(asked.len(), 6, "{asked:?}");
        assert!(asked[..3].iter().all(|name| name.starts_with("near")), "{asked:?}");
        assert!(asked[3..].iter().all(|name| name.starts_with("far")), "{asked:?}");
        let mut once = asked.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), 6, "a host is asked twice: {asked:?}");
    }

    #[test]
    fn the_codec_threads_count_for_a_leg_that_needs_them_and_for_no_other() {
        let with_codecs = |name: &str, legs: u32, codec_used: u32| {
            let mut entry = entry(name, "a", legs);
            let mut host = Host::decode(entry.entry).unwrap();
            (host.codec_used, host.codec_limit) = (codec_used, 13_000);
            entry.entry = host.encode_to_vec().into();
            entry
        };
        let hosts = || {
            vec![
                with_codecs("few legs", 10, 12_000),
                with_codecs("few codecs", 50, 1_000),
                with_codecs("no codecs", 5, 13_000),
            ]
        };
        let live = all(Choice::of(hosts(), "a", true));
        assert_eq!(live, ["few codecs", "few legs"]);
        let plain = all(Choice::of(hosts(), "a", false));
        assert_eq!(plain.len(), 3);
        assert_eq!(plain.last().unwrap(), "few codecs");
    }

    #[test]
    fn the_host_of_a_leg_that_it_shall_be_near_is_asked_first_wherever_it_is() {
        let hosts = || vec![entry("idle", "a", 0), entry("far", "b", 50), entry("busy", "a", 90)];
        for (near, first) in [("far", "far"), ("busy", "busy"), ("gone", "idle")] {
            let asked = all(Choice::of(hosts(), "a", false).beginning_at(Some(near)));
            assert_eq!((asked[0].as_str(), asked.len()), (first, 3), "{asked:?}");
        }
    }

    #[test]
    fn who_is_full_or_leaves_is_not_asked() {
        let choice = || Choice::of(vec![entry("full", "a", 100), entry("draining", "a", 0)], "a", false);
        assert_eq!(all(choice()), [""; 0]);
        assert_eq!(choice().why_nobody(), "none of 2 media hosts has room");
        assert_eq!(Choice::of(Vec::new(), "", false).why_nobody(), "there is no media host");
    }
}
