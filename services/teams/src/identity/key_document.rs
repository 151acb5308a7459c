//! The key document of an issuer on the network: reads it when [`KeyCache`] says so, and publishes the keys.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Deserialize;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;

use super::key_cache::{KeyCache, RefreshSchedule, Step, UnknownKey};
use super::key_set::{KeySet, KeySetError};

/// Most bytes of a metadata or key document. The real ones have a few KB.
const LARGEST_DOCUMENT: usize = 1024 * 1024;

/// Why the key document could not be read.
#[derive(Debug, thiserror::Error)]
pub enum KeyDocumentError {
    /// The host could not be reached, or broke off.
    #[error("{address} cannot be reached")]
    Unreachable {
        /// Which document.
        address: String,
        /// What the HTTP client says.
        #[source]
        source: reqwest::Error,
    },
    /// No answer in time.
    #[error("no key document after {} ms", .after.as_millis())]
    TimedOut {
        /// How long it was waited.
        after: Duration,
    },
    /// Another status than 200.
    #[error("{address} answered {status}")]
    Status {
        /// Which document.
        address: String,
        /// HTTP status.
        status: u16,
    },
    /// Larger than any real document.
    #[error("{address} is larger than 1 MiB")]
    TooLarge {
        /// Which document.
        address: String,
    },
    /// The OpenID metadata is not what it should be.
    #[error("OpenID metadata at {address}: {reason}")]
    Metadata {
        /// Which document.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The key document is not what it should be.
    #[error("keys at {address}")]
    Keys {
        /// Which document.
        address: String,
        /// What is wrong with it.
        #[source]
        source: KeySetError,
    },
}

/// How the keys are, for metrics and readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// How many keys there are; 0 means that nothing can be verified.
    pub keys: usize,
    /// Since when they have not been read.
    pub age: Option<Duration>,
    /// Failed reads since the last good one.
    pub failures: u32,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    issuer: Option<String>,
    jwks_uri: String,
}

/// The keys of one issuer, kept fresh by [`KeyDocument::keep_fresh`].
#[derive(Debug)]
pub(super) struct KeyDocument {
    metadata: String,
    issuer: String,
    http: reqwest::Client,
    /// For one read, both documents together; also how long a request waits for a read.
    time_limit: Duration,
    published: ArcSwap<KeySet>,
    cache: Mutex<KeyCache>,
    reads_ended: watch::Sender<u64>,
    wake: Notify,
}

impl KeyDocument {
    pub(super) fn new(
        metadata: String,
        issuer: String,
        schedule: RefreshSchedule,
        time_limit: Duration,
        http: reqwest::Client,
    ) -> Self {
        Self {
            metadata,
            issuer,
            http,
            time_limit,
            published: ArcSwap::from_pointee(KeySet::default()),
            cache: Mutex::new(KeyCache::new(schedule, Instant::now().into_std())),
            reads_ended: watch::Sender::new(0),
            wake: Notify::new(),
        }
    }

    /// The keys as they are now. Lock-free.
    pub(super) fn keys(&self) -> arc_swap::Guard<Arc<KeySet>> {
        self.published.load()
    }

    /// Waits for the read of the document that may bring a key which is not there; `false` if none is due.
    ///
    /// All requests together cause at most one read an interval. Dropping the future is safe.
    pub(super) async fn wait_for_unknown_key(&self) -> bool {
        let mut reads_ended = self.reads_ended.subscribe();
        let UnknownKey::WaitForRead(number) = self.cache().unknown_key(Instant::now().into_std()) else {
            return false;
        };
        self.wake.notify_one();
        timeout(self.time_limit, reads_ended.wait_for(|ended| *ended >= number))
            .await
            .is_ok_and(|read| read.is_ok())
    }

    pub(super) fn status(&self) -> KeyStatus {
        let cache = self.cache();
        KeyStatus {
            keys: cache.keys().keys().len(),
            age: cache.age(Instant::now().into_std()),
            failures: cache.failures(),
        }
    }

