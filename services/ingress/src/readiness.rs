//! Whether this ingress should get requests.
//!
//! Only causes of this process count. A store or a worker that is away makes every ingress unable at once, and taking all of
//! them out of the balancer helps nobody: requests are held and, at worst, answered with 503 (design: "Redis", outage).
//! "Never had" is a cause of this process: a new one that was started with a wrong address or behind a closed firewall must
//! not take the place of one that works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use trunkline_teams::identity::Verifier;

use crate::metrics::StreamMetrics;

/// Asks whether this ingress should get requests. For its own `/readyz` and for an admin port.
#[derive(Clone, Debug)]
pub struct Readiness {
    verifier: Arc<Verifier>,
    /// Of notifications of calls, where they are taken.
    calls: Option<Arc<Verifier>>,
    streams: Arc<StreamMetrics>,
    stopping: Arc<AtomicBool>,
    draining: Arc<AtomicBool>,
}

/// Why an ingress should not get requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// It is stopping.
    #[error("stopping")]
    Stopping,
    /// An operator drains it.
    #[error("draining")]
    Draining,
    /// It has never read the keys that tokens are signed with, so it would refuse everything.
    #[error("the signing keys were never read")]
    NoKeys,
    /// The same for the keys of the calling platform: every call would be refused.
    #[error("the signing keys of the calling platform were never read")]
    NoCallKeys,
    /// It has never reached a worker.
    #[error("no worker was ever connected")]
    NoWorker,
}

impl Readiness {
    pub(crate) fn new(verifier: Arc<Verifier>, calls: Option<Arc<Verifier>>, streams: Arc<StreamMetrics>) -> Self {
        Self {
            verifier,
            calls,
            streams,
            stopping: Arc::default(),
            draining: Arc::default(),
        }
    }

    /// The first reason against it.
    pub fn check(&self) -> Result<(), NotReady> {
        if self.is_stopping() {
            return Err(NotReady::Stopping);
        }
        if self.is_draining() {
            return Err(NotReady::Draining);
        }
        if self.verifier.key_status().keys == 0 {
            return Err(NotReady::NoKeys);
        }
        if self.calls.as_ref().is_some_and(|calls| calls.key_status().keys == 0) {
            return Err(NotReady::NoCallKeys);
        }
        if !self.streams.was_ever_connected() {
            return Err(NotReady::NoWorker);
        }
        Ok(())
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// An operator wants no more requests to come here, or wants them again.
    pub(crate) fn drain(&self, is_wanted: bool) {
        if self.draining.swap(is_wanted, Ordering::Relaxed) != is_wanted {
            let what = if is_wanted { "draining" } else { "no longer draining" };
            tracing::info!("an operator's order: this ingress is {what}");
        }
    }

    /// Whether callers are to go elsewhere: their connections are closed after the next answer.
    pub(crate) fn sends_away(&self) -> bool {
        self.is_stopping() || self.is_draining()
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
