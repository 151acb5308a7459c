//! The recording of an answer: a prompt, a beep, then what the peer says until it falls silent, presses a key, or has said enough.
//! What Graph does for calls whose media it hosts (`call: recordResponse`), here on a leg.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::prompt::Prompt;
use crate::record::{Taken, Tap};
use crate::speech::SpeechChange;
use crate::tone::Key;

/// When the recording of an answer ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerLimits {
    /// So long nobody has begun to speak.
    pub first_silence: Duration,
    /// So long whoever spoke is silent.
    pub silence: Duration,
    /// It is so long.
    pub longest: Duration,
    /// One of these keys is pressed.
    pub stop_keys: Vec<Key>,
}

/// An answer to record.
#[derive(Debug)]
pub struct RecordAnswer {
    /// Names it in events and for [`super::Leg::stop`].
    pub operation: u64,
    /// Played before, the beep among them; of the leg's codec.
    pub prompts: Vec<Arc<Prompt>>,
    /// When it ends.
    pub limits: AnswerLimits,
    /// Where it goes.
    pub tap: Tap,
}

/// Why the recording of an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerEnd {
    /// The peer spoke and fell silent.
    Silence,
    /// The peer pressed a key that ends it.
    StopKey,
    /// It has its full length.
    FullLength,
    /// Nobody spoke: there is no recording.
    NothingSaid,
    /// It was stopped: there is no recording.
    Stopped,
    /// The leg ended: there is no recording.
    LegEnded,
    /// It could not be written.
    Failed,
}

impl AnswerEnd {
    /// Whether what was said is kept.
    pub const fn is_kept(self) -> bool {
        matches!(self, Self::Silence | Self::StopKey | Self::FullLength)
    }

    /// As workers are told.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::StopKey => "stop_key",
            Self::FullLength => "full_length",
            Self::NothingSaid => "nothing_said",
            Self::Stopped => "stopped",
            Self::LegEnded => "leg_ended",
            Self::Failed => "failed",
        }
    }
}

/// An answer that is being recorded.
#[derive(Debug)]
pub(super) struct Listening {
    limits: AnswerLimits,
    tap: Tap,
    began: Instant,
    has_spoken: bool,
    /// Since when the peer is silent; `None` while it speaks.
    silent_since: Option<Instant>,
}

impl Listening {
    pub(super) fn begin(answer: RecordAnswer, is_speaking: bool, now: Instant) -> Self {
        Self {
            limits: answer.limits,
            tap: answer.tap,
            began: now,
            has_spoken: is_speaking,
            silent_since: (!is_speaking).then_some(now),
        }
    }

    /// Records a packet, by its timestamp and source; gives the end if the recorder has given up.
    pub(super) fn packet(&mut self, payload: &Bytes, facts: (u32, u32), now: Instant) -> Option<AnswerEnd> {
        let taken = self.tap.take(payload.clone(), facts.0, facts.1, now);
        (taken == Taken::Failed).then_some(AnswerEnd::Failed)
    }

    pub(super) fn speech(&mut self, change: SpeechChange) {
        self.has_spoken |= change.speaks;
        // A voice that ended before the beep is none of this answer.
        self.silent_since = (!change.speaks).then_some(change.loud_at.max(self.began));
    }

    pub(super) fn stops_at(&self, key: Key) -> bool {
        self.limits.stop_keys.contains(&key)
    }

    /// When it ends if nothing more is heard, and how.
    pub(super) fn next_tick(&self) -> (Instant, AnswerEnd) {
        let full = (self.began + self.limits.longest, AnswerEnd::FullLength);
        let silent = match self.silent_since {
            None => full,
            Some(since) if self.has_spoken => (since + self.limits.silence, AnswerEnd::Silence),
            Some(_) => (self.began + self.limits.first_silence, AnswerEnd::NothingSaid),
        };
        // Whoever has said nothing in the whole time has said nothing.
        if silent.0 <= full.0 { silent } else { full }
    }

    pub(super) fn tick(&self, now: Instant) -> Option<AnswerEnd> {
        let (at, end) = self.next_tick();
        let end = match end {
            AnswerEnd::FullLength if !self.has_spoken => AnswerEnd::NothingSaid,
            end => end,
        };
        (now >= at).then_some(end)
    }

    pub(super) fn end(self, reason: AnswerEnd) {
        if !reason.is_kept() {
            self.tap.discard();
        }
    }
}
