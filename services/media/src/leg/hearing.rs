//! Whether the peer of a leg speaks: by the level that it tells (RFC 6464), by the samples of G.711, or by what a codec thread
//! finds in Opus. And what else codec threads listen for.

use std::time::Instant;

use super::player::Player;
use super::{Frame, LegEvent, Out};
use crate::audio::level_of_g711;
use crate::codec::Codec;
use crate::codecs::Ear;
use crate::speech::{SpeechChange, SpeechDetector};

/// What a leg knows of its peer's voice.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    detector: SpeechDetector,
    /// The owner wants to be told.
    is_told: bool,
    /// Where Opus is decoded whose sender tells no level.
    ear: Option<Ear>,
    is_speaking: bool,
    /// Who listens to the sound.
    follower: Option<Ear>,
    /// Where keys are found in the sound.
    keys: Option<Ear>,
}

impl Hearing {
    pub(super) fn set_told(&mut self, is_told: bool) {
        self.is_told = is_told;
    }

    pub(super) fn set_ear(&mut self, ear: Ear) {
        self.ear = Some(ear);
    }

    pub(super) fn set_follower(&mut self, ear: Ear) {
        self.follower = Some(ear);
    }

    pub(super) fn set_key_ear(&mut self, ear: Ear) {
        self.keys = Some(ear);
    }

    /// Somebody listens, or has gone since the last packet.
    pub(super) fn is_followed(&self) -> bool {
        self.follower.is_some()
    }

    pub(super) fn has_ear(&self) -> bool {
        self.ear.is_some()
    }

    pub(super) fn is_speaking(&self) -> bool {
        self.is_speaking
    }

    /// Takes a packet of audio, with the level that its sender told.
    pub(super) fn packet(
        &mut self,
        codec: Codec,
        level: Option<u8>,
        frame: &Frame,
        player: &mut Player,
        now: Instant,
        out: &mut Out,
    ) {
        self.follower.take_if(|ear| ear.is_left());
        for ear in [&mut self.follower, &mut self.keys].into_iter().flatten() {
            ear.hear(frame.payload.clone(), (frame.timestamp, frame.source), now);
        }
        if !self.is_told && !player.has_answer() {
            return;
        }
        let level = match (level, codec) {
            (Some(level), _) => level,
            (None, Codec::Pcmu | Codec::Pcma) => level_of_g711(codec, &frame.payload),
            (None, Codec::Opus) => {
                if let Some(ear) = &mut self.ear {
                    ear.hear(frame.payload.clone(), (frame.timestamp, frame.source), now);
                }
                return;
            }
        };
        let change = self.detector.frame(level, now);
        self.changed(change, player, out);
    }

    /// The peer began to speak or fell silent.
    pub(super) fn changed(&mut self, change: Option<SpeechChange>, player: &mut Player, out: &mut Out) {
        let Some(change) = change else { return };
        self.is_speaking = change.speaks;
        player.speech(change);
        if self.is_told {
            out.event(LegEvent::Speech { speaks: change.speaks });
        }
    }

    pub(super) fn tick(&mut self, player: &mut Player, now: Instant, out: &mut Out) {
        let change = self.detector.tick(now);
        self.changed(change, player, out);
    }

    pub(super) fn next_tick(&self) -> Option<Instant> {
        self.detector.next_tick()
    }
}
