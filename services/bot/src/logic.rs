//! The boundary between the worker and a bot: everything that crosses it is data.
//!
//! The worker knows a bot only as [`Logic`]. [`crate::Bot::build`] makes one in Rust; a bot in another language will implement
//! it over `bot.proto` with the same verbs. The test kit drives the same trait with simulated time.
//!
//! A turn: the worker builds a [`Begin`], calls [`Logic::run`] with a [`Port`] for what happens *during* the turn (kept
//! steps, `send_now`, partial texts), and gets an [`End`] that says what shall be committed. Nothing of an `End` has
//! happened yet: the worker commits it and only then answers and sends.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use trunkline_teams::activity::Activity;
use trunkline_teams::calls::Call;
use trunkline_teams::graph::Operation;

use crate::address::{Address, SentRef};

mod call;
mod hosted;
mod sound;

pub use self::call::{
    CallAbout, CallEnd, CallEvent, CallNow, CallsDescription, EndedBy, OperationEnd, OperationOutcome, RecordedLeft,
};
pub use self::hosted::{
    CallLeg, Directions, HostedOperation, RecordedFile, RecordingNews, RecordingTold, TroubleKind, TroubleTold,
};
pub use self::sound::{Said, SoundEnds, SoundFrame};

/// A bot as the worker sees it.
pub trait Logic: Send + Sync + 'static {
    /// Name, versions and routes. Asked once, at start.
    fn describe(&self) -> Description;

    /// Which of [`Description::routes`] an activity reaches when no dialog is open; `None` when nobody handles it.
    fn route_of(&self, activity: &Activity) -> Option<usize>;

    /// Runs one turn. Dropping the future cancels the turn; a panic inside is the worker's to catch.
    fn run(&self, begin: Begin, port: Box<dyn Port>) -> LocalBoxFuture<'_, End>;

    /// What an invoke is answered when its turn outlives its budget; `None` means 504.
    fn late_answer(&self, activity: &Activity) -> Option<Answer>;

    /// The message (as JSON) that takes the place of the one with the button, when the answer to the button brings a card and
    /// came after the default answer. `None` leaves the message as it is.
    fn late_card(&self, activity: &Activity, answer: &Answer) -> Option<Bytes> {
        let _ = (activity, answer);
        None
    }

    /// What is done with an incoming call when its turn is late or failed: an answer, a reject or a redirect. `None` lets it
    /// ring out.
    fn late_decision(&self, call: &CallNow) -> Option<Operation> {
        let _ = call;
        None
    }

    /// Whether anybody handles what happened in a call; a turn is run only then. `Incoming` and `Ended` included.
    fn handles_call_event(&self, event: &CallEvent) -> bool {
        let _ = event;
        false
    }

    /// Listens to the sound of a call and speaks, beside its turns, until the future ends or the sound does. `None` when the bot
    /// does not. Only where [`CallsDescription::listens`] says so.
    fn listen(&self, sound: SoundEnds) -> Option<LocalBoxFuture<'_, ()>> {
        let _ = sound;
        None
    }

    /// What an invoke is answered when its turn fails.
    fn failed_answer(&self, activity: &Activity) -> Answer;

    /// Applies typed changes to what is remembered of a person. Pure: no port, no clock.
    fn apply_user_changes(
        &self,
        name: &str,
        state: Option<StoredState>,
        changes: &[Bytes],
    ) -> Result<StoredState, StateProblem>;
}

/// What a bot says of itself at start.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// Name of the bot, equal to its name in the configuration.
    pub name: String,
    /// Version of the conversation state that this code writes.
    pub state_version: u32,
    /// Names of the kinds of user state.
    pub users: Vec<String>,
    /// A message equal to one of these, by the person whose turn runs, stops that turn (compared without case, trimmed).
    pub stop_words: Vec<String>,
    /// The routes, from top to bottom.
    pub routes: Vec<RouteDescription>,
    /// Of a calling bot.
    pub calls: Option<CallsDescription>,
}

/// One route, for logs, metrics and the second layer of repeats.
#[derive(Clone, Debug, Default)]
pub struct RouteDescription {
    /// For people: `command("book")`.
    pub name: String,
    /// Window in which the same person doing the same again counts as a repeat.
    pub once_per: Option<Duration>,
    /// Budget of this route, if the bot sets one.
    pub within: Option<Duration>,
}

/// What a turn starts from. A second run of the same turn gets the same values, so that it takes the same way.
#[derive(Clone, Debug)]
pub struct Begin {
    /// What happened.
    pub input: Input,
    /// Where the turn runs and how to reach it again.
    pub here: Address,
    /// The stored state; `None` for a conversation that is new.
    pub state: Option<StoredState>,
    /// Steps that an earlier run of this turn kept.
    pub steps: Vec<KeptStep>,
    /// The time of the turn: of its first run, also when it runs again.
    pub now: SystemTime,
    /// Names this turn and stays the same in every run: keys of steps are made from it.
    pub seed: String,
    /// 1 for the first run.
    pub attempt: u32,
    /// The person's language (BCP 47), if Teams sent one.
    pub locale: Option<String>,
    /// Sequence number for the first send of this turn.
    pub next_sequence: u64,
    /// The call, in a turn of a call.
    pub call: Option<Box<CallNow>>,
}

