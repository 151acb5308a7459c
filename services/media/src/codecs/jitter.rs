//! What waits for late packets: as short as the network lets it, 40 to 120 ms.
//!
//! A packet that is next in line is given out at once; only what comes after a gap waits, until the missing packet is later than
//! packets of this line have been. Then the packet behind the gap, which may hold a poorer copy of what was lost (Opus' in-band
//! redundancy, RFC 6716 section 2.1.7), fills it; or it is concealed for a tenth of a second, and left out from there on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::audio::ogg::samples_of;
use crate::codec::Codec;
use crate::record::Recorded;
use crate::rtp::ticks_between;

/// So long a missing packet is waited for at least, and at most.
const SHORTEST: i64 = 40_000;
const LONGEST: i64 = 120_000;
/// Beside how late packets have been: what a tick of the thread is late itself.
const MARGIN: i64 = 10_000;
/// The lateness that is expected sinks by such a part with each packet: by half in two seconds.
const FORGETS: i64 = 128;
/// The fastest packet of so long ago says what is not late.
const WINDOW: i64 = 5_000_000;
/// What is made up in place of lost sound, in milliseconds. The rest is left out.
const CONCEALED_MS: u32 = 100;
/// Packets that wait at most: nobody sends so many within [`LONGEST`].
const WAITING: usize = 64;
/// A leap of a sender's clock that no silence explains.
const LEAP_SECONDS: i64 = 60;

/// What is heard next. Times are in units of the codec's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// This packet, in which so much should be.
    Packet(Bytes, u32),
    /// So much was lost; this packet, which comes next, may hold a copy of its end.
    Recovered(Bytes, u32),
    /// So much was lost, and is made up.
    Concealed(u32),
    /// So much is left out.
    LeftOut(u64),
}

/// Puts the packets of one leg in order and says when what lacks is not waited for any more.
#[derive(Debug)]
pub(super) struct JitterBuffer {
    codec: Codec,
    line: Option<Line>,
    waiting: BTreeMap<i64, Bytes>,
    /// The place that is heard next.
    next: i64,
    /// Of the gap that is there now, what is made up already.
    made_up: u32,
    lateness: Lateness,
}

/// The sender's clock as it was told last.
#[derive(Debug, Clone, Copy)]
struct Line {
    source: u32,
    timestamp: u32,
    place: i64,
    at: Instant,
    /// When place 0 would have come. A sender's first packet.
    origin: Instant,
}

impl JitterBuffer {
    pub(super) fn new(codec: Codec) -> Self {
        Self {
            codec,
            line: None,
            waiting: BTreeMap::new(),
            next: 0,
            made_up: 0,
            lateness: Lateness::default(),
        }
    }

    /// Takes a packet; what can be heard now is appended.
    pub(super) fn add(&mut self, packet: &Recorded, out: &mut Vec<Piece>) {
        let place = self.place_of(packet);
        let transit = self.since_origin(packet.at) - self.micros(place);
        if self.has_nothing_to_wait_for() && self.lateness.of(transit) > self.delay() {
            // After silence a sender may have another clock, and another way.
            self.lateness = Lateness::default();
        }
        self.lateness.learn(transit, packet.at);
        if place < self.next || self.waiting.len() >= WAITING {
            return;
        }
        self.waiting.entry(place).or_insert_with(|| packet.payload.clone());
        self.give(packet.at, out);
    }

    /// Lets time pass; what is not waited for any more is appended.
    pub(super) fn tick(&mut self, now: Instant, out: &mut Vec<Piece>) {
        self.give(now, out);
    }

    fn give(&mut self, now: Instant, out: &mut Vec<Piece>) {
        while self.line.is_some() {
            let first = self.waiting.first_key_value().map(|(place, _)| *place);
            match first {
                Some(place) if place == self.next => self.give_first(out),
                _ if now < self.deadline() => return,
                Some(place) => self.fill(place, out),
                None if self.made_up < self.concealed_ticks() => self.conceal(self.codec.packet_ticks(), out),
                None => return,
            }
        }
    }

    fn give_first(&mut self, out: &mut Vec<Piece>) {
        if let Some((place, payload)) = self.waiting.pop_first() {
            let ticks = ticks_of(self.codec, &payload);
            self.next = place + i64::from(ticks);
            self.made_up = 0;
            out.push(Piece::Packet(payload, ticks));
        }
    }

