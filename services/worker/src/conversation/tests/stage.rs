//! An actor, its store and its bot, played by a test.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use serde_json::json;
use trunkline_bot::logic::{
    Answer, Begin, CallEvent, CallNow, CallsDescription, Description, Effect, End, InDoubt, Input, Logic, Outcome,
    Port, RouteDescription, StateProblem, StoredState, TurnError,
};
use trunkline_proto::routing::Reason;
use trunkline_store::StoreError;
use trunkline_store::contract::{CallTaken, Commit, Committed, Epoch, Incarnation, MapVersion, Token};
use trunkline_store::key::{ShardId, Triple};
use trunkline_teams::activity::Activity;
use trunkline_teams::calls::RejectReason;
use trunkline_teams::graph::{Operation, Reject};

use super::super::backlog::Counted;
use super::super::event::{Action, Arrival, ArrivalKind, Event, Note, Now, Reply, StepRefused, Ticket};
use super::super::simulation::store::SimulatedStore;
use super::super::{
    Booked, Booking, BotRules, CallSettings, Conversation, ConversationSettings, Gates, GraphAsk, Holding, Inspection,
    LegAsk, Request, Response, Unreadable, Work,
};
use crate::record::Record;

/// An actor whose store does what it is told; the test plays the bot.
pub(super) struct Stage {
    pub(super) core: Conversation,
    rules: Arc<BotRules>,
    pub(super) holding: Holding,
    pub(super) store: SimulatedStore,
    now: u64,
    pub(super) may_begin: bool,
    seq: u64,
    /// Deliveries are shed.
    pub(super) is_shedding: bool,
    /// Workers that died with the deliveries that come.
    pub(super) deaths: u32,
    /// Commits get this instead of an answer.
    pub(super) store_says: Option<fn() -> StoreError>,
    /// Commits are on their way, and here, until the store gets them.
    pub(super) holds_commits: bool,
    pub(super) held: Vec<(u64, Box<Commit>)>,
    pub(super) runs: Vec<(u64, Begin)>,
    pub(super) dropped: Vec<u64>,
    pub(super) replies: Vec<(u64, Reply)>,
    pub(super) from_record: Vec<(u64, String)>,
    pub(super) sends: Vec<u64>,
    pub(super) steps: Vec<Result<(), StepRefused>>,
    pub(super) notes: Vec<Note>,
    pub(super) answers: Vec<(u64, Response)>,
    pub(super) is_lost: bool,
    /// The format that the actor wants another worker to read.
    pub(super) needs_reader: Option<u32>,
    /// Whether there is one.
    pub(super) others_read: bool,
    triple: Triple,
    /// What Graph was asked, in order.
    pub(super) asks: Vec<GraphAsk>,
    pub(super) leg_asks: Vec<LegAsk>,
    pub(super) bookings: Vec<Booking>,
    /// What the book says to a call that is to begin.
    pub(super) book_says: CallTaken,
}

impl Stage {
    pub(super) fn new(bot: TestBot, unreadable: Unreadable) -> Self {
        let bot: Arc<dyn Logic> = Arc::new(bot);
        let triple = Triple::conversation("test", "tenant", "a:1");
        Self::of(&bot, unreadable, triple)
    }

    /// The actor of a call.
    pub(super) fn of_call(bot: TestBot, key: &str) -> Self {
        let bot: Arc<dyn Logic> = Arc::new(bot);
        Self::of(&bot, Unreadable::Park, Triple::call("test", key))
    }

    fn of(bot: &Arc<dyn Logic>, unreadable: Unreadable, triple: Triple) -> Self {
        let rules = BotRules::new(bot.clone(), Duration::from_secs(120), unreadable);
        let rules = Arc::new(rules.with_calls(bot.clone(), CallSettings::default()));
        let holding = Holding {
            shard: ShardId(0),
            token: token_of(1),
            backlog: Rc::default(),
            gates: Gates::default(),
        };
        let store = SimulatedStore {
            fence: Some(holding.token),
            ..SimulatedStore::default()
        };
        Self {
            core: core_of(&rules, &holding, &triple),
            rules,
            holding,
            store,
            now: 1_000,
            may_begin: true,
            seq: 0,
            is_shedding: false,
            deaths: 0,
            store_says: None,
            holds_commits: false,
            held: Vec::new(),
            runs: Vec::new(),
            dropped: Vec::new(),
            replies: Vec::new(),
            from_record: Vec::new(),
            sends: Vec::new(),
            steps: Vec::new(),
            notes: Vec::new(),
            answers: Vec::new(),
            is_lost: false,
            needs_reader: None,
            others_read: false,
            triple,
            asks: Vec::new(),
            leg_asks: Vec::new(),
            bookings: Vec::new(),
            book_says: CallTaken::Taken {
                in_use: 1,
                this_month: 1,
            },
        }
    }

