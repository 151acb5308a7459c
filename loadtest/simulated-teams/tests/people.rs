//! What people do, and what the bot then gets.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{BOT, Endpoint, INES, PATIENCE, SAMUEL, TOMASZ, World, config, no_inputs};
use trunkline_simulated_teams::{ActionRefusal, InvokeOutcome, MessageView, SimulatedTeamsError, UserAction};

struct Scene {
    bot: Endpoint,
    world: World,
}

impl Scene {
    async fn new() -> Self {
        let bot = Endpoint::accepting();
        let world = World::start(config(&bot.url)).await;
        Self { bot, world }
    }

    async fn act(&mut self, action: UserAction) -> Value {
        self.world.teams.act(&action).unwrap();
        self.bot.next().await.activity
    }

    fn refused(&self, action: &UserAction) -> ActionRefusal {
        match self.world.teams.act(action) {
            Err(SimulatedTeamsError::Action(refusal)) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Lets the bot send something and gives the message as it is seen.
    async fn bot_sends(&self, activity: &Value) -> MessageView {
        let (status, _) = self.world.send(&self.world.chat(), activity).await;
        assert_eq!(status, 201);
        self.world.teams.transcript(&self.world.chat()).unwrap().pop().unwrap()
    }
}

#[actix_web::test]
async fn an_edit_a_deletion_and_a_restoration_carry_the_id_of_the_message() {
    let mut scene = Scene::new().await;
    let conversation = scene.world.chat();
    let message = scene
        .world
        .teams
        .say(INES, &conversation, "frist")
        .unwrap()
        .message
        .unwrap();
    let said = scene.bot.next().await.activity;
    assert_eq!(
        (&said["type"], &said["text"], &said["textFormat"]),
        (&json!("message"), &json!("frist"), &json!("plain"))
    );
    assert_eq!(said["conversation"]["conversationType"], "personal");
    let edited = scene
        .act(UserAction::Edit {
            person: INES,
            conversation: conversation.clone(),
            message,
            text: "first".to_owned(),
        })
        .await;
    assert_eq!(
        (&edited["type"], &edited["text"]),
        (&json!("messageUpdate"), &json!("first"))
    );
    assert_eq!(edited["channelData"]["eventType"], "editMessage");
    let deleted = scene
        .act(UserAction::Delete {
            person: INES,
            conversation: conversation.clone(),
            message,
        })
        .await;
    assert_eq!((&deleted["type"], deleted.get("text")), (&json!("messageDelete"), None));
    assert_eq!(deleted["channelData"]["eventType"], "softDeleteMessage");
    let restored = scene
        .act(UserAction::Undelete {
            person: INES,
            conversation: conversation.clone(),
            message,
        })
        .await;
    assert_eq!(
        (&restored["type"], &restored["text"]),
        (&json!("messageUpdate"), &json!("first"))
    );
    assert_eq!(restored["channelData"]["eventType"], "undeleteMessage");
    for activity in [said, edited, deleted, restored] {
        assert_eq!(activity["id"], json!(message));
    }
    let foreign = UserAction::Edit {
        person: TOMASZ,
        conversation,
        message,
        text: "mine".to_owned(),
    };
    assert_eq!(scene.refused(&foreign), ActionRefusal::NotAMember);
}

#[actix_web::test]
async fn a_reaction_to_a_message_of_the_bot_is_told_and_one_to_a_person_is_not() {
    let mut scene = Scene::new().await;
    let conversation = scene.world.chat();
    let from_bot = scene.bot_sends(&json!({ "type": "message", "text": "hello" })).await.id;
    let react = |message, added| UserAction::React {
        person: INES,
        conversation: conversation.clone(),
        message,
        reaction: "like".to_owned(),
        added,
    };
    let added = scene.act(react(from_bot, true)).await;
    assert_eq!(
        (&added["type"], &added["replyToId"]),
        (&json!("messageReaction"), &json!(from_bot))
    );
    assert_eq!(added["reactionsAdded"], json!([{ "type": "like" }]));
    assert!(added["id"].as_str().unwrap().starts_with("f:") && added["from"].get("name").is_none());
    assert_eq!(scene.refused(&react(from_bot, true)), ActionRefusal::NothingToChange);
    let removed = scene.act(react(from_bot, false)).await;
    assert_eq!(removed["reactionsRemoved"], json!([{ "type": "like" }]));
    let own = scene
        .world
        .teams
        .say(INES, &conversation, "hm")
        .unwrap()
        .message
        .unwrap();
    scene.bot.next().await;
    assert!(
        scene
            .world
            .teams
            .act(&react(own, true))
            .unwrap()
            .outcomes()
            .await
            .unwrap()
            .is_empty()
    );
}

#[actix_web::test]
async fn in_a_group_chat_the_bot_hears_only_what_mentions_it() {
    let mut scene = Scene::new().await;
    let group = scene.world.teams.group_chat().unwrap();
    scene
        .world
        .teams
        .say(TOMASZ, &group, "lunch?")
        .unwrap()
        .outcomes()
        .await
        .unwrap();
    assert!(scene.bot.got_nothing_more());
    let activity = scene
        .act(UserAction::Say {
            person: TOMASZ,
            conversation: group,
            text: "@pilot lunch with @Priya Lindqvist".to_owned(),
        })
        .await;
    assert_eq!(activity["text"], "<at>Pilot</at> lunch with <at>Priya Lindqvist</at>");
    assert_eq!(activity["conversation"]["conversationType"], "groupChat");
    assert_eq!(activity["conversation"]["isGroup"], true);
    assert_eq!(activity["entities"][0]["mentioned"]["id"], activity["recipient"]["id"]);
    assert!(
        activity["entities"][1]["mentioned"]["id"]
            .as_str()
            .unwrap()
            .starts_with("29:1")
    );
    assert_eq!(activity["attachments"][0]["contentType"], "text/html");
}

#[actix_web::test]
async fn a_post_in_a_channel_starts_a_thread_that_replies_stay_in() {
    let mut scene = Scene::new().await;
    let channel = scene.world.teams.channel().unwrap();
    let say = |conversation: &str| UserAction::Say {
        person: INES,
        conversation: conversation.to_owned(),
        text: "@Pilot hi".to_owned(),
    };
    let post = scene.act(say(&channel)).await;
    let thread = post["conversation"]["id"].as_str().unwrap().to_owned();
    assert_eq!(thread, format!("{channel};messageid={}", post["id"].as_str().unwrap()));
    assert_eq!(post["channelData"]["teamsChannelId"], channel);
    assert_eq!(post["channelData"]["channel"]["id"], channel);
    let reply = scene.act(say(&thread)).await;
    assert_eq!(reply["conversation"]["id"], thread);
    assert!(reply.get("replyToId").is_none());
    assert_eq!(scene.world.say(&thread, "hello there").await.0, 201);
    assert_eq!(scene.world.teams.transcript(&thread).unwrap().len(), 3);
}

#[actix_web::test]
async fn an_install_brings_two_activities_and_a_removal_of_a_personal_app_one() {
    let mut scene = Scene::new().await;
    let conversation = scene.world.chat();
    let removed = scene
        .act(UserAction::Uninstall {
            person: INES,
            conversation: conversation.clone(),
            bot: BOT,
        })
        .await;
    assert_eq!(
        (&removed["type"], &removed["action"]),
        (&json!("installationUpdate"), &json!("remove"))
    );
    let added = scene
        .act(UserAction::Install {
            person: INES,
            conversation: conversation.clone(),
            bot: BOT,
        })
        .await;
    assert_eq!(
        (&added["type"], &added["action"]),
        (&json!("installationUpdate"), &json!("add"))
    );
    let update = scene.bot.next().await.activity;
    assert_eq!(update["type"], "conversationUpdate");
    assert_eq!(update["membersAdded"][0], json!({ "id": update["recipient"]["id"] }));
    assert_eq!(update["membersAdded"][1], update["from"]);
    assert!(scene.bot.got_nothing_more());
    let again = UserAction::Install {
        person: INES,
        conversation,
        bot: BOT,
    };
    assert_eq!(scene.refused(&again), ActionRefusal::NothingToChange);
}

#[actix_web::test]
async fn somebody_who_joins_a_team_is_told_in_the_team() {
    let mut scene = Scene::new().await;
    let channel = scene.world.teams.channel().unwrap();
    let join = UserAction::AddMember {
        person: INES,
        conversation: channel.clone(),
        member: SAMUEL,
    };
    let update = scene.act(join).await;
    assert_eq!(update["channelData"]["eventType"], "teamMemberAdded");
    assert_eq!(update["conversation"]["id"], update["channelData"]["team"]["id"]);
    assert_eq!(update["membersAdded"].as_array().unwrap().len(), 1);
    let leave = UserAction::RemoveMember {
        person: SAMUEL,
        conversation: channel,
        member: SAMUEL,
    };
    assert_eq!(scene.act(leave).await["channelData"]["eventType"], "teamMemberRemoved");
}

fn card() -> Value {
    json!({ "type": "message", "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "content": {
        "type": "AdaptiveCard", "version": "1.5", "actions": [
            { "type": "Action.Submit", "title": "Send", "data": { "step": 1 } },
            { "type": "Action.Submit", "title": "Say", "data": { "msteams": { "type": "imBack", "value": "more" } } },
            { "type": "Action.Submit", "title": "Back", "data": { "msteams": { "type": "messageBack", "text": "t", "displayText": "shown", "value": "{\"a\":1}" } } },
            { "type": "Action.Submit", "title": "Form", "data": { "form": 7, "msteams": { "type": "task/fetch" } } },
            { "type": "Action.Execute", "title": "Go", "verb": "go", "id": "g", "data": { "x": 1 } } ] } }] })
}

