//! What a leg has to say: prompts and recordings of answers in their queue, tones before them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::answer::{AnswerEnd, Listening, RecordAnswer};
use super::{LegEvent, Out};
use crate::codecs::Voice;
use crate::prompt::Prompt;
use crate::speech::SpeechChange;
use crate::tone::{Key, ToneSender};

/// Operations that may wait.
const QUEUE: usize = 32;

/// Something to play.
#[derive(Debug, Clone)]
pub struct Play {
    /// Names it in events and for [`super::Leg::stop`].
    pub operation: u64,
    /// One after the other. Not empty; their codec is the leg's.
    pub prompts: Vec<Arc<Prompt>>,
    /// Again and again, until it is stopped.
    pub repeat: bool,
    /// A key of the peer stops it.
    pub stops_at_tone: bool,
}

/// Why playing, or sending tones, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayEnd {
    /// The last packet was sent, 20 ms ago.
    Played,
    /// It was stopped.
    Stopped,
    /// The peer pressed a key.
    Tone,
    /// The leg ended.
    LegEnded,
}

struct Item {
    play: Play,
    prompt: usize,
    packet: usize,
    sent: u64,
    is_started: bool,
    then: Then,
}

/// What follows the prompts of an item.
enum Then {
    Nothing,
    /// An answer is to be recorded.
    Record(RecordAnswer),
    /// It is being recorded.
    Listen(Listening),
}

/// Everything that a leg has to say of its own.
#[derive(Default)]
pub(super) struct Player {
    queue: VecDeque<Item>,
    /// What a bot says live, when nothing is in the queue.
    voice: Option<Voice>,
    /// Silence is sent when there is nothing to say.
    pub(super) is_continuous: bool,
    pub(super) tones: ToneSender,
}

impl Player {
    /// Adds something to play; `false` if the queue is full or there is nothing in it.
    pub(super) fn add(&mut self, play: Play) -> bool {
        let has_audio = play.prompts.iter().any(|prompt| prompt.packets() > 0);
        has_audio && self.push(play, Then::Nothing)
    }

    /// Adds an answer to record, behind what plays or waits; `false` if the queue is full.
    pub(super) fn add_answer(&mut self, mut answer: RecordAnswer) -> bool {
        if self.queue.len() >= QUEUE {
            answer.tap.discard();
            return false;
        }
        let play = Play {
            operation: answer.operation,
            prompts: std::mem::take(&mut answer.prompts),
            repeat: false,
            stops_at_tone: false,
        };
        self.push(play, Then::Record(answer))
    }

    fn push(&mut self, play: Play, then: Then) -> bool {
        let has_room = self.queue.len() < QUEUE;
        if has_room {
            self.queue.push_back(Item {
                play,
                prompt: 0,
                packet: 0,
                sent: 0,
                is_started: false,
                then,
            });
        }
        has_room
    }

    pub(super) fn add_tones(&mut self, operation: u64, keys: &[Key]) -> bool {
        self.tones.add(operation, keys)
    }

    pub(super) fn has_something_to_say(&self) -> bool {
        let plays = |item: &Item| !matches!(item.then, Then::Listen(_));
        let says = self.queue.front().map_or(self.voice.is_some(), plays);
        says || self.tones.is_sending()
    }

    /// A bot speaks live from now on, between prompts, or does not.
    pub(super) fn set_voice(&mut self, voice: Option<Voice>) {
        self.voice = voice;
    }

    /// The next packet of the bot's live voice.
    fn live(&mut self) -> Option<Bytes> {
        let next = self.voice.as_mut()?.packet();
        if next.is_err() {
            self.voice = None;
        }
        next.ok().flatten()
    }

    /// The next packet; what ended before it and what began with it is told. `is_speaking`: whether the peer speaks now, which
    /// an answer that begins has to know.
    pub(super) fn next(&mut self, is_speaking: bool, now: Instant, out: &mut Out) -> Option<Bytes> {
        loop {
            let Some(item) = self.queue.front_mut() else {
                return self.live();
            };
            if !item.is_started {
                item.is_started = true;
                out.event(LegEvent::Started {
                    operation: item.play.operation,
                });
            }
            if let Some(packet) = item.next() {
                return Some(packet);
            }
            item.then = match std::mem::replace(&mut item.then, Then::Nothing) {
                Then::Nothing => {
                    self.finish(0, PlayEnd::Played, out);
                    continue;
                }
                Then::Record(answer) => Then::Listen(Listening::begin(answer, is_speaking, now)),
                listening @ Then::Listen(_) => listening,
            };
            return None;
        }
    }

