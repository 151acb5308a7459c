//! The current token of one app in one tenant for one scope.
//!
//! Reading takes no lock. When a token should be renewed, one caller does it and all others go on with the old one; when
//! there is none, all wait for one request. A failure is remembered for a moment and given to everybody who comes meanwhile:
//! the endpoint answers loops with AADSTS50196.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::error::TokenError;
use super::lifetime::Lifetime;
use super::provider::AccessToken;

/// How long the first failure is remembered; doubles with each further one.
const FIRST_HOLD: Duration = Duration::from_secs(1);

/// How long a failure is remembered at most, unless the endpoint asks for more.
const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// The longest wait that the endpoint may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);

/// After one rejected token the next may be rejected only after this time: a service that refuses every token must not
/// make us ask for new ones without end.
const BETWEEN_REJECTIONS: Duration = Duration::from_secs(10);

/// The token, and how it is replaced.
#[derive(Debug, Default)]
pub(super) struct Cache {
    current: ArcSwapOption<Held>,
    renewal: tokio::sync::Mutex<Renewal>,
    last_rejection: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Held {
    token: Arc<AccessToken>,
    lifetime: Lifetime,
}

/// What the last requests came to. Pure.
#[derive(Debug, Default)]
struct Renewal {
    failures: u32,
    held: Option<(TokenError, Instant)>,
}

impl Renewal {
    /// The error that still stands.
    fn standing_error(&self, now: Instant) -> Option<&TokenError> {
        self.held
            .as_ref()
            .filter(|(_, until)| now < *until)
            .map(|(error, _)| error)
    }

    fn failed(&mut self, error: TokenError, now: Instant) {
        let hold = (FIRST_HOLD * (1 << self.failures.min(10))).min(LONGEST_HOLD);
        let hold = error
            .retry_after()
            .map_or(hold, |asked| asked.clamp(hold, LONGEST_ASKED));
        self.failures = self.failures.saturating_add(1);
        self.held = Some((error, now + hold));
    }
}

impl Cache {
    /// A token that is valid now; `ask` is called only by the one caller who renews it.
    pub(super) async fn token<A, F>(&self, ask: A) -> Result<Arc<AccessToken>, TokenError>
    where
        A: FnOnce() -> F,
        F: Future<Output = Result<(AccessToken, Lifetime), TokenError>>,
    {
        let now = Instant::now();
        let Some(old) = self.valid(now) else {
            return self.wait_for_token(ask).await;
        };
        if now < old.lifetime.renew_at {
            return Ok(Arc::clone(&old.token));
        }
        let Ok(mut renewal) = self.renewal.try_lock() else {
            return Ok(Arc::clone(&old.token));
        };
        if renewal.standing_error(now).is_some() {
            return Ok(Arc::clone(&old.token));
        }
        let renewed = self.renew(&mut renewal, ask).await;
        Ok(renewed.unwrap_or_else(|error| {
            let left = old.lifetime.expires.saturating_duration_since(Instant::now()).as_secs();
            tracing::warn!(error = %error, seconds_left = left, "token cannot be renewed, the old one still holds");
            Arc::clone(&old.token)
        }))
    }

    /// Forgets this token, unless it was replaced already or another was rejected just before.
    pub(super) fn invalidate(&self, rejected: &AccessToken) {
        let current = self.current.load();
        if !current.as_ref().is_some_and(|held| *held.token == *rejected) {
            return;
        }
        let mut last = self.last_rejection.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if last.is_none_or(|last| now >= last + BETWEEN_REJECTIONS) {
            *last = Some(now);
            self.current.compare_and_swap(&*current, None);
        }
    }

    fn valid(&self, now: Instant) -> Option<Arc<Held>> {
        self.current.load_full().filter(|held| now < held.lifetime.expires)
    }

    async fn wait_for_token<A, F>(&self, ask: A) -> Result<Arc<AccessToken>, TokenError>
    where
        A: FnOnce() -> F,
        F: Future<Output = Result<(AccessToken, Lifetime), TokenError>>,
    {
        let mut renewal = self.renewal.lock().await;
        let now = Instant::now();
        if let Some(held) = self.valid(now) {
            return Ok(Arc::clone(&held.token));
        }
        if let Some(error) = renewal.standing_error(now) {
            return Err(error.clone());
        }
        self.renew(&mut renewal, ask).await
    }

