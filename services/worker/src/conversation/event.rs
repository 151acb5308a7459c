//! What an actor is told and what it asks for: the whole border of the core.

use std::time::Duration;

use trunkline_bot::logic::{Begin, End, KeptStep};
use trunkline_proto::routing::outcome;
use trunkline_store::StoreError;
use trunkline_store::contract::{Commit, Committed, Loaded};

use super::call::{AskId, Booked, Booking, GraphAnswer, GraphAsk, LegAnswer, LegAsk, LegTold, Notified};
use super::operator::{Request, Response};
use super::work::Work;
use crate::outbox::{SendResult, SendWork};

/// The clocks as the shell read them before it told the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of a clock that never steps, for budgets and back-off.
    pub steady_ms: u64,
    /// Milliseconds since 1970 by the store's clock, for what is stored.
    pub wall_ms: u64,
    /// Whether a turn or a send may begin: this process holds its lease. What runs goes on and is committed all the same.
    /// When it may begin again, [`Event::Tick`] tells so.
    pub may_begin: bool,
}

/// Names a caller that waits: a stream of the process and the sequence of its delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Number of the stream in this process.
    pub stream: u64,
    /// The delivery's sequence in that stream.
    pub seq: u64,
}

/// What a caller is told.
pub type Reply = outcome::Result;

/// What decides the acknowledgement budget of an arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArrivalKind {
    /// Teams waits 15 s and wants no body: may be accepted and finished later.
    Message,
    /// A user waits for the answer: never accepted.
    Invoke,
}

/// Work that somebody waits for.
#[derive(Debug)]
pub struct Arrival {
    /// Who waits.
    pub ticket: Ticket,
    /// How long an answer may take, and of what form it is.
    pub kind: ArrivalKind,
    /// Recognises repeats.
    pub repeat_key: Option<u64>,
    /// Time that the caller still waits.
    pub remaining: Duration,
    /// W3C trace context, empty for none.
    pub traceparent: String,
    /// The worker has no room for its turn now: a message is made durable at once, answered, and run later.
    pub is_shed: bool,
    /// Workers that died while they had this delivery.
    pub deaths: u32,
    /// The work.
    pub work: Work,
}

/// What happens to an actor.
#[derive(Debug)]
pub enum Event {
    /// Work arrived.
    Arrived(Box<Arrival>),
    /// Graph told something of the call.
    Notified(Box<Notified>),
    /// Graph answered an operation on the call.
    GraphAnswered {
        /// Which operation.
        id: AskId,
        /// What it said.
        answer: GraphAnswer,
    },
    /// A media host answered, of the call's leg; what is answered to a command is a [`Event::GraphAnswered`].
    LegAnswered(LegAnswer),
    /// The call's leg told something.
    LegTold(Box<LegTold>),
    /// The way to the leg of that name broke.
    LegBroken(String),
    /// The book of calls answered.
    Booked(Result<Booked, StoreError>),
    /// A caller has gone.
    Cancelled(Ticket),
    /// Something stored is due: look at it.
    Wake,
    /// Time passed: [`super::Conversation::deadline`] was reached, or turns may begin again.
    Tick,
    /// The store answered a load.
    Loaded(Result<Loaded, StoreError>),
    /// No worker that lives reads the format that [`Action::NeedsReader`] named.
    ReadNowhere,
    /// The store answered a commit.
    Committed {
        /// Which commit.
        id: u64,
        /// What the store said.
        result: Result<Committed, StoreError>,
    },
    /// A running turn wants a step kept.
    KeepStep {
        /// Which run.
        run: u64,
        /// The step.
        step: KeptStep,
    },
    /// A turn ended.
    TurnEnded {
        /// Which run.
        run: u64,
        /// How.
        end: End,
        /// The streams that are on the user's screen.
        streams: Vec<OpenStream>,
    },
    /// The Connector or another actor answered a send.
    Sent {
        /// Which entry.
        sequence: u64,
        /// What came of it.
        result: SendResult,
    },
    /// An operator asks; answered by [`Action::Answer`].
    Asked {
        /// Names the question.
        question: u64,
        /// What is wanted.
        request: Request,
    },
    /// Finish what runs, begin nothing: the process or the shard leaves.
    Quiesce,
    /// The shard is not ours any more.
    Lost,
}

/// A streamed message whose first part was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenStream {
    /// Name that the bot gave it.
    pub name: String,
    /// Id that Teams gave it, which is the message's id.
    pub id: String,
    /// When it began, in milliseconds since 1970.
    pub began_ms: u64,
    /// When Teams takes its next part, in milliseconds since 1970.
    pub next_ms: u64,
}

