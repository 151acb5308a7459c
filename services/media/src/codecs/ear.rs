//! What a leg hears, on its way to a codec thread: to find speech in it, or to make frames of it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::decoding::RATE;
use super::frames::{Frames, Listened, frames};
use super::sound::Sound;
use super::thread::{CodecThread, Held, Input, Job};
use super::{NoCodecs, Seat};
use crate::audio::level_of;
use crate::audio::opus::{CodecError, Decoder};
use crate::codec::Codec;
use crate::record::Recorded;
use crate::speech::{SpeechChange, SpeechDetector};

/// Where a codec thread tells that somebody speaks or not.
pub type Listener = Box<dyn Fn(SpeechChange) + Send>;

/// The end of a codec thread that is on a media thread. Dropping it ends the listening.
#[derive(Debug)]
pub struct Ear {
    job: Held,
    listened: Option<Listened>,
}

impl Ear {
    /// Of a job that tells by itself what it hears.
    pub(super) fn of(job: Held) -> Self {
        Self { job, listened: None }
    }

    /// Hands a packet over, with its timestamp and source. Never waits.
    pub fn hear(&mut self, payload: Bytes, (timestamp, source): (u32, u32), at: Instant) {
        self.job.give(Input::Heard(Recorded {
            payload,
            timestamp,
            source,
            at,
            dropped_before: 0,
        }));
    }

    /// Whether nobody listens any more.
    pub(crate) fn is_left(&self) -> bool {
        self.listened.as_ref().is_some_and(Listened::is_left)
    }
}

/// An ear that finds speech in Opus.
pub(super) fn listen(thread: &CodecThread, seat: Arc<Seat>, listener: Listener) -> Result<Ear, NoCodecs> {
    let speech = Speech {
        decoder: Decoder::at(RATE).map_err(|_| NoCodecs::Broken)?,
        detector: SpeechDetector::default(),
        listener,
    };
    thread.begin(Box::new(speech), seat).map(Ear::of)
}

/// An ear that makes frames of what a leg of that codec hears.
pub(super) fn follow(thread: &CodecThread, seat: Arc<Seat>, codec: Codec) -> Result<(Ear, Frames), NoCodecs> {
    let (frames, listened, out) = frames(thread.shared_figures());
    let sound = Sound::new(codec, frames).map_err(|_| NoCodecs::Broken)?;
    let ear = Ear {
        job: thread.begin(Box::new(sound), seat)?,
        listened: Some(listened),
    };
    Ok((ear, out))
}

/// Finds speech in Opus.
struct Speech {
    decoder: Decoder,
    detector: SpeechDetector,
    listener: Listener,
}

impl Job for Speech {
    fn take(&mut self, input: Input) {
        let Input::Heard(heard) = input else { return };
        // A packet that is no Opus is silence, and breaks nobody.
        let samples = self.decoder.decode(&heard.payload).unwrap_or_default();
        let level = level_of(samples.iter().copied());
        if let Some(change) = self.detector.frame(level, heard.at) {
            (self.listener)(change);
        }
    }

    fn tick(&mut self, now: Instant) {
        if let Some(change) = self.detector.tick(now) {
            (self.listener)(change);
        }
    }

    fn renew(&mut self) -> Result<(), CodecError> {
        self.decoder = Decoder::at(RATE)?;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::super::Codecs;
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
        let codecs = Codecs::start(1).unwrap();
        let (changes, heard) = channel();
        let mut ear = codecs
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
        assert_eq!((codecs.dropped(), codecs.used()), (0, 0));
    }
}
