//! Every kind of activity reaches its route, and nothing else does.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use trunkline_bot::event::{ChannelChange, ChannelChanged, TeamChange, TeamChanged};
use trunkline_bot::logic::Logic;
use trunkline_bot::prelude::*;
use trunkline_bot::test::Chat;
use trunkline_teams::activity::Activity;

#[derive(Serialize, Deserialize)]
struct Vote {
    #[serde(default)]
    choice: String,
}

impl Verb for Vote {
    const VERB: &'static str = "vote";
}

/// A bot with every route that activities can reach, one line each.
fn everything() -> Bot<()> {
    macro_rules! routes {
        ($bot:expr, $($route:expr),+ $(,)?) => { $bot$(.on($route, async |_, (), _| Ok(())))+ };
    }
    let bot = routes!(
        Bot::new("everything"),
        submit::<Vote>(),
        command("reserve"),
        text("good night"),
        message(),
        edited(),
        undeleted(),
        deleted(),
        reaction(),
        installed(),
        removed(),
        upgraded(),
        members(),
        channel(),
        team(),
        meeting_started(),
        meeting_ended(),
        participants(),
        read_receipt(),
    );
    bot.on(verb::<Vote>(), async |_, (), _| Ok(CardReply::toast("voted")))
        .on(refresh::<Vote>(), async |_, (), _| Ok(CardReply::toast("fresh")))
        .on(any(), async |_, (), _| Ok(Value::Null))
}

fn activity(members: &Value) -> Activity {
    Activity::parse(members.to_string().as_bytes()).unwrap()
}

fn route_of(members: &Value) -> String {
    let logic = everything().build().unwrap();
    name_of(logic.as_ref(), &activity(members))
}

fn name_of(logic: &dyn Logic, activity: &Activity) -> String {
    let place = logic.route_of(activity).unwrap();
    logic.describe().routes.swap_remove(place).name
}

#[test]
fn messages_reach_the_route_of_their_words() {
    for (text, route) in [
        ("Good Night ", "text(\"good night\")"),
        ("/reserve a room", "command(\"reserve\")"),
        ("reserved", "message()"),
    ] {
        assert_eq!(route_of(&json!({ "type": "message", "text": text })), route, "{text}");
    }
    let packed = json!({ "type": "message", "value": "{\"verb\":\"vote\"}" });
    assert_eq!(
        route_of(&packed),
        "submit(\"vote\")",
        "the value of a messageBack may be JSON in a text"
    );
}

#[test]
fn edits_deletions_and_reactions_have_routes_of_their_own() {
    let update = |event: &str| json!({ "type": "messageUpdate", "channelData": { "eventType": event } });
    assert_eq!(route_of(&update("editMessage")), "edited()");
    assert_eq!(route_of(&update("undeleteMessage")), "undeleted()");
    assert_eq!(route_of(&json!({ "type": "messageDelete" })), "deleted()");
    assert_eq!(route_of(&json!({ "type": "messageReaction" })), "reaction()");
}

#[test]
fn installations_are_told_apart_without_case() {
    let install = |action: &str| route_of(&json!({ "type": "installationUpdate", "action": action }));
    assert_eq!(install("Add"), "installed()");
    assert_eq!(install("add-upgrade"), "installed()");
    assert_eq!(install("remove-upgrade"), "removed()");
    assert_eq!(install("upgrade"), "upgraded()");
    assert_eq!(install("something-new"), "any()");
}

#[test]
fn members_of_teams_and_channels_are_not_changes_of_them() {
    let update = |event: &str, members: Value| {
        route_of(&json!({
            "type": "conversationUpdate", "channelData": { "eventType": event }, "membersAdded": members,
        }))
    };
    let somebody = json!([{ "id": "29:1" }]);
    assert_eq!(update("teamMemberAdded", somebody.clone()), "members()");
    assert_eq!(update("channelMemberAdded", somebody), "members()");
    assert_eq!(update("teamarchived", json!([])), "team()");
    assert_eq!(update("channelShared", json!([])), "channel()");
}

