//! What a committed turn asked for, done in a chat in memory.

use bytes::Bytes;
use serde_json::Value;
use trunkline_teams::calls::{Call, InvitationParticipantInfo};
use trunkline_teams::graph::Operation;

use super::card;
use super::line::Follows;
use super::screen::{Shown, described, described_card, json, verb_of};
use super::turns::{Host, Timer};
use crate::address::{Address, SentRef};
use crate::logic::{Answer, CallEvent, Effect, HostedOperation, Input, Outcome};

impl Host {
    pub(super) fn commit(&mut self, outcome: Outcome) {
        if let Some(state) = outcome.state {
            self.state = Some(state);
        }
        if let Some(answer) = outcome.answer {
            self.answered(answer);
        }
        let mut follows = Vec::new();
        for effect in &outcome.effects {
            self.happens(effect, &mut follows);
        }
        self.asked.extend(outcome.effects.iter().cloned());
        self.of_last_turn = outcome.effects;
        for input in follows {
            let effects = std::mem::take(&mut self.of_last_turn);
            let answer = self.answer.take();
            self.hears(input);
            self.of_last_turn = effects;
            self.answer = answer;
        }
    }

    /// A turn of its own, if anybody listens: what happens in a call runs none otherwise.
    pub(super) fn hears(&mut self, input: Input) {
        let Input::Call(event) = &input else {
            return self.turn(input);
        };
        let is_end = matches!(**event, CallEvent::Ended(_));
        if self.logic.handles_call_event(event) {
            self.turn(input);
        }
        if is_end {
            self.timers.clear();
        }
    }

    /// What the bot has said it does with a call when it is late.
    pub(super) fn decides_late(&mut self) {
        let Some(line) = &self.line else { return };
        let Some(decision) = self.logic.late_decision(&line.call) else {
            return self.screen.line("(nothing is decided: it rings out)");
        };
        self.commit(Outcome {
            effects: vec![Effect::Call {
                sequence: self.next_sequence,
                key: "late".to_owned(),
                operation: decision,
                after: None,
                replaces: None,
            }],
            ..Outcome::default()
        });
    }

    /// Shows what followed from something in the call, and what the bot hears of it.
    pub(super) fn follows(&mut self, follows: Follows) {
        for line in &follows.lines {
            self.screen.line(line);
        }
        for event in follows.events {
            self.hears(Input::Call(Box::new(event)));
        }
    }

    fn answered(&mut self, answer: Answer) {
        if let Some(body) = &answer.body {
            let body = json(body);
            match body["type"].as_str() {
                Some(trunkline_teams::attachment::ADAPTIVE_CARD) => {
                    let problems = card::card_problems(&body["value"], &|action| self.is_listened_to(action));
                    assert!(problems.is_empty(), "the answering card would not work: {problems:?}");
                    self.screen
                        .line(&format!("bot replaces the card: {}", described_card(&body["value"])));
                }
                _ => self.screen.line(&format!("bot answers: {}", toast(&body))),
            }
        }
        self.answer = Some(answer);
    }

    fn happens(&mut self, effect: &Effect, follows: &mut Vec<Input>) {
        match effect {
            Effect::Send {
                sequence,
                to,
                activity,
                wants_id,
                ..
            } => {
                self.next_sequence = sequence + 1;
                let id = self.sent(*sequence, to, json(activity));
                if *wants_id {
                    follows.push(Input::Sent {
                        sent: SentRef(*sequence),
                        activity_id: id,
                    });
                }
            }
            Effect::Update {
                sequence,
                message,
                activity,
            } => {
                self.next_sequence = sequence + 1;
                let activity = json(activity);
                self.checked(&activity);
                self.screen.line(&format!("bot updates: {}", described(&activity)));
                self.screen.find(message).activity = activity;
            }
            Effect::Delete { sequence, message } => {
                self.next_sequence = sequence + 1;
                let shown = self.screen.find(message);
                shown.is_deleted = true;
                let line = format!("bot deletes: {}", described(&shown.activity));
                self.screen.line(&line);
            }
            Effect::Signal {
                sequence,
                to,
                name,
                key,
                payload,
            } => {
                self.next_sequence = sequence + 1;
                self.screen.line(&format!("bot signals {name}"));
                if *to == self.here {
                    follows.push(Input::Signal {
                        name: name.clone(),
                        key: key.clone(),
                        payload: payload.clone(),
                    });
                }
            }
            Effect::StartCall { sequence, call, .. } => {
                self.next_sequence = sequence + 1;
                self.starts(call);
            }
            Effect::Call {
                sequence,
                key,
                operation,
                after,
                replaces,
            } => {
                self.next_sequence = sequence + 1;
                let events = self.asks(key, operation, after.as_deref());
                if let Some(other) = replaces {
                    self.screen.line(&format!("(in place of the call {other})"));
                }
                follows.extend(events.into_iter().map(|event| Input::Call(Box::new(event))));
            }
            Effect::Hosted {
                sequence,
                key,
                operation,
            } => {
                self.next_sequence = sequence + 1;
                let events = self.asks_host(key, operation);
                follows.extend(events.into_iter().map(|event| Input::Call(Box::new(event))));
            }
            Effect::ChangeUser {
                sequence,
                person,
                name,
                change,
            } => {
                self.next_sequence = sequence + 1;
                self.change_user(person, name, change);
            }
            Effect::SetTimer { .. } | Effect::ForgetTimer { .. } => self.times(effect),
        }
    }

