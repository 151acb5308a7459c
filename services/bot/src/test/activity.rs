//! Activities as Teams sends them, for a chat that exists only in a test.

use serde_json::{Value, json};
use trunkline_teams::activity::Activity;

use crate::address::{Address, Person};

pub(super) const TENANT: &str = "00000000-0000-0000-0000-00000000c0de";
pub(super) const SERVICE: &str = "https://smba.trafficmanager.net/test/";

/// Where the chat takes place and who is in it.
#[derive(Clone, Debug)]
pub(super) struct Room {
    kind: &'static str,
    conversation: String,
    pub(super) bot: Person,
    pub(super) people: Vec<Person>,
    pub(super) locale: String,
}

impl Room {
    pub(super) fn personal() -> Self {
        Self::of("personal", "a:personal-chat", &["Ada"])
    }

    pub(super) fn group(people: &[&str]) -> Self {
        Self::of("groupChat", "19:group-chat@thread.v2", people)
    }

    pub(super) fn channel(name: &str, people: &[&str]) -> Self {
        Self::of("channel", &format!("19:{name}@thread.tacv2;messageid=1"), people)
    }

    fn of(kind: &'static str, conversation: &str, people: &[&str]) -> Self {
        let person = |name: &&str| Person::new(format!("29:{}", name.to_lowercase()), *name);
        Self {
            kind,
            conversation: conversation.to_owned(),
            bot: Person::new("28:bot", "Bot"),
            people: people.iter().map(person).collect(),
            locale: "en-US".to_owned(),
        }
    }

    pub(super) fn is_personal(&self) -> bool {
        self.kind == "personal"
    }

    pub(super) fn address(&self) -> Address {
        Address::Conversation {
            tenant: TENANT.to_owned(),
            service_url: SERVICE.to_owned(),
            conversation: self.conversation.clone(),
        }
    }

    /// An activity of this chat with these members beside the usual ones.
    pub(super) fn activity(&self, id: &str, timestamp: &str, from: &Person, members: Value) -> Activity {
        let mut activity = json!({
            "id": id,
            "timestamp": timestamp,
            "channelId": "msteams",
            "serviceUrl": SERVICE,
            "from": from,
            "recipient": self.bot,
            "conversation": { "id": self.conversation, "conversationType": self.kind, "tenantId": TENANT },
            "channelData": { "tenant": { "id": TENANT } },
            "locale": self.locale,
        });
        if let (Value::Object(all), Value::Object(members)) = (&mut activity, members) {
            all.extend(members);
        }
        Activity::parse(activity.to_string().as_bytes()).unwrap_or_else(|error| panic!("not an activity: {error}"))
    }

    /// What a person wrote. In a group the bot hears only what mentions it.
    pub(super) fn said(&self, text: &str) -> Value {
        if self.is_personal() {
            return json!({ "type": "message", "text": text, "textFormat": "plain" });
        }
        let mark = format!("<at>{}</at>", self.bot.display_name());
        json!({
            "type": "message",
            "text": format!("{mark} {text}"),
            "textFormat": "plain",
            "entities": [{ "type": "mention", "text": mark, "mentioned": self.bot }],
        })
    }
}
