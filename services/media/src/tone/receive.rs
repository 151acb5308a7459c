//! Tones that a peer sends: each key once, whatever the network does to its packets.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Key;
use crate::rtp::ticks_between;

/// A tone whose end was lost ends after so long without a packet.
const SILENCE: Duration = Duration::from_millis(120);
/// Ended tones whose late and repeated packets are known.
const REMEMBERED: usize = 16;

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToneHeard {
    /// A key went down.
    Started { key: Key, sequence: u64 },
    /// A key was pressed: told once.
    Ended {
        key: Key,
        duration: Duration,
        sequence: u64,
        end_seen: bool,
    },
}

/// A tone is known by who sends it and when it began.
type Identity = (u32, u32);

#[derive(Debug)]
struct Current {
    source: u32,
    /// Where the running segment began, and what segments before it lasted.
    timestamp: u32,
    before: u32,
    segment: u32,
    key: Key,
    sequence: u64,
    last: Instant,
}

/// The receiving half of a leg's tones.
#[derive(Debug)]
pub(crate) struct ToneReceiver {
    clock_rate: u32,
    current: Option<Current>,
    ended: VecDeque<Identity>,
    next_sequence: u64,
}

impl ToneReceiver {
    pub(crate) fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate,
            current: None,
            ended: VecDeque::with_capacity(REMEMBERED),
            next_sequence: 0,
        }
    }

    /// Takes the payload of a packet; at most two things are heard: a tone that a newer one ends, and that one.
    pub(crate) fn packet(
        &mut self,
        source: u32,
        timestamp: u32,
        payload: &[u8],
        now: Instant,
    ) -> impl Iterator<Item = ToneHeard> + use<> {
        let heard = self.read(source, timestamp, payload, now).unwrap_or_default();
        heard.into_iter().flatten()
    }

    fn read(&mut self, source: u32, timestamp: u32, payload: &[u8], now: Instant) -> Option<[Option<ToneHeard>; 3]> {
        let [event, flags, high, low] = *payload.first_chunk::<4>()?;
        let key = Key::of_event(event)?;
        let is_end = flags & 0x80 != 0;
        let duration = u32::from(u16::from_be_bytes([high, low]));
        if self.ended.contains(&(source, timestamp)) {
            return None;
        }
        let mut heard = [None; 3];
        match &mut self.current {
            Some(current) if current.source == source && current.timestamp == timestamp => {
                current.segment = current.segment.max(duration);
                current.last = now;
            }
            // A tone longer than a duration can say goes on in a segment that begins where the last ended.
            Some(current) if current.source == source && current.key == key && current.continues_at(timestamp) => {
                current.before += current.segment;
                (current.timestamp, current.segment, current.last) = (timestamp, duration, now);
            }
            // All of an older tone came behind the beginning of this one: it is told now, by this packet.
            Some(current) if current.source == source && ticks_between(current.timestamp, timestamp) < 0 => {
                let sequence = self.take_sequence();
                self.remember((source, timestamp));
                let duration = self.time(duration);
                heard[0] = Some(ToneHeard::Ended {
                    key,
                    duration,
                    sequence,
                    end_seen: is_end,
                });
                return Some(heard);
            }
            _ => {
                heard[0] = self.end(false);
                let sequence = self.take_sequence();
                heard[1] = Some(ToneHeard::Started { key, sequence });
                self.current = Some(Current {
                    source,
                    timestamp,
                    before: 0,
                    segment: duration,
                    key,
                    sequence,
                    last: now,
                });
            }
        }
        if is_end {
            heard[2] = self.end(true);
        }
        Some(heard)
    }

    /// A tone ends when nothing more comes of it.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<ToneHeard> {
        let is_silent = self.next_tick().is_some_and(|at| now >= at);
        if is_silent { self.end(false) } else { None }
    }

    pub(crate) fn next_tick(&self) -> Option<Instant> {
        self.current.as_ref().map(|current| current.last + SILENCE)
    }

    fn end(&mut self, end_seen: bool) -> Option<ToneHeard> {
        let current = self.current.take()?;
        self.remember((current.source, current.timestamp));
        Some(ToneHeard::Ended {
            key: current.key,
            duration: self.time(current.before + current.segment),
            sequence: current.sequence,
            end_seen,
        })
    }

    fn remember(&mut self, tone: Identity) {
        if self.ended.len() == REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back(tone);
    }

    fn take_sequence(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence
    }

    fn time(&self, ticks: u32) -> Duration {
        Duration::from_micros(u64::from(ticks) * 1_000_000 / u64::from(self.clock_rate))
    }
}