    /// Fills the gap before a packet that waits.
    fn fill(&mut self, place: i64, out: &mut Vec<Piece>) {
        let gap = u64::try_from(place - self.next).unwrap_or_default();
        let left = self.concealed_ticks().saturating_sub(self.made_up);
        match u32::try_from(gap) {
            Ok(gap) if gap <= left => {
                if let Some(next) = self.waiting.get(&place) {
                    out.push(Piece::Recovered(next.clone(), gap));
                }
            }
            _ => {
                if left > 0 {
                    self.conceal(left, out);
                }
                out.push(Piece::LeftOut(gap - u64::from(left)));
            }
        }
        self.next = place;
    }

    fn conceal(&mut self, ticks: u32, out: &mut Vec<Piece>) {
        self.made_up += ticks;
        self.next += i64::from(ticks);
        out.push(Piece::Concealed(ticks));
    }

    /// It is silent here, and nobody knows for how long.
    fn has_nothing_to_wait_for(&self) -> bool {
        self.waiting.is_empty() && self.made_up >= self.concealed_ticks()
    }

    fn concealed_ticks(&self) -> u32 {
        self.codec.clock_rate() / 1_000 * CONCEALED_MS
    }

    /// So long the next place is waited for.
    fn deadline(&self) -> Instant {
        let origin = self.line.map_or_else(Instant::now, |line| line.origin);
        let after = self.micros(self.next) + self.lateness.fastest() + self.delay();
        origin + Duration::from_micros(u64::try_from(after).unwrap_or_default())
    }

    /// How much later than the fastest a packet may come.
    fn delay(&self) -> i64 {
        (self.lateness.expected + MARGIN).clamp(SHORTEST, LONGEST)
    }

    fn micros(&self, place: i64) -> i64 {
        place * 1_000 / i64::from(self.codec.clock_rate() / 1_000)
    }

    fn since_origin(&self, at: Instant) -> i64 {
        let origin = self.line.map_or(at, |line| line.origin);
        let since = at.saturating_duration_since(origin).as_micros();
        i64::try_from(since).unwrap_or(i64::MAX)
    }

    fn place_of(&mut self, packet: &Recorded) -> i64 {
        let leap = LEAP_SECONDS * i64::from(self.codec.clock_rate());
        let known = self.line.filter(|line| line.source == packet.source);
        let told = known.map(|line| line.place + i64::from(ticks_between(line.timestamp, packet.timestamp)));
        let place = match told {
            Some(place) if (place - self.next).abs() <= leap => place,
            // Another source, or a leap of its clock: the time of arrival says where it is.
            _ => self.place_by_arrival(packet.at),
        };
        if self.line.is_none_or(|line| place > line.place || told != Some(place)) {
            self.line = Some(Line {
                source: packet.source,
                timestamp: packet.timestamp,
                place,
                at: packet.at,
                origin: self.line.map_or(packet.at, |line| line.origin),
            });
        }
        place
    }

    fn place_by_arrival(&self, at: Instant) -> i64 {
        let Some(line) = self.line else { return 0 };
        let since = at.saturating_duration_since(line.at).as_millis();
        let ticks = i64::try_from(since)
            .unwrap_or(i64::MAX)
            .saturating_mul(i64::from(self.codec.clock_rate() / 1_000));
        let newest = self.waiting.last_key_value().map_or(self.next, |(place, _)| place + 1);
        let longest = LEAP_SECONDS * i64::from(self.codec.clock_rate());
        (line.place + ticks.min(longest)).max(newest)
    }
}

/// How unevenly packets come, in microseconds.
#[derive(Debug, Default)]
struct Lateness {
    /// The smallest transit of this window, and of the one before.
    smallest: Option<[i64; 2]>,
    window_began: Option<Instant>,
    /// How late packets are at their worst, forgotten slowly.
    expected: i64,
}