/// What a turn is about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// Something that Teams sent.
    Activity(Box<Activity>),
    /// A signal from another actor, or a timer.
    Signal {
        /// `Signal::NAME`.
        name: String,
        /// `Signal::key()`.
        key: String,
        /// The signal as JSON.
        payload: Bytes,
    },
    /// The Connector answered a send that asked for it.
    Sent {
        /// Which send.
        sent: SentRef,
        /// The id that Teams gave the message.
        activity_id: String,
    },
    /// A turn or a send was given up.
    Failed(Failure),
    /// Something happened in the call whose turn this is.
    Call(Box<CallEvent>),
}

/// Something that was given up after its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What failed.
    pub what: FailedWork,
    /// How often it was tried.
    pub attempts: u32,
    /// Short code that the user sees and the operator looks up.
    pub reference: String,
}

/// What kind of work was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailedWork {
    /// A turn; its route.
    Turn(String),
    /// A message that the Connector did not take.
    Send(SentRef),
}

/// Stored state of a conversation or a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredState {
    /// `State::VERSION` of the code that wrote it.
    pub version: u32,
    /// JSON.
    pub bytes: Bytes,
}

/// The kept result of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptStep {
    /// Name of the step, unique in its turn.
    pub name: String,
    /// JSON.
    pub result: Bytes,
}

/// How a turn ended.
#[derive(Clone, Debug)]
pub enum End {
    /// State, effects and answer are to be committed together.
    Commit(Outcome),
    /// The user is told something and state stays as it was: `effects` are sends only.
    Tell(Outcome),
    /// Nothing is committed. The worker tries again by its rules.
    Failed(TurnError),
    /// Ended quietly by Stop: the activity counts as done, nothing else is committed.
    Stopped,
    /// The stored state cannot be used by this code.
    State(StateProblem),
}

/// What a turn asks to be committed.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The new state; `None` leaves it as it is.
    pub state: Option<StoredState>,
    /// In the order in which the bot asked for them.
    pub effects: Vec<Effect>,
    /// The HTTP answer of an invoke.
    pub answer: Option<Answer>,
}

/// An HTTP answer to Teams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: Option<Bytes>,
}

/// Why a turn failed. For logs and operators, never for users.
#[derive(Clone, Debug)]
pub struct TurnError {
    /// What the bot's error says, with its sources.
    pub message: String,
    /// When the bot asked to be tried again.
    pub retry_after: Option<Duration>,
    /// Trying again cannot help (a kept step that cannot be read): park at once.
    pub is_final: bool,
}

/// Why stored state cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateProblem {
    /// Written by newer code.
    #[error("state of version {stored} was stored, this code knows up to {known}")]
    Newer {
        /// Version of the stored state.
        stored: u32,
        /// Version of this code.
        known: u32,
    },
    /// Not what the bot's type or its `upgrade` can read.
    #[error("stored state of version {stored} cannot be read: {reason}")]
    Unreadable {
        /// Version of the stored state.
        stored: u32,
        /// What the reader said.
        reason: String,
    },
}

