//! When a request to one of Microsoft's services is tried again: a pure rule.
//!
//! Sources of the Connector's statuses: Teams "Optimize your bot: rate limiting" (412, 429, 502, 504, back-off with jitter), status codes from bot
//! conversational APIs (503); RFC 9110, sections 10.2.3 (Retry-After) and 15.5.9: 408 says that the request did not arrive
//! whole in time and may be repeated. No document of Teams names it; servers and proxies under load send it.

use std::time::Duration;

/// How long and how often a call is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in sum, the first included; at least 1.
    pub attempts: u32,
    /// Pause after the first attempt; it doubles with each further one.
    pub first_pause: Duration,
    /// Longest pause that is not asked for by Retry-After.
    pub longest_pause: Duration,
    /// Time for all attempts and pauses. No pause begins that would end after it.
    pub budget: Duration,
}

impl Default for RetryPolicy {
    /// 5 attempts within a minute, pauses of 0.5 to 20 s.
    fn default() -> Self {
        Self {
            attempts: 5,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(20),
            budget: Duration::from_secs(60),
        }
    }
}

/// How an attempt failed, as far as trying again is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptFailure {
    /// The service answered with this status.
    Status(u16),
    /// No connection: nothing was sent.
    NotConnected,
    /// The connection broke, or time ran out, after the request may have been sent.
    Broken,
    /// Nothing was sent, and later it may work (no token at the moment).
    NotReady,
    /// It can never work.
    Impossible,
}

impl AttemptFailure {
    /// Whether the same call may succeed later, if nothing speaks against repeating it.
    pub fn may_pass(self) -> bool {
        match self {
            Self::Status(status) => matches!(status, 408 | 412 | 429 | 502 | 503 | 504),
            Self::NotConnected | Self::Broken | Self::NotReady => true,
            Self::Impossible => false,
        }
    }

    /// Whether the call may have had its effect although it failed: the service gave up waiting for a part of itself, or
    /// nobody heard the answer.
    pub fn may_have_worked(self) -> bool {
        matches!(self, Self::Status(500 | 502 | 504) | Self::Broken)
    }
}

/// What to do when a message may have arrived although its sending failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InDoubt {
    /// Try again: shown twice at worst. Always right for calls that change nothing when repeated.
    #[default]
    Resend,
    /// Do not try again: lost at worst.
    Skip,
}

/// A failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedAttempt {
    /// How it failed.
    pub failure: AttemptFailure,
    /// Its number, from 1.
    pub number: u32,
    /// What the answer's Retry-After asks for.
    pub retry_after: Option<Duration>,
    /// Time since the first attempt began.
    pub elapsed: Duration,
    /// What the call does when it is in doubt.
    pub in_doubt: InDoubt,
}

/// What follows from a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try again after this pause.
    RetryAfter(Duration),
    /// Do not try again.
    GiveUp,
}

impl RetryPolicy {
    /// Decides. `chance` is a random number from 0 to 1 that spreads the pauses of many callers.
    pub fn decide(&self, attempt: FailedAttempt, chance: f64) -> Decision {
        let failure = attempt.failure;
        let is_skipped = failure.may_have_worked() && attempt.in_doubt == InDoubt::Skip;
        if !failure.may_pass() || is_skipped || attempt.number >= self.attempts {
            return Decision::GiveUp;
        }
        let pause = self.pause(attempt.number, attempt.retry_after, chance.clamp(0.0, 1.0));
        match attempt.elapsed.checked_add(pause) {
            Some(resumed) if resumed < self.budget => Decision::RetryAfter(pause),
            _ => Decision::GiveUp,
        }
    }

    /// Doubling pauses, 20 % more or less. What Retry-After asks for is a minimum: the chance only adds to it.
    fn pause(&self, number: u32, retry_after: Option<Duration>, chance: f64) -> Duration {
        const SPREAD: f64 = 0.2;
        if let Some(asked) = retry_after {
            return asked.saturating_add(asked.min(self.longest_pause).mul_f64(SPREAD * chance));
        }
        let doublings = number.saturating_sub(1).min(31);
        let grown = self
            .first_pause
            .saturating_mul(1_u32 << doublings)
            .min(self.longest_pause);
        grown.mul_f64(1.0 - SPREAD + 2.0 * SPREAD * chance)
    }
}

