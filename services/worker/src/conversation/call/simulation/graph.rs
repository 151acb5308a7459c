//! Graph in the simulated world: it has one call, does what it is asked, and tells of it, not always in order and not always once.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use trunkline_teams::graph::{Operation, Told};

use super::super::{GraphAnswer, GraphAsk};
use super::world::{Happening, World};

/// Graph's id of the call.
pub(super) const ID: &str = "57dab8b1-894c-409a-b240-bd8beae78896";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody has asked for it.
    #[default]
    None,
    Ringing,
    Establishing,
    Established,
    Over,
}

#[derive(Default)]
pub(super) struct Graph {
    pub(super) standing: Standing,
    /// Calls that were made.
    pub(super) made: u32,
    /// How often each prompt was taken.
    pub(super) prompts: BTreeMap<String, u32>,
    /// When the last sound that was asked for ends.
    sounds_end_at: u64,
}

/// What Graph does of itself at a time.
pub(super) enum Later {
    Establishes,
    SoundEnds(String),
    Presses(u32),
    /// The other side hangs up.
    HangsUp,
}

impl World {
    /// What becomes of a request. `None` when no answer comes back.
    pub(super) fn graph_is_asked(&mut self, ask: &GraphAsk) -> GraphAnswer {
        let is_faulty = self.is_faulty(self.faults.graph);
        let doubt = || GraphAnswer::Doubt {
            reason: "told to".to_owned(),
        };
        match if is_faulty { self.below(12) } else { 99 } {
            0 => doubt(),
            1 => {
                self.does(ask);
                doubt()
            }
            2 => GraphAnswer::Later {
                after_ms: Some(self.below(2_000)),
                reason: "429".to_owned(),
            },
            3 if !ask.operation.kind().may_repeat() => refused(500, "9999"),
            _ => self.does(ask),
        }
    }

    fn does(&mut self, ask: &GraphAsk) -> GraphAnswer {
        if let Operation::Create(_) = ask.operation {
            self.graph.made += 1;
            assert_eq!(self.graph.made, 1, "seed {}: somebody is rung twice", self.seed);
            self.graph.standing = Standing::Establishing;
            self.lets_peer_in(ask);
            self.is_taken_up();
            return GraphAnswer::Told(Told::Call(call_of(json!({ "id": ID, "state": "establishing" }))));
        }
        if self.graph.standing == Standing::Over {
            return refused(404, "8522");
        }
        let is_established = self.graph.standing == Standing::Established;
        match &ask.operation {
            Operation::Answer(_) if self.graph.standing == Standing::Ringing => {
                self.graph.standing = Standing::Establishing;
                self.lets_peer_in(ask);
                self.is_taken_up();
                GraphAnswer::Told(Told::Nothing)
            }
            // It has no operation for that; simulated Teams takes this one.
            Operation::Answer(_) if is_established && self.is_hosted => {
                self.lets_peer_in(ask);
                GraphAnswer::Told(Told::Nothing)
            }
            Operation::Reject(_) if self.graph.standing == Standing::Ringing => {
                self.ends(&json!({}));
                GraphAnswer::Told(Told::Nothing)
            }
            Operation::PlayPrompt(_) | Operation::SubscribeToTone(_) if self.is_hosted => {
                panic!("seed {}: graph is asked for what the leg does: {ask:?}", self.seed)
            }
            Operation::PlayPrompt(prompt) if is_established => {
                let key = prompt.client_context.clone().expect("a prompt has its key");
                let times = self.graph.prompts.entry(key.clone()).or_default();
                *times += 1;
                assert_eq!(*times, 1, "seed {}: prompt {key} is played twice", self.seed);
                let length = 500 + self.below(4_000);
                let begins = self.graph.sounds_end_at.max(self.schedule.now);
                self.graph.sounds_end_at = begins + length;
                self.later(
                    begins + length - self.schedule.now,
                    Happening::Graph(Later::SoundEnds(key)),
                );
                let operation = json!({ "id": "0fe0623f-d628-42ed-b4bd-8ac290072cc5", "status": "running" });
                GraphAnswer::Told(Told::Operation(Box::new(serde_json::from_value(operation).unwrap())))
            }
            Operation::SubscribeToTone(_) if is_established => {
                let operation = json!({ "status": "completed" });
                GraphAnswer::Told(Told::Operation(Box::new(serde_json::from_value(operation).unwrap())))
            }
            Operation::Delete => {
                self.ends(&json!({ "code": 200, "subcode": 7000 }));
                GraphAnswer::Told(Told::Nothing)
            }
            Operation::KeepAlive => GraphAnswer::Told(Told::Nothing),
            Operation::Get => GraphAnswer::Told(Told::Call(call_of(self.as_it_stands()))),
            _ => refused(400, "8585"),
        }
    }