#[actix_web::test]
async fn each_button_of_a_card_sends_what_the_documents_say() {
    let mut scene = Scene::new().await;
    let message = scene.bot_sends(&card()).await;
    let inputs = json!({ "note": "please" }).as_object().unwrap().clone();
    let teams = scene.world.teams.clone();

    teams.press(INES, &message, "Send", &inputs).unwrap();
    let submit = scene.bot.next().await.activity;
    assert_eq!(
        (&submit["type"], &submit["value"]),
        (&json!("message"), &json!({ "step": 1, "note": "please" }))
    );
    assert!(submit.get("text").is_none());
    assert_eq!(submit["replyToId"], json!(message.id));
    assert!(
        submit["channelData"]["legacy"]["replyToId"]
            .as_str()
            .unwrap()
            .starts_with("1:1")
    );

    let said = teams
        .press(INES, &message, "Say", &no_inputs())
        .unwrap()
        .message
        .unwrap();
    let im_back = scene.bot.next().await.activity;
    assert_eq!((&im_back["text"], &im_back["id"]), (&json!("more"), &json!(said)));

    teams.press(INES, &message, "Back", &no_inputs()).unwrap();
    let message_back = scene.bot.next().await.activity;
    assert_eq!(
        (&message_back["text"], &message_back["value"]),
        (&json!("t"), &json!({ "a": 1 }))
    );
    assert!(message_back["id"].as_str().unwrap().starts_with("f:"));
    assert_eq!(
        teams.transcript(&scene.world.chat()).unwrap().pop().unwrap().text,
        "shown"
    );

    teams.press(INES, &message, "Form", &no_inputs()).unwrap();
    let fetch = scene.bot.next().await.activity;
    assert_eq!(
        (&fetch["type"], &fetch["name"]),
        (&json!("invoke"), &json!("task/fetch"))
    );
    assert_eq!(fetch["value"]["data"]["form"], 7);

    teams.press(INES, &message, "Go", &inputs).unwrap();
    let execute = scene.bot.next().await.activity;
    assert_eq!(execute["name"], "adaptiveCard/action");
    let action = json!({ "type": "Action.Execute", "title": "Go", "verb": "go", "id": "g", "data": { "x": 1, "note": "please" } });
    assert_eq!(execute["value"], json!({ "action": action, "trigger": "manual" }));
    assert!(matches!(
        teams.press(INES, &message, "Nothing", &inputs),
        Err(SimulatedTeamsError::NoSuchButton { .. })
    ));
}

