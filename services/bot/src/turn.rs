//! What a handler may do while its turn runs. Everything asked for here happens after the commit, unless it says otherwise.

mod calls;
mod people;
mod start;
mod steps;
mod stream;
mod timers;

use std::time::{Duration, SystemTime};

use serde::Serialize;

pub use steps::StepKey;
pub use stream::Stream;

use crate::address::{ActivityId, Address, Locale, Person, SentRef};
use crate::call::CallProblem;
use crate::dialog::{Dialog, Moment};
use crate::draft::{self, Draft, DraftProblem, Envelope, Rendered};
use crate::error::{Result, port_error};
use crate::logic::{Effect, KeptStep, MessageRef, Port};
use crate::signal::Signal;

/// One turn of a conversation.
///
/// State, effects and answer are committed together when the handler returns `Ok`; nothing else commits. A turn may run again,
/// after a crash or when it failed: what must be done once outside goes through [`Turn::once`].
pub struct Turn<A: 'static = ()> {
    /// Clients and settings of the process. It may be used inside a step, where the turn itself may not.
    pub app: &'static A,
    port: Box<dyn Port>,
    here: Address,
    now: SystemTime,
    seed: String,
    attempt: u32,
    locale: Locale,
    person: Option<Person>,
    bot: Option<Person>,
    answered: Option<String>,
    known_users: &'static [&'static str],
    kept: Vec<KeptStep>,
    named: Vec<String>,
    effects: Vec<Effect>,
    first_sequence: u64,
    next_sequence: u64,
    fresh_keys: u32,
    misuse: Option<Misuse>,
}

impl<A> Turn<A> {
    /// The time of the turn: the same in every run of it.
    pub fn now(&self) -> SystemTime {
        self.now
    }

    /// 1 for the first run.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// A key that is the same in every run of this turn and of no other: for services that know idempotency keys.
    pub fn key(&self, name: &str) -> String {
        steps::key(&self.seed, name)
    }

    /// Time that this turn still has.
    pub fn remaining(&self) -> Duration {
        self.port.remaining()
    }

    /// Where the turn runs. Storable for years: a later turn can send here.
    pub fn here(&self) -> Address {
        self.here.clone()
    }

    /// Entra tenant of the conversation.
    pub fn tenant(&self) -> &str {
        self.here.tenant()
    }

    /// The language of the person, else the bot's first.
    pub fn locale(&self) -> &Locale {
        &self.locale
    }

    /// Whose turn it is; nobody's for timers and signals.
    pub fn person(&self) -> Option<&Person> {
        self.person.as_ref()
    }

    /// Answers here.
    pub fn reply(&mut self, draft: impl Into<Draft>) -> SentRef {
        let draft = draft.into();
        self.push_reply(&draft, None)
    }

    /// Sends elsewhere.
    pub fn send(&mut self, to: &Address, draft: impl Into<Draft>) -> SentRef {
        let draft = draft.into();
        let envelope = Envelope {
            bot: self.bot.as_ref(),
            reply_to: None,
        };
        let rendered = draft::render(&draft, envelope);
        self.push_sends(to, &draft, rendered, None)
    }

    /// Replaces a message of the bot: by the send of an earlier or this turn, or by the id that Teams gave it.
    ///
    /// One message is replaced by one message: a draft with text and card fails the turn.
    pub fn update(&mut self, message: impl Into<MessageRef>, draft: impl Into<Draft>) {
        let envelope = Envelope {
            bot: self.bot.as_ref(),
            reply_to: None,
        };
        match draft::render_one(&draft.into(), envelope) {
            Ok(activity) => {
                let sequence = self.sequence();
                self.effects.push(Effect::Update {
                    sequence,
                    message: message.into(),
                    activity,
                });
            }
            Err(problem) => self.misused(problem.into()),
        }
    }

    /// Deletes a message of the bot.
    pub fn delete(&mut self, message: impl Into<MessageRef>) {
        let sequence = self.sequence();
        self.effects.push(Effect::Delete {
            sequence,
            message: message.into(),
        });
    }

    /// Asks for the id that Teams gives a send of this turn: it comes as [`crate::routes::sent`], in a turn of its own.
    pub fn on_sent(&mut self, sent: &SentRef) {
        let asked = sent.0;
        let wanted = self.effects.iter_mut().find_map(|effect| match effect {
            Effect::Send { sequence, wants_id, .. } if *sequence == asked => Some(wants_id),
            _ => None,
        });
        match wanted {
            Some(wants_id) => *wants_id = true,
            None => self.misused(Misuse::NotOfThisTurn),
        }
    }