    /// Reads the document when it is due, until `shutdown` completes.
    pub(super) async fn keep_fresh(&self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        loop {
            let step = self.cache().next(Instant::now().into_std());
            let work = async {
                match step {
                    Step::Read => self.read_and_publish().await,
                    Step::WaitUntil(time) => tokio::select! {
                        () = sleep_until(time.into()) => (),
                        () = self.wake.notified() => (),
                    },
                }
            };
            tokio::select! {
                () = work => (),
                () = &mut shutdown => return,
            }
        }
    }

    async fn read_and_publish(&self) {
        let limit = self.time_limit;
        let read = timeout(limit, self.read())
            .await
            .unwrap_or(Err(KeyDocumentError::TimedOut { after: limit }));
        let now = Instant::now().into_std();
        let ended = {
            let mut cache = self.cache();
            match read {
                Ok(keys) => {
                    let change = cache.succeeded(keys, now);
                    self.published.store(Arc::clone(cache.keys()));
                    tracing::info!(metadata = self.metadata, came = ?change.came, left = ?change.left, "signing keys read");
                }
                Err(error) => {
                    cache.failed(now);
                    let error: &dyn std::error::Error = &error;
                    let (keys, age) = (cache.keys().keys().len(), cache.age(now).map(|age| age.as_secs()));
                    tracing::warn!(
                        metadata = self.metadata,
                        error,
                        keys,
                        age_seconds = age,
                        failures = cache.failures(),
                        "signing keys cannot be read, the last good ones stay"
                    );
                }
            }
            cache.reads_ended()
        };
        self.reads_ended.send_replace(ended);
    }

    async fn read(&self) -> Result<KeySet, KeyDocumentError> {
        let wrong = |reason: String| KeyDocumentError::Metadata {
            address: self.metadata.clone(),
            reason,
        };
        let document = self.fetch(&self.metadata).await?;
        let metadata: Metadata = serde_json::from_slice(&document).map_err(|error| wrong(error.to_string()))?;
        if metadata.issuer.as_deref() != Some(self.issuer.as_str()) {
            // What the documents of the national clouds say there is not published. The token's own `iss` is compared in any
            // case, so this is worth a word to the operator and no reason to refuse everybody.
            let (address, expected) = (&self.metadata, &self.issuer);
            tracing::warn!(
                address,
                issuer = metadata.issuer,
                expected,
                "metadata names another issuer than the tokens must"
            );
        }
        if !is_as_safe(&metadata.jwks_uri, &self.metadata) {
            return Err(wrong(format!("keys at {} are not protected by TLS", metadata.jwks_uri)));
        }
        let document = self.fetch(&metadata.jwks_uri).await?;
        KeySet::parse(&document).map_err(|source| KeyDocumentError::Keys {
            address: metadata.jwks_uri,
            source,
        })
    }

    async fn fetch(&self, address: &str) -> Result<Vec<u8>, KeyDocumentError> {
        let unreachable = |source| KeyDocumentError::Unreachable {
            address: address.to_owned(),
            source,
        };
        let mut response = self.http.get(address).send().await.map_err(unreachable)?;
        if response.status() != reqwest::StatusCode::OK {
            let status = response.status().as_u16();
            return Err(KeyDocumentError::Status {
                address: address.to_owned(),
                status,
            });
        }
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if document.len() + chunk.len() > LARGEST_DOCUMENT {
                return Err(KeyDocumentError::TooLarge {
                    address: address.to_owned(),
                });
            }
            document.extend_from_slice(&chunk);
        }
        Ok(document)
    }

    /// Nothing under this lock can panic half way: a poisoned one is as good as new.
    fn cache(&self) -> MutexGuard<'_, KeyCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keys may come without TLS only where the metadata did too (a simulated Teams on loopback).
fn is_as_safe(keys: &str, metadata: &str) -> bool {
    let is_https = |address: &str| Url::parse(address).is_ok_and(|url| url.scheme() == "https");
    is_https(keys) || !is_https(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_read_without_tls_when_the_metadata_came_with_it() {
        assert!(is_as_safe("https://keys.example/", "https://metadata.example/"));
        assert!(is_as_safe("http://127.0.0.1:1/keys", "http://127.0.0.1:1/metadata"));
        assert!(!is_as_safe("http://keys.example/", "https://metadata.example/"));
        assert!(!is_as_safe("not an address", "https://metadata.example/"));
    }
}