impl Current {
    fn continues_at(&self, timestamp: u32) -> bool {
        self.segment > 0 && timestamp == self.timestamp.wrapping_add(self.segment)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn payload(event: u8, is_end: bool, duration: u16) -> Vec<u8> {
        let [high, low] = duration.to_be_bytes();
        vec![event, (u8::from(is_end) << 7) + 10, high, low]
    }

    /// A tone of 100 ms at 8 kHz as it is sent: five packets, the last of them thrice.
    fn tone(event: u8, timestamp: u32) -> Vec<(u32, Vec<u8>)> {
        let durations = [160, 320, 480, 640, 800, 800, 800];
        let packets = durations.into_iter().enumerate();
        packets
            .map(|(index, duration)| (timestamp, payload(event, index >= 4, duration)))
            .collect()
    }

    fn keys(heard: &[ToneHeard]) -> Vec<char> {
        let ended = heard.iter().filter_map(|heard| match heard {
            ToneHeard::Ended { key, .. } => Some(key.character()),
            ToneHeard::Started { .. } => None,
        });
        ended.collect()
    }

    #[test]
    fn a_tone_is_started_and_ended_once_with_its_duration() {
        let mut receiver = ToneReceiver::new(8_000);
        let now = Instant::now();
        let heard: Vec<_> = tone(5, 1_000)
            .iter()
            .flat_map(|(timestamp, payload)| receiver.packet(1, *timestamp, payload, now).collect::<Vec<_>>())
            .collect();
        let key = Key::of_character('5').unwrap();
        let duration = Duration::from_millis(100);
        let ended = ToneHeard::Ended {
            key,
            duration,
            sequence: 1,
            end_seen: true,
        };
        assert_eq!(heard, [ToneHeard::Started { key, sequence: 1 }, ended]);
    }

    #[test]
    fn a_tone_whose_ends_are_lost_ends_by_silence() {
        let mut receiver = ToneReceiver::new(8_000);
        let now = Instant::now();
        assert_eq!(receiver.packet(1, 7, &payload(11, false, 160), now).count(), 1);
        assert_eq!(receiver.tick(now + Duration::from_millis(119)), None);
        let heard = receiver.tick(now + SILENCE).expect("the end");
        assert!(matches!(heard, ToneHeard::Ended { end_seen: false, .. }));
        assert_eq!(keys(&[heard]), ['#']);
        // Its late end is nothing new.
        assert_eq!(receiver.packet(1, 7, &payload(11, true, 800), now).count(), 0);
    }

    #[test]
    fn a_long_tone_in_segments_is_one_tone() {
        let mut receiver = ToneReceiver::new(8_000);
        let now = Instant::now();
        let mut heard = Vec::new();
        heard.extend(receiver.packet(1, 0, &payload(1, false, 65_535), now));
        heard.extend(receiver.packet(1, 65_535, &payload(1, false, 8_000), now));
        heard.extend(receiver.packet(1, 65_535, &payload(1, true, 16_000), now));
        assert_eq!(keys(&heard), ['1']);
        let ToneHeard::Ended { duration, .. } = heard[1] else {
            panic!("{heard:?}")
        };
        assert_eq!(duration.as_millis(), (65_535 + 16_000) / 8);
    }

    #[test]
    fn what_is_no_key_is_not_heard() {
        let mut receiver = ToneReceiver::new(8_000);
        let now = Instant::now();
        assert_eq!(receiver.packet(1, 0, &payload(16, true, 800), now).count(), 0);
        assert_eq!(receiver.packet(1, 0, &[1, 2, 3], now).count(), 0);
    }

    proptest! {
        /// Any order, loss and repetition of the packets of a number gives each key at most once, and exactly once if a
        /// packet of it came.
        #[test]
        fn each_key_is_heard_once(order in Just((0..8u8).flat_map(|key| tone(key, 10_000 + u32::from(key) * 1_440)).collect::<Vec<_>>()).prop_shuffle(),
                                  kept in proptest::collection::vec(any::<bool>(), 56)) {
            let mut receiver = ToneReceiver::new(8_000);
            let now = Instant::now();
            let mut heard = Vec::new();
            let mut expected = std::collections::BTreeSet::new();
            for ((timestamp, payload), _) in order.iter().zip(&kept).filter(|(_, kept)| **kept) {
                expected.insert(char::from(KEYS_OF_TEST[usize::from(payload[0])]));
                heard.extend(receiver.packet(1, *timestamp, payload, now));
                heard.extend(receiver.packet(1, *timestamp, payload, now));
            }
            heard.extend(receiver.tick(now + SILENCE));
            let mut got = keys(&heard);
            got.sort_unstable();
            prop_assert_eq!(got, expected.into_iter().collect::<Vec<_>>());
        }
    }

    const KEYS_OF_TEST: &[u8; 8] = b"01234567";
}