    /// The answer that is being recorded.
    fn listening(&mut self) -> Option<&mut Listening> {
        match &mut self.queue.front_mut()?.then {
            Then::Listen(listening) => Some(listening),
            _ => None,
        }
    }

    /// Whether an answer is recorded or will be: then it counts whether the peer speaks.
    pub(super) fn has_answer(&self) -> bool {
        self.queue.iter().any(|item| !matches!(item.then, Then::Nothing))
    }

    /// Records a packet of the peer, if an answer is recorded.
    pub(super) fn hears(&mut self, payload: &Bytes, facts: (u32, u32), now: Instant, out: &mut Out) {
        let failed = self
            .listening()
            .and_then(|listening| listening.packet(payload, facts, now));
        if let Some(end) = failed {
            self.end_answer(0, end, out);
        }
    }

    /// The peer began to speak or fell silent.
    pub(super) fn speech(&mut self, change: SpeechChange) {
        if let Some(listening) = self.listening() {
            listening.speech(change);
        }
    }

    /// Ends an answer whose time is over.
    pub(super) fn tick(&mut self, now: Instant, out: &mut Out) {
        let end = self.listening().and_then(|listening| listening.tick(now));
        if let Some(end) = end {
            self.end_answer(0, end, out);
        }
    }

    /// When [`Self::tick`] has something to do.
    pub(super) fn next_tick(&self) -> Option<Instant> {
        match &self.queue.front()?.then {
            Then::Listen(listening) => Some(listening.next_tick().0),
            _ => None,
        }
    }

    /// Stops an operation, or all.
    pub(super) fn stop(&mut self, operation: Option<u64>, out: &mut Out) -> bool {
        let is_meant = |item: &Item| operation.is_none_or(|operation| item.play.operation == operation);
        let mut is_stopped = false;
        while let Some(index) = self.queue.iter().position(is_meant) {
            self.finish(index, PlayEnd::Stopped, out);
            is_stopped = true;
        }
        is_stopped
    }

    /// The peer pressed a key.
    pub(super) fn tone_heard(&mut self, key: Key, out: &mut Out) {
        if self.listening().is_some_and(|listening| listening.stops_at(key)) {
            self.end_answer(0, AnswerEnd::StopKey, out);
            return;
        }
        let stops = |item: &Item| item.is_started && item.play.stops_at_tone;
        if self.queue.front().is_some_and(stops) {
            self.finish(0, PlayEnd::Tone, out);
        }
    }

    /// The leg ends: nothing is left untold.
    pub(super) fn leg_ended(&mut self, out: &mut Out) {
        while !self.queue.is_empty() {
            self.finish(0, PlayEnd::LegEnded, out);
        }
        for operation in self.tones.take_operations() {
            tones_finished(operation, PlayEnd::LegEnded, out);
        }
    }

    /// Ends the recording of an answer.
    fn end_answer(&mut self, index: usize, reason: AnswerEnd, out: &mut Out) {
        let Some(item) = self.queue.remove(index) else { return };
        match item.then {
            Then::Nothing => {}
            Then::Record(answer) => answer.tap.discard(),
            Then::Listen(listening) => listening.end(reason),
        }
        out.event(LegEvent::Answered {
            operation: item.play.operation,
            reason,
        });
    }

    fn finish(&mut self, index: usize, reason: PlayEnd, out: &mut Out) {
        if self
            .queue
            .get(index)
            .is_some_and(|item| !matches!(item.then, Then::Nothing))
        {
            let reason = match reason {
                PlayEnd::LegEnded => AnswerEnd::LegEnded,
                _ => AnswerEnd::Stopped,
            };
            self.end_answer(index, reason, out);
            return;
        }
        if let Some(item) = self.queue.remove(index) {
            out.event(LegEvent::Finished {
                operation: item.play.operation,
                reason,
                packets: item.sent,
            });
        }
    }
}

/// Operation 0 is a key that came over a bridge: nobody asked for it.
pub(super) fn tones_finished(operation: u64, reason: PlayEnd, out: &mut Out) {
    if operation != 0 {
        out.event(LegEvent::Finished {
            operation,
            reason,
            packets: 0,
        });
    }
}

impl Item {
    fn next(&mut self) -> Option<Bytes> {
        loop {
            let Some(prompt) = self.play.prompts.get(self.prompt) else {
                if !self.play.repeat {
                    return None;
                }
                self.prompt = 0;
                continue;
            };
            if let Some(packet) = prompt.packet(self.packet) {
                self.packet += 1;
                self.sent += 1;
                return Some(packet);
            }
            self.prompt += 1;
            self.packet = 0;
        }
    }
}