    /// The peer hears where its leg is.
    fn lets_peer_in(&mut self, ask: &GraphAsk) {
        assert!(
            !ask.operation.wants_media_host(),
            "seed {}: asked before there is a leg",
            self.seed
        );
        if let Some(blob) = blob_in(&ask.operation) {
            self.peer_is_told(&blob);
        }
    }

    fn as_it_stands(&self) -> Value {
        match self.graph.standing {
            Standing::None | Standing::Over => json!({}),
            Standing::Ringing => json!({ "state": "incoming" }),
            Standing::Establishing => json!({ "state": "establishing" }),
            Standing::Established => json!({ "state": "established", "mediaState": { "audio": "active" } }),
        }
    }

    /// The call was answered or made.
    fn is_taken_up(&mut self) {
        self.tells("updated", "", &json!({ "state": "establishing" }));
        let wait = 100 + self.below(3_000);
        self.later(wait, Happening::Graph(Later::Establishes));
    }

    /// Somebody calls.
    pub(super) fn rings(&mut self) {
        self.graph.standing = Standing::Ringing;
        self.tells("created", "", &json!({ "state": "incoming", "direction": "incoming" }));
        // Nobody answers in time.
        self.later(15_000, Happening::Graph(Later::HangsUp));
    }

    pub(super) fn graph_goes_on(&mut self, later: Later) {
        match later {
            Later::Establishes if self.graph.standing == Standing::Establishing => {
                if self.below(8) == 0 {
                    self.ends(&json!({ "code": 603, "subcode": 0 }));
                    return;
                }
                self.graph.standing = Standing::Established;
                self.tells("updated", "", &json!({ "state": "established" }));
                let active = json!({ "state": "established", "mediaState": { "audio": "active" } });
                self.tells("updated", "", &active);
                for number in 0..if self.is_hosted { 0 } else { 2 } {
                    let wait = self.below(9_000);
                    self.later(wait, Happening::Graph(Later::Presses(number)));
                }
                // Sooner or later the other side has enough.
                let wait = if self.below(3) == 0 { 5_000 } else { 400_000 };
                let wait = self.below(wait);
                self.later(wait, Happening::Graph(Later::HangsUp));
            }
            Later::SoundEnds(key) if self.graph.standing == Standing::Established => {
                let operation = json!({ "@odata.type": "#microsoft.graph.playPromptOperation", "clientContext": key,
                    "status": "completed" });
                self.tells("deleted", "/operations/1", &operation);
            }
            Later::Presses(number) if self.graph.standing == Standing::Established => {
                let tone = json!({ "sequenceId": number, "tone": format!("tone{number}") });
                self.tells("updated", "", &json!({ "state": "established", "toneInfo": tone }));
            }
            Later::HangsUp if matches!(self.graph.standing, Standing::Ringing | Standing::Established) => {
                self.peer_leaves();
                self.ends(&json!({ "code": 200, "subcode": 4521 }));
            }
            _ => {}
        }
    }

    fn ends(&mut self, result: &Value) {
        self.graph.standing = Standing::Over;
        self.tells("updated", "", &json!({ "state": "terminating" }));
        self.tells("deleted", "", &json!({ "state": "terminated", "resultInfo": result }));
    }

    /// A notification, after a moment; now and then twice, late, or never.
    fn tells(&mut self, change: &str, below: &str, resource: &Value) {
        let mut resource = resource.clone();
        if below.is_empty() {
            resource["@odata.type"] = json!("#microsoft.graph.call");
        }
        let url = format!("/communications/calls/{ID}{below}");
        let body = json!({ "changeType": change, "resourceUrl": url, "resourceData": resource });
        let body: bytes::Bytes = body.to_string().into();
        let is_faulty = self.is_faulty(self.faults.graph);
        if is_faulty && change != "created" && self.below(12) == 0 {
            return;
        }
        let copies = if is_faulty && self.below(8) == 0 { 2 } else { 1 };
        let mut key = self.next_key();
        for _ in 0..copies {
            let wait = 1 + self.below(if is_faulty { 1_500 } else { 30 });
            let until = self.schedule.now + wait + 3_000;
            let body = body.clone();
            self.later(wait, Happening::Notification { key, body, until });
            if self.below(2) == 0 {
                key = self.next_key();
            }
        }
    }
}

fn blob_in(operation: &Operation) -> Option<String> {
    let config = match operation {
        Operation::Answer(answer) => answer.media_config.as_ref(),
        Operation::Create(call) => call.media_config.as_ref(),
        _ => None,
    };
    Some(config?.blob.as_ref()?.expose().to_owned())
}

fn refused(status: u16, code: &str) -> GraphAnswer {
    GraphAnswer::Refused {
        status,
        code: code.to_owned(),
        message: "told to".to_owned(),
    }
}

fn call_of(value: Value) -> Box<trunkline_teams::calls::Call> {
    serde_json::from_value(value).unwrap()
}
