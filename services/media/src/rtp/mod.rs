//! RTP and RTCP (RFC 3550): headers, what is known of a stream that is received, reports, the estimate of quality.

mod header;
mod quality;
mod reception;
mod report;

use std::time::Duration;

pub(crate) use header::{Header, is_control, source_of, source_of_control, write_header};
pub use quality::opinion_score;
pub(crate) use reception::{Arrival, Reception};
pub(crate) use report::{Report, goodbye, read_control};

/// Clock units of a time, as timestamps count them: they wrap.
pub(crate) fn ticks_of(time: Duration, clock_rate: u32) -> u32 {
    // In 64 bits: a division of 128 bits is dear for each packet. It holds for years of a leg.
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX / 1_000_000);
    low32(micros.wrapping_mul(u64::from(clock_rate / 1_000)) / 1_000)
}

/// The low 32 bits of a number that is counted in more.
#[expect(clippy::cast_possible_truncation, reason = "the low bits are what is meant")]
pub(crate) const fn low32(number: u64) -> u32 {
    number as u32
}

/// The low 16 bits.
#[expect(clippy::cast_possible_truncation, reason = "the low bits are what is meant")]
pub(crate) const fn low16(number: u64) -> u16 {
    number as u16
}

/// How far `later` is ahead of `earlier` in timestamps that wrap; negative if it is behind.
pub(crate) const fn ticks_between(earlier: u32, later: u32) -> i32 {
    later.wrapping_sub(earlier).cast_signed()
}
