//! A call at its actor, played by a test: Graph tells and answers, the bot's turns end.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use trunkline_bot::logic::{CallEvent, Effect, End, Input, Outcome};
use trunkline_teams::calls::{Call, CommsOperation, MediaConfig, Modality};
use trunkline_teams::graph::{Answer, Operation, Told};

use super::super::super::event::{Event, Reply, Ticket};
use super::super::super::{GraphAnswer, GraphAsk, Notified};
use super::super::stage::{Stage, TestBot};
use crate::record::Record;

/// Graph's id of the call, which is the key of one that came in.
pub(super) const ID: &str = "57dab8b1-894c-409a-b240-bd8beae78896";

pub(super) struct Desk {
    pub(super) stage: Stage,
    pub(super) tenant: String,
    pub(super) id: String,
    /// How long ago an ingress had what is heard.
    pub(super) age_ms: u64,
    key: u64,
    ticket: u64,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self::of(Stage::of_call(TestBot::default(), ID))
    }

    pub(super) fn of(stage: Stage) -> Self {
        Self {
            stage,
            tenant: "tenant".to_owned(),
            id: ID.to_owned(),
            age_ms: 0,
            key: 1_000,
            ticket: 0,
        }
    }

    /// Somebody calls, and the bot is asked.
    pub(super) fn rings() -> Self {
        let mut desk = Self::new();
        desk.ring(&json!({}));
        desk
    }

    pub(super) fn ring(&mut self, more: &Value) -> u64 {
        let mut call = json!({ "state": "incoming", "direction": "incoming", "callChainId": "chain",
                               "source": { "identity": { "user": { "id": "ines" } } } });
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.hears_as(1, "created", call)
    }

    pub(super) fn connected() -> Self {
        Self::connected_with(TestBot::default())
    }

    /// A call that was answered; the host has asked for the caller's keys.
    pub(super) fn connected_with(bot: TestBot) -> Self {
        let is_deaf = bot.is_deaf;
        let mut desk = Self::of(Stage::of_call(bot, ID));
        desk.ring(&json!({}));
        desk.answers();
        desk.graph_takes();
        if !is_deaf {
            desk.commits();
        }
        desk.hears(json!({ "state": "established", "mediaState": { "audio": "active" } }));
        if !is_deaf {
            desk.commits();
        }
        assert_eq!(desk.asked(), "subscribeToTone");
        desk.graph_takes();
        desk.stage.passes(Duration::from_millis(100));
        desk
    }

    pub(super) fn hears(&mut self, call: Value) -> u64 {
        self.key += 1;
        self.hears_as(self.key, "updated", call)
    }

    pub(super) fn deleted(&mut self, call: Value) -> u64 {
        self.key += 1;
        self.hears_as(self.key, "deleted", call)
    }

    pub(super) fn hears_as(&mut self, key: u64, change: &str, mut call: Value) -> u64 {
        call["@odata.type"] = json!("#microsoft.graph.call");
        self.notified(key, "", change, &call)
    }

    pub(super) fn hears_at(&mut self, below: &str, change: &str, resource: &Value) -> u64 {
        self.key += 1;
        self.notified(self.key, &format!("/{below}"), change, resource)
    }

    fn notified(&mut self, key: u64, below: &str, change: &str, resource: &Value) -> u64 {
        let url = format!("/communications/calls/{}{below}", self.id);
        let body = json!({ "changeType": change, "resourceUrl": url, "resourceData": resource });
        self.ticket += 1;
        let told = Notified {
            ticket: Ticket {
                stream: 1,
                seq: self.ticket,
            },
            repeat_key: Some(key),
            remaining: Duration::from_secs(3),
            traceparent: String::new(),
            tenant: self.tenant.clone(),
            received_ms: self.stage.wall() - self.age_ms,
            body: serde_json::to_vec(&body).unwrap().into(),
        };
        self.stage.tell(Event::Notified(Box::new(told)));
        self.ticket
    }

    pub(super) fn roster(&mut self, people: &[(&str, bool)]) {
        let people: Vec<Value> = people
            .iter()
            .map(|(id, muted)| {
                json!({ "@odata.type": "#microsoft.graph.participant", "id": id, "isMuted": muted,
                                          "info": { "identity": { "user": { "id": id } } } })
            })
            .collect();
        self.hears_at("participants", "updated", &json!(people));
    }

    pub(super) fn press(&mut self, tone: &str, number: u64) {
        self.hears(json!({ "state": "established", "toneInfo": { "sequenceId": number, "tone": tone } }));
    }

    /// Graph says that an operation of that key ended.
    pub(super) fn operation_ends(&mut self, key: &str, status: &str) {
        let operation = json!({ "@odata.type": "#microsoft.graph.playPromptOperation", "clientContext": key,
                                "status": status, "resultInfo": { "code": 200, "subcode": 0 } });
        self.hears_at("operations/0fe0623f-d628-42ed-b4bd-8ac290072cc5", "deleted", &operation);
    }

    /// What the bot was told that it has not done yet.
    pub(super) fn events(&self) -> Vec<CallEvent> {
        let runs = self.stage.runs.iter().map(|(_, begin)| &begin.input);
        runs.filter_map(|input| match input {
            Input::Call(event) => Some(event.as_ref().clone()),
            _ => None,
        })
        .collect()
    }

    /// The turn that runs.
    pub(super) fn told(&self) -> CallEvent {
        self.events()
            .pop()
            .unwrap_or_else(|| panic!("the bot was told nothing, asks: {:?}", self.stage.asks))
    }

    pub(super) fn commits(&mut self) {
        self.commits_with(Vec::new());
    }

    /// The turn that runs commits with these effects.
    pub(super) fn commits_with(&mut self, effects: Vec<Effect>) {
        let run = self.stage.runs.remove(self.stage.runs.len() - 1).0;
        self.stage.tell(Event::TurnEnded {
            run,
            end: End::Commit(Outcome {
                effects,
                ..Outcome::default()
            }),
            streams: Vec::new(),
        });
    }

    pub(super) fn operation(&self, key: &str, operation: Operation) -> Effect {
        Effect::Call {
            sequence: self.stage.runs.last().unwrap().1.next_sequence,
            key: key.to_owned(),
            operation,
            after: None,
            replaces: None,
        }
    }

    pub(super) fn answers(&mut self) {
        let answer = self.operation("answer", answer());
        self.commits_with(vec![answer]);
    }

    /// What Graph is asked now.
    pub(super) fn asked(&self) -> &'static str {
        self.ask().operation.kind().name()
    }

    pub(super) fn ask(&self) -> &GraphAsk {
        self.stage.asks.first().expect("nothing is asked of graph")
    }

    pub(super) fn graph_takes(&mut self) {
        let kind = self.ask().operation.kind();
        let told = match kind.completion() {
            trunkline_teams::graph::Completion::Notification => Told::Operation(Box::new(running())),
            _ => Told::Nothing,
        };
        self.graph_says(GraphAnswer::Told(told));
    }

    pub(super) fn graph_refuses(&mut self, status: u16) {
        self.graph_says(GraphAnswer::Refused {
            status,
            code: "8522".to_owned(),
            message: "told to".to_owned(),
        });
    }

    pub(super) fn graph_is_silent(&mut self) {
        self.graph_says(GraphAnswer::Doubt {
            reason: "told to".to_owned(),
        });
    }

    pub(super) fn graph_says(&mut self, answer: GraphAnswer) {
        let id = self.stage.asks.remove(0).id;
        self.stage.tell(Event::GraphAnswered { id, answer });
    }

    pub(super) fn record(&self) -> Record {
        let stored = self.stage.store.record.as_ref().expect("nothing is stored");
        Record::read(stored, None).unwrap().1
    }

    pub(super) fn call(&self) -> crate::call::CallRecord {
        *self.record().call.expect("no call is stored")
    }

    /// Everything of the call is done, and nothing of it is due.
    pub(super) fn rests(&mut self) {
        self.stage.passes(Duration::from_millis(200));
        assert!(self.stage.is_idle(), "the actor does not come to rest");
        assert_eq!(self.stage.store.wake, None, "something is said to be due");
        assert!(self.stage.store.inbox.is_empty());
        let call = self.call();
        assert!(call.is_over() && call.lease() == crate::call::Lease::Closed, "{call:?}");
        assert!(self.record().outbox.is_empty());
    }
}

pub(super) fn answer() -> Operation {
    Operation::Answer(Box::new(Answer {
        accepted_modalities: vec![Modality::Audio],
        media_config: Some(MediaConfig::service_hosted(Vec::new())),
        ..Answer::default()
    }))
}

pub(super) fn running() -> CommsOperation {
    serde_json::from_value(json!({ "id": "0fe0623f-d628-42ed-b4bd-8ac290072cc5", "status": "running" })).unwrap()
}

pub(super) fn call_of(value: Value) -> Box<Call> {
    serde_json::from_value(value).unwrap()
}

pub(super) fn is_taken(reply: Option<&Reply>) -> bool {
    matches!(reply, Some(Reply::Accepted(_) | Reply::Repeated(_)))
}

pub(super) fn bytes_of(value: &Value) -> Bytes {
    serde_json::to_vec(value).unwrap().into()
}