    /// The process dies without a word; another claims the shard and reads the conversation.
    pub(super) fn dies(&mut self) {
        let holder = self.holding.token.holder.0 + 1;
        self.now += 1_500;
        self.holding = Holding {
            token: Token {
                epoch: Epoch(self.wall()),
                ..token_of(holder)
            },
            backlog: Rc::default(),
            gates: Gates::default(),
            ..self.holding.clone()
        };
        self.store.fence = Some(self.holding.token);
        self.core = core_of(&self.rules, &self.holding, &self.triple);
        self.runs.clear();
        self.tell(Event::Wake);
    }

    pub(super) fn wall(&self) -> u64 {
        1_800_000_000_000 + self.now
    }

    /// The actor leaves memory and comes back when something is told to it.
    pub(super) fn reads_anew(&mut self) {
        self.core = core_of(&self.rules, &self.holding, &self.triple);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.core.is_idle(Now {
            steady_ms: self.now,
            wall_ms: self.wall(),
            may_begin: true,
        })
    }

    /// An entry of another conversation of the shard waits, until the value is dropped.
    pub(super) fn counts_another(&self) -> Counted {
        self.holding.backlog.count(self.wall())
    }

    /// What an operator is answered.
    pub(super) fn asks(&mut self, request: Request) -> Option<Response> {
        self.seq += 1;
        let question = self.seq;
        self.tell(Event::Asked { question, request });
        let answered = self.answers.iter().position(|(answered, _)| *answered == question);
        answered.map(|place| self.answers.remove(place).1)
    }

