//! The chat that a test holds with a bot.

use std::marker::PhantomData;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::activity::Room;
use super::screen::{self, described};
use super::turns::Host;
use crate::address::{Address, Person};
use crate::bot::Bot;
use crate::logic::{Effect, Input};
use crate::signal::{Signal, Verb};
use crate::state::State;

/// When the process of the bot dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The handler has returned, nothing is committed: the turn runs again with the steps that were kept.
    BeforeCommit,
    /// The commit is done, the answer is lost: Teams sends the activity again.
    AfterCommit,
}

/// A chat with a bot, in memory. Its methods fail the test by a panic that says what is wrong.
pub struct Chat<S> {
    host: Host,
    room: Room,
    speaker: usize,
    last_said: String,
    remembers: PhantomData<S>,
}

impl<S: State> Chat<S> {
    /// A personal chat of Ada with the bot.
    ///
    /// # Panics
    /// The bot cannot be started.
    pub fn with<A: Send + Sync + 'static>(bot: Bot<S, A>) -> Self {
        let logic = bot.build().unwrap_or_else(|error| panic!("{error}"));
        let room = Room::personal();
        Self {
            host: Host::new(logic, room.address()),
            room,
            speaker: 0,
            last_said: String::new(),
            remembers: PhantomData,
        }
    }

    /// The same as a group chat of these people.
    #[must_use]
    pub fn group<const N: usize>(mut self, people: [&str; N]) -> Self {
        self.enters(Room::group(&people));
        self
    }

    /// The same as a thread in a channel, in which Ada speaks.
    #[must_use]
    pub fn channel(mut self, name: &str) -> Self {
        self.enters(Room::channel(name, &["Ada", "Grace"]));
        self
    }

    /// The language of everybody.
    #[must_use]
    pub fn locale(mut self, tag: &str) -> Self {
        tag.clone_into(&mut self.room.locale);
        tag.clone_into(&mut self.host.locale);
        self
    }

    /// From now on this person of the chat acts.
    pub fn by(&mut self, name: &str) -> &mut Self {
        let place = self.room.people.iter().position(|person| person.display_name() == name);
        self.speaker = place.unwrap_or_else(|| panic!("{name} is not in this chat"));
        self
    }

    /// Somebody writes; in a group with a mention of the bot.
    pub fn says(&mut self, text: &str) -> &mut Self {
        let id = self.host.next_id();
        self.last_said.clone_from(&id);
        let members = self.room.said(text);
        self.act(&format!(": {text}"), &id, members)
    }

    /// Somebody changes what they wrote last.
    pub fn edits(&mut self, text: &str) -> &mut Self {
        let mut members = self.room.said(text);
        members["type"] = json!("messageUpdate");
        members["channelData"] = json!({ "eventType": "editMessage" });
        let id = self.last_said.clone();
        self.act(&format!(" edits: {text}"), &id, members)
    }

    /// Somebody deletes what they wrote last.
    pub fn deletes(&mut self) -> &mut Self {
        let members = json!({ "type": "messageDelete", "channelData": { "eventType": "softDeleteMessage" } });
        let id = self.last_said.clone();
        self.act(" deletes the message", &id, members)
    }

    /// Somebody reacts to the bot's newest message: `like`, `heart`, ..
    pub fn reacts(&mut self, reaction: &str) -> &mut Self {
        let message = self.host.screen.messages.last().map(|shown| shown.id.clone());
        let members = json!({
            "type": "messageReaction", "replyToId": message, "reactionsAdded": [{ "type": reaction }],
        });
        let id = self.host.next_event_id();
        self.act(&format!(" reacts: {reaction}"), &id, members)
    }

    /// Somebody presses the newest button of this verb (Action.Execute) on the screen.
    pub fn presses<V: Verb>(&mut self, action: V) -> &mut Self {
        self.presses_with(action, json!({}))
    }

    /// Somebody fills in the card's inputs and presses the newest button of this verb.
    pub fn presses_with<V: Verb>(&mut self, action: V, inputs: Value) -> &mut Self {
        let data = filled_in(&action, inputs);
        let card = self.card_with::<V>("Action.Execute");
        let members = json!({
            "type": "invoke", "name": "adaptiveCard/action", "replyToId": card,
            "value": { "action": { "type": "Action.Execute", "verb": V::VERB, "data": data }, "trigger": "manual" },
        });
        let id = self.host.next_event_id();
        self.act(&format!(" presses {} {data}", V::VERB), &id, members)
    }

    /// Somebody fills in the card's inputs and presses the newest button of this verb that arrives as a message (Action.Submit).
    pub fn submits<V: Verb>(&mut self, action: V, inputs: Value) -> &mut Self {
        let mut data = filled_in(&action, inputs);
        let card = self.card_with::<V>("Action.Submit");
        data["verb"] = json!(V::VERB);
        let id = self.host.next_event_id();
        let line = format!(" submits {data}");
        self.act(
            &line,
            &id,
            json!({ "type": "message", "replyToId": card, "value": data }),
        )
    }

    /// The app is installed in this chat.
    pub fn installs(&mut self) -> &mut Self {
        let id = self.host.next_event_id();
        self.act(
            " installs the app",
            &id,
            json!({ "type": "installationUpdate", "action": "add" }),
        )
    }

    /// Teams sends an activity of any kind: these members beside the usual ones.
    pub fn gets(&mut self, members: Value) -> &mut Self {
        let id = members["id"]
            .as_str()
            .map_or_else(|| self.host.next_event_id(), str::to_owned);
        let line = format!(
            " causes {}",
            members["name"]
                .as_str()
                .or(members["type"].as_str())
                .unwrap_or("an activity")
        );
        self.act(&line, &id, members)
    }

    /// A signal from outside the conversation.
    pub fn hears<T: Signal>(&mut self, signal: T) -> &mut Self {
        self.host.hears_signal(&signal);
        self
    }

    /// Time goes by; timers that are due go off, in order.
    pub fn after(&mut self, time: Duration) -> &mut Self {
        self.host.passes(self.host.now + time);
        self
    }

    /// The user presses Stop in the next streamed answer, after this many pieces of text.
    pub fn presses_stop_after(&mut self, pieces: usize) -> &mut Self {
        self.host.stop_after = Some(pieces);
        self
    }

    /// The process dies in the next turn, and another goes on.
    pub fn crashes(&mut self, when: Crash) -> &mut Self {
        self.host.crash = Some(when);
        self
    }

    /// Teams sends the last activity once more: it is recognised, nothing runs, and an invoke gets the answer of the first time.
    pub fn repeats(&mut self) -> &mut Self {
        self.host.repeat();
        self
    }

    /// A newer version of the bot takes over; the state is as the older one stored it.
    pub fn newer<S2: State, A: Send + Sync + 'static>(self, bot: Bot<S2, A>) -> Chat<S2> {
        let mut host = self.host;
        host.replace_bot(bot.build().unwrap_or_else(|error| panic!("{error}")));
        Chat {
            host,
            room: self.room,
            speaker: self.speaker,
            last_said: self.last_said,
            remembers: PhantomData,
        }
    }

    /// What the conversation remembers, read back from what was stored.
    pub fn state(&self) -> S {
        crate::state::read(self.host.state.as_ref()).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// The text of the bot's newest message; a card in one line.
    pub fn last(&self) -> String {
        self.host
            .screen
            .messages
            .last()
            .map(|shown| described(&shown.activity))
            .unwrap_or_default()
    }

    /// Every message of the bot that is on the screen, oldest first, one line each.
    pub fn screen(&self) -> Vec<String> {
        let on_screen = self.host.screen.messages.iter().filter(|shown| !shown.is_deleted);
        on_screen.map(|shown| described(&shown.activity)).collect()
    }

    /// The bot's newest message as it went to Teams.
    pub fn last_activity(&self) -> Option<&Value> {
        self.host.screen.messages.last().map(|shown| &shown.activity)
    }

    /// The body of the last invoke's answer.
    pub fn answer(&self) -> Option<Value> {
        self.host.answer.as_ref()?.body.as_ref().map(screen::json)
    }

    /// The HTTP status of the last invoke's answer.
    pub fn answer_status(&self) -> Option<u16> {
        self.host.answer.as_ref().map(|answer| answer.status)
    }

    /// What the last turn asked for.
    pub fn effects(&self) -> &[Effect] {
        &self.host.of_last_turn
    }

    /// Why the last turn failed, for operators; `None` if it did not.
    pub fn failure(&self) -> Option<&str> {
        self.host.failure.as_deref()
    }

    /// Everything that happened, one line each.
    pub fn transcript(&self) -> String {
        self.host.screen.transcript().to_owned()
    }

    /// The simulated time.
    pub fn now(&self) -> SystemTime {
        self.host.now
    }

    /// Where the chat is: messages and signals find it there.
    pub fn address(&self) -> Address {
        self.room.address()
    }

    /// A person of the chat.
    pub fn person(&self, name: &str) -> Person {
        let found = self.room.people.iter().find(|person| person.display_name() == name);
        found.cloned().unwrap_or_else(|| panic!("{name} is not in this chat"))
    }

    fn enters(&mut self, room: Room) {
        self.host.here = room.address();
        self.room = room;
    }

    fn act(&mut self, line: &str, id: &str, members: Value) -> &mut Self {
        let person = self.room.people[self.speaker].clone();
        self.host.screen.line(&format!("{}{line}", person.display_name()));
        let timestamp = self.host.timestamp();
        let activity = self.room.activity(id, &timestamp, &person, members);
        self.host.turn(Input::Activity(Box::new(activity)));
        self
    }

    fn card_with<V: Verb>(&self, kind: &str) -> String {
        let shown = self.host.screen.card_with(kind, V::VERB);
        let Some(shown) = shown else {
            panic!(
                "no card on the screen has an {kind} of verb {:?}, only {:?}",
                V::VERB,
                self.host.screen.buttons()
            );
        };
        shown.id.clone()
    }
}

/// What a button brings: its own members and the card's inputs.
fn filled_in<V: Verb>(action: &V, inputs: Value) -> Value {
    let mut data = serde_json::to_value(action)
        .ok()
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({}));
    if let (Value::Object(members), Value::Object(inputs)) = (&mut data, inputs) {
        members.extend(inputs);
    }
    data
}
