//! The end of a recording that is on a media thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Instant;

use bytes::Bytes;

/// Packets between a media thread and the recorder: two seconds.
const RING: usize = 100;

/// Which way the audio goes that is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// What the peer says.
    Received,
    /// What the leg says.
    Sent,
    /// Both in one file.
    Mixed,
    /// What the peer says in answer to a prompt: kept apart from what else is recorded of it.
    Answer,
}

impl Direction {
    /// As it stands in names of files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Sent => "sent",
            Self::Mixed => "mixed",
            Self::Answer => "answer",
        }
    }
}

/// A packet that is recorded.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) payload: Bytes,
    pub(crate) timestamp: u32,
    pub(crate) source: u32,
    pub(crate) at: Instant,
    /// Packets before it that found the ring full.
    pub(crate) dropped_before: u32,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is under way.
    Yes,
    /// It is, and so many before it were dropped.
    AfterGap(u32),
    /// The ring is full: it is dropped.
    Dropped,
    /// The recorder gave the recording up.
    Failed,
}

/// Where one direction of a leg is recorded to. Dropping it ends the recording.
#[derive(Debug)]
pub struct Tap {
    pub(crate) operation: u64,
    pub(crate) direction: Direction,
    ring: SyncSender<Recorded>,
    dropped: u32,
    is_discarded: Arc<AtomicBool>,
}

impl Tap {
    pub(crate) fn new(operation: u64, direction: Direction) -> (Self, Receiver<Recorded>) {
        let (ring, receiver) = sync_channel(RING);
        let tap = Self {
            operation,
            direction,
            ring,
            dropped: 0,
            is_discarded: Arc::default(),
        };
        (tap, receiver)
    }

    /// Whether what was recorded is not to be kept: asked when the tap is gone.
    pub(crate) fn discarded(&self) -> Arc<AtomicBool> {
        self.is_discarded.clone()
    }

    /// Ends the recording, which nobody wants: its file goes.
    pub(crate) fn discard(self) {
        self.is_discarded.store(true, Ordering::Release);
    }

    /// Hands a packet over. Never waits.
    pub(crate) fn take(&mut self, payload: Bytes, timestamp: u32, source: u32, at: Instant) -> Taken {
        let recorded = Recorded {
            payload,
            timestamp,
            source,
            at,
            dropped_before: self.dropped,
        };
        match self.ring.try_send(recorded) {
            Ok(()) => match std::mem::take(&mut self.dropped) {
                0 => Taken::Yes,
                dropped => Taken::AfterGap(dropped),
            },
            Err(TrySendError::Full(_)) => {
                self.dropped = self.dropped.saturating_add(1);
                Taken::Dropped
            }
            Err(TrySendError::Disconnected(_)) => Taken::Failed,
        }
    }
}
