//! What a leg has to say: prompts in their queue, tones before them.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::{LegEvent, Out};
use crate::prompt::Prompt;
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
}

/// Everything that a leg has to say of its own.
#[derive(Default)]
pub(super) struct Player {
    queue: VecDeque<Item>,
    pub(super) tones: ToneSender,
}

impl Player {
    /// Adds something to play; `false` if the queue is full or there is nothing in it.
    pub(super) fn add(&mut self, play: Play) -> bool {
        let has_audio = play.prompts.iter().any(|prompt| prompt.packets() > 0);
        if self.queue.len() >= QUEUE || !has_audio {
            return false;
        }
        self.queue.push_back(Item {
            play,
            prompt: 0,
            packet: 0,
            sent: 0,
            is_started: false,
        });
        true
    }

    pub(super) fn add_tones(&mut self, operation: u64, keys: &[Key]) -> bool {
        self.tones.add(operation, keys)
    }

    pub(super) fn has_something_to_say(&self) -> bool {
        !self.queue.is_empty() || self.tones.is_sending()
    }

    /// The next packet; what ended before it and what began with it is told.
    pub(super) fn next(&mut self, out: &mut Out) -> Option<Bytes> {
        loop {
            let item = self.queue.front_mut()?;
            if !item.is_started {
                item.is_started = true;
                out.event(LegEvent::Started {
                    operation: item.play.operation,
                });
            }
            if let Some(packet) = item.next() {
                return Some(packet);
            }
            self.finish(0, PlayEnd::Played, out);
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
    pub(super) fn tone_heard(&mut self, out: &mut Out) {
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

    fn finish(&mut self, index: usize, reason: PlayEnd, out: &mut Out) {
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
