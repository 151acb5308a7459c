//! A store that stops answering beats when a test wants it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use trunkline_store::SharedStore;
use trunkline_store::contract::{Beat, Pulse};

use super::layered::{Answer, Layer, Layered};

/// The store behind it, unless something is held up.
pub struct FlakyStore {
    inner: SharedStore,
    pub no_beats: AtomicBool,
}

impl FlakyStore {
    pub fn new(inner: SharedStore) -> Arc<Self> {
        Arc::new(Self {
            inner,
            no_beats: AtomicBool::new(false),
        })
    }

    /// What a node takes for its store.
    pub fn as_store(self: &Arc<Self>) -> SharedStore {
        Arc::new(Layered(self.clone()))
    }
}

impl Layer for FlakyStore {
    fn behind(&self) -> &SharedStore {
        &self.inner
    }

    fn beat(&self, beat: Beat) -> Answer<'_, Pulse> {
        if self.no_beats.load(Ordering::SeqCst) {
            return std::future::pending().boxed();
        }
        self.inner.beat(beat)
    }
}
