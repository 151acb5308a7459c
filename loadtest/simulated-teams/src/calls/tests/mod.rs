//! The core by simulated time.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod beside;
mod incoming;
mod line;
mod media;
mod meeting;
mod outgoing;
mod walk;

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::world::people::{BotNumber, PersonNumber};

const BOT: BotNumber = BotNumber(0);
const INES: PersonNumber = PersonNumber(0);
const TOMASZ: PersonNumber = PersonNumber(1);
const PRIYA: PersonNumber = PersonNumber(2);

/// What the bot does with a notification.
type Answer = Box<dyn FnMut(&Post) -> Outcome>;

/// A core, a clock, and a bot that accepts.
struct Bench {
    calls: Calls,
    now: u64,
    tenant: String,
    answer: Answer,
    /// Lengths of prompts that are on this machine.
    prompt: Result<Duration, FetchFailure>,
    sent: Vec<Post>,
    /// Places of those that the bot took.
    taken: Vec<usize>,
}

fn accepted() -> Outcome {
    Outcome::Answered {
        status: 202,
        location: None,
    }
}

/// Settings without chance: every delay is 100 ms.
fn settings() -> CallSettings {
    let delay = Between::always(Duration::from_millis(100));
    CallSettings {
        webhook: "https://bot.example/api/calls".to_owned(),
        callee: Callee::answers(),
        delays: CallDelays {
            establishing: delay,
            established: delay,
            media: delay,
            operation: delay,
            termination: delay,
        },
        ..CallSettings::default()
    }
}

impl Bench {
    fn new(settings: CallSettings) -> Self {
        Self::seeded(settings, 1)
    }

    fn seeded(settings: CallSettings, seed: u64) -> Self {
        let config = SimulatedTeamsConfig {
            calls: settings,
            ..SimulatedTeamsConfig::default()
        };
        Self {
            calls: Calls::new(&config, "http://graph.example/v1.0".to_owned(), seed),
            now: 1_800_000_000_000,
            tenant: config.tenant,
            answer: Box::new(|_| accepted()),
            prompt: Ok(Duration::from_secs(3)),
            sent: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// Does what is due and what the shell would do, until nothing more happens now.
    fn settle(&mut self) {
        loop {
            self.calls.advance(self.now);
            let actions = self.calls.take_actions(100);
            if actions.is_empty() {
                return;
            }
            for action in actions {
                match action {
                    Action::Post(post) => {
                        let outcome = (self.answer)(&post);
                        let delivery = post.delivery;
                        if matches!(outcome, Outcome::Answered { status: 200..=299, .. }) {
                            self.taken.push(self.sent.len());
                        }
                        self.sent.push(*post);
                        self.calls.delivered(delivery, &outcome, self.now);
                    }
                    Action::Fetch { call, run, place, .. } => {
                        self.calls.fetched(call, run, place, self.prompt, self.now);
                    }
                }
            }
        }
    }

    /// Lets time pass.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + u64::try_from(duration.as_millis()).unwrap();
        self.settle();
        while let Some(due) = self.calls.next_due().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.settle();
        }
        self.now = end;
    }

    fn request(&mut self, method: &str, path: &str, body: &Value) -> GraphReply {
        self.request_at(Root::Calls, method, path, body)
    }

    fn request_at(&mut self, root: Root, method: &str, path: &str, body: &Value) -> GraphReply {
        let segments: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let tenant = self.tenant.clone();
        let request = GraphRequest {
            root,
            method,
            segments: &segments,
            body: &body,
            scenario: None,
            tenant: &tenant,
        };
        let reply = self.calls.serve(BOT, request, self.now);
        self.settle();
        reply
    }

    fn post(&mut self, path: &str, body: &Value) -> GraphReply {
        self.request("POST", path, body)
    }

    /// Status and code of a refused request.
    fn refused(&mut self, path: &str, body: &Value) -> (u16, String) {
        let reply = self.post(path, body);
        (
            reply.status,
            reply.refusal.map(|refusal| refusal.code).unwrap_or_default(),
        )
    }

    fn ring(&mut self) -> String {
        let ring = Ring {
            caller: Caller::Person(INES),
            bot: BOT,
            by_instance: false,
            has_video: false,
            meeting: None,
        };
        let id = self.calls.ring(ring, self.now).unwrap();
        self.settle();
        id
    }

    /// A one-to-one call whose audio flows.
    fn talking(&mut self) -> String {
        let id = self.ring();
        assert_eq!(self.post(&format!("{id}/answer"), &answer()).status, 202);
        self.pass(Duration::from_secs(1));
        assert!(self.view(&id).is_audio_active);
        id
    }

    fn view(&self, id: &str) -> CallView {
        self.calls.view(id).unwrap()
    }

    fn end(&self, id: &str) -> (Option<u16>, Option<u32>) {
        let end = self.view(id).end.expect("the call has ended");
        (end.code, end.subcode)
    }

    /// All notifications, in the order in which they were sent.
    fn told(&self) -> Vec<Value> {
        let bodies = self.sent.iter();
        bodies
            .flat_map(|post| post.body["value"].as_array().cloned().unwrap_or_default())
            .collect()
    }

    fn last_told(&self) -> Value {
        self.told().pop().unwrap()
    }

    fn labels(&self) -> Vec<&str> {
        self.sent.iter().map(|post| post.title.as_str()).collect()
    }
}

fn answer() -> Value {
    json!({
        "callbackUri": "https://bot.example/callback/1", "acceptedModalities": ["audio"],
        "mediaConfig": { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
    })
}

fn user(bench: &Bench, person: PersonNumber) -> Value {
    let id = bench.calls.object_id(person).unwrap();
    json!({
        "@odata.type": "#microsoft.graph.invitationParticipantInfo",
        "identity": { "@odata.type": "#microsoft.graph.identitySet", "user": { "id": id } },
    })
}

fn create(targets: &[Value]) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.call", "callbackUri": "https://bot.example/callback/2", "targets": targets,
        "requestedModalities": ["audio"], "mediaConfig": { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
    })
}

fn prompts(count: usize, context: &str) -> Value {
    let prompt = json!({
        "@odata.type": "#microsoft.graph.mediaPrompt",
        "mediaInfo": { "@odata.type": "#microsoft.graph.mediaInfo", "uri": "http://127.0.0.1:1/hello.wav", "resourceId": null },
    });
    json!({ "clientContext": context, "prompts": vec![prompt; count] })
}
