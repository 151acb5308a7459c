//! When a token is renewed. Pure.

use std::time::{Duration, Instant};

/// Lives longer than this are renewed after half of it.
const LONG_LIFE: Duration = Duration::from_secs(2 * 60 * 60);

/// How long before its end a token of a shorter life is renewed.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// How long after it was issued a token is renewed.
///
/// As Microsoft's MSAL libraries do: after `refresh_in` if the endpoint gives one, after half of a life of more than two
/// hours, else five minutes before the end; never later than the end itself. A life that is shorter than the margin is used
/// for half of it.
pub fn renew_after(expires_in: Duration, refresh_in: Option<Duration>) -> Duration {
    if let Some(refresh_in) = refresh_in {
        return refresh_in.min(expires_in);
    }
    if expires_in > LONG_LIFE {
        expires_in / 2
    } else {
        expires_in.saturating_sub(MARGIN).max(expires_in / 2)
    }
}

/// The life of one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lifetime {
    /// From when it should be replaced.
    pub(super) renew_at: Instant,
    /// From when it is worth nothing.
    pub(super) expires: Instant,
}

impl Lifetime {
    /// The life of a token that was asked for at `asked`: counted from the question, because the answer may be slow.
    pub(super) fn of(asked: Instant, expires_in: Duration, refresh_in: Option<Duration>) -> Self {
        Self {
            renew_at: asked + renew_after(expires_in, refresh_in),
            expires: asked + expires_in,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn tokens_are_renewed_when_microsofts_libraries_would() {
        for (expires_in, refresh_in, expected) in [
            (86_399, Some(43_199), 43_199),
            (86_400, None, 43_200),
            (7_201, None, 3_600),
            (7_200, None, 6_900),
            (3_599, None, 3_299),
            (3_600, Some(9_999), 3_600),
            (400, None, 200),
            (60, None, 30),
            (0, None, 0),
        ] {
            let renewed = renew_after(seconds(expires_in), refresh_in.map(seconds)).as_secs();
            assert_eq!(renewed, expected, "life {expires_in} s, refresh_in {refresh_in:?}");
        }
    }

    proptest! {
        #[test]
        fn a_token_is_never_renewed_after_its_end(expires_in in 0..u64::from(u32::MAX), refresh_in: Option<u32>) {
            let refresh_in = refresh_in.map(u64::from).map(seconds);
            prop_assert!(renew_after(seconds(expires_in), refresh_in) <= seconds(expires_in));
        }
    }
}
