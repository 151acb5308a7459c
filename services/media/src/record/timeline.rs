//! The order of a recording: packets by their time, and what is missing between them.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;

use super::tap::Recorded;
use crate::audio::ogg::samples_of;
use crate::codec::Codec;
use crate::rtp::ticks_between;

/// Packets that a recording waits with for one that is late.
const REORDER_PACKETS: usize = 10;
/// A jump in time that no packet explains: longer silence is cut to this, a minute.
const LONGEST_GAP_SECONDS: i64 = 60;

/// A piece of a recording, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A packet, and how many clock units of audio are in it.
    Packet(Bytes, u32),
    /// So many times 20 ms of which nothing came.
    Missing(u32),
}

/// Puts packets in order.
#[derive(Debug)]
pub(super) struct Timeline {
    codec: Codec,
    /// The source, its timestamp and time of arrival that positions are counted from.
    anchor: Option<Anchor>,
    waiting: BTreeMap<i64, Bytes>,
    /// Clock units that were given out.
    written: i64,
    late: u64,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    source: u32,
    timestamp: u32,
    at: Instant,
    position: i64,
}

impl Timeline {
    /// The order of a recording.
    pub(super) fn new(codec: Codec) -> Self {
        Self {
            codec,
            anchor: None,
            waiting: BTreeMap::new(),
            written: 0,
            late: 0,
        }
    }

    /// Takes a packet and gives what is in order now.
    pub(super) fn add(&mut self, recorded: &Recorded, pieces: &mut Vec<Piece>) {
        let position = self.position_of(recorded);
        if position < self.written || self.waiting.contains_key(&position) {
            self.late += 1;
            return;
        }
        self.waiting.insert(position, recorded.payload.clone());
        // Whoever is next in line, or waited long enough.
        while let Some((first, _)) = self.waiting.first_key_value()
            && (*first == self.written || self.waiting.len() > REORDER_PACKETS)
        {
            self.give_first(pieces);
        }
    }

    /// Gives out all that waits.
    pub(super) fn flush(&mut self, pieces: &mut Vec<Piece>) {
        while !self.waiting.is_empty() {
            self.give_first(pieces);
        }
    }

    /// Packets that came too late or twice.
    pub(super) fn late(&self) -> u64 {
        self.late
    }

    fn give_first(&mut self, pieces: &mut Vec<Piece>) {
        let Some((position, payload)) = self.waiting.pop_first() else {
            return;
        };
        let packet_ticks = i64::from(self.codec.packet_ticks());
        let missing = (position - self.written) / packet_ticks;
        if missing > 0 {
            pieces.push(Piece::Missing(u32::try_from(missing).unwrap_or(u32::MAX)));
        }
        let ticks = ticks_of(self.codec, &payload);
        self.written = position + i64::from(ticks);
        pieces.push(Piece::Packet(payload, ticks));
    }

    fn position_of(&mut self, recorded: &Recorded) -> i64 {
        let known = self.anchor.filter(|anchor| anchor.source == recorded.source);
        let ahead = known.map(|anchor| {
            let position = anchor.position + i64::from(ticks_between(anchor.timestamp, recorded.timestamp));
            (anchor, position)
        });
        let limit = LONGEST_GAP_SECONDS * i64::from(self.codec.clock_rate());
        match ahead {
            Some((anchor, position)) if (position - self.written).abs() <= limit => {
                // The anchor moves along, so that timestamps may wrap.
                if position > anchor.position {
                    self.anchor_at(recorded, position);
                }
                position
            }
            // Another source, or a leap of its clock: the time of arrival says how much is missing.
            _ => {
                let position = self.position_by_arrival(recorded, limit);
                self.anchor_at(recorded, position);
                position
            }
        }
    }

    fn position_by_arrival(&self, recorded: &Recorded, limit: i64) -> i64 {
        let Some(anchor) = self.anchor else { return 0 };
        let since = recorded.at.saturating_duration_since(anchor.at).as_millis();
        let ticks_a_millisecond = i64::from(self.codec.clock_rate() / 1_000);
        let ticks = i64::try_from(since)
            .unwrap_or(i64::MAX)
            .saturating_mul(ticks_a_millisecond);
        let newest = self
            .waiting
            .last_key_value()
            .map_or(self.written, |(position, _)| position + 1);
        (anchor.position + ticks.min(limit)).max(newest)
    }

    fn anchor_at(&mut self, recorded: &Recorded, position: i64) {
        self.anchor = Some(Anchor {
            source: recorded.source,
            timestamp: recorded.timestamp,
            at: recorded.at,
            position,
        });
    }
}

fn ticks_of(codec: Codec, payload: &[u8]) -> u32 {
    match codec {
        Codec::Opus => samples_of(payload).unwrap_or(codec.packet_ticks()),
        Codec::Pcmu | Codec::Pcma => u32::try_from(payload.len()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::time::Duration;

    use super::*;

    fn recorded(timestamp: u32, source: u32, at: Instant) -> Recorded {
        Recorded {
            payload: Bytes::from(vec![0xFF; 160]),
            timestamp,
            source,
            at,
            dropped_before: 0,
        }
    }

    fn pieces_of(packets: &[(u32, u32, u64)]) -> Vec<i64> {
        let start = Instant::now();
        let mut timeline = Timeline::new(Codec::Pcmu);
        let mut pieces = Vec::new();
        for (timestamp, source, milliseconds) in packets {
            let at = start + Duration::from_millis(*milliseconds);
            timeline.add(&recorded(*timestamp, *source, at), &mut pieces);
        }
        timeline.flush(&mut pieces);
        let numbers = pieces.iter().map(|piece| match piece {
            Piece::Packet(..) => 1,
            Piece::Missing(count) => -i64::from(*count),
        });
        numbers.collect()
    }

    #[test]
    fn late_packets_find_their_place_and_lost_ones_leave_a_gap() {
        assert_eq!(
            pieces_of(&[(0, 1, 0), (320, 1, 40), (160, 1, 41), (480, 1, 60)]),
            [1, 1, 1, 1]
        );
        assert_eq!(pieces_of(&[(0, 1, 0), (640, 1, 80), (800, 1, 100)]), [1, -3, 1, 1]);
    }

    #[test]
    fn another_source_goes_on_by_its_time_of_arrival() {
        assert_eq!(
            pieces_of(&[(0, 1, 0), (160, 1, 20), (90_000, 2, 100), (90_160, 2, 120)]),
            [1, 1, -3, 1, 1]
        );
    }

    #[test]
    fn timestamps_may_wrap_and_leaps_are_no_hours() {
        let last = u32::MAX - 159;
        assert_eq!(pieces_of(&[(last, 1, 0), (0, 1, 20), (160, 1, 40)]), [1, 1, 1]);
        assert_eq!(
            pieces_of(&[(0, 1, 0), (2_000_000_000, 1, 20), (2_000_000_160, 1, 40)]),
            [1, 1, 1]
        );
    }

    proptest! {
        /// Whatever arrives, what comes out has the length of the time that passed in it, and no packet twice.
        #[test]
        fn any_packets_come_out_in_order(packets in proptest::collection::vec((any::<u32>(), 1u32..3, 0u64..5_000), 0..60)) {
            let pieces = pieces_of(&packets);
            prop_assert!(pieces.iter().filter(|piece| **piece == 1).count() <= packets.len());
        }
    }
}
