//! Codec threads: they decode what legs hear, so that media threads need not.
//!
//! A leg hands its packets over a bounded queue and never waits; where the queue is full a packet is dropped and counted. What
//! is found goes back to the leg as a command of its media thread.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::audio::level_of;
use crate::audio::opus::Decoder;
use crate::speech::{SpeechChange, SpeechDetector};

/// Packets that may wait for a codec thread: a second of eighty legs.
const QUEUE: usize = 4_096;
/// How often silence without packets is looked for.
const TICK: Duration = Duration::from_millis(100);

/// Where a codec thread tells that somebody speaks or not.
pub type Listener = Box<dyn Fn(SpeechChange) + Send>;

enum Work {
    Listen {
        ear: u64,
        life: Weak<()>,
        listener: Listener,
    },
    Hear {
        ear: u64,
        payload: Bytes,
        at: Instant,
    },
    End,
}

/// A running codec thread. Dropping it ends the thread.
pub struct Ears {
    work: SyncSender<Work>,
    next: AtomicU64,
    dropped: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Ears {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread.
    pub fn start() -> io::Result<Self> {
        let (work, receiver) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("codec".to_owned())
            .spawn(move || run(&receiver))?;
        Ok(Self {
            work,
            next: AtomicU64::new(1),
            dropped: Arc::default(),
            thread: Some(thread),
        })
    }

    /// An ear for a leg that hears Opus; `None` if the thread has more to do than it can.
    pub fn listen(&self, listener: Listener) -> Option<Ear> {
        let (ear, alive) = (self.next.fetch_add(1, Ordering::Relaxed), Arc::new(()));
        let life = Arc::downgrade(&alive);
        self.work.try_send(Work::Listen { ear, life, listener }).ok()?;
        Some(Ear {
            number: ear,
            work: self.work.clone(),
            dropped: self.dropped.clone(),
            _alive: alive,
        })
    }

    /// Packets that found the queue full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        // The thread takes work all the time, so there is room soon.
        let _ = self.work.send(Work::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The end of a codec thread that is on a media thread. Dropping it ends the listening.
pub struct Ear {
    number: u64,
    work: SyncSender<Work>,
    dropped: Arc<AtomicU64>,
    /// The thread forgets an ear that is no more at its next tick.
    _alive: Arc<()>,
}

impl Ear {
    /// Hands a packet over. Never waits.
    pub(crate) fn hear(&mut self, payload: Bytes, at: Instant) {
        let ear = self.number;
        if self.work.try_send(Work::Hear { ear, payload, at }).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Ear {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Ear({})", self.number)
    }
}

/// A leg that is listened to.
struct Heard {
    decoder: Decoder,
    detector: SpeechDetector,
    life: Weak<()>,
    listener: Listener,
}

fn run(work: &Receiver<Work>) {
    let mut ears: HashMap<u64, Heard> = HashMap::new();
    let mut ticked = Instant::now();
    loop {
        match work.recv_timeout(TICK) {
            Ok(Work::End) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(work) => take(&mut ears, work),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = Instant::now();
        if now.duration_since(ticked) >= TICK {
            ticked = now;
            ears.retain(|_, heard| heard.life.strong_count() > 0);
            for heard in ears.values_mut() {
                if let Some(change) = heard.detector.tick(now) {
                    (heard.listener)(change);
                }
            }
        }
    }
}

fn take(ears: &mut HashMap<u64, Heard>, work: Work) {
    match work {
        Work::Listen { ear, life, listener } => match Decoder::new() {
            Ok(decoder) => {
                let heard = Heard {
                    decoder,
                    detector: SpeechDetector::default(),
                    life,
                    listener,
                };
                ears.insert(ear, heard);
            }
            Err(error) => tracing::error!(%error, "a leg cannot be listened to: there is no decoder"),
        },
        Work::Hear { ear, payload, at } => {
            let Some(heard) = ears.get_mut(&ear) else { return };
            // A packet that is no Opus is silence, and breaks nobody.
            let samples = heard.decoder.decode(&payload).unwrap_or_default();
            let level = level_of(samples.iter().copied());
            if let Some(change) = heard.detector.frame(level, at) {
                (heard.listener)(change);
            }
        }
        Work::End => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::audio::opus::Encoder;

    /// Packets of 20 ms of a tone, or of silence.
    fn packets(amplitude: i16, count: usize) -> Vec<Bytes> {
        let mut encoder = Encoder::new(24_000).unwrap();
        let frame: Vec<i16> = (0..960)
            .map(|index| if index / 40 % 2 == 0 { amplitude } else { -amplitude })
            .collect();
        let encode = |_| encoder.encode(&frame).unwrap().into();
        (0..count).map(encode).collect()
    }

    #[test]
    fn speech_in_opus_is_found_and_its_end_too() {
        let ears = Ears::start().unwrap();
        let (changes, heard) = channel();
        let mut ear = ears
            .listen(Box::new(move |change: SpeechChange| {
                let _ = changes.send(change.speaks);
            }))
            .unwrap();
        let start = Instant::now();
        let frames = packets(0, 5).into_iter().chain(packets(8_000, 10));
        for (index, payload) in (0u32..).zip(frames) {
            ear.hear(payload, start + Duration::from_millis(20) * index);
        }
        let patience = Duration::from_secs(20);
        assert_eq!(heard.recv_timeout(patience), Ok(true));
        // No packet comes any more.
        assert_eq!(heard.recv_timeout(patience), Ok(false));
        ear.hear(Bytes::from_static(&[0xFF; 3]), Instant::now());
        drop(ear);
        assert!(
            heard.recv_timeout(patience).is_err(),
            "an ear that is no more is forgotten"
        );
        assert_eq!(ears.dropped(), 0);
    }
}
