//! The chat page of a simulated Teams, without a browser.

use trunkline_caller::Invitation;
use trunkline_fleet::wait::wait_for;
use trunkline_fleet::web;

/// The HTTP side of a simulated Teams: what the chat page does.
pub(crate) struct ChatPage {
    base: String,
    client: reqwest::blocking::Client,
}

impl ChatPage {
    pub(crate) fn at(base: &str) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            client: web::client(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> serde_json::Value {
        self.client
            .get(format!("{}{path}", self.base))
            .send()
            .unwrap()
            .json()
            .unwrap()
    }

    /// Each person's number and personal chat with the bot of this name.
    pub(crate) fn personal_chats(&self, bot: &str) -> Vec<(u64, String)> {
        let world = self.get("/api/world");
        let chats = world["conversations"].as_array().unwrap().iter();
        chats
            .filter(|chat| chat["kind"] == "personal" && chat["name"] == bot)
            .map(|chat| {
                (
                    chat["members"][0].as_u64().unwrap(),
                    chat["id"].as_str().unwrap().to_owned(),
                )
            })
            .collect()
    }

    /// The personal chat of the first person with the bot of this name.
    pub(crate) fn personal_chat(&self, bot: &str) -> String {
        let chats = self.personal_chats(bot);
        chats
            .into_iter()
            .find(|(person, _)| *person == 0)
            .expect("a personal chat")
            .1
    }

    /// The first person writes.
    pub(crate) fn say(&self, conversation: &str, text: &str) {
        self.say_as(0, conversation, text);
    }

    /// Somebody writes.
    pub(crate) fn say_as(&self, person: u64, conversation: &str, text: &str) {
        let action = serde_json::json!({ "do": "say", "person": person, "conversation": conversation, "text": text });
        let response = self
            .client
            .post(format!("{}/api/actions", self.base))
            .header("content-type", "application/json")
            .body(action.to_string())
            .send()
            .unwrap();
        assert!(response.status().is_success(), "{}", response.text().unwrap());
    }

    /// Number of the bot of this name.
    pub(crate) fn bot(&self, name: &str) -> u64 {
        let world = self.get("/api/world");
        let bots = world["bots"].as_array().unwrap();
        let bot = bots.iter().find(|bot| bot["name"] == name).expect("a bot of that name");
        bot["number"].as_u64().unwrap()
    }

    /// Somebody does this with the telephone. Graph's id of the call.
    pub(crate) fn call(&self, action: &serde_json::Value) -> String {
        let request = self.client.post(format!("{}/api/calls", self.base));
        let response = request
            .header("content-type", "application/json")
            .body(action.to_string());
        let response = response.send().unwrap();
        assert!(response.status().is_success(), "{action}: {}", response.text().unwrap());
        let answer: serde_json::Value = response.json().unwrap();
        answer["call"].as_str().unwrap().to_owned()
    }

    /// What lets the peer of a call in, once its bot has said it.
    pub(crate) fn line(&self, call: &str) -> Option<Invitation> {
        let answer = self
            .client
            .get(format!("{}/api/calls/{call}/line", self.base))
            .send()
            .unwrap();
        let is_there = answer.status().is_success();
        is_there.then(|| Invitation::read(&answer.text().unwrap()).unwrap())
    }

    /// What bots have written there.
    pub(crate) fn replies(&self, conversation: &str) -> Vec<String> {
        let messages = self.get("/api/messages");
        messages
            .as_array()
            .unwrap()
            .iter()
            .filter(|message| message["conversation"] == conversation && message["from"]["kind"] == "bot")
            .map(|message| message["text"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Waits for a reply that satisfies `is_it`.
    pub(crate) fn reply(&self, conversation: &str, is_it: impl Fn(&str) -> bool) -> String {
        wait_for("a reply", || {
            self.replies(conversation).into_iter().find(|text| is_it(text))
        })
    }
}