impl Lateness {
    fn learn(&mut self, transit: i64, at: Instant) {
        let began = *self.window_began.get_or_insert(at);
        let [this, before] = self.smallest.unwrap_or([transit; 2]);
        let is_over = i64::try_from(at.saturating_duration_since(began).as_micros()).is_ok_and(|time| time >= WINDOW);
        self.smallest = Some(if is_over {
            self.window_began = Some(at);
            [transit, this]
        } else {
            [this.min(transit), before]
        });
        self.expected = (self.expected - self.expected / FORGETS).max(self.of(transit));
    }

    /// The transit of what is not late.
    fn fastest(&self) -> i64 {
        self.smallest.map_or(0, |[this, before]| this.min(before))
    }

    fn of(&self, transit: i64) -> i64 {
        self.smallest.map_or(0, |_| transit - self.fastest())
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

    use super::*;

    const TICKS: u32 = 160;

    /// A line whose packets arrive at given milliseconds; time passes in steps of 10.
    struct Network {
        buffer: JitterBuffer,
        start: Instant,
        now: u64,
        out: Vec<Piece>,
    }

    impl Network {
        fn new() -> Self {
            Self {
                buffer: JitterBuffer::new(Codec::Pcmu),
                start: Instant::now(),
                now: 0,
                out: Vec::new(),
            }
        }

        fn at(&self, milliseconds: u64) -> Instant {
            self.start + Duration::from_millis(milliseconds)
        }

        fn passes_to(&mut self, milliseconds: u64) {
            while self.now + 10 <= milliseconds {
                self.now += 10;
                let now = self.at(self.now);
                self.buffer.tick(now, &mut self.out);
            }
        }

        fn comes(&mut self, place: u32, milliseconds: u64) {
            self.comes_from(1, place, milliseconds);
        }

        fn comes_from(&mut self, source: u32, place: u32, milliseconds: u64) {
            self.passes_to(milliseconds);
            let packet = Recorded {
                payload: Bytes::from(vec![place.to_le_bytes()[0]; TICKS as usize]),
                timestamp: place.wrapping_mul(TICKS).wrapping_sub(3 * TICKS),
                source,
                at: self.at(milliseconds),
                dropped_before: 0,
            };
            self.buffer.add(&packet, &mut self.out);
        }

        /// Packets by their place; what is recovered as 1,000, concealed 2,000, left out 3,000 plus frames.
        fn heard(&mut self) -> Vec<u64> {
            let frames = |ticks: u32| u64::from(ticks / TICKS);
            let number = |piece| match piece {
                Piece::Packet(payload, _) => u64::from(payload[0]),
                Piece::Recovered(_, ticks) => 1_000 + frames(ticks),
                Piece::Concealed(ticks) => 2_000 + frames(ticks),
                Piece::LeftOut(ticks) => 3_000 + ticks / u64::from(TICKS),
            };
            self.out.drain(..).map(number).collect()
        }
    }

    #[test]
    fn what_is_next_is_heard_at_once_and_what_is_late_finds_its_place() {
        let mut line = Network::new();
        line.comes(0, 0);
        line.comes(1, 20);
        assert_eq!(line.heard(), [0, 1]);
        line.comes(3, 60);
        assert_eq!(line.heard(), [0; 0], "the missing one is waited for");
        line.comes(2, 75);
        assert_eq!(line.heard(), [2, 3]);
        line.comes(3, 76);
        line.comes(0, 77);
        assert_eq!(line.heard(), [0; 0], "what comes twice, or again, is nothing");
    }

    #[test]
    fn a_lost_packet_is_recovered_of_the_next_when_it_is_not_waited_for_any_more() {
        let mut line = Network::new();
        for place in [0, 1, 3] {
            line.comes(place, u64::from(place) * 20);
        }
        assert_eq!(line.heard(), [0, 1]);
        line.passes_to(79);
        assert_eq!(line.heard(), [0; 0]);
        // 2 was due at 40, and nothing was late: 40 more.
        line.passes_to(80);
        assert_eq!(line.heard(), [1_001, 3]);
        line.comes(2, 85);
        assert_eq!(line.heard(), [0; 0], "too late");
    }

    #[test]
    fn silence_is_concealed_for_a_tenth_of_a_second_and_ends_with_the_next_packet() {
        let mut line = Network::new();
        line.comes(0, 0);
        line.passes_to(1_000);
        assert_eq!(line.heard(), [0, 2_001, 2_001, 2_001, 2_001, 2_001]);
        // The sender says what came after is a second later: it is, and is not concealed again.
        for place in 50..60 {
            line.comes(place, u64::from(place) * 20);
        }
        let rest: Vec<u64> = (50..60).collect();
        assert_eq!(line.heard(), [vec![3_044], rest].concat());
        // After another silence everything takes 300 ms longer: the buffer does not insist on what it knew.
        line.passes_to(2_000);
        line.heard();
        for place in 100..110 {
            line.comes(place, u64::from(place) * 20 + 300);
        }
        let rest: Vec<u64> = (100..110).collect();
        assert_eq!(line.heard(), [vec![3_035], rest].concat());
    }

    #[test]
    fn a_long_loss_is_concealed_in_part() {
        let mut line = Network::new();
        line.comes(0, 0);
        line.comes(9, 20);
        line.passes_to(60);
        assert_eq!(line.heard(), [0, 2_005, 3_003, 9]);
    }

    #[test]
    fn a_line_that_is_uneven_is_waited_for_longer_and_an_even_one_shorter_again() {
        let mut line = Network::new();
        // Every fourth packet takes 90 ms longer: those are lost first, until that is expected.
        let arrival = |place: u32| u64::from(place) * 20 + if place % 4 == 3 { 90 } else { 0 };
        let mut order: Vec<u32> = (0..100).collect();
        order.sort_by_key(|place| arrival(*place));
        for place in order {
            line.comes(place, arrival(place));
        }
        let heard = line.heard();
        let last: Vec<u64> = heard.iter().rev().take(60).rev().copied().collect();
        let expected: Vec<u64> = (40..100).collect();
        assert_eq!(last, expected, "{heard:?}");
        // Ten seconds of an even line: a gap is closed after 40 ms again.
        for place in 100..600 {
            line.comes(place, u64::from(place) * 20);
        }
        line.heard();
        line.comes(601, 601 * 20);
        line.passes_to(600 * 20 + 39);
        assert_eq!(line.heard().len(), 0);
        line.passes_to(600 * 20 + 50);
        assert_eq!(line.heard()[0], 1_001);
    }

    #[test]
    fn another_source_goes_on_by_its_time_of_arrival() {
        let mut line = Network::new();
        line.comes(0, 0);
        line.comes(1, 20);
        line.comes_from(2, 200, 40);
        line.comes_from(2, 201, 60);
        assert_eq!(line.heard(), [0, 1, 200, 201]);
    }

    proptest! {
        /// Jitter below the shortest wait loses nothing, whatever the order.
        #[test]
        fn nothing_is_lost_of_what_is_late_by_less_than_is_waited_for(late in prop::collection::vec(0u64..30, 1..200)) {
            let mut line = Network::new();
            let mut arrivals: Vec<(u64, u32)> = (0u32..).zip(&late).map(|(place, late)| (u64::from(place) * 20 + late, place)).collect();
            arrivals.sort_unstable();
            // The first to come is the first of all: what was said before it is not missed.
            arrivals.retain(|(_, place)| *place != 0);
            arrivals.insert(0, (0, 0));
            for (at, place) in &arrivals {
                line.comes(*place, *at);
            }
            let expected: Vec<u64> = (0..late.len() as u64).map(|place| place % 256).collect();
            prop_assert_eq!(line.heard(), expected);
        }

        /// Whatever comes: the sound has no step back, no more than a tenth of a second is made up in a row, and nothing waits
        /// longer than it may.
        #[test]
        fn whatever_comes_is_heard_in_order_and_soon(packets in prop::collection::vec((0u32..400, 0u64..60), 1..200)) {
            let mut line = Network::new();
            let (mut now, mut in_a_row) = (0, 0);
            for (place, pause) in packets {
                now += pause;
                line.comes(place, now);
                for piece in line.out.drain(..) {
                    match piece {
                        Piece::Packet(..) | Piece::LeftOut(_) => in_a_row = 0,
                        Piece::Recovered(_, ticks) | Piece::Concealed(ticks) => in_a_row += ticks,
                    }
                    prop_assert!(in_a_row <= 5 * TICKS);
                }
            }
            line.passes_to(now + 60_000);
            prop_assert!(line.buffer.waiting.is_empty(), "{:?}", line.buffer);
        }
    }
}
