//! Codec threads: they decode what legs hear and encode what bots say, so that media threads need not.
//!
//! A leg hands its packets over a bounded queue and never waits; where the queue is full a packet is dropped and counted. Whether
//! somebody speaks goes back to the leg as a command of its media thread; sound goes to whoever listens, as [`Frames`].

mod frames;
mod mouth;
mod sound;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::audio::level_of;
use crate::audio::opus::Decoder;
use crate::codec::Codec;
use crate::record::Recorded;
use crate::speech::{SpeechChange, SpeechDetector};

pub use frames::{Frames, HeardFrame};
use frames::{FramesIn, Listened};
pub use mouth::{Mouth, Voice};
use mouth::{Speaker, Spoken};
use sound::Sound;

/// Samples of a frame of 20 ms.
pub const FRAME_SAMPLES: usize = sound::FRAME;
/// Packets that may wait for a codec thread: a second of eighty legs.
const QUEUE: usize = 4_096;
/// How often silence without packets is looked for, and legs that are no more.
const TICK: Duration = Duration::from_millis(100);

/// Where a codec thread tells that somebody speaks or not.
pub type Listener = Box<dyn Fn(SpeechChange) + Send>;

enum Work {
    /// Find speech in Opus.
    Listen {
        ear: u64,
        life: Weak<()>,
        listener: Listener,
    },
    /// Make frames of what is heard.
    Follow {
        ear: u64,
        life: Weak<()>,
        codec: Codec,
        frames: FramesIn,
    },
    Hear {
        ear: u64,
        heard: Recorded,
    },
    /// Make packets of frames.
    Speak {
        mouth: u64,
        life: Weak<()>,
        codec: Codec,
        packets: SyncSender<Spoken>,
    },
    Say {
        mouth: u64,
        samples: Vec<i16>,
        room: OwnedSemaphorePermit,
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

    /// An ear that finds speech in the Opus of a leg; `None` if the thread has more to do than it can.
    pub fn listen(&self, listener: Listener) -> Option<Ear> {
        self.ear(None, |ear, life| Work::Listen { ear, life, listener })
    }

    /// An ear that makes frames of what a leg of that codec hears; `None` if the thread has more to do than it can.
    pub fn follow(&self, codec: Codec) -> Option<(Ear, Frames)> {
        let (frames, listened, out) = frames::frames();
        let follow = |ear, life| Work::Follow {
            ear,
            life,
            codec,
            frames,
        };
        Some((self.ear(Some(listened), follow)?, out))
    }

    fn ear(&self, listened: Option<Listened>, work: impl FnOnce(u64, Weak<()>) -> Work) -> Option<Ear> {
        let (number, alive) = (self.number(), Arc::new(()));
        self.work.try_send(work(number, Arc::downgrade(&alive))).ok()?;
        Some(Ear {
            number,
            work: self.work.clone(),
            dropped: self.dropped.clone(),
            listened,
            _alive: alive,
        })
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
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
    listened: Option<Listened>,
    /// The thread forgets an ear that is no more at its next tick.
    _alive: Arc<()>,
}

impl Ear {
    /// Hands a packet over, with its timestamp and source. Never waits.
    pub(crate) fn hear(&mut self, payload: Bytes, (timestamp, source): (u32, u32), at: Instant) {
        let heard = Recorded {
            payload,
            timestamp,
            source,
            at,
            dropped_before: 0,
        };
        let ear = self.number;
        if self.work.try_send(Work::Hear { ear, heard }).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether nobody listens any more.
    pub(crate) fn is_left(&self) -> bool {
        self.listened.as_ref().is_some_and(Listened::is_left)
    }
}

impl fmt::Debug for Ear {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Ear({})", self.number)
    }
}

/// What becomes of what a leg hears.
enum Purpose {
    Speech {
        decoder: Box<Decoder>,
        detector: SpeechDetector,
        listener: Listener,
    },
    Sound(Box<Sound>),
}

/// Everything that a codec thread does.
#[derive(Default)]
struct Bench {
    ears: HashMap<u64, (Weak<()>, Purpose)>,
    mouths: HashMap<u64, (Weak<()>, Speaker)>,
}

fn run(work: &Receiver<Work>) {
    let mut bench = Bench::default();
    let mut ticked = Instant::now();
    loop {
        match work.recv_timeout(TICK) {
            Ok(Work::End) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(work) => bench.take(work),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = Instant::now();
        if now.duration_since(ticked) >= TICK {
            ticked = now;
            bench.tick(now);
        }
    }
}

impl Bench {
    fn tick(&mut self, now: Instant) {
        self.ears.retain(|_, (life, _)| life.strong_count() > 0);
        self.mouths.retain(|_, (life, _)| life.strong_count() > 0);
        for (_, purpose) in self.ears.values_mut() {
            if let Purpose::Speech { detector, listener, .. } = purpose
                && let Some(change) = detector.tick(now)
            {
                listener(change);
            }
        }
    }

    fn take(&mut self, work: Work) {
        match work {
            Work::Listen { ear, life, listener } => {
                let purpose = Decoder::new().map(|decoder| Purpose::Speech {
                    decoder: Box::new(decoder),
                    detector: SpeechDetector::default(),
                    listener,
                });
                self.add_ear(ear, life, purpose);
            }
            Work::Follow {
                ear,
                life,
                codec,
                frames,
            } => {
                let purpose = Sound::new(codec, frames).map(|sound| Purpose::Sound(Box::new(sound)));
                self.add_ear(ear, life, purpose);
            }
            Work::Hear { ear, heard } => {
                if let Some((_, purpose)) = self.ears.get_mut(&ear) {
                    purpose.hear(&heard);
                }
            }
            Work::Speak {
                mouth,
                life,
                codec,
                packets,
            } => match Speaker::new(codec, packets) {
                Ok(speaker) => drop(self.mouths.insert(mouth, (life, speaker))),
                Err(error) => tracing::error!(%error, "nothing can be said on a leg: there is no encoder"),
            },
            Work::Say { mouth, samples, room } => {
                if let Some((_, speaker)) = self.mouths.get_mut(&mouth) {
                    speaker.say(&samples, room);
                }
            }
            Work::End => {}
        }
    }

    fn add_ear<E: fmt::Display>(&mut self, ear: u64, life: Weak<()>, purpose: Result<Purpose, E>) {
        match purpose {
            Ok(purpose) => drop(self.ears.insert(ear, (life, purpose))),
            Err(error) => tracing::error!(%error, "a leg cannot be listened to: there is no decoder"),
        }
    }
}

impl Purpose {
    fn hear(&mut self, heard: &Recorded) {
        match self {
            Self::Sound(sound) => sound.hear(heard),
            Self::Speech {
                decoder,
                detector,
                listener,
            } => {
                // A packet that is no Opus is silence, and breaks nobody.
                let samples = decoder.decode(&heard.payload).unwrap_or_default();
                let level = level_of(samples.iter().copied());
                if let Some(change) = detector.frame(level, heard.at) {
                    listener(change);
                }
            }
        }
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
            ear.hear(payload, (index * 960, 1), start + Duration::from_millis(20) * index);
        }
        let patience = Duration::from_secs(20);
        assert_eq!(heard.recv_timeout(patience), Ok(true));
        // No packet comes any more.
        assert_eq!(heard.recv_timeout(patience), Ok(false));
        ear.hear(Bytes::from_static(&[0xFF; 3]), (0, 1), Instant::now());
        drop(ear);
        assert!(
            heard.recv_timeout(patience).is_err(),
            "an ear that is no more is forgotten"
        );
        assert_eq!(ears.dropped(), 0);
    }

    #[tokio::test]
    async fn what_is_said_comes_out_as_packets_of_the_leg_s_codec_and_no_faster() {
        let ears = Ears::start().unwrap();
        for codec in [Codec::Opus, Codec::Pcma] {
            let (mouth, mut voice) = ears.speak(codec).unwrap();
            let say = async {
                for _ in 0..60 {
                    assert!(mouth.say(vec![1_000; FRAME_SAMPLES]).await);
                }
            };
            // A second waits; the rest is not taken until somebody listens.
            let all = tokio::time::timeout(Duration::from_millis(200), say).await;
            assert!(all.is_err(), "{codec:?}: more than a second is taken");
            let until = Instant::now() + Duration::from_secs(20);
            let mut packets = 0;
            while packets < 50 {
                assert!(Instant::now() < until, "{codec:?}: {packets} packets");
                match voice.next().unwrap() {
                    Some(packet) => {
                        packets += 1;
                        assert!(codec == Codec::Opus || packet.len() == 160);
                    }
                    None => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
            assert!(mouth.say(vec![0; FRAME_SAMPLES]).await, "there is room again");
            drop(mouth);
            while voice.next().is_ok() {
                assert!(Instant::now() < until, "{codec:?}: the voice ends with its mouth");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
}
