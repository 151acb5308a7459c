//! What a committed turn asked for, done in a chat in memory.

use bytes::Bytes;
use serde_json::Value;
use trunkline_teams::calls::InvitationParticipantInfo;

use super::card;
use super::screen::{Shown, described, described_card, json, verb_of};
use super::turns::{Host, Timer};
use crate::address::{Address, SentRef};
use crate::logic::{Answer, Effect, Input, Outcome};

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
        self.effects = outcome.effects;
        for input in follows {
            let effects = std::mem::take(&mut self.effects);
            let answer = self.answer.take();
            self.turn(input);
            self.effects = effects;
            self.answer = answer;
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
                if *to == self.room.address() {
                    follows.push(Input::Signal {
                        name: name.clone(),
                        key: key.clone(),
                        payload: payload.clone(),
                    });
                }
            }
            Effect::StartCall { sequence, call, .. } => {
                self.next_sequence = sequence + 1;
                let targets: Vec<&str> = call.targets.iter().filter_map(called).collect();
                let whom = if targets.is_empty() {
                    "a meeting".to_owned()
                } else {
                    targets.join(", ")
                };
                self.screen.line(&format!("bot calls {whom}"));
            }
            Effect::Call { .. } => unreachable!("a turn of a chat has no call whose operations it could ask for"),
            Effect::ChangeUser {
                sequence,
                person,
                name,
                change,
            } => {
                self.next_sequence = sequence + 1;
                self.change_user(person, name, change);
            }
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
        }
    }

    fn sent(&mut self, sequence: u64, to: &Address, activity: Value) -> String {
        self.checked(&activity);
        let id = self.next_id();
        let line = described(&activity);
        if *to == self.room.address() {
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
