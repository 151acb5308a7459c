//! The verdict on a token. Pure: token, keys, rules and time in, facts or a refusal out.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::claims::{Claims, Parts, for_log};
use super::key_set::{KeySet, SigningKey};
use super::{CLOCK_SKEW, Refusal};

/// What a token must say to be accepted.
#[derive(Clone, Debug)]
pub struct Rules {
    issuers: Vec<String>,
    family: Family,
    /// App ids in lower case, each with the place of its bot in the list.
    audiences: ahash::HashMap<String, usize>,
}

/// What a token must say beside issuer, audience and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// `serviceurl`.
    Connector,
    /// `tid`; and one slash at the end of `iss` means nothing (observed).
    Calling,
}

impl Rules {
    /// Tokens of `issuer` for one of these app ids (GUIDs, compared without case).
    pub fn new<'a>(issuer: &str, app_ids: impl IntoIterator<Item = &'a str>) -> Self {
        Self::of(Family::Connector, vec![issuer.to_owned()], app_ids)
    }

    /// Tokens of the calling platform, by any of these issuers. They name the tenant and no service URL.
    pub fn calling<'a>(issuers: Vec<String>, app_ids: impl IntoIterator<Item = &'a str>) -> Self {
        Self::of(Family::Calling, issuers, app_ids)
    }

    fn believes(&self, issuer: &str) -> bool {
        let is_same = |own: &String| match self.family {
            Family::Connector => own == issuer,
            Family::Calling => bare(own) == bare(issuer),
        };
        self.issuers.iter().any(is_same)
    }

    fn of<'a>(family: Family, issuers: Vec<String>, app_ids: impl IntoIterator<Item = &'a str>) -> Self {
        let places = app_ids.into_iter().enumerate();
        let audiences = places
            .map(|(place, app_id)| (app_id.to_ascii_lowercase(), place))
            .collect();
        Self {
            issuers,
            family,
            audiences,
        }
    }
}

fn bare(issuer: &str) -> &str {
    issuer.strip_suffix('/').unwrap_or(issuer)
}

/// What a verified token says.
#[derive(Clone, Debug)]
pub struct TokenFacts {
    /// Place of the bot in the list of app ids.
    pub bot: usize,
    /// `serviceurl`: where this caller may have answers sent. Empty in tokens of the calling platform.
    pub service_url: Box<str>,
    /// `tid`: always there in tokens of the calling platform.
    pub tenant: Option<Box<str>>,
    /// The key that signed it.
    pub key: Arc<SigningKey>,
    /// `nbf`, Unix seconds, without skew.
    pub not_before: u64,
    /// `exp`, Unix seconds, without skew.
    pub expires: u64,
}

impl TokenFacts {
    /// Whether the token is still valid at that time, skew included.
    pub(super) fn is_valid_at(&self, now: u64) -> bool {
        check_time(self.not_before, self.expires, now).is_ok()
    }
}

/// Verifies one token.
///
/// What costs nothing is looked at first and the signature last. So a refusal may repeat what an unverified token claims,
/// which is good enough for the log, and only a token that is plausible in all else can ask for a read of the keys.
pub fn verify(token: &str, keys: &KeySet, rules: &Rules, now: SystemTime) -> Result<TokenFacts, Refusal> {
    let malformed = |reason| Refusal::Malformed { reason };
    let parts = Parts::cut(token).ok_or(malformed("not three parts"))?;
    let header = parts.header()?;
    if header.alg != "RS256" {
        return Err(Refusal::Algorithm {
            algorithm: for_log(&header.alg),
        });
    }
    if header.crit.is_some() {
        return Err(malformed("header demands extensions"));
    }
    let kid = header.kid.ok_or(malformed("header names no key"))?;
    let claims = parts.claims()?;
    let (bot, not_before, expires) = check_claims(&claims, rules, now)?;
    let tenant = claims.tid.filter(|tenant| !tenant.is_empty());
    let service_url = match rules.family {
        Family::Connector => claims.service_url.ok_or(malformed("no serviceurl claim"))?,
        Family::Calling if tenant.is_none() => return Err(malformed("no tid claim")),
        Family::Calling => String::new(),
    };

    let Some(key) = keys.find(&kid) else {
        return Err(Refusal::KeyUnknown {
            kid: for_log(&kid),
            refreshed: false,
        });
    };
    if !key.has_signed(parts.signed, parts.signature) {
        return Err(Refusal::BadSignature { kid });
    }
    Ok(TokenFacts {
        bot,
        service_url: service_url.into(),
        tenant: tenant.map(String::into_boxed_str),
        key: Arc::clone(key),
        not_before,
        expires,
    })
}

/// Issuer, audience and time; gives the bot's place, `nbf` and `exp`.
fn check_claims(claims: &Claims, rules: &Rules, now: SystemTime) -> Result<(usize, u64, u64), Refusal> {
    let missing = |reason| Refusal::Malformed { reason };
    let issuer = claims.iss.as_deref().ok_or(missing("no iss claim"))?;
    if !rules.believes(issuer) {
        return Err(Refusal::UnknownIssuer {
            seen: for_log(issuer),
            expected: rules.issuers.join(" or "),
        });
    }
    let audience = claims.aud.as_deref().ok_or(missing("no aud claim"))?;
    let Some(&bot) = rules.audiences.get(&audience.to_ascii_lowercase()) else {
        return Err(Refusal::WrongAudience {
            seen: for_log(audience),
        });
    };
    let expires = claims.exp.ok_or(missing("no exp claim"))?;
    let not_before = claims.nbf.ok_or(missing("no nbf claim"))?;
    check_time(not_before, expires, unix_seconds(now))?;
    Ok((bot, not_before, expires))
}

fn check_time(not_before: u64, expires: u64, now: u64) -> Result<(), Refusal> {
    let skew = CLOCK_SKEW.as_secs();
    if now > expires.saturating_add(skew) {
        return Err(Refusal::Expired {
            ago: Duration::from_secs(now - expires),
        });
    }
    if not_before > now.saturating_add(skew) {
        return Err(Refusal::NotYetValid {
            ahead: Duration::from_secs(not_before - now),
        });
    }
    Ok(())
}

/// A time as the claims write it (RFC 7519 `NumericDate`). A clock before 1970 is a clock at 1970.
pub(super) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skew_ends_after_five_minutes_to_the_second() {
        assert_eq!(check_time(1000, 2000, 2300), Ok(()));
        assert_eq!(
            check_time(1000, 2000, 2301),
            Err(Refusal::Expired {
                ago: Duration::from_secs(301)
            })
        );
        assert_eq!(check_time(1000, 2000, 700), Ok(()));
        assert_eq!(
            check_time(1000, 2000, 699),
            Err(Refusal::NotYetValid {
                ahead: Duration::from_secs(301)
            })
        );
    }

    #[test]
    fn times_at_the_end_of_numbers_do_not_overflow() {
        assert_eq!(check_time(0, u64::MAX, u64::MAX), Ok(()));
        assert!(check_time(u64::MAX, u64::MAX, 0).is_err());
    }
}
