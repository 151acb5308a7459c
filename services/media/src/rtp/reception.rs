//! What is known of a stream that is received (RFC 3550 appendices A.1, A.3 and A.8).

use std::time::{Duration, Instant};

use super::{low16, low32, ticks_of};

/// A jump ahead by more is a new beginning of the stream, not a loss.
const LARGEST_JUMP: u64 = 3_000;

/// How a packet arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The first packet, or the first after the stream began anew.
    First,
    /// Ahead of all before it.
    Next,
    /// After one that was sent later.
    Late,
}

/// The state of one received stream.
#[derive(Debug, Clone)]
pub(crate) struct Reception {
    clock_rate: u32,
    began: Instant,
    /// Extended numbers: rollovers times 65,536 plus the number. They begin a rollover up, so that the first may be late.
    base: u64,
    highest: u64,
    received: u64,
    late: u64,
    before_report: (u64, u64),
    transit: Option<i64>,
    /// Sixteen times the jitter, in clock units.
    jitter: u64,
    last: Instant,
}

impl Reception {
    /// Begins with its first packet.
    pub(crate) fn new(clock_rate: u32, sequence: u16, now: Instant) -> Self {
        let first = 65_536 + u64::from(sequence);
        Self {
            clock_rate,
            began: now,
            base: first,
            highest: first,
            received: 0,
            late: 0,
            before_report: (0, 0),
            transit: None,
            jitter: 0,
            last: now,
        }
    }

    /// Takes a packet. The extended number tells packets of the whole stream apart.
    pub(crate) fn packet(&mut self, sequence: u16, now: Instant) -> (u64, Arrival) {
        self.last = now;
        let ahead = u64::from(sequence.wrapping_sub(low16(self.highest)));
        let arrival = if self.received == 0 {
            Arrival::First
        } else if ahead == 0 || ahead >= 65_536 - LARGEST_JUMP {
            Arrival::Late
        } else if ahead <= LARGEST_JUMP {
            self.highest += ahead;
            Arrival::Next
        } else {
            self.begin_anew(sequence);
            Arrival::First
        };
        self.received += 1;
        self.late += u64::from(arrival == Arrival::Late);
        let number = match arrival {
            Arrival::Late => self.highest - u64::from(low16(self.highest).wrapping_sub(sequence)),
            Arrival::First | Arrival::Next => self.highest,
        };
        (number, arrival)
    }

    /// Losses so far are kept by moving the base along.
    fn begin_anew(&mut self, sequence: u16) {
        let expected = self.expected();
        let rollover = (self.highest | 0xFFFF) + 1;
        self.highest = rollover + u64::from(sequence);
        self.base = self.highest.saturating_sub(expected);
        self.transit = None;
    }

    /// Takes the timestamp of a packet of audio: the jitter is of these.
    pub(crate) fn timestamp(&mut self, timestamp: u32, now: Instant) {
        let arrived = ticks_of(now.saturating_duration_since(self.began), self.clock_rate);
        let transit = i64::from(arrived.wrapping_sub(timestamp));
        if let Some(before) = self.transit.replace(transit) {
            // Both wrap at 32 bits.
            let difference = i64::from(low32((transit - before).cast_unsigned()).cast_signed()).unsigned_abs();
            self.jitter += difference.min(u64::from(self.clock_rate));
            self.jitter -= (self.jitter - difference.min(u64::from(self.clock_rate)) + 8) >> 4;
        }
    }

    fn expected(&self) -> u64 {
        if self.received == 0 {
            0
        } else {
            self.highest - self.base + 1
        }
    }

    /// Packets that were sent and did not come; late ones count as come.
    pub(crate) fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }

    /// Packets that came after a later one.
    pub(crate) fn late(&self) -> u64 {
        self.late
    }

    /// How unevenly packets arrive.
    pub(crate) fn jitter(&self) -> Duration {
        Duration::from_micros((self.jitter >> 4) * 1_000_000 / u64::from(self.clock_rate))
    }

    /// The same in clock units, for a report.
    pub(crate) fn jitter_ticks(&self) -> u32 {
        low32(self.jitter >> 4)
    }

    /// Highest extended number as a report gives it.
    pub(crate) fn highest(&self) -> u32 {
        low32(self.highest - 65_536)
    }

    /// When the last packet came.
    pub(crate) fn last(&self) -> Instant {
        self.last
    }

    /// Share of packets lost since the last report, in 256ths. Begins the next interval.
    pub(crate) fn fraction_lost(&mut self) -> u8 {
        let (expected_before, received_before) = self.before_report;
        let expected = self.expected().saturating_sub(expected_before);
        let lost = expected.saturating_sub(self.received - received_before);
        self.before_report = (self.expected(), self.received);
        let fraction = (lost * 256).checked_div(expected).unwrap_or_default();
        u8::try_from(fraction).unwrap_or(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reception_of(sequences: &[u16]) -> Reception {
        let now = Instant::now();
        let mut reception = Reception::new(8_000, sequences[0], now);
        for sequence in sequences {
            reception.packet(*sequence, now);
        }
        reception
    }

    #[test]
    fn losses_are_counted_over_the_wrap() {
        let mut reception = reception_of(&[65_533, 65_534, 1, 2, 5]);
        assert_eq!(reception.lost(), 4);
        assert_eq!(reception.fraction_lost(), u8::try_from(256 * 4 / 9).unwrap_or_default());
        assert_eq!(reception.fraction_lost(), 0, "nothing came since");
        assert_eq!(reception.highest(), 65_536 + 5);
    }

    #[test]
    fn a_late_packet_is_not_lost() {
        let reception = reception_of(&[10, 12, 11, 13]);
        assert_eq!((reception.lost(), reception.late()), (0, 1));
    }

    #[test]
    fn a_stream_that_begins_anew_loses_nothing() {
        let reception = reception_of(&[10, 11, 40_000, 40_001]);
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn even_arrivals_have_no_jitter_and_uneven_ones_some() {
        let start = Instant::now();
        let mut even = Reception::new(8_000, 0, start);
        let mut uneven = even.clone();
        for packet in 0..200u32 {
            let at = start + Duration::from_millis(u64::from(20 * packet));
            even.timestamp(packet * 160, at);
            uneven.timestamp(packet * 160, at + Duration::from_millis(u64::from(packet % 2) * 10));
        }
        assert_eq!(even.jitter(), Duration::ZERO);
        let jitter = uneven.jitter();
        assert!(
            (Duration::from_millis(9)..=Duration::from_millis(10)).contains(&jitter),
            "{jitter:?}"
        );
    }

    proptest! {
        /// Whatever arrives, extended numbers of different packets of a window differ and nothing overflows.
        #[test]
        fn any_arrivals_are_counted(sequences in proptest::collection::vec(any::<u16>(), 1..200)) {
            let now = Instant::now();
            let mut reception = Reception::new(48_000, sequences[0], now);
            for sequence in &sequences {
                let (number, _) = reception.packet(*sequence, now);
                prop_assert_eq!(low16(number), *sequence);
                reception.timestamp(u32::from(*sequence).wrapping_mul(0x0101_0101), now);
            }
            prop_assert!(reception.lost() < 65_536 * 200);
        }
    }
}
