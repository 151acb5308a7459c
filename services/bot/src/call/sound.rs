//! The sound of a call, live: what a bot hears and says itself.

use std::fmt;
use std::sync::Arc;

use futures_util::StreamExt as _;

use super::CallKey;
use crate::error::{Error, Result};
use crate::logic::{Said, SoundEnds, SoundFrame};
use crate::signal::Signal;

/// Samples of 20 ms at 16 kHz.
const FRAME: usize = 320;

/// The sound of a call with [`crate::Media::hosted`], live and outside of its turns, see [`crate::CallBot::listens`].
pub struct Sound {
    call: CallKey,
    heard: futures_util::stream::BoxStream<'static, SoundFrame>,
    speaker: Speaker,
}

impl Sound {
    pub(crate) fn new(ends: SoundEnds) -> Self {
        Self {
            call: CallKey::new(ends.call),
            heard: ends.heard,
            speaker: Speaker(ends.said),
        }
    }

    /// Names the call.
    pub fn call_key(&self) -> &CallKey {
        &self.call
    }

    /// The next 20 ms of what the other side says; `None` when the call has no sound any more, or another process looks after it. A
    /// bot that is slower than half a second loses the oldest, and the next frame says how many.
    pub async fn next(&mut self) -> Option<SoundFrame> {
        self.heard.next().await
    }

    /// What speaks and tells, for another task.
    pub fn speaker(&self) -> Speaker {
        self.speaker.clone()
    }
}

impl fmt::Debug for Sound {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Sound({})", self.call)
    }
}

/// Speaks in a call, and tells the call's handlers what was understood.
#[derive(Clone)]
pub struct Speaker(Arc<dyn Said>);

impl Speaker {
    /// Says samples of one channel, 16 bit, 16 kHz, in 20 ms each; the last 20 ms are filled up with silence. Waits while more than
    /// a second of it is still to be heard, so a bot that makes it faster than it is heard is slowed down. Prompts come first.
    /// `false` when nobody hears it any more.
    pub async fn say(&self, samples: &[i16]) -> bool {
        for part in samples.chunks(FRAME) {
            let mut frame = part.to_vec();
            frame.resize(FRAME, 0);
            if !self.0.say(frame).await {
                return false;
            }
        }
        true
    }

    /// Tells the call: its handler for [`crate::calls::signal`] runs as a turn, in which the state changes and operations are asked.
    ///
    /// # Errors
    /// It is not known that the call has it: it may have ended, or another process looks after it.
    pub async fn tell<T: Signal>(&self, signal: T) -> Result {
        let payload = serde_json::to_vec(&signal).map_err(|error| Error::lasting(error.to_string()))?;
        let told = self.0.signal(T::NAME.to_owned(), signal.key(), payload.into()).await;
        told.map_err(Error::fault)
    }
}

impl fmt::Debug for Speaker {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Speaker")
    }
}