#[test]
fn events_of_meetings_are_read_in_any_case_and_with_blanks() {
    let event = |name: &str| route_of(&json!({ "type": "event", "name": name }));
    assert_eq!(event(" application/vnd.microsoft.meetingStart"), "meeting_started()");
    assert_eq!(event("application/vnd.microsoft.MeetingEnd"), "meeting_ended()");
    assert_eq!(
        event("application/vnd.microsoft.meetingParticipantLeave"),
        "participants()"
    );
    assert_eq!(event("application/vnd.microsoft.readReceipt"), "read_receipt()");
    assert_eq!(event("application/vnd.microsoft.somethingNew"), "any()");
}

#[test]
fn buttons_and_refreshes_are_told_apart_by_what_triggered_them() {
    let execute = |verb: &str, trigger: &str| {
        route_of(&json!({
            "type": "invoke", "name": "adaptiveCard/action",
            "value": { "action": { "type": "Action.Execute", "verb": verb }, "trigger": trigger },
        }))
    };
    assert_eq!(execute("vote", "manual"), "verb(\"vote\")");
    assert_eq!(execute("vote", "automatic"), "refresh(\"vote\")");
    assert_eq!(execute("other", "manual"), "any()");
}

#[test]
fn a_refresh_from_the_menu_reaches_the_refresh_of_a_card_without_a_button_for_it() {
    let bot = Bot::<()>::new("fresh").on(refresh::<Vote>(), async |_, (), _| Ok(CardReply::toast("fresh")));
    let mut chat = Chat::with(bot);
    chat.gets(json!({
        "type": "invoke", "name": "adaptiveCard/action",
        "value": { "action": { "type": "Action.Execute", "verb": "vote" }, "trigger": "manual" },
    }));
    assert_eq!(chat.answer().unwrap()["value"], "fresh");
}

#[test]
fn late_and_failed_buttons_are_answered_in_the_form_of_cards() {
    let late = verb::<Vote>().if_late(|pressed| CardReply::toast(format!("{} takes a while", pressed.action.choice)));
    let bot = Bot::<()>::new("late").on(late, async |_, (), _| Ok(CardReply::toast("voted")));
    let logic = bot.build().unwrap();
    let pressed = activity(&json!({
        "type": "invoke", "name": "adaptiveCard/action", "locale": "fr-FR",
        "value": { "action": { "verb": "vote", "data": { "choice": "tea" } }, "trigger": "manual" },
    }));
    let body = |answer: trunkline_bot::logic::Answer| serde_json::from_slice::<Value>(&answer.body.unwrap()).unwrap();
    assert_eq!(body(logic.late_answer(&pressed).unwrap())["value"], "tea takes a while");
    let failed = body(logic.failed_answer(&pressed));
    assert_eq!(
        (&failed["statusCode"], &failed["value"]["code"]),
        (&json!(500), &json!("BotFailed"))
    );
    assert!(failed["value"]["message"].as_str().unwrap().starts_with("Désolé"));
    let other = activity(&json!({ "type": "invoke", "name": "task/fetch" }));
    assert_eq!(logic.late_answer(&other), None);
    assert_eq!(logic.failed_answer(&other).status, 500);
}

#[test]
fn a_card_that_answers_too_late_replaces_its_message_in_a_personal_chat_only() {
    let bot = Bot::<()>::new("late").on(verb::<Vote>(), async |_, (), _| Ok(CardReply::toast("voted")));
    let logic = bot.build().unwrap();
    let pressed_in = |kind: &str| {
        activity(&json!({
            "type": "invoke", "name": "adaptiveCard/action", "replyToId": "1", "conversation": { "id": "a", "conversationType": kind },
        }))
    };
    let answer = |kind: &str, value: Value| trunkline_bot::logic::Answer {
        status: 200,
        body: Some(
            json!({ "statusCode": 200, "type": kind, "value": value })
                .to_string()
                .into(),
        ),
    };
    let card = answer(
        "application/vnd.microsoft.card.adaptive",
        json!({ "type": "AdaptiveCard" }),
    );
    let message = logic.late_card(&pressed_in("personal"), &card).unwrap();
    let message: Value = serde_json::from_slice(&message).unwrap();
    assert_eq!(message["attachments"][0]["content"]["type"], "AdaptiveCard");
    assert_eq!(
        logic.late_card(&pressed_in("groupChat"), &card),
        None,
        "others see the message, too"
    );
    let toast = answer("application/vnd.microsoft.activity.message", json!("done"));
    assert_eq!(logic.late_card(&pressed_in("personal"), &toast), None);
}

