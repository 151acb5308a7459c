//! Those who send: callers with one activity after the other, who repeat what was not acknowledged, and Teams, which repeats
//! what was.

use trunkline_ingress::exchange::Answer;
use trunkline_worker::conversation::ArrivalKind;

use crate::broken::Invariant;
use crate::chat::{CHATS, is_told, kind_of};
use crate::ingress::Waiter;
use crate::world::{CALM_AT, Happening, World};

/// Callers of each conversation: their requests overlap.
pub(crate) const CALLERS_EACH: usize = 2;

/// One activity.
#[derive(Debug)]
pub(crate) struct Activity {
    pub(crate) chat: usize,
    pub(crate) sent_at: u64,
    pub(crate) acknowledged_at: Option<u64>,
    /// Its caller was told for good that it failed, or gave up: it may have been applied, or not.
    pub(crate) is_given_up: bool,
    /// It kills whoever runs it.
    pub(crate) is_killer: bool,
}

/// Somebody who sends one activity after the other.
#[derive(Debug, Default)]
pub(crate) struct Caller {
    /// What it waits for, or repeats.
    pub(crate) current: Option<u64>,
}

impl World {
    /// It is time for a caller's next activity, or for the same again.
    pub(crate) fn call(&mut self, caller: usize) {
        let chat = caller % CHATS;
        let number = match self.callers[caller].current {
            Some(number) => number,
            None if self.now >= CALM_AT => return,
            None => self.new_activity(chat, Some(caller)),
        };
        self.send_again(number, Some(caller));
    }

    /// A new activity of a conversation.
    pub(crate) fn new_activity(&mut self, chat: usize, caller: Option<usize>) -> u64 {
        let is_killer = self.faults.killer && self.below(40) == 0;
        self.activities.push(Activity {
            chat,
            sent_at: self.now,
            acknowledged_at: None,
            is_given_up: false,
            is_killer,
        });
        let number = self.activities.len() as u64 - 1;
        if let Some(caller) = caller {
            self.callers[caller].current = Some(number);
        }
        number
    }

    /// Sends an activity by any ingress that is there.
    pub(crate) fn send_again(&mut self, number: u64, caller: Option<usize>) {
        let chat = self.activity(number).chat;
        let first = self.index(self.threads.len());
        let threads = self.threads.len();
        let up = (first..first + threads)
            .map(|thread| thread % threads)
            .find(|thread| self.is_up(*thread));
        match (up, caller) {
            (Some(thread), _) => self.submit(thread, number, chat, caller),
            (None, Some(caller)) => self.after(200, Happening::Caller(caller)),
            (None, None) => {}
        }
    }

    pub(crate) fn activity(&mut self, number: u64) -> &mut Activity {
        &mut self.activities[usize::try_from(number).unwrap()]
    }

    /// An ingress answers.
    pub(crate) fn answered(&mut self, thread: usize, waiter: &Waiter, answer: &Answer) {
        let number = waiter.number;
        if self.tells {
            self.tell_story(&format!("ingress-{thread} answers {number}: {answer:?}"));
        }
        match answer {
            Answer::Done { status, body } | Answer::Repeated { status, body } if (200..300).contains(status) => {
                let is_lost = self.store.lost.contains(&number);
                if kind_of(number) == ArrivalKind::Invoke && **body != *number.to_string().as_bytes() && !is_lost {
                    self.breaks(
                        Invariant::I4,
                        format!("{number} is answered with the answer to {body:?}"),
                    );
                }
                self.acknowledged(waiter);
            }
            Answer::Accepted => self.acknowledged(waiter),
            // The answer to an invoke that failed: repeating it would be told the same.
            Answer::Done { .. } | Answer::Repeated { .. } | Answer::Poisoned { .. } => self.gives_up(waiter),
            Answer::Refused { .. } | Answer::NoCredit | Answer::Expired => {
                *self.refusals.entry(kind_of_refusal(answer)).or_default() += 1;
                self.not_answered(waiter);
            }
            Answer::Unspoken => self.breaks(Invariant::Manners, format!("{number}: {answer:?}")),
        }
    }

    fn acknowledged(&mut self, waiter: &Waiter) {
        let (now, number) = (self.now, waiter.number);
        // I4, the moment that it is promised: it must have been written by then.
        if !self.store.ever.contains(&number) && !is_told(number) {
            self.breaks(
                Invariant::I4,
                format!("{number} is acknowledged before it is in a state or an inbox"),
            );
        }
        self.activity(number).acknowledged_at.get_or_insert(now);
        let Some(caller) = waiter.caller else { return };
        self.callers[caller].current = None;
        if self.now < CALM_AT && self.below(4) == 0 {
            let wait = self.below(4_000);
            self.after(wait, Happening::Repeat(number));
        }
        let pause = 1 + self.below(1_500);
        self.after(pause, Happening::Caller(caller));
    }

    fn gives_up(&mut self, waiter: &Waiter) {
        self.activity(waiter.number).is_given_up = true;
        if let Some(caller) = waiter.caller {
            self.callers[caller].current = None;
            let pause = 1 + self.below(500);
            self.after(pause, Happening::Caller(caller));
        }
    }

    /// Nobody knows what became of it: the caller repeats it, or in rare cases gives up.
    pub(crate) fn not_answered(&mut self, waiter: &Waiter) {
        let Some(caller) = waiter.caller else { return };
        if self.now < CALM_AT && self.below(20) == 0 {
            return self.gives_up(waiter);
        }
        let wait = self.below(1_500);
        self.after(wait, Happening::Caller(caller));
    }
}

fn kind_of_refusal(answer: &Answer) -> String {
    match answer {
        Answer::Refused { reason, .. } => reason.as_str_name().to_owned(),
        other => format!("{other:?}"),
    }
}