/// Something that happens because of a committed turn. One closed list, the same in every language.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send a message.
    Send {
        /// Number of this send in its conversation.
        sequence: u64,
        /// Where to.
        to: Address,
        /// The outgoing activity as JSON, without ids that only sending can fill.
        activity: Bytes,
        /// What to do when it is unknown whether Teams took it.
        in_doubt: InDoubt,
        /// Run a turn with [`Input::Sent`] once the id is known.
        wants_id: bool,
        /// This is the final text of the stream of that name.
        stream: Option<String>,
        /// Only its recipient sees it: the Connector wants `isTargetedActivity=true`.
        targeted: bool,
    },
    /// Replace a message of the bot.
    Update {
        /// Number of this send in its conversation.
        sequence: u64,
        /// Which message.
        message: MessageRef,
        /// The outgoing activity as JSON.
        activity: Bytes,
    },
    /// Delete a message of the bot.
    Delete {
        /// Number of this send in its conversation.
        sequence: u64,
        /// Which message.
        message: MessageRef,
    },
    /// Tell another actor, once.
    Signal {
        /// Number of this send in its conversation.
        sequence: u64,
        /// Whom.
        to: Address,
        /// `Signal::NAME`.
        name: String,
        /// `Signal::key()`.
        key: String,
        /// The signal as JSON.
        payload: Bytes,
    },
    /// Change what is remembered of the person whose turn this is.
    ChangeUser {
        /// Number of this send in its conversation.
        sequence: u64,
        /// The person's id as this bot knows it.
        person: String,
        /// `UserState::NAME`.
        name: String,
        /// The change as JSON.
        change: Bytes,
    },
    /// Set or replace a timer of this conversation.
    SetTimer {
        /// `Signal::NAME` of the signal that comes.
        name: String,
        /// `Signal::key()`; name and key name the timer.
        key: String,
        /// When.
        at: SystemTime,
        /// Again after each of these.
        every: Option<Duration>,
        /// The signal as JSON.
        payload: Bytes,
    },
    /// Forget timers of this conversation.
    ForgetTimer {
        /// `Signal::NAME`.
        name: String,
        /// One key, or all of that name.
        key: Option<String>,
    },
    /// Ask Graph for something on the call whose turn this is.
    Call {
        /// Number of this send in its call.
        sequence: u64,
        /// Names the operation in [`CallEvent::OperationEnded`], and is its client context where it has room for one; at
        /// most 256 characters, unique in its call.
        key: String,
        /// What.
        operation: Operation,
        /// Not before the operation of that key has ended.
        after: Option<String>,
        /// Key of another call of the same bot and tenant, which the target of this transfer, or the one who is invited, has with
        /// the bot: the transfer is consultative, and the other call ends with the invitation.
        replaces: Option<String>,
    },
    /// Ask the media host that carries the sound of the call whose turn this is.
    Hosted {
        /// Number of this send in its call.
        sequence: u64,
        /// Names the operation in the events that tell of it; at most 256 characters, unique in its call.
        key: String,
        /// What.
        operation: HostedOperation,
    },
    /// Begin a call: its actor makes it, once.
    StartCall {
        /// Number of this send in its conversation or call.
        sequence: u64,
        /// Key of the new call, chosen by the bot at random: [`trunkline_teams::calls::is_own_key`] tells its form.
        key: String,
        /// Entra tenant of the call.
        tenant: String,
        /// Whom or what; without callback address.
        call: Box<Call>,
        /// `Signal::NAME` of what the call's actor gets first.
        name: String,
        /// `Signal::key()`.
        signal_key: String,
        /// The signal as JSON.
        payload: Bytes,
    },
}

/// A message of the bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageRef {
    /// By the send that made it: the id is looked up when it is needed.
    Sent(SentRef),
    /// By the id that Teams gave it.
    Id(String),
}

/// What to do with a send of which nobody knows whether it arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InDoubt {
    /// Send again: shown twice at worst.
    #[default]
    Resend,
    /// Do not send again: lost at worst.
    Skip,
}

/// What the worker offers while a turn runs. The turn owns it, so that authors' signatures need no lifetime.
pub trait Port: Send {
    /// Keeps a step's result; the handler goes on when it is durable.
    fn keep_step(&mut self, step: KeptStep) -> LocalBoxFuture<'_, Result<(), PortError>>;

    /// Sends at once, outside the transaction, and returns the activity's id.
    fn send_now(&mut self, activity: Bytes) -> LocalBoxFuture<'_, Result<String, PortError>>;

    /// Shows "is typing", best effort.
    fn typing(&mut self);

    /// Shows a part of a streamed answer, best effort and paced by the worker: late ones are dropped.
    fn partial(&mut self, stream: &str, part: Partial) -> Result<(), PortError>;

    /// What is remembered of a person, and the changes that this conversation has asked for but not yet delivered.
    fn user<'a>(&'a mut self, person: &'a str, name: &'a str) -> LocalBoxFuture<'a, Result<UserSnapshot, PortError>>;

    /// Runs work that would block the thread; ready when the work has run.
    fn blocking(&mut self, work: Box<dyn FnOnce() + Send>) -> LocalBoxFuture<'_, Result<(), PortError>>;

    /// Time that this turn still has.
    fn remaining(&self) -> Duration;
}

/// A part of a streamed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Partial {
    /// What the bot is doing; only before the first text.
    Note(String),
    /// The whole text so far.
    Text(String),
}

/// What is known of a person when asked.
#[derive(Clone, Debug, Default)]
pub struct UserSnapshot {
    /// As committed at the person's own actor.
    pub state: Option<StoredState>,
    /// Asked for by earlier turns of this conversation, not yet applied there, in order.
    pub pending: Vec<Bytes>,
}

/// Why the worker could not do what a running turn asked.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// The user pressed Stop, or said a stop word.
    #[error("stopped by the user")]
    Stopped,
    /// The store did not take it, or the shard is not ours any more.
    #[error("the step could not be kept: {0}")]
    NotKept(String),
    /// More steps, or larger ones, than a turn may keep.
    #[error("{0}")]
    Limit(String),
    /// The Connector did not take the message.
    #[error("the message was not sent: {0}")]
    NotSent(String),
    /// The work that was to run elsewhere panicked.
    #[error("blocking work panicked")]
    Panicked,
}

/// Most steps that one turn may keep.
pub const STEPS_PER_TURN: usize = 32;
/// Largest kept result of a step in bytes.
pub const STEP_BYTES: usize = 64 * 1024;
/// Largest stored state in bytes; a warning is logged at a quarter of it.
pub const STATE_BYTES: usize = 256 * 1024;
