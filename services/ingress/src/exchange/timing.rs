//! Every time of the exchange, in one place (design: "Between ingress and worker", "Overload").

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

/// How often the exchange looks at its clock: every time that it promises is met within one tick.
pub const TICK: Duration = Duration::from_millis(50);
/// A worker that said nothing for this long is asked.
pub(super) const SILENCE: Duration = Duration::from_millis(250);
/// A worker that said nothing for this long is given up.
pub(super) const DEAD: Duration = Duration::from_secs(1);
/// From the wish for a stream to its welcome.
pub(super) const CONNECT: Duration = Duration::from_secs(2);
/// A stream that lasted this long is opened again at once when it ends; what comes and goes faster is a failure.
pub(super) const LASTING: Duration = Duration::from_secs(1);
/// A request waits this long for a credit before it is sent to be accepted without a turn, or refused.
pub(super) const CREDIT_HOLD: Duration = Duration::from_millis(100);
/// A request whose caller has gone still counts for the order of its shard this long: a worker that gives a shard up takes
/// at most 1.5 s.
pub(super) const ABANDONED: Duration = Duration::from_secs(2);
/// What is outstanding at a worker that lost the shard counts for its order this long: 1.5 s to finish, 2 s until the next
/// owner takes the shard by force, and some for the map's way. From then on the fence refuses whatever the old one writes.
pub(super) const TAKEN_OVER: Duration = Duration::from_secs(4);
/// A tick that comes this late says that this thread was stopped, and nothing about the workers.
pub(super) const STALL: Duration = Duration::from_millis(500);
/// After such a stall, streams that workers closed meanwhile are this thread's fault.
pub(super) const AFTER_STALL: Duration = Duration::from_secs(2);

/// Delays between attempts to open a stream, from the second on.
pub(super) const RECONNECT: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(1);
/// Delays between resends of one shard, from the second on.
pub(super) const RESEND: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(1);

/// The delay before attempt `number` (1 is the first that is delayed): doubles from the range's start to its end, and half
/// of it is random, so that many threads do not come back together.
pub(super) fn back_off(range: RangeInclusive<Duration>, number: u32, random: &mut SmallRng) -> Duration {
    let doublings = number.saturating_sub(1).min(16);
    let full = range.start().saturating_mul(1 << doublings).min(*range.end());
    full.mul_f64(random.random_range(0.5..=1.0))
}
