//! Whether workers should open legs on this host.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::announce::Heard;
use crate::control::Host;
use crate::thread::Figures;

/// A media thread that is later than this is stalled: nobody can talk.
const STALLED: Duration = Duration::from_millis(200);

/// Whether workers should open legs on this host, for readiness.
#[derive(Clone)]
pub struct MediaHealth {
    host: Weak<Host>,
    heard: Heard,
}

impl MediaHealth {
    pub(super) fn new(host: &Arc<Host>, heard: Heard) -> Self {
        Self {
            host: Arc::downgrade(host),
            heard,
        }
    }

    /// Whether it is ready.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&self) -> Result<(), String> {
        let host = self.host.upgrade().ok_or("it has ended")?;
        if host.is_draining() {
            return Err(format!("it takes no new legs; {} are left", host.legs()));
        }
        let threads = host.threads();
        if threads.sum(Figures::legs) > 0 && threads.lag() >= STALLED {
            return Err("a media thread is late".to_owned());
        }
        self.heard.problem(Instant::now()).map_or(Ok(()), Err)
    }
}