    /// Sends at once, outside the transaction, and returns the message's id. **If the turn runs again it is sent again.**
    ///
    /// # Errors
    /// Teams did not take it, messages of earlier turns wait, or the draft is none that one message can hold.
    pub async fn send_now(&mut self, draft: impl Into<Draft>) -> Result<ActivityId> {
        let envelope = Envelope {
            bot: self.bot.as_ref(),
            reply_to: self.answered.as_deref(),
        };
        let activity = draft::render_one(&draft.into(), envelope)?;
        let id = self.port.send_now(activity).await.map_err(port_error)?;
        Ok(ActivityId(id))
    }

    /// Shows "is typing" at once, best effort.
    pub fn typing(&mut self) {
        self.port.typing();
    }

    /// Tells another conversation; applied there once, in order.
    ///
    /// # Errors
    /// The signal cannot be written as JSON.
    #[allow(clippy::needless_pass_by_value, reason = "a value is what authors have at hand")]
    pub fn signal<T: Signal>(&mut self, to: &Address, signal: T) -> Result {
        let payload = json(&signal)?;
        let effect = Effect::Signal {
            sequence: self.sequence(),
            to: to.clone(),
            name: T::NAME.to_owned(),
            key: signal.key(),
            payload,
        };
        self.effects.push(effect);
        Ok(())
    }

    /// Opens a dialog: puts it into its slot of the state and asks its question.
    pub fn begin<D: Dialog>(&mut self, slot: &mut Option<D>, dialog: D) {
        let question = dialog.question(&self.moment());
        self.reply(question);
        *slot = Some(dialog);
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment::new(self.now, self.locale.clone())
    }

    fn push_reply(&mut self, draft: &Draft, stream: Option<&str>) -> SentRef {
        let envelope = Envelope {
            bot: self.bot.as_ref(),
            reply_to: self.answered.as_deref(),
        };
        let rendered = draft::render(draft, envelope);
        let here = self.here.clone();
        self.push_sends(&here, draft, rendered, stream)
    }

    fn push_sends(
        &mut self,
        to: &Address,
        draft: &Draft,
        rendered: Result<Rendered, DraftProblem>,
        stream: Option<&str>,
    ) -> SentRef {
        if matches!(to, Address::Call { .. }) {
            self.misused(Misuse::WritesToCall);
        }
        let rendered = match rendered {
            Ok(rendered) => rendered,
            Err(problem) => {
                self.misused(problem.into());
                return SentRef(self.sequence());
            }
        };
        let mut last = SentRef(self.next_sequence);
        let mut stream = stream.map(str::to_owned);
        for activity in [Some(rendered.first), rendered.second].into_iter().flatten() {
            let sequence = self.sequence();
            last = SentRef(sequence);
            self.effects.push(Effect::Send {
                sequence,
                to: to.clone(),
                activity,
                in_doubt: draft.in_doubt(),
                wants_id: false,
                stream: stream.take(),
                targeted: rendered.is_targeted,
            });
        }
        last
    }

    fn sequence(&mut self) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        sequence
    }

    /// Remembers what went wrong where no error could be returned: the turn fails by it at its end.
    fn misused(&mut self, misuse: Misuse) {
        self.misuse.get_or_insert(misuse);
    }
}

/// Something was asked for that cannot be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Misuse {
    #[error(transparent)]
    Draft(#[from] DraftProblem),
    #[error("on_sent takes a message that this turn sends")]
    NotOfThisTurn,
    #[error("a call cannot be written to: send to a conversation, or speak with a prompt")]
    WritesToCall,
    #[error(transparent)]
    Call(#[from] CallProblem),
}

fn json<T: Serialize>(value: &T) -> Result<bytes::Bytes> {
    Ok(serde_json::to_vec(value)?.into())
}

impl From<SentRef> for MessageRef {
    fn from(sent: SentRef) -> Self {
        Self::Sent(sent)
    }
}

impl From<&SentRef> for MessageRef {
    fn from(sent: &SentRef) -> Self {
        Self::Sent(*sent)
    }
}

impl From<ActivityId> for MessageRef {
    fn from(id: ActivityId) -> Self {
        Self::Id(id.0)
    }
}

impl From<&ActivityId> for MessageRef {
    fn from(id: &ActivityId) -> Self {
        Self::Id(id.0.clone())
    }
}