    async fn renew<A, F>(&self, renewal: &mut Renewal, ask: A) -> Result<Arc<AccessToken>, TokenError>
    where
        A: FnOnce() -> F,
        F: Future<Output = Result<(AccessToken, Lifetime), TokenError>>,
    {
        match ask().await {
            Ok((token, lifetime)) => {
                let token = Arc::new(token);
                self.current.store(Some(Arc::new(Held {
                    token: Arc::clone(&token),
                    lifetime,
                })));
                *renewal = Renewal::default();
                Ok(token)
            }
            Err(error) => {
                renewal.failed(error.clone(), Instant::now());
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::SystemTime;

    use super::*;

    fn issued(name: &str, lifetime: Lifetime) -> (AccessToken, Lifetime) {
        (AccessToken::new(name, SystemTime::now()).unwrap(), lifetime)
    }

    fn hour() -> Lifetime {
        Lifetime::of(Instant::now(), Duration::from_secs(60 * 60), None)
    }

    /// Due for renewal, still valid.
    fn aging() -> Lifetime {
        Lifetime {
            renew_at: Instant::now(),
            ..hour()
        }
    }

    fn failure() -> TokenError {
        TokenError::Unavailable {
            endpoint: "https://login.example".into(),
            status: 503,
        }
    }

    #[tokio::test]
    async fn all_who_wait_get_the_token_of_one_request() {
        let (cache, asked) = (Cache::default(), AtomicU32::new(0));
        let ask = || async {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(issued("first", hour()))
        };
        let all = futures_util::future::join_all((0..100).map(|_| cache.token(ask))).await;
        let first = all[0].as_ref().unwrap();
        assert!(all.iter().all(|token| Arc::ptr_eq(token.as_ref().unwrap(), first)));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn all_who_wait_get_the_error_of_one_request() {
        let (cache, asked) = (Cache::default(), AtomicU32::new(0));
        let ask = || async {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Err(failure())
        };
        let all = futures_util::future::join_all((0..100).map(|_| cache.token(ask))).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn the_old_token_serves_while_one_caller_renews_it() {
        let cache = Cache::default();
        let old = cache.token(|| async { Ok(issued("old", aging())) }).await.unwrap();
        let (answer, endpoint) = tokio::sync::oneshot::channel();
        let renewing = cache.token(|| async { endpoint.await.unwrap() });
        let other = async {
            let token = cache
                .token(|| async { unreachable!("somebody renews it already") })
                .await
                .unwrap();
            answer.send(Ok(issued("new", hour()))).unwrap();
            token
        };
        let (renewed, meanwhile) = tokio::join!(renewing, other);
        assert!(Arc::ptr_eq(&meanwhile, &old));
        assert_eq!(renewed.unwrap().header(), "Bearer new");
    }

    #[tokio::test]
    async fn the_old_token_stays_while_renewal_fails_and_the_endpoint_is_left_alone() {
        let cache = Cache::default();
        let old = cache.token(|| async { Ok(issued("old", aging())) }).await.unwrap();
        assert!(Arc::ptr_eq(
            &cache.token(|| async { Err(failure()) }).await.unwrap(),
            &old
        ));
        let next = cache.token(|| async { unreachable!("the failure still stands") }).await;
        assert!(Arc::ptr_eq(&next.unwrap(), &old));
    }

    #[tokio::test]
    async fn a_rejected_token_is_replaced_once() {
        let cache = Cache::default();
        let rejected = cache.token(|| async { Ok(issued("rejected", hour())) }).await.unwrap();
        cache.invalidate(&rejected);
        let second = cache.token(|| async { Ok(issued("second", hour())) }).await.unwrap();
        assert!(!Arc::ptr_eq(&second, &rejected));
        // Others whose calls failed with the first, and a service that rejects the second at once too.
        cache.invalidate(&rejected);
        cache.invalidate(&second);
        let still = cache
            .token(|| async { unreachable!("rejected a moment ago") })
            .await
            .unwrap();
        assert!(Arc::ptr_eq(&still, &second));
    }

    #[tokio::test]
    async fn a_caller_who_goes_away_leaves_the_way_free() {
        let cache = Cache::default();
        let hanging = cache.token(std::future::pending);
        let patience = Duration::from_millis(1);
        assert!(tokio::time::timeout(patience, hanging).await.is_err());
        assert!(cache.token(|| async { Ok(issued("next", hour())) }).await.is_ok());
    }

    #[test]
    fn failures_are_held_longer_and_longer_and_as_long_as_the_endpoint_asks() {
        let (mut renewal, now) = (Renewal::default(), Instant::now());
        let mut holds = Vec::new();
        for _ in 0..8 {
            renewal.failed(failure(), now);
            holds.push(renewal.held.as_ref().unwrap().1.duration_since(now).as_secs());
        }
        assert_eq!(holds, [1, 2, 4, 8, 16, 32, 60, 60]);
        let retry_after = Duration::from_secs(10 * 60);
        renewal.failed(
            TokenError::Throttled {
                client_id: "app".into(),
                retry_after,
            },
            now,
        );
        assert!(renewal.standing_error(now + Duration::from_secs(9 * 60)).is_some());
        assert!(renewal.standing_error(now + retry_after).is_none());
        let retry_after = Duration::from_secs(u64::MAX);
        let client_id = "app".into();
        renewal.failed(TokenError::Throttled { client_id, retry_after }, now);
        assert!(renewal.standing_error(now + LONGEST_ASKED).is_none());
    }
}