    pub(super) fn inspection(&mut self) -> Inspection {
        match self.asks(Request::Inspect) {
            Some(Response::Inspected(inspection)) => *inspection,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn usual() -> Self {
        Self::new(TestBot::default(), Unreadable::Park)
    }

    pub(super) fn tell(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let mut actions = Vec::new();
            self.core.handle(event, self.clocks(), &mut actions);
            for action in actions {
                match action {
                    Action::Load => events.insert(0, Event::Loaded(Ok(self.store.load()))),
                    Action::Commit { id, commit } if self.holds_commits => self.held.push((id, commit)),
                    Action::Commit { id, commit } => events.insert(
                        0,
                        Event::Committed {
                            id,
                            result: self.commit(&commit),
                        },
                    ),
                    Action::Run(run) => self.runs.push((run.run, run.begin)),
                    Action::Drop { run } => self.dropped.push(run),
                    Action::Reply { ticket, reply } => self.replies.push((ticket.seq, reply)),
                    Action::ReplyFromRecord { ticket, name, .. } => self.from_record.push((ticket.seq, name)),
                    Action::StepKept { result, .. } => self.steps.push(result),
                    Action::Send(work) => self.sends.push(work.sequence),
                    Action::AskGraph(ask) => self.asks.push(*ask),
                    Action::AskLeg(ask) => self.leg_asks.push(*ask),
                    Action::Book(booking) => {
                        let booked = self.book(*booking);
                        events.insert(0, Event::Booked(Ok(booked)));
                    }
                    Action::Answer { question, response } => self.answers.push((question, response)),
                    Action::NeedsReader { format } => {
                        self.needs_reader = Some(format);
                        if !self.others_read {
                            events.insert(0, Event::ReadNowhere);
                        }
                    }
                    Action::ShardLost => self.is_lost = true,
                    Action::Note(note) => self.notes.push(note),
                }
            }
        }
    }

    /// The store gets the commits that were on their way, and answers.
    pub(super) fn lets_commits_go(&mut self) {
        self.holds_commits = false;
        for (id, commit) in std::mem::take(&mut self.held) {
            let result = self.commit(&commit);
            self.tell(Event::Committed { id, result });
        }
    }

    fn book(&mut self, booking: Booking) -> Booked {
        let booked = match &booking {
            Booking::Take(_) => Booked::Taken(self.book_says),
            Booking::Renew { .. } => Booked::Renewed,
            Booking::Close { .. } => Booked::Closed,
        };
        self.bookings.push(booking);
        booked
    }

    pub(super) fn commit(&mut self, commit: &Commit) -> Result<Committed, StoreError> {
        match self.store_says {
            Some(error) => Err(error()),
            None => Ok(self.store.commit(commit)),
        }
    }

    /// Lets time pass, telling the core at each of its deadlines.
    pub(super) fn passes(&mut self, time: Duration) {
        let end = self.now + u64::try_from(time.as_millis()).unwrap();
        loop {
            match self.core.deadline(self.clocks()).map(|at| at.max(self.now + 1)) {
                Some(at) if at <= end => self.now = at,
                _ => break,
            }
            self.tell(Event::Tick);
        }
        self.now = end;
        self.tell(Event::Tick);
    }

    /// An activity arrives; its ticket.
    pub(super) fn arrives(&mut self, kind: ArrivalKind, key: u64, mut body: serde_json::Value) -> u64 {
        self.seq += 1;
        body["from"] = json!({ "id": "29:ines" });
        let body: Bytes = serde_json::to_vec(&body).unwrap().into();
        let arrival = Arrival {
            ticket: Ticket {
                stream: 1,
                seq: self.seq,
            },
            kind,
            repeat_key: Some(key),
            remaining: Duration::from_secs(13),
            traceparent: String::new(),
            is_shed: self.is_shedding,
            deaths: self.deaths,
            work: Work::Activity {
                parsed: Some(Box::new(Activity::parse(&body).unwrap())),
                body,
                service_url: "https://connector".to_owned(),
                is_verified: true,
            },
        };
        self.tell(Event::Arrived(Box::new(arrival)));
        self.seq
    }

    pub(super) fn says(&mut self, key: u64, text: &str) -> u64 {
        self.arrives(ArrivalKind::Message, key, json!({ "type": "message", "text": text }))
    }

    pub(super) fn invokes(&mut self, key: u64) -> u64 {
        self.arrives(
            ArrivalKind::Invoke,
            key,
            json!({ "type": "invoke", "name": "adaptiveCard/action", "value": { "a": 1 } }),
        )
    }

    /// The last run ends.
    pub(super) fn ends(&mut self, end: End) {
        let run = self.runs.last().unwrap().0;
        self.tell(Event::TurnEnded {
            run,
            end,
            streams: Vec::new(),
        });
    }

    pub(super) fn commits(&mut self, state: &str) {
        let state = Some(StoredState {
            version: 1,
            bytes: Bytes::copy_from_slice(state.as_bytes()),
        });
        self.ends(End::Commit(Outcome {
            state,
            ..Outcome::default()
        }));
    }

    /// The last run ends with a reply.
    pub(super) fn commits_with_reply(&mut self, state: &str) {
        let state = Some(StoredState {
            version: 1,
            bytes: Bytes::copy_from_slice(state.as_bytes()),
        });
        let begin = &self.runs.last().unwrap().1;
        let reply = Effect::Send {
            sequence: begin.next_sequence,
            to: begin.here.clone(),
            activity: Bytes::from_static(b"{}"),
            in_doubt: InDoubt::Resend,
            wants_id: false,
            stream: None,
            targeted: false,
        };
        self.ends(End::Commit(Outcome {
            state,
            effects: vec![reply],
            ..Outcome::default()
        }));
    }

    /// How long until the core wants to be told that time passed.
    pub(super) fn waits(&self) -> Option<u64> {
        Some(self.core.deadline(self.clocks())? - self.now)
    }

    pub(super) fn clocks(&self) -> Now {
        Now {
            steady_ms: self.now,
            wall_ms: self.wall(),
            may_begin: self.may_begin,
        }
    }

    pub(super) fn answers_with(&mut self, answer: Answer) {
        self.ends(End::Commit(Outcome {
            answer: Some(answer),
            ..Outcome::default()
        }));
    }

    pub(super) fn fails(&mut self) {
        self.fails_with(None);
    }

    /// The last run fails and says when it is worth another try.
    pub(super) fn fails_until(&mut self, retry_after: Duration) {
        self.fails_with(Some(retry_after));
    }

    fn fails_with(&mut self, retry_after: Option<Duration>) {
        self.ends(End::Failed(TurnError {
            message: "told to".to_owned(),
            retry_after,
            is_final: false,
        }));
    }

    pub(super) fn reply_to(&self, ticket: u64) -> Option<&Reply> {
        self.replies
            .iter()
            .find(|(seq, _)| *seq == ticket)
            .map(|(_, reply)| reply)
    }

    pub(super) fn stored_state(&self) -> Option<String> {
        let record = Record::read(self.store.record.as_ref()?, None).unwrap().1;
        record
            .state
            .map(|state| String::from_utf8(state.bytes.to_vec()).unwrap())
    }
}

pub(super) fn reason(reply: Option<&Reply>) -> Option<Reason> {
    match reply {
        Some(Reply::Refused(refused)) => Some(refused.reason()),
        _ => None,
    }
}

pub(super) fn is_accepted(reply: Option<&Reply>) -> bool {
    matches!(reply, Some(Reply::Accepted(_)))
}

/// What the person said to whom a turn answers.
pub(super) fn text_of(begin: &Begin) -> &str {
    match &begin.input {
        Input::Activity(activity) => activity.text.as_deref().unwrap_or_default(),
        other => panic!("no activity, but {other:?}"),
    }
}

fn token_of(holder: u64) -> Token {
    Token {
        epoch: Epoch(1),
        holder: Incarnation(holder),
        map: MapVersion(1),
    }
}

fn core_of(rules: &Arc<BotRules>, holding: &Holding, triple: &Triple) -> Conversation {
    let triple = triple.clone();
    let bots = Arc::new([("test".to_owned(), rules.clone())].into());
    let settings = Arc::new(ConversationSettings::default());
    let seed = holding.token.holder.0;
    Conversation::new(triple.key(), holding.clone(), Some(triple), settings, bots, seed)
}

/// A bot of which only the pure parts are asked.
#[derive(Default)]
pub(super) struct TestBot {
    pub(super) late: Option<&'static str>,
    pub(super) once_per: Option<Duration>,
    /// Takes no incoming calls.
    pub(super) only_calls: bool,
    /// Wants to be told nothing but the end of calls.
    pub(super) is_deaf: bool,
}

impl Logic for TestBot {
    fn describe(&self) -> Description {
        Description {
            name: "test".to_owned(),
            stop_words: vec!["Stop".to_owned()],
            routes: vec![RouteDescription {
                name: "all".to_owned(),
                once_per: self.once_per,
                within: None,
            }],
            calls: Some(CallsDescription {
                answers: !self.only_calls,
                wants_tones: true,
                wants_speech: true,
                ..CallsDescription::default()
            }),
            ..Description::default()
        }
    }