    fn times(&mut self, effect: &Effect) {
        match effect {
            Effect::SetTimer {
                name,
                key,
                at,
                every,
                payload,
            } => {
                self.timers.retain(|timer| timer.name != *name || timer.key != *key);
                self.timers.push(Timer {
                    name: name.clone(),
                    key: key.clone(),
                    at: *at,
                    every: *every,
                    payload: payload.clone(),
                });
            }
            Effect::ForgetTimer { name, key } => {
                self.timers
                    .retain(|timer| timer.name != *name || key.as_ref().is_some_and(|key| timer.key != *key));
            }
            _ => {}
        }
    }

    fn starts(&mut self, call: &Call) {
        let targets: Vec<&str> = call.targets.iter().filter_map(called).collect();
        let whom = if targets.is_empty() {
            "a meeting".to_owned()
        } else {
            targets.join(", ")
        };
        self.screen.line(&format!("bot calls {whom}"));
    }

    /// Graph gets an operation; what follows is for the bot to hear.
    fn asks(&mut self, key: &str, operation: &Operation, after: Option<&str>) -> Vec<CallEvent> {
        let Some(line) = &mut self.line else {
            panic!("a chat has no call: {operation:?}")
        };
        let follows = line.asked(key, operation, after, self.now);
        follows.lines.iter().for_each(|line| self.screen.line(line));
        follows.events
    }

    /// The media host of the call gets an operation.
    fn asks_host(&mut self, key: &str, operation: &HostedOperation) -> Vec<CallEvent> {
        let Some(line) = &mut self.line else {
            panic!("a chat has no call: {operation:?}")
        };
        let mut follows = line.asked_host(key, operation);
        let is_unheard = |event: &CallEvent| event.leaves_no_sound() && !self.logic.handles_call_event(event);
        if line.is_without_sound() && follows.events.iter().any(is_unheard) {
            follows.hangs_up(line);
        }
        follows.lines.iter().for_each(|line| self.screen.line(line));
        follows.events
    }

    fn sent(&mut self, sequence: u64, to: &Address, activity: Value) -> String {
        self.checked(&activity);
        let id = self.next_id();
        let line = described(&activity);
        if *to == self.here {
            self.screen.line(&format!("bot: {line}"));
            self.screen.messages.push(Shown {
                sent: Some(SentRef(sequence)),
                id: id.clone(),
                activity,
                is_deleted: false,
            });
        } else {
            self.screen.line(&format!("bot, elsewhere: {line}"));
        }
        id
    }

    fn change_user(&mut self, person: &str, name: &str, change: &Bytes) {
        let place = (name.to_owned(), person.to_owned());
        let before = self.users.remove(&place);
        let after = self
            .logic
            .apply_user_changes(name, before, std::slice::from_ref(change));
        self.users
            .insert(place, after.unwrap_or_else(|problem| panic!("{problem}")));
    }

    pub(super) fn checked(&self, activity: &Value) {
        let problems = card::problems(activity, &|action| self.is_listened_to(action));
        assert!(
            problems.is_empty(),
            "a message would not work: {problems:?}\n{activity}"
        );
    }

    /// Whether a route takes what a button brings.
    fn is_listened_to(&self, action: &Value) -> bool {
        let has = |name: &str| self.routes.iter().any(|route| route == name);
        let verb = verb_of(action).unwrap_or_default();
        if has("any()") || action["data"]["msteams"].is_object() {
            return true;
        }
        if action["type"] == "Action.Execute" {
            return has(&format!("verb({verb:?})")) || has(&format!("refresh({verb:?})"));
        }
        let takes_messages = has("message()") || self.routes.iter().any(|route| route.starts_with("dialog "));
        takes_messages || has(&format!("submit({verb:?})"))
    }
}

fn toast(body: &Value) -> String {
    body["value"].as_str().map_or_else(|| body.to_string(), str::to_owned)
}

/// Whom an outgoing call is for.
fn called(target: &InvitationParticipantInfo) -> Option<&str> {
    target.identity.as_ref()?.any()?.id.as_deref()
}