#[actix_web::test]
async fn a_suggested_action_with_data_is_an_invoke() {
    let mut scene = Scene::new().await;
    let actions = json!([{ "type": "Action.Submit", "title": "Approve", "value": { "vote": "yes" } }]);
    let message = scene
        .bot_sends(&json!({ "type": "message", "text": "?", "suggestedActions": { "to": [], "actions": actions } }))
        .await;
    scene
        .world
        .teams
        .press(INES, &message, "Approve", &no_inputs())
        .unwrap();
    let invoke = scene.bot.next().await.activity;
    assert_eq!(
        (&invoke["name"], &invoke["value"]),
        (&json!("suggestedActions/submit"), &json!({ "vote": "yes" }))
    );
}

#[actix_web::test]
async fn the_answer_to_an_execute_replaces_the_card_for_the_person_who_pressed() {
    let answers = [
        json!({ "statusCode": 200, "type": "application/vnd.microsoft.card.adaptive", "value": { "type": "AdaptiveCard", "body": [] } }),
        json!({ "statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": "Saved" }),
        json!({ "statusCode": 400, "type": "application/vnd.microsoft.error", "value": { "code": "BadRequest", "message": "no verb" } }),
    ];
    let bot = Endpoint::answering(move |number, _| (Duration::ZERO, 200, answers[number].clone()));
    let world = World::start(config(&bot.url)).await;
    world.send(&world.chat(), &card()).await;
    let message = world.teams.transcript(&world.chat()).unwrap().pop().unwrap();
    let expected = [
        InvokeOutcome::CardReplaced,
        InvokeOutcome::Message {
            text: "Saved".to_owned(),
        },
        InvokeOutcome::Failed {
            text: "no verb (400)".to_owned(),
        },
    ];
    for expected in expected {
        let outcome = world
            .teams
            .press(INES, &message, "Go", &no_inputs())
            .unwrap()
            .outcome()
            .await
            .unwrap();
        assert_eq!(outcome.invoke, Some(expected));
    }
    let message = world.teams.transcript(&world.chat()).unwrap().pop().unwrap();
    assert_eq!(message.replaced[0].person, INES);
    assert_eq!(message.replaced[0].attachments[0]["content"]["body"], json!([]));
}

