//! What a recorder does, in numbers: written by its threads, read at each scrape.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters and levels.
#[derive(Debug, Default)]
pub struct RecorderFigures {
    open: AtomicU64,
    waiting: AtomicU64,
    handed_on: AtomicU64,
    refused: AtomicU64,
}

impl RecorderFigures {
    pub(super) fn are_open(&self, count: usize) {
        self.open.store(count as u64, Ordering::Relaxed);
    }

    pub(super) fn wait(&self, count: usize) {
        self.waiting.store(count as u64, Ordering::Relaxed);
    }

    pub(super) fn handed_one_on(&self) {
        self.handed_on.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn one_was_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Directions that are being written.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Finished parts that wait for the command or the upload.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Parts that the command or the upload was done for.
    pub fn handed_on(&self) -> u64 {
        self.handed_on.load(Ordering::Relaxed)
    }

    /// Times that the command or the upload of a part failed.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}