/// What an actor asks its shell to do.
#[derive(Debug)]
pub enum Action {
    /// Read the record and the inbox.
    Load,
    /// Write; answered by [`Event::Committed`].
    Commit {
        /// Names the commit. A repeat of the same commit has the same name.
        id: u64,
        /// What to write.
        commit: Box<Commit>,
    },
    /// Run a turn of the bot; answered by [`Event::TurnEnded`].
    Run(Box<Run>),
    /// Drop the future of a turn.
    Drop {
        /// Which run.
        run: u64,
    },
    /// Tell a caller.
    Reply {
        /// Whom.
        ticket: Ticket,
        /// What.
        reply: Reply,
    },
    /// Read a recorded answer and tell it to the caller as a repeat.
    ReplyFromRecord {
        /// Whom.
        ticket: Ticket,
        /// Name of the recorded answer.
        name: String,
        /// Recorded status.
        status: u16,
    },
    /// Tell a running turn what became of its step.
    StepKept {
        /// Which run.
        run: u64,
        /// Why it was not kept.
        result: Result<(), StepRefused>,
    },
    /// Hand something to the Connector or to another actor; answered by [`Event::Sent`].
    Send(Box<SendWork>),
    /// Ask Graph for an operation on the call; answered by [`Event::GraphAnswered`].
    AskGraph(Box<GraphAsk>),
    /// Ask a media host for something of the call's leg; answered by [`Event::LegAnswered`], a command by
    /// [`Event::GraphAnswered`].
    AskLeg(Box<LegAsk>),
    /// Ask the book of calls; answered by [`Event::Booked`].
    Book(Box<Booking>),
    /// Tell an operator.
    Answer {
        /// Which question.
        question: u64,
        /// The answer.
        response: Response,
    },
    /// What is stored has this format, which this build does not read: the shard belongs to a worker that does. Answered by
    /// [`Event::ReadNowhere`] if none lives.
    NeedsReader {
        /// The format.
        format: u32,
    },
    /// The fence refused us: nothing of this shard may go on.
    ShardLost,
    /// Something that operators count or read.
    Note(Note),
}

/// Why a step was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepRefused {
    /// A limit of steps was exceeded; what the author reads.
    Limit(String),
    /// The store did not take it.
    NotKept(&'static str),
}

/// A turn to run.
#[derive(Debug)]
pub struct Run {
    /// Names the run within its actor.
    pub run: u64,
    /// What the bot gets.
    pub begin: Begin,
    /// How long it may take.
    pub limit: Duration,
    /// Trace context of the request.
    pub traceparent: String,
    /// The route it is believed to take.
    pub route: Option<usize>,
    /// Whether the service URL of `begin.here` came with a verified token.
    pub is_verified: bool,
    /// Changes of user state that earlier turns asked for: (person, kind of state, change).
    pub pending_changes: Vec<(String, String, bytes::Bytes)>,
}

/// How a turn ended, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnResult {
    /// Committed.
    Committed,
    /// Told the user something, state unchanged.
    Told,
    /// Ended quietly by the user.
    Stopped,
    /// Failed, to be tried again or answered with an error.
    Failed,
    /// Given up.
    Parked,
    /// Outlived its limit.
    TimedOut,
    /// Stored state could not be used.
    State,
}

impl TurnResult {
    /// As operators read it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Told => "told",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Parked => "parked",
            Self::TimedOut => "timed out",
            Self::State => "state unusable",
        }
    }
}

/// Something that operators count or read. Holds no text of users.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields say what they are")]
pub enum Note {
    TurnEnded {
        route: Option<usize>,
        result: TurnResult,
        took_ms: u64,
    },
    TurnFailed {
        route: Option<usize>,
        attempt: u32,
        reason: String,
    },
    Parked {
        route: Option<usize>,
        attempts: u32,
        reference: String,
    },
    StateUnusable {
        reason: String,
    },
    StateLarge {
        bytes: usize,
    },
    StateReset {
        version: u32,
    },
    Repeat,
    Attached,
    AcceptedIntoInbox,
    QueueFull,
    CommitUncertain {
        reason: String,
    },
    CommitWritten {
        took_ms: u64,
    },
    CommitFenced,
    CommitConflict {
        ours: trunkline_store::contract::Header,
        stored: trunkline_store::contract::Header,
    },
    StoreRegressed {
        ours: trunkline_store::contract::Header,
        stored: trunkline_store::contract::Header,
    },
    ReacceptedAfterLoss,
    ReadNowhere {
        format: u32,
    },
    ShedRefused,
    Poisoned {
        route: Option<usize>,
        deaths: u32,
    },
    Replayed {
        reference: String,
    },
    ParkedDropped {
        reference: String,
    },
    CannotLoad {
        reason: String,
    },
    SendRetried {
        sequence: u64,
        reason: String,
    },
    SendDone,
    SendGivenUp {
        sequence: u64,
        reason: String,
        reference: String,
    },
    SendInDoubt {
        sequence: u64,
    },
    NotificationUnread {
        reason: String,
    },
    GraphTook {
        operation: &'static str,
    },
    GraphRetried {
        reason: String,
    },
    GraphRefused {
        operation: &'static str,
        status: u16,
        code: String,
        message: String,
    },
    GraphInDoubt {
        operation: &'static str,
        reason: String,
    },
    SignalOfNoCall,
    LegLost {
        reason: String,
    },
    NoMediaHost {
        reason: String,
    },
    BookFailed {
        reason: String,
    },
    /// A limit of ours kept a call from beginning.
    CallOverLimit,
    /// It stands in the log of ended calls.
    CallEnded {
        by: trunkline_bot::logic::EndedBy,
        /// Graph's, where it told one.
        code: Option<i64>,
    },
}