/// Reads Retry-After: seconds, as Graph documents them also with a fraction (`2.128`), or a date, which is compared with the
/// given time.
pub fn read_retry_after(text: &str, now: jiff::Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    // Neither a sign nor an exponent is a number of RFC 9110.
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Duration::try_from_secs_f64(text.parse().ok()?).ok();
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn failed(failure: AttemptFailure) -> FailedAttempt {
        FailedAttempt {
            failure,
            number: 1,
            retry_after: None,
            elapsed: Duration::ZERO,
            in_doubt: InDoubt::Resend,
        }
    }

    fn is_retried(attempt: FailedAttempt) -> bool {
        matches!(RetryPolicy::default().decide(attempt, 0.5), Decision::RetryAfter(_))
    }

    #[test]
    fn the_documented_statuses_and_an_incomplete_request_are_tried_again() {
        let retried: Vec<u16> = (100..600)
            .filter(|status| is_retried(failed(AttemptFailure::Status(*status))))
            .collect();
        assert_eq!(retried, [408, 412, 429, 502, 503, 504]);
    }

    #[rstest]
    #[case(AttemptFailure::Status(502), false)]
    #[case(AttemptFailure::Status(504), false)]
    #[case(AttemptFailure::Broken, false)]
    #[case(AttemptFailure::Status(503), true)]
    #[case(AttemptFailure::Status(429), true)]
    #[case(AttemptFailure::NotConnected, true)]
    fn a_call_that_skips_doubt_is_repeated_only_when_nothing_can_have_arrived(
        #[case] failure: AttemptFailure,
        #[case] retried: bool,
    ) {
        assert_eq!(
            is_retried(FailedAttempt {
                in_doubt: InDoubt::Skip,
                ..failed(failure)
            }),
            retried
        );
        assert!(is_retried(failed(failure)));
    }

    #[test]
    fn retry_after_that_does_not_fit_the_budget_ends_the_attempts() {
        let asked = Some(Duration::from_secs(3600));
        assert!(!is_retried(FailedAttempt {
            retry_after: asked,
            ..failed(AttemptFailure::Status(429))
        }));
    }

    #[rstest]
    #[case("3", Some(3))]
    #[case(" 120 ", Some(120))]
    #[case("Mon, 04 May 2026 09:30:10 GMT", Some(10))]
    #[case("Mon, 04 May 2026 09:29:00 GMT", Some(0))]
    #[case("soon", None)]
    #[case("-1", None)]
    #[case("1e9", None)]
    #[case("inf", None)]
    #[case(".", None)]
    #[case("", None)]
    fn retry_after_is_seconds_or_a_date(#[case] text: &str, #[case] seconds: Option<u64>) {
        let now = "2026-05-04T09:30:00Z".parse().unwrap();
        assert_eq!(read_retry_after(text, now), seconds.map(Duration::from_secs));
    }

    #[rstest]
    #[case("2.128", 2_128)]
    #[case("0.5", 500)]
    #[case("3.", 3_000)]
    fn retry_after_may_have_a_fraction(#[case] text: &str, #[case] milliseconds: u64) {
        let read = read_retry_after(text, jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(read, Some(Duration::from_millis(milliseconds)));
    }

    fn any_failure() -> impl Strategy<Value = AttemptFailure> {
        prop_oneof![
            (100_u16..600).prop_map(AttemptFailure::Status),
            Just(AttemptFailure::NotConnected),
            Just(AttemptFailure::Broken),
            Just(AttemptFailure::NotReady),
            Just(AttemptFailure::Impossible),
        ]
    }

    prop_compose! {
        fn any_attempt()(
            failure in any_failure(),
            number in 1_u32..200,
            retry_after in prop::option::of((0_u64..=u64::MAX / 2).prop_map(Duration::from_secs)),
            elapsed in (0_u64..100_000).prop_map(Duration::from_millis),
            skips in any::<bool>(),
        ) -> FailedAttempt {
            let in_doubt = if skips { InDoubt::Skip } else { InDoubt::Resend };
            FailedAttempt { failure, number, retry_after, elapsed, in_doubt }
        }
    }

    prop_compose! {
        fn any_policy()(attempts in 0_u32..100, first in 0_u64..10_000, longest in 0_u64..60_000, budget in 0_u64..600_000)
            -> RetryPolicy {
            RetryPolicy {
                attempts,
                first_pause: Duration::from_millis(first),
                longest_pause: Duration::from_millis(longest),
                budget: Duration::from_millis(budget),
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_retry_after_says_is_read_or_left(text in "[0-9.eE+ -]{0,40}|\\PC*") {
            let _ = read_retry_after(&text, jiff::Timestamp::UNIX_EPOCH);
        }

        #[test]
        fn no_pause_is_shorter_than_asked_for_or_ends_after_the_budget(
            policy in any_policy(), attempt in any_attempt(), chance in -1.0_f64..2.0,
        ) {
            if let Decision::RetryAfter(pause) = policy.decide(attempt, chance) {
                prop_assert!(attempt.elapsed + pause < policy.budget);
                prop_assert!(attempt.number < policy.attempts);
                prop_assert!(attempt.failure.may_pass());
                match attempt.retry_after {
                    Some(asked) => prop_assert!(pause >= asked),
                    None => prop_assert!(pause <= policy.longest_pause.mul_f64(1.2) + Duration::from_nanos(1)),
                }
            }
        }

        #[test]
        fn pauses_do_not_shrink_from_attempt_to_attempt(policy in any_policy(), number in 1_u32..100, chance in 0.0_f64..=1.0) {
            prop_assert!(policy.pause(number, None, chance) <= policy.pause(number + 1, None, chance));
        }
    }
}