    fn late_decision(&self, _: &CallNow) -> Option<Operation> {
        Some(Operation::Reject(Reject {
            reason: Some(RejectReason::Busy),
            callback_uri: None,
        }))
    }

    fn handles_call_event(&self, event: &CallEvent) -> bool {
        match event {
            CallEvent::Incoming => !self.only_calls,
            CallEvent::Ended(_) => true,
            _ => !self.is_deaf,
        }
    }

    fn route_of(&self, _: &Activity) -> Option<usize> {
        Some(0)
    }

    fn run(&self, _: Begin, _: Box<dyn Port>) -> LocalBoxFuture<'_, End> {
        unreachable!("the test plays the turns")
    }

    fn late_answer(&self, _: &Activity) -> Option<Answer> {
        self.late.map(|text| Answer {
            status: 200,
            body: Some(Bytes::from_static(text.as_bytes())),
        })
    }

    fn late_card(&self, _: &Activity, answer: &Answer) -> Option<Bytes> {
        answer.body.clone()
    }

    fn failed_answer(&self, _: &Activity) -> Answer {
        Answer {
            status: 500,
            body: None,
        }
    }

    fn apply_user_changes(&self, _: &str, _: Option<StoredState>, _: &[Bytes]) -> Result<StoredState, StateProblem> {
        unreachable!("no person is asked for")
    }
}
