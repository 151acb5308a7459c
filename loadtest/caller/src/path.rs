//! The way of datagrams between a caller and its host, with its faults: a value. Datagrams and times go in, what arrives comes
//! out.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::faults::{Faults, Stop};

/// Which way a datagram goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    ToHost,
    ToCaller,
}

/// What a datagram is, by its first byte (RFC 7983).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Handshake,
    /// Sound, keys, and reports of them.
    Sound,
    Other,
}

impl Kind {
    fn of(datagram: &[u8]) -> Self {
        match datagram.first() {
            Some(20..=63) => Self::Handshake,
            Some(128..=191) => Self::Sound,
            _ => Self::Other,
        }
    }
}

/// The way of one caller.
#[derive(Debug)]
pub(crate) struct Path {
    faults: Faults,
    random: StdRng,
    /// The caller's first packet of sound.
    began: Option<Instant>,
    /// How often the NAT forgot.
    rebound: u128,
    /// What is to be overtaken, by way.
    held: [Option<Vec<u8>>; 2],
}

impl Path {
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            faults,
            random: StdRng::seed_from_u64(faults.seed),
            began: None,
            rebound: 0,
            held: [None, None],
        }
    }

    /// Takes a datagram; gives what arrives at the other end now.
    pub(crate) fn carry(&mut self, way: Way, datagram: &[u8], now: Instant) -> Vec<Vec<u8>> {
        if way == Way::ToHost && self.is_kept_back(Kind::of(datagram), now) {
            return Vec::new();
        }
        let Some(began) = self.began else {
            return vec![datagram.to_vec()];
        };
        let age = now.saturating_duration_since(began);
        if self.faults.vanishes.is_some_and(|after| age >= after) {
            return Vec::new();
        }
        self.with_luck(way, datagram)
    }

    /// Whether the caller never sends it; notes when sound begins.
    fn is_kept_back(&mut self, kind: Kind, now: Instant) -> bool {
        if kind == Kind::Sound {
            self.began.get_or_insert(now);
        }
        match self.faults.stops {
            None => false,
            Some(Stop::BeforeHandshake) => kind != Kind::Other,
            Some(Stop::BeforeSound) => kind == Kind::Sound,
        }
    }

    fn with_luck(&mut self, way: Way, datagram: &[u8]) -> Vec<Vec<u8>> {
        let Faults {
            lost,
            doubled,
            overtaken,
            ..
        } = self.faults;
        let fate: f64 = self.random.random();
        if fate < lost {
            return Vec::new();
        }
        let held = &mut self.held[way as usize];
        let is_doubled = fate < lost + doubled;
        if !is_doubled && fate < lost + doubled + overtaken && held.is_none() {
            *held = Some(datagram.to_vec());
            return Vec::new();
        }
        let copies = if is_doubled { 2 } else { 1 };
        let mut arrive = vec![datagram.to_vec(); copies];
        arrive.extend(held.take());
        arrive
    }

    /// Whether the NAT forgets the caller's port now.
    pub(crate) fn rebinds(&mut self, now: Instant) -> bool {
        let (Some(began), Some(every)) = (self.began, self.faults.rebinds) else {
            return false;
        };
        let every = every.max(Duration::from_millis(1)).as_millis();
        let due = now.saturating_duration_since(began).as_millis() / every;
        let forgets = due > self.rebound;
        self.rebound = due;
        forgets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: &[u8] = &[0, 1, 0, 0];
    const HELLO: &[u8] = &[22, 254, 255];

    fn sound(number: u8) -> Vec<u8> {
        vec![128, 111, 0, number]
    }

    /// The numbers of what arrives, of so many packets of sound.
    fn arrived(faults: Faults, way: Way) -> Vec<u8> {
        let (mut path, now) = (Path::new(faults), Instant::now());
        path.carry(Way::ToHost, &sound(0), now);
        let carried = (0..200).flat_map(|number| path.carry(way, &sound(number), now));
        carried.collect::<Vec<_>>().iter().map(|datagram| datagram[3]).collect()
    }

    #[test]
    fn without_faults_everything_arrives_as_it_was_sent() {
        assert!(!Faults::default().are_of_the_network());
        for way in [Way::ToHost, Way::ToCaller] {
            assert_eq!(arrived(Faults::default(), way), (0..200).collect::<Vec<_>>());
        }
    }

    #[test]
    fn shares_are_lost_doubled_and_overtaken_both_ways() {
        for way in [Way::ToHost, Way::ToCaller] {
            let lost = Faults {
                lost: 0.2,
                ..Faults::default()
            };
            let numbers = arrived(lost, way);
            assert!((140..=180).contains(&numbers.len()) && numbers.is_sorted());
            assert_eq!(numbers, arrived(lost, way), "the same seed has the same losses");

            let doubled = Faults {
                doubled: 0.2,
                ..Faults::default()
            };
            let mut numbers = arrived(doubled, way);
            assert!((220..=260).contains(&numbers.len()) && numbers.is_sorted());
            numbers.dedup();
            assert_eq!(numbers.len(), 200);

            let overtaken = Faults {
                overtaken: 0.2,
                ..Faults::default()
            };
            let mut numbers = arrived(overtaken, way);
            let swaps = numbers.windows(2).filter(|two| two[0] > two[1]).count();
            assert!((15..=60).contains(&swaps), "{swaps} swaps");
            numbers.sort_unstable();
            // The last may wait for one that would overtake it.
            assert!(numbers.len() >= 199 && numbers.windows(2).all(|two| two[0] + 1 == two[1]));
        }
    }

    #[test]
    fn a_bad_network_begins_with_sound() {
        let (mut path, now) = (
            Path::new(Faults {
                lost: 1.0,
                rebinds: Some(Duration::from_secs(2)),
                ..Faults::default()
            }),
            Instant::now(),
        );
        let at = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(path.carry(Way::ToHost, HELLO, now).len(), 1);
        assert!(!path.rebinds(at(60)));
        assert!(path.carry(Way::ToHost, &sound(0), at(60)).is_empty());
        assert!(path.carry(Way::ToHost, HELLO, at(60)).is_empty());
        assert!(!path.rebinds(at(61)));
        assert!(path.rebinds(at(62)) && !path.rebinds(at(63)) && path.rebinds(at(64)));
    }

    #[test]
    fn a_caller_that_vanished_neither_sends_nor_hears() {
        let mut path = Path::new(Faults {
            vanishes: Some(Duration::from_secs(3)),
            ..Faults::default()
        });
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        for (seconds, arrives) in [(0, 1), (2, 1), (3, 0), (100, 0)] {
            assert_eq!(path.carry(Way::ToHost, &sound(0), at(seconds)).len(), arrives);
            assert_eq!(path.carry(Way::ToHost, CHECK, at(seconds)).len(), arrives);
            assert_eq!(path.carry(Way::ToCaller, CHECK, at(seconds)).len(), arrives);
        }
    }

    #[test]
    fn a_caller_that_stops_sends_checks_and_hears_everything() {
        for (stop, arrive) in [(Stop::BeforeHandshake, [1, 0, 0]), (Stop::BeforeSound, [1, 1, 0])] {
            let mut path = Path::new(Faults {
                stops: Some(stop),
                ..Faults::default()
            });
            let now = Instant::now();
            let datagrams = [CHECK, HELLO, &sound(0)];
            assert_eq!(datagrams.map(|one| path.carry(Way::ToHost, one, now).len()), arrive);
            assert_eq!(datagrams.map(|one| path.carry(Way::ToCaller, one, now).len()), [1; 3]);
        }
    }
}
