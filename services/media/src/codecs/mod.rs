//! Codec threads: they decode what legs hear and encode what bots say, so that media threads need not.
//!
//! What is to be done for a leg is a `thread::Job` of one thread: a leg's ear and mouth are on the same. What it costs is known
//! before ([`Purpose`]), and no thread is charged with more than it can do (`budget.rs`): what does not fit is refused, and takes
//! nothing from what is there. A leg hands its packets over a bounded queue and never waits; where the queue is full a packet is
//! dropped and counted. Whether somebody speaks, and keys that are heard, go back to the leg as commands of its media thread; sound
//! goes to whoever listens, as [`Frames`].

mod budget;
mod decoding;
mod ear;
mod figures;
mod frames;
mod jitter;
mod keys;
mod mixer;
mod mouth;
mod sound;
mod thread;
mod transcode;

use std::io;
use std::sync::Arc;

use crate::codec::Codec;
use crate::record::Tap;

use budget::Budget;
pub use budget::{Purpose, Seat};
pub use ear::{Ear, Listener};
pub use figures::CodecFigures;
pub use frames::{Frames, HeardFrame};
pub use keys::KeyListener;
pub use mixer::Mixing;
pub use mouth::{Mouth, Voice};
use thread::CodecThread;
pub use transcode::{Outlet, Transcoder};

/// Samples of a frame of 20 ms.
pub const FRAME_SAMPLES: usize = sound::FRAME;

/// Why nothing is decoded or encoded for a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCodecs {
    /// What is wished and what is there would be more than the threads can do.
    #[error("no room for codecs")]
    NoRoom,
    /// The queue of the thread is full.
    #[error("the codec threads are late")]
    Late,
    /// The codec did not begin.
    #[error("the codec does not begin")]
    Broken,
}

/// What carries the sound of a leg to a listener and back.
pub struct Live {
    /// For the leg: what its peer says.
    pub ear: Ear,
    /// For the listener: the same as frames.
    pub frames: Frames,
    /// For the listener: where it speaks.
    pub mouth: Mouth,
    /// For the leg: what was said there.
    pub voice: Voice,
}

/// Running codec threads. Dropping them ends them.
pub struct Codecs {
    threads: Vec<CodecThread>,
    budget: Arc<Budget>,
}

impl Codecs {
    /// Starts so many threads, at least one.
    ///
    /// # Errors
    /// The system has no thread.
    pub fn start(threads: u8) -> io::Result<Self> {
        let count = threads.max(1);
        let threads = (0..count).map(CodecThread::start);
        Ok(Self {
            threads: threads.collect::<io::Result<_>>()?,
            budget: Arc::new(Budget::new(count)),
        })
    }

    /// Keeps room for what will be done for a leg, on one thread.
    ///
    /// # Errors
    /// There is none.
    pub fn seat(&self, purposes: &[Purpose]) -> Result<Arc<Seat>, NoCodecs> {
        self.budget.claim(Purpose::sum(purposes)).map(Arc::new)
    }

    /// An ear that finds speech in the Opus of a leg.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn listen(&self, listener: Listener) -> Result<Ear, NoCodecs> {
        let seat = self.seat(&[Purpose::Speech])?;
        ear::listen(self.at(&seat)?, seat, listener)
    }

    /// An ear that finds keys in the sound of a leg of that codec.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn hear_keys(&self, codec: Codec, listener: KeyListener) -> Result<Ear, NoCodecs> {
        let seat = self.seat(&[Purpose::Keys(codec)])?;
        keys::hear(self.at(&seat)?, seat, codec, listener)
    }

    /// Hears a leg of that codec, in a seat for [`Purpose::Listen`] of that codec.
    ///
    /// # Errors
    /// The thread is late, or the codec does not begin.
    pub fn hear(&self, codec: Codec, seat: &Arc<Seat>) -> Result<(Ear, Frames), NoCodecs> {
        ear::follow(self.at(seat)?, seat.clone(), codec)
    }

    /// Hears a leg of that codec and speaks on it, in a seat for [`Purpose::live`] of that codec.
    ///
    /// # Errors
    /// The thread is late, or the codec does not begin.
    pub fn live(&self, codec: Codec, seat: &Arc<Seat>) -> Result<Live, NoCodecs> {
        let thread = self.at(seat)?;
        let (ear, frames) = self.hear(codec, seat)?;
        let (mouth, voice) = mouth::speak(thread, seat.clone(), codec)?;
        Ok(Live {
            ear,
            frames,
            mouth,
            voice,
        })
    }

    /// Makes packets of one codec of those of another, in a seat for [`Purpose::Transcode`].
    ///
    /// # Errors
    /// The thread is late, or the codec does not begin.
    pub fn transcode(&self, from: Codec, to: Codec, seat: &Arc<Seat>, outlet: Outlet) -> Result<Transcoder, NoCodecs> {
        transcode::transcode(self.at(seat)?, seat.clone(), from, to, outlet)
    }

    /// Mixes what a leg of that codec hears and says into a recording, whose tap is of Opus, in a seat for [`Purpose::Mix`].
    ///
    /// # Errors
    /// The thread is late, or the codec does not begin.
    pub(crate) fn mix(&self, codec: Codec, seat: Arc<Seat>, tap: Tap) -> Result<Mixing, NoCodecs> {
        mixer::mix(self.at(&seat)?, seat, codec, tap)
    }

    fn at(&self, seat: &Seat) -> Result<&CodecThread, NoCodecs> {
        self.threads.get(seat.thread()).ok_or(NoCodecs::NoRoom)
    }

    /// What the threads are charged with, in microseconds of each 20 ms.
    pub fn used(&self) -> u32 {
        self.budget.used()
    }

    /// What they may be charged with, in the same unit.
    pub fn limit(&self) -> u32 {
        self.budget.limit()
    }

    /// Each thread in figures.
    pub fn figures(&self) -> impl Iterator<Item = &CodecFigures> {
        self.threads.iter().map(CodecThread::figures)
    }

    /// A figure of all threads together.
    pub fn sum(&self, figure: fn(&CodecFigures) -> u64) -> u64 {
        self.figures().map(figure).sum()
    }

    /// Packets that found a queue full.
    pub fn dropped(&self) -> u64 {
        self.figures().map(CodecFigures::dropped).sum()
    }
}
