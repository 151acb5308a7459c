//! What the cluster knows of calls beyond the record of each: how many a tenant has at once, how many a bot had this month,
//! and which have ended.
//!
//! A call's own record lives and dies as every record does ([`super::Store::commit`]). What stands here crosses shards, so it
//! is in no commit: every operation is idempotent, and the owner of the call repeats it until it is answered. Nothing here
//! is guarded by a fence: an owner that has lost its shard can count a call that has ended for one more life of a lease, no
//! more.
//!
//! | what | begins | dies |
//! |---|---|---|
//! | lease | taken before the call begins | released when it ended, else with its life after the last renewal |
//! | count of a month | with the first lease of a call | [`USAGE_LIFE_MS`] after the last call of that month, a month more at most |
//! | ended call | when the call ended | with its retention, at most a day later |

use bytes::Bytes;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::StoreError;
use crate::key::Key;

/// Life of a month's counts after its last call: thirteen months and a little.
pub const USAGE_LIFE_MS: u64 = 400 * 86_400_000;
/// Largest entry of an ended call in bytes.
pub const ENDED_BYTES: usize = 16 * 1024;
/// Longest id of a tenant, or name of a bot, in bytes.
pub const CALL_NAME_BYTES: usize = 256;

/// A month of the calendar in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Month {
    /// Months since January of the year 0.
    count: u32,
}

impl Month {
    /// The month of a time in milliseconds since 1970.
    pub fn of_ms(at_ms: u64) -> Self {
        let at = i64::try_from(at_ms).unwrap_or(i64::MAX);
        let at = Timestamp::from_millisecond(at).unwrap_or(Timestamp::MAX);
        let date = TimeZone::UTC.to_datetime(at).date();
        let count = i32::from(date.year()) * 12 + i32::from(date.month()) - 1;
        Self {
            count: count.unsigned_abs(),
        }
    }

    /// The month `months` before.
    #[must_use]
    pub fn before(self, months: u32) -> Self {
        Self {
            count: self.count.saturating_sub(months),
        }
    }

    /// Reads `2026-11`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let (year, month): (u32, u32) = (year.parse().ok()?, month.parse().ok()?);
        ((1970..=9_999).contains(&year) && (1..=12).contains(&month)).then_some(Self {
            count: year * 12 + month - 1,
        })
    }

    /// Months since January of the year 0: orders them in a table.
    #[cfg(feature = "embedded")]
    pub(crate) fn number(self) -> u32 {
        self.count
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:04}-{:02}", self.count / 12, self.count % 12 + 1)
    }
}

/// A wish to have one more call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallLease {
    /// Entra tenant id that the call belongs to.
    pub tenant: String,
    /// Name of the bot.
    pub bot: String,
    /// The call's key in the store.
    pub call: Key,
    /// Most calls of the tenant at once; `None` for any number.
    pub limit: Option<u32>,
    /// Life of the lease from now, at least 1: two renewals.
    pub life_ms: u64,
    /// The month that the call is counted in.
    pub month: Month,
}

/// What became of the wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallTaken {
    /// The lease is ours, now or by an earlier copy of this wish.
    Taken {
        /// Calls of the tenant now, this one included.
        in_use: u32,
        /// Calls of this bot in this tenant in the month, this one included.
        this_month: u64,
    },
    /// The tenant has as many as it may.
    Full {
        /// Calls of the tenant now.
        in_use: u32,
    },
}

/// Calls of a bot in a tenant in a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallUsage {
    /// Entra tenant id.
    pub tenant: String,
    /// Name of the bot.
    pub bot: String,
    /// Calls that began in the month.
    pub calls: u64,
    /// Calls of the tenant, of all its bots, just now. Approximate: that of an owner that died counts for one more life.
    pub in_use: u32,
}

/// A call that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedCall {
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: u64,
    /// The call's key in the store.
    pub call: Key,
    /// Entra tenant id.
    pub tenant: String,
    /// What is kept of it, up to [`ENDED_BYTES`]; the store does not read it.
    pub entry: Bytes,
}

/// Which ended calls are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedQuery {
    /// Ended at this time or later, in milliseconds since 1970.
    pub from_ms: u64,
    /// Ended before this time.
    pub until_ms: u64,
    /// Of this tenant only.
    pub tenant: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// What every store engine knows of calls as a whole.
pub trait CallBook: Send + Sync + 'static {
    /// Takes a lease for a call that is to begin, and counts the call in its month; a lease that is held already is prolonged
    /// and counts nothing. A call whose lease had lapsed is counted anew.
    fn take_call(&self, lease: CallLease) -> BoxFuture<'_, Result<CallTaken, StoreError>>;
    /// Prolongs the lease of a call that goes on, whatever the limit: one that had lapsed is back, for the call lives. So a
    /// tenant can have more calls than its limit for as long as one renewal was late.
    fn renew_call<'a>(&'a self, tenant: &'a str, call: Key, life_ms: u64) -> BoxFuture<'a, Result<(), StoreError>>;
    /// Gives the lease of a call back that has ended. The month's count stays.
    fn release_call<'a>(&'a self, tenant: &'a str, call: Key) -> BoxFuture<'a, Result<(), StoreError>>;
    /// The counts of a month, of every tenant and bot that had a call, in no order.
    fn call_usage(&self, month: Month) -> BoxFuture<'_, Result<Vec<CallUsage>, StoreError>>;
    /// Appends a call to the log of ended calls, to be kept for `retain_ms` after its end. An entry appended again, byte
    /// for byte the same, stands once; none is ever changed.
    fn append_ended(&self, ended: EndedCall, retain_ms: u64) -> BoxFuture<'_, Result<(), StoreError>>;
    /// Reads the log, the newest first. Those of one millisecond come in any order. Days are read one by one, and a tenant's
    /// calls are picked from everybody's: for people who look, not for every turn.
    fn ended_calls(&self, query: EndedQuery) -> BoxFuture<'_, Result<Vec<EndedCall>, StoreError>>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Month;

    #[test]
    fn months_are_those_of_the_calendar() {
        // Computed apart, with `date -u -d @SECONDS +%Y-%m`.
        for (seconds, month) in [
            (0, "1970-01"),
            (951_782_399, "2000-02"),
            (951_868_799, "2000-02"),
            (951_868_800, "2000-03"),
            (1_798_761_599, "2026-12"),
            (1_798_761_600, "2027-01"),
            (4_107_542_399, "2100-02"),
            (4_107_542_400, "2100-03"),
        ] {
            assert_eq!(Month::of_ms(seconds * 1_000).to_string(), month, "{seconds}");
        }
    }

    #[test]
    fn a_month_reads_back_from_its_text_and_nothing_else_does() {
        assert_eq!(Month::parse("2026-11"), Some(Month::of_ms(1_795_000_000_000)));
        assert_eq!(
            Month::parse("2027-01").unwrap().before(2),
            Month::parse("2026-11").unwrap()
        );
        for wrong in ["", "2026", "2026-00", "2026-13", "1969-12", "11-2026-1", "2026-x"] {
            assert_eq!(Month::parse(wrong), None, "{wrong}");
        }
    }
}
