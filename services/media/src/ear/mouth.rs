//! What a bot says on a leg: frames that a codec thread makes packets of.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::sound::RATE;
use super::{Ears, Work};
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
    /// The next packet, if one waits; `Err` when there will be none any more.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Silent> {
        match self.0.try_recv() {
            Ok(spoken) => Ok(Some(spoken.payload)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Silent),
        }
    }
}

/// Nothing will be said any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Silent;

/// Where frames are said. Dropping it ends the voice.
#[derive(Debug)]
pub struct Mouth {
    number: u64,
    work: SyncSender<Work>,
    room: Arc<Semaphore>,
    _alive: Arc<()>,
}

impl Mouth {
    /// Says 20 ms: 320 samples, one channel, 16 bit, 16 kHz; waits while a second of it waits. `false` when the codec thread has ended.
    pub async fn say(&self, samples: Vec<i16>) -> bool {
        let Ok(room) = self.room.clone().acquire_owned().await else {
            return false;
        };
        let say = Work::Say {
            mouth: self.number,
            samples,
            room,
        };
        // A queue that is full is of a thread with more to do than it can: the frame is lost, and its room is free.
        !matches!(
            self.work.try_send(say),
            Err(std::sync::mpsc::TrySendError::Disconnected(_))
        )
    }
}

impl Ears {
    /// A mouth for a leg of that codec, and the voice for the leg; `None` if the thread has more to do than it can.
    pub fn speak(&self, codec: Codec) -> Option<(Mouth, Voice)> {
        let (number, alive) = (self.number(), Arc::new(()));
        let (packets, voice) = sync_channel(FRAMES);
        let speak = Work::Speak {
            mouth: number,
            life: Arc::downgrade(&alive),
            codec,
            packets,
        };
        self.work.try_send(speak).ok()?;
        let mouth = Mouth {
            number,
            work: self.work.clone(),
            room: Arc::new(Semaphore::new(FRAMES)),
            _alive: alive,
        };
        Some((mouth, Voice(voice)))
    }
}

/// Makes the packets of one mouth.
pub(super) struct Speaker {
    codec: Codec,
    opus: Encoder,
    halver: Halver,
    packets: SyncSender<Spoken>,
}

impl Speaker {
    pub(super) fn new(codec: Codec, packets: SyncSender<Spoken>) -> Result<Self, CodecError> {
        Ok(Self {
            codec,
            opus: Encoder::at(RATE, BITRATE)?,
            halver: Halver::default(),
            packets,
        })
    }

    pub(super) fn say(&mut self, samples: &[i16], room: OwnedSemaphorePermit) {
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