#[test]
fn changes_of_channels_and_teams_are_typed_and_unknown_ones_kept() {
    async fn channel_changed(turn: &mut Turn, (): &mut (), event: ChannelChanged) -> Result {
        let name = event
            .channel()
            .and_then(|channel| channel.name.clone())
            .unwrap_or_default();
        turn.reply(match event.change() {
            ChannelChange::Renamed => format!("renamed to {name}"),
            ChannelChange::Other(other) => format!("unknown: {other}"),
            change => format!("{change:?}"),
        });
        Ok(())
    }
    async fn team_changed(turn: &mut Turn, (): &mut (), event: TeamChanged) -> Result {
        assert_eq!(event.change(), TeamChange::Archived);
        turn.reply("archived");
        Ok(())
    }
    let bot = Bot::<()>::new("changes")
        .on(channel(), channel_changed)
        .on(team(), team_changed);
    let mut chat = Chat::with(bot).channel("general");
    let event = |kind: &str| json!({ "type": "conversationUpdate", "channelData": { "eventType": kind, "channel": { "id": "19:x", "name": "News" } } });
    chat.gets(event("channelRenamed"))
        .gets(event("channelMoved"))
        .gets(event("TeamArchived"));
    assert_eq!(chat.screen(), ["renamed to News", "unknown: channelMoved", "archived"]);
}

#[test]
fn people_in_meetings_are_read_whatever_the_case_of_the_members() {
    async fn joined(turn: &mut Turn, (): &mut (), event: trunkline_bot::event::Participants) -> Result {
        assert!(event.joined());
        for participant in event.people() {
            turn.reply(format!(
                "{} is {}",
                participant.person.display_name(),
                participant.role.unwrap_or_default()
            ));
        }
        Ok(())
    }
    let mut chat = Chat::with(Bot::<()>::new("meeting").on(participants(), joined)).group(["Ada"]);
    chat.gets(json!({
        "type": "event", "name": "application/vnd.microsoft.meetingParticipantJoin",
        "value": { "Members": [
            { "User": { "Id": "29:1", "Name": "Grace" }, "Meeting": { "InMeeting": true, "Role": "Organizer" } },
            { "user": { "id": "29:2", "name": "Alan" }, "meeting": { "inMeeting": true, "role": "Presenter" } },
        ] },
    }));
    assert_eq!(chat.screen(), ["Grace is Organizer", "Alan is Presenter"]);
}

/// Further samples, where somebody has them: what each is called says which route it must reach.
#[test]
fn stored_activities_reach_the_route_of_their_kind() {
    let Some(folder) = std::env::var_os("TRUNKLINE_SAMPLES") else {
        return;
    };
    let logic = everything().build().unwrap();
    for entry in std::fs::read_dir(std::path::Path::new(&folder).join("activities")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let activity = Activity::parse(&std::fs::read(&path).unwrap()).unwrap();
        let expected = match name.as_str() {
            name if name.starts_with("message-") => "message()",
            name if name.starts_with("messageUpdate-edit") => "edited()",
            name if name.starts_with("messageDelete") => "deleted()",
            name if name.starts_with("messageReaction") => "reaction()",
            name if name.starts_with("installationUpdate-add") => "installed()",
            name if name.starts_with("installationUpdate-remove") => "removed()",
            name if name.starts_with("installationUpdate-upgrade") => "upgraded()",
            name if name.contains("-channelMember") || name.contains("-teamMember") || name.contains("bot-") => {
                "members()"
            }
            name if name.starts_with("conversationUpdate-channel") => "channel()",
            name if name.starts_with("conversationUpdate-team") => "team()",
            name if name.starts_with("event-meetingStart") => "meeting_started()",
            name if name.starts_with("event-meetingEnd") => "meeting_ended()",
            name if name.starts_with("invoke-") => "any()",
            _ => continue,
        };
        assert_eq!(name_of(logic.as_ref(), &activity), expected, "{name}");
    }
}