#[actix_web::test]
async fn replies_can_be_waited_for_one_by_one() {
    let scene = Scene::new().await;
    let chat = scene.world.chat();
    scene.world.say(&chat, "before").await;
    let mut messages = scene.world.teams.bot_messages(&chat).unwrap();
    for text in ["one", "two"] {
        scene.world.say(&chat, text).await;
    }
    assert_eq!(messages.next(PATIENCE).await.unwrap().text, "one");
    assert_eq!(messages.next(PATIENCE).await.unwrap().text, "two");
    let nothing = messages.next(Duration::from_millis(50)).await;
    assert!(
        matches!(nothing, Err(SimulatedTeamsError::NothingCame { .. })),
        "{nothing:?}"
    );
}

#[actix_web::test]
async fn nobody_acts_where_they_are_not() {
    let scene = Scene::new().await;
    let group = scene.world.teams.group_chat().unwrap();
    let say = |conversation: &str, text: &str| UserAction::Say {
        person: SAMUEL,
        conversation: conversation.to_owned(),
        text: text.to_owned(),
    };
    assert_eq!(scene.refused(&say(&group, "hello")), ActionRefusal::NotAMember);
    assert_eq!(
        scene.refused(&say("19:none@thread.v2", "hello")),
        ActionRefusal::NoSuchConversation
    );
    let own = scene.world.teams.personal_chat(SAMUEL, BOT).unwrap();
    assert_eq!(scene.refused(&say(&own, "  ")), ActionRefusal::EmptyText);
}
