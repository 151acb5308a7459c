//! Random walks: whatever people and bots do, and however wrong it is, the tenant stays in order.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::json;

use super::{
    World,
    action::UserAction,
    id::MessageIds,
    people::{BotNumber, PersonNumber},
    press::Press,
};
use crate::{
    config::{Limits, SimulatedBot, SimulatedTeamsConfig},
    connector::{Call, limit::Limiter},
};

const START: u64 = 1_800_000_000_000;

/// One step: what is done, by whom, where, and to which of the messages there.
#[derive(Debug, Clone)]
struct Step {
    deed: u8,
    who: usize,
    place: usize,
    message: usize,
    pause: u64,
    text: String,
}

fn step() -> impl Strategy<Value = Step> {
    let text = prop_oneof!["[ -~]{0,20}", "@Trunkline bot .{0,5}", "\\PC{0,8}@Second\\PC{0,3}"];
    (0_u8..18, 0_usize..6, 0_usize..14, 0_usize..8, 0_u64..40_000, text).prop_map(
        |(deed, who, place, message, pause, text)| Step {
            deed,
            who,
            place,
            message,
            pause,
            text,
        },
    )
}

struct Walk {
    world: World,
    limiter: Limiter,
    now: u64,
}

impl Walk {
    fn new() -> Self {
        let second = SimulatedBot {
            name: "Second".to_owned(),
            app_id: "two".to_owned(),
            ..SimulatedBot::default()
        };
        let bots = vec![SimulatedBot::default(), second];
        let config = SimulatedTeamsConfig {
            bots,
            ..SimulatedTeamsConfig::default()
        };
        let world = World::new(&config, "http://127.0.0.1:1/amer/t/".to_owned(), 1);
        Self {
            world,
            limiter: Limiter::new(Limits::Real),
            now: START,
        }
    }

    fn take(&mut self, step: &Step) {
        self.now += step.pause;
        let (person, bot) = (PersonNumber(step.who), BotNumber(step.who % 2));
        let chat = self.world.chats.get(step.place);
        let message = chat
            .and_then(|chat| chat.messages.get(step.message))
            .map(|message| (message.id, message.thread));
        let id = message.map_or_else(|| MessageIds::default().next(START), |(id, _)| id);
        let chat_id = chat.map_or("nowhere".to_owned(), |chat| chat.id.clone());
        let conversation = match message.and_then(|(_, thread)| thread) {
            Some(root) if step.deed.is_multiple_of(2) => super::id::thread(&chat_id, root),
            _ => chat_id,
        };
        let (text, message) = (step.text.clone(), id);
        let added = step.pause.is_multiple_of(2);
        let member = PersonNumber(step.message);
        let action = match step.deed {
            0..=2 => UserAction::Say {
                person,
                conversation,
                text,
            },
            3 => UserAction::Edit {
                person,
                conversation,
                message,
                text,
            },
            4 => UserAction::Delete {
                person,
                conversation,
                message,
            },
            5 => UserAction::Undelete {
                person,
                conversation,
                message,
            },
            6 => UserAction::React {
                person,
                conversation,
                message,
                reaction: text,
                added,
            },
            7 => UserAction::Press {
                person,
                conversation,
                message,
                press: Press::Submit {
                    data: json!({ "t": text }),
                },
            },
            8 => {
                let action = json!({ "type": "imBack", "value": text });
                UserAction::Press {
                    person,
                    conversation,
                    message,
                    press: Press::CardAction { action },
                }
            }
            9 => UserAction::StopStream {
                person,
                conversation,
                message,
            },
            10 => UserAction::Install {
                person,
                conversation,
                bot: BotNumber(step.message),
            },
            11 => UserAction::Uninstall {
                person,
                conversation,
                bot: BotNumber(step.message),
            },
            12 => UserAction::AddMember {
                person,
                conversation,
                member,
            },
            13 => UserAction::RemoveMember {
                person,
                conversation,
                member,
            },
            _ => return self.call(step.deed, bot, &conversation, &id.to_string(), &text),
        };
        if let Ok(acted) = self.world.act(&action, self.now) {
            for delivery in acted.deliveries {
                let place = self.world.place(&conversation_of(&delivery.activity)).unwrap();
                let is_removal = delivery.activity.get("action") == Some(&json!("remove"));
                let leaves = delivery.activity.contains_key("membersRemoved");
                assert!(
                    is_removal || leaves || self.world.is_installed(place.chat, delivery.bot),
                    "{action:?}"
                );
            }
        }
    }

    fn call(&mut self, deed: u8, bot: BotNumber, conversation: &str, activity: &str, text: &str) {
        let info = json!([{ "type": "streaminfo", "streamSequence": 1 }]);
        let body = match deed {
            14 => json!({ "type": "message", "text": text, "attachments": [{ "contentType": "x" }] }),
            15 => json!({ "type": "typing", "text": text, "entities": info }),
            _ => json!({ "type": "message", "text": text, "replyToId": activity }),
        };
        let body = body.to_string();
        let body = body.as_bytes();
        let call = match deed {
            16 => Call::Update {
                conversation,
                activity,
                body,
            },
            17 => Call::Delete { conversation, activity },
            _ => Call::Send {
                conversation,
                reply_to: None,
                body,
            },
        };
        let reply = self.world.serve(&mut self.limiter, bot, call, self.now);
        assert!((200..500).contains(&reply.status), "{reply:?}");
    }

    fn check(&self) {
        for (place, chat) in self.world.chats.iter().enumerate() {
            for pair in chat.messages.windows(2) {
                assert!(
                    pair[0].id < pair[1].id && pair[0].arrival < pair[1].arrival,
                    "messages are out of order"
                );
            }
            for message in &chat.messages {
                let root = message.thread;
                assert_eq!(root.is_some(), chat.kind == super::chat::ChatKind::Channel);
                let id = self.world.conversation_id(place, root);
                assert!(
                    self.world.place(&id).is_some(),
                    "the conversation of a message is not found"
                );
            }
        }
    }
}

fn conversation_of(activity: &serde_json::Map<String, serde_json::Value>) -> String {
    activity["conversation"]["id"].as_str().unwrap().to_owned()
}

proptest! {
    #[test]
    fn the_tenant_stays_in_order_whatever_is_done(steps in proptest::collection::vec(step(), 1..80)) {
        let mut walk = Walk::new();
        for step in &steps {
            walk.take(step);
        }
        walk.check();
    }
}
