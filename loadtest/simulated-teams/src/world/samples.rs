//! Compares what is composed here with samples of real activities, when `TRUNKLINE_SAMPLES` names a directory of them.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::{Value, json};

use super::{
    World,
    action::UserAction,
    people::{BotNumber, PersonNumber},
    press::Press,
};
use crate::{
    config::Limits,
    connector::{Call, limit::Limiter},
};

const NOW: u64 = 1_800_000_000_123;
const INES: PersonNumber = PersonNumber(0);
const BOT: BotNumber = BotNumber(0);

fn sample(name: &str) -> Option<Value> {
    let path = PathBuf::from(std::env::var_os("TRUNKLINE_SAMPLES")?)
        .join("activities")
        .join(name);
    Some(serde_json::from_slice(&std::fs::read(path).ok()?).unwrap())
}

/// Names of all members, with their path; members of arrays count once.
fn members(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = format!("{path}/{name}");
                members(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, path, found)),
        _ => {}
    }
}

/// Both must have the same members, but for those below `but`.
fn assert_same_members(name: &str, composed: &Value, but: &[&str]) {
    let Some(sample) = sample(name) else { return };
    let names = |value: &Value| {
        let mut found = BTreeSet::new();
        members(value, "", &mut found);
        found.retain(|path| !but.iter().any(|other| path.starts_with(other)));
        found
    };
    assert_eq!(names(composed), names(&sample), "{name}");
}

struct Scene(World);

impl Scene {
    fn act(&mut self, action: &UserAction) -> Vec<Value> {
        let deliveries = self.0.act(action, NOW).unwrap().deliveries;
        deliveries
            .into_iter()
            .map(|delivery| Value::Object(delivery.activity))
            .collect()
    }

    fn say(&mut self, conversation: &str, text: &str) -> Value {
        let conversation = conversation.to_owned();
        self.act(&UserAction::Say {
            person: INES,
            conversation,
            text: text.to_owned(),
        })
        .remove(0)
    }

    fn personal(&self) -> String {
        self.0.chats[0].id.clone()
    }

    fn channel(&self) -> String {
        self.0.chats.last().unwrap().id.clone()
    }

    fn group(&self) -> String {
        self.0.chats[self.0.chats.len() - 3].id.clone()
    }

    /// A message of the bot to react to.
    fn of_bot(&mut self) -> super::MessageId {
        let conversation = self.personal();
        let call = Call::Send {
            conversation: &conversation,
            reply_to: None,
            body: br#"{"type":"message","text":"x"}"#,
        };
        let mut limiter = Limiter::new(Limits::Off);
        assert_eq!(self.0.serve(&mut limiter, BOT, call, NOW).status, 201);
        self.0.chats[0].messages.last().unwrap().id
    }
}

#[test]
fn messages_and_what_becomes_of_them_have_the_members_of_real_ones() {
    let mut scene = Scene(World::for_tests());
    let chat = scene.personal();
    assert_same_members("message-personal.json", &scene.say(&chat, "hello"), &[]);
    let message = scene.0.chats[0].messages[0].id;
    let (person, conversation) = (INES, chat);
    let edit = UserAction::Edit {
        person,
        conversation: conversation.clone(),
        message,
        text: "hi".to_owned(),
    };
    assert_same_members("messageUpdate-edit.json", &scene.act(&edit)[0], &[]);
    let delete = UserAction::Delete {
        person,
        conversation: conversation.clone(),
        message,
    };
    assert_same_members("messageDelete-soft.json", &scene.act(&delete)[0], &[]);
    let message = scene.of_bot();
    let react = UserAction::React {
        person,
        conversation,
        message,
        reaction: "like".to_owned(),
        added: true,
    };
    assert_same_members("messageReaction-added.json", &scene.act(&react)[0], &[]);
}

#[test]
fn mentions_in_groups_and_channels_have_the_members_of_real_ones() {
    let mut scene = Scene(World::for_tests());
    let (group, channel) = (scene.group(), scene.channel());
    let text = "@Trunkline bot status";
    assert_same_members("message-groupchat-mention.json", &scene.say(&group, text), &[]);
    let post = scene.say(&channel, text);
    assert_same_members("message-channel-mention.json", &post, &[]);
    let thread = post["conversation"]["id"].as_str().unwrap().to_owned();
    assert_same_members(
        "message-channel-thread-reply-mention.json",
        &scene.say(&thread, text),
        &[],
    );
}

#[test]
fn installs_and_members_have_the_members_of_real_ones() {
    let mut scene = Scene(World::for_tests());
    let (personal, group, channel) = (scene.personal(), scene.group(), scene.channel());
    let mut again = |conversation: &str| {
        let conversation = conversation.to_owned();
        let removed = scene.act(&UserAction::Uninstall {
            person: INES,
            conversation: conversation.clone(),
            bot: BOT,
        });
        (
            removed,
            scene.act(&UserAction::Install {
                person: INES,
                conversation,
                bot: BOT,
            }),
        )
    };
    let (removed, added) = again(&personal);
    assert_same_members(
        "installationUpdate-remove-personal.json",
        &removed[0],
        &[
            "/channelData/app",
            "/locale",
            "/channelData/settings",
            "/entities",
            "/channelData/source",
        ],
    );
    assert_same_members("installationUpdate-add-personal.json", &added[0], &[]);
    assert_same_members("conversationUpdate-personal-bot-added.json", &added[1], &[]);
    let (_, added) = again(&group);
    assert_same_members("conversationUpdate-groupchat-bot-added.json", &added[1], &[]);
    let (_, added) = again(&channel);
    assert_same_members("installationUpdate-add-team.json", &added[0], &[]);
    let join = UserAction::AddMember {
        person: INES,
        conversation: channel,
        member: PersonNumber(3),
    };
    assert_same_members("conversationUpdate-teamMemberAdded.json", &scene.act(&join)[0], &[]);
}

#[test]
fn buttons_have_the_members_of_real_ones() {
    let mut scene = Scene(World::for_tests());
    let message = scene.of_bot();
    let conversation = scene.personal();
    let mut press = |press: Press| {
        let action = UserAction::Press {
            person: INES,
            conversation: conversation.clone(),
            message,
            press,
        };
        scene.act(&action).remove(0)
    };
    let submit = press(Press::Submit {
        data: json!({ "choice": 1 }),
    });
    assert_same_members("message-card-action-submit.json", &submit, &["/value/"]);
    let im_back = press(Press::CardAction {
        action: json!({ "type": "imBack", "value": "more" }),
    });
    assert_same_members("message-card-imBack.json", &im_back, &[]);
    let form = press(Press::CardAction {
        action: json!({ "type": "invoke", "value": { "type": "task/fetch" } }),
    });
    assert_same_members("invoke-task-fetch.json", &form, &["/value/data"]);
    let execute = press(Press::Execute {
        verb: Some("v".to_owned()),
        id: Some("i".to_owned()),
        title: Some("t".to_owned()),
        data: json!({ "feedback": 1 }),
    });
    assert_same_members("invoke-adaptiveCard-action.json", &execute, &["/value/action/data"]);
}
