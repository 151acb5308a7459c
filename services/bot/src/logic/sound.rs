//! The part of the boundary that is about live sound: outside of turns, and nothing of it is kept.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

/// 20 ms of what the other side says: 320 samples, one channel, 16 bit, 16 kHz.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundFrame {
    /// Counts the 20 ms since the listening began; what is left out between two was silence, or was lost for long.
    pub number: u64,
    /// Decibels below overload, 0 to 127.
    pub level: u8,
    /// It was lost, and this stands in for it.
    pub is_concealed: bool,
    /// Frames before it that the bot was too slow for.
    pub dropped_before: u32,
    /// The samples.
    pub samples: Vec<i16>,
}

/// The sound of a call, while this process looks after it.
pub struct SoundEnds {
    /// Key of the call.
    pub call: String,
    /// What is heard. It ends with the call's leg, or when another process looks after the call.
    pub heard: BoxStream<'static, SoundFrame>,
    /// What is said, and told to the call.
    pub said: Arc<dyn Said>,
}

/// The way back into a call from outside of its turns.
pub trait Said: Send + Sync {
    /// Says 320 samples; ready when there is room for them. `false` when nobody hears it any more.
    fn say(&self, samples: Vec<i16>) -> BoxFuture<'_, bool>;

    /// Tells the call a signal. `Err` says why it is not known that the call has it.
    fn signal(&self, name: String, key: String, payload: Bytes) -> BoxFuture<'_, Result<(), String>>;
}
