//! What a turn of the bot does, and what becomes of its replies at the Connector.

use bytes::Bytes;
use trunkline_bot::logic::{End, KeptStep};
use trunkline_worker::conversation::{Event, Run};
use trunkline_worker::outbox::{Operation, SendResult, SendWork};

use crate::bot::{end_of, failed, number_of};
use crate::broken::Invariant;
use crate::chat::{TIMERS, keeps_step};
use crate::worker::{ActorId, At, Stepping, Thing};
use crate::world::{Happening, World};

impl World {
    /// A turn begins.
    pub(crate) fn begin(&mut self, at: At, id: ActorId, run: Run) {
        let Run { run, begin, .. } = run;
        let number = number_of(&begin);
        let kills = |number: &u64| *number < TIMERS && self.activities[usize::try_from(*number).unwrap()].is_killer;
        if let Some(number) = number.filter(kills).filter(|_| self.faults.killer) {
            let wait = self.below(200);
            return self.after(wait, Happening::Kill(at, number));
        }
        let is_slow = self.faults.turns && self.below(8) == 0;
        let wait = if is_slow {
            500 + self.below(6_000)
        } else {
            self.below(30)
        };
        if self.faults.turns && self.below(8) == 0 {
            self.end_turn(at, id, run, failed(), wait);
        } else if begin.steps.is_empty() && number.is_some_and(keeps_step) {
            let step = KeptStep {
                name: "paid".to_owned(),
                result: Bytes::from_static(b"1"),
            };
            self.stepping.insert((at.life, id, run), Stepping { begin, wait });
            self.after(
                1,
                Happening::Worker(at, Thing::Actor(id, Event::KeepStep { run, step })),
            );
        } else {
            self.end_turn(at, id, run, end_of(&begin), wait);
        }
    }

    fn end_turn(&mut self, at: At, id: ActorId, run: u64, end: End, wait: u64) {
        let streams = Vec::new();
        let ended = Event::TurnEnded { run, end, streams };
        self.after(wait, Happening::Worker(at, Thing::Actor(id, ended)));
    }

    /// A turn that waited for its step hears of it.
    pub(crate) fn step_kept(&mut self, at: At, id: ActorId, run: u64, is_kept: bool) {
        if let Some(Stepping { begin, wait }) = self.stepping.remove(&(at.life, id, run)) {
            let end = if is_kept { end_of(&begin) } else { failed() };
            self.end_turn(at, id, run, end, wait);
        }
    }

    /// A reply goes to the Connector.
    pub(crate) fn send(&mut self, at: At, id: ActorId, work: &SendWork) {
        let Operation::Post { body, .. } = &work.operation else {
            return self.breaks(Invariant::Manners, format!("only messages are sent: {work:?}"));
        };
        let number: u64 = serde_json::from_slice(body).unwrap();
        let chat = self.leaves(id, number);
        let wait = 1 + self.below(40);
        let fate = if self.faults.connector { self.below(6) } else { 9 };
        if fate != 0 {
            let arrives = self.below(wait + 1);
            self.after(arrives, Happening::Arrives(chat, number));
        }
        let result = match fate {
            0 | 1 => SendResult::Again {
                after_ms: None,
                in_doubt: fate == 1,
                reason: "simulated".to_owned(),
            },
            _ => SendResult::Taken {
                id: Some(format!("m{number}")),
                conversation: None,
            },
        };
        let sequence = work.sequence;
        self.after(
            wait,
            Happening::Worker(at, Thing::Actor(id, Event::Sent { sequence, result })),
        );
    }

    /// I5: a reply leaves. Returns the place of its conversation.
    pub(crate) fn leaves(&mut self, id: ActorId, number: u64) -> usize {
        let chat = self.common.chats.iter().position(|chat| chat.key == id.key).unwrap();
        if !self.store.asked_for[chat].contains(&number) {
            self.breaks(
                Invariant::I5,
                format!("reply {number} leaves before its turn has committed"),
            );
        }
        chat
    }

    /// The user sees a reply.
    pub(crate) fn arrives(&mut self, chat: usize, number: u64) {
        let seen = &mut self.seen[chat];
        if !seen.contains(&number) {
            seen.push(number);
        }
    }
}
