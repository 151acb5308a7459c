//! Frames of sound between a codec thread and whoever listens: few, and the newest.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::figures::CodecFigures;

/// Frames that wait for a listener: half a second. One that is slower loses the oldest.
const FRAMES: usize = 25;

/// 20 ms of what a peer says: 320 samples, one channel, 16 bit, 16 kHz.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardFrame {
    /// Counts the 20 ms since the listening began; what is left out between two was silence, or was lost for long.
    pub number: u64,
    /// Decibels below overload, 0 to 127.
    pub level: u8,
    /// It was lost, and this stands in for it.
    pub is_concealed: bool,
    /// Frames before it that the listener was too slow for.
    pub dropped_before: u32,
    /// The samples.
    pub samples: Vec<i16>,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<HeardFrame>,
    is_over: bool,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    came: Notify,
    /// Nobody listens any more.
    is_left: AtomicBool,
}

/// The end of a codec thread. Dropping it ends the sound.
#[derive(Debug)]
pub(super) struct FramesIn {
    shared: Arc<Shared>,
    figures: Arc<CodecFigures>,
}

/// The end of a listener.
#[derive(Debug)]
pub struct Frames(Arc<Shared>);

/// Tells whether somebody still listens.
#[derive(Debug, Clone)]
pub(super) struct Listened(Arc<Shared>);

/// Frames that a listener is too slow for are counted there.
pub(super) fn frames(figures: Arc<CodecFigures>) -> (FramesIn, Listened, Frames) {
    let shared = Arc::new(Shared::default());
    let into = FramesIn {
        shared: shared.clone(),
        figures,
    };
    (into, Listened(shared.clone()), Frames(shared))
}

impl FramesIn {
    pub(super) fn push(&self, mut frame: HeardFrame) {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.frames.len() >= FRAMES
            && let Some(oldest) = waiting.frames.pop_front()
        {
            self.figures.unheard_one();
            let lost = oldest.dropped_before + 1;
            match waiting.frames.front_mut() {
                Some(next) => next.dropped_before += lost,
                None => frame.dropped_before += lost,
            }
        }
        waiting.frames.push_back(frame);
        drop(waiting);
        self.shared.came.notify_one();
    }
}

impl Drop for FramesIn {
    fn drop(&mut self) {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.is_over = true;
        drop(waiting);
        self.shared.came.notify_one();
    }
}

impl Listened {
    pub(super) fn is_left(&self) -> bool {
        self.0.is_left.load(Ordering::Relaxed)
    }
}

impl Frames {
    /// The next frame, in order; `None` when the leg has ended. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<HeardFrame> {
        loop {
            {
                let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(frame) = waiting.frames.pop_front() {
                    return Some(frame);
                }
                if waiting.is_over {
                    return None;
                }
            }
            self.0.came.notified().await;
        }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.0.is_left.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn frame(number: u64) -> HeardFrame {
        HeardFrame {
            number,
            level: 127,
            is_concealed: false,
            dropped_before: 0,
            samples: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_slow_listener_loses_the_oldest_and_is_told() {
        let figures = Arc::new(CodecFigures::default());
        let (into, listened, mut out) = frames(figures.clone());
        for number in 0..30 {
            into.push(frame(number));
        }
        let first = out.next().await.unwrap();
        assert_eq!((first.number, first.dropped_before), (5, 5));
        assert_eq!(figures.unheard(), 5);
        let second = out.next().await.unwrap();
        assert_eq!((second.number, second.dropped_before), (6, 0));
        drop(into);
        let mut rest = 0;
        while out.next().await.is_some() {
            rest += 1;
        }
        assert_eq!(rest, 23, "what came before the end is heard");
        assert!(!listened.is_left());
        drop(out);
        assert!(listened.is_left());
    }
}
