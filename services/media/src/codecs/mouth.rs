//! What a bot says on a leg: frames that a codec thread makes packets of.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::decoding::RATE;
use super::thread::{CodecThread, Held, Input, Job};
use super::{NoCodecs, Seat};
use crate::audio::opus::{CodecError, Encoder};
use crate::audio::{Halver, g711};
use crate::codec::Codec;

/// Frames of 20 ms that wait to be said: a second. Whoever has more waits.
const FRAMES: usize = 50;
/// Bits a second of Opus.
const BITRATE: u32 = 24_000;

/// A packet that is to be said. Its room is free again when it is gone.
#[derive(Debug)]
pub(super) struct Spoken {
    payload: Bytes,
    _room: OwnedSemaphorePermit,
}

/// What a leg says of it: the end that is on a media thread.
#[derive(Debug)]
pub struct Voice(Receiver<Spoken>);

impl Voice {
    /// The next packet, if one waits.
    ///
    /// # Errors
    /// Nothing will be said any more.
    pub fn packet(&mut self) -> Result<Option<Bytes>, Silent> {
        match self.0.try_recv() {
            Ok(spoken) => Ok(Some(spoken.payload)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Silent),
        }
    }
}

/// Nothing will be said any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silent;

/// Where frames are said. Dropping it ends the voice.
#[derive(Debug)]
pub struct Mouth {
    job: Held,
    room: Arc<Semaphore>,
}

impl Mouth {
    /// Says 20 ms: 320 samples, one channel, 16 bit, 16 kHz; waits while a second of it waits. `false` when nothing can be said here
    /// any more. With more to do than the codec thread can a frame is lost.
    pub async fn say(&self, samples: Vec<i16>) -> bool {
        let Ok(room) = self.room.clone().acquire_owned().await else {
            return false;
        };
        self.job.give(Input::Say(samples, room))
    }
}

/// A mouth for a leg of that codec, and the voice for the leg.
pub(super) fn speak(thread: &CodecThread, seat: Arc<Seat>, codec: Codec) -> Result<(Mouth, Voice), NoCodecs> {
    let (packets, voice) = sync_channel(FRAMES);
    let speaker = Speaker::new(codec, packets).map_err(|_| NoCodecs::Broken)?;
    let mouth = Mouth {
        job: thread.begin(Box::new(speaker), seat)?,
        room: Arc::new(Semaphore::new(FRAMES)),
    };
    Ok((mouth, Voice(voice)))
}

/// Makes the packets of one mouth.
struct Speaker {
    codec: Codec,
    opus: Encoder,
    halver: Halver,
    packets: SyncSender<Spoken>,
}

impl Speaker {
    fn new(codec: Codec, packets: SyncSender<Spoken>) -> Result<Self, CodecError> {
        Ok(Self {
            codec,
            opus: Encoder::live(RATE, BITRATE)?,
            halver: Halver::default(),
            packets,
        })
    }

    fn say(&mut self, samples: &[i16], room: OwnedSemaphorePermit) {
        let payload = if self.codec == Codec::Opus {
            match self.opus.encode(samples) {
                Ok(packet) => packet,
                // A frame of another length: 20 ms of nothing.
                Err(_) => return,
            }
        } else {
            let mut halved = Vec::with_capacity(samples.len() / 2);
            self.halver.push(samples, &mut halved);
            halved.iter().map(|sample| g711::encoded(self.codec, *sample)).collect()
        };
        let spoken = Spoken {
            payload: payload.into(),
            _room: room,
        };
        // There is a place for each room.
        let _ = self.packets.try_send(spoken);
    }
}

impl Job for Speaker {
    fn take(&mut self, input: Input) {
        if let Input::Say(samples, room) = input {
            self.say(&samples, room);
        }
    }

    fn renew(&mut self) -> Result<(), CodecError> {
        self.opus = Encoder::live(RATE, BITRATE)?;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::{Codecs, FRAME_SAMPLES, Purpose};
    use super::*;

    #[tokio::test]
    async fn what_is_said_comes_out_as_packets_of_the_leg_s_codec_and_no_faster() {
        let codecs = Codecs::start(1).unwrap();
        for codec in [Codec::Opus, Codec::Pcma] {
            let seat = codecs.seat(&Purpose::live(codec)).unwrap();
            let live = codecs.live(codec, &seat).unwrap();
            let (mouth, mut voice) = (live.mouth, live.voice);
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
                match voice.packet().unwrap() {
                    Some(packet) => {
                        packets += 1;
                        assert!(codec == Codec::Opus || packet.len() == 160);
                    }
                    None => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
            assert!(mouth.say(vec![0; FRAME_SAMPLES]).await, "there is room again");
            drop(mouth);
            while voice.packet().is_ok() {
                assert!(Instant::now() < until, "{codec:?}: the voice ends with its mouth");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
}
