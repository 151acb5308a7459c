//! Own samples of each kind of activity: what is read of them, and that nothing of them is lost.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Map, Value};
use trunkline_teams::activity::{Activity, MeetingParticipant, Scope, TeamsEvent};
use trunkline_teams::attachment;
use trunkline_teams::entity::Entity;
use trunkline_teams::envelope::{DEFAULT_DEPTH, Envelope, Kind};
use trunkline_teams::invoke::CardActionRequest;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/activities")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("the directory of samples");
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect()
}

fn fixture(name: &str) -> Activity {
    let path = fixtures().join(format!("{name}.json"));
    Activity::parse(&std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

fn comes_back_unchanged(body: &[u8]) -> Result<(), TestCaseError> {
    let before: Value = serde_json::from_slice(body).unwrap();
    let once = Activity::parse(body).unwrap().to_json().unwrap();
    let after: Value = serde_json::from_slice(&once).unwrap();
    prop_assert_eq!(&before, &after);
    let through_value: Activity = serde_json::from_value(before.clone()).unwrap();
    prop_assert_eq!(serde_json::to_value(&through_value).unwrap(), before);
    Ok(())
}

#[test]
fn every_fixture_comes_back_unchanged() {
    let paths = files(&fixtures());
    assert!(paths.len() > 40, "there are fixtures");
    for path in paths {
        comes_back_unchanged(&std::fs::read(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

#[test]
fn every_sample_of_the_environment_comes_back_unchanged_and_has_an_envelope() {
    let Some(samples) = std::env::var_os("TRUNKLINE_SAMPLES") else {
        return;
    };
    let paths = files(&Path::new(&samples).join("activities"));
    assert!(!paths.is_empty(), "there are samples");
    for path in paths {
        let body = std::fs::read(&path).unwrap();
        comes_back_unchanged(&body).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Envelope::parse(&body, DEFAULT_DEPTH).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

#[test]
fn every_message_that_the_environment_sends_comes_back_unchanged() {
    let Some(samples) = std::env::var_os("TRUNKLINE_SAMPLES") else {
        return;
    };
    for path in files(&Path::new(&samples).join("connector")) {
        let sample: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let body = &sample["request"]["body"];
        if body["type"].is_string() {
            comes_back_unchanged(body.to_string().as_bytes())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}

#[test]
fn every_fixture_is_the_kind_that_its_name_says() {
    let kinds = [
        ("message-update", Kind::Event),
        ("message-delete", Kind::Event),
        ("message-reaction", Kind::Event),
        ("message-", Kind::Message),
        ("invoke-", Kind::Invoke),
        ("conversation-update-", Kind::Event),
        ("installation-update-", Kind::Event),
        ("event-", Kind::Event),
        ("unknown-type", Kind::Event),
        ("odd-shapes", Kind::Message),
        ("typing", Kind::Transient),
        ("trace", Kind::Transient),
        ("end-of-conversation", Kind::Transient),
    ];
    for path in files(&fixtures()) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (_, kind) = kinds
            .iter()
            .find(|(prefix, _)| name.starts_with(prefix))
            .expect("a kind for each fixture");
        let body = std::fs::read(&path).unwrap();
        let envelope = Envelope::parse(&body, DEFAULT_DEPTH).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(envelope.kind(), *kind, "{name}");
        assert_eq!(fixture(name).work(), *kind, "{name}");
        assert_eq!(envelope.repeat_key(&body).is_none(), *kind == Kind::Transient, "{name}");
        assert!(envelope.tenant_id.is_some(), "{name}");
    }
}

#[rstest]
#[case("message-personal", "where is container 14?", false)]
#[case("message-group-chat-mention", "eta?", true)]
#[case("message-channel-root", "open a case", true)]
#[case("message-channel-reply", "and tell <at>Tiago Moura</at>, <at>Night shift</at>", true)]
#[case("message-card-submit", "", false)]
fn the_text_is_given_without_the_mention_of_the_bot(#[case] name: &str, #[case] text: &str, #[case] mentioned: bool) {
    let activity = fixture(name);
    assert_eq!(activity.text_without_bot(), text);
    assert_eq!(activity.mentions_bot(), mentioned);
}

#[rstest]
#[case("<at>Cargo Desk</at>", "")]
#[case("please <at>Cargo Desk</at> look", "please look")]
#[case("look <at>Cargo Desk</at>", "look")]
#[case("<at>Cargo Desk</at> and <at>Cargo Desk</at>", "and")]
fn the_mention_of_the_bot_may_stand_anywhere(#[case] text: &str, #[case] expected: &str) {
    let mut activity = fixture("message-group-chat-mention");
    activity.text = Some(text.to_owned());
    assert_eq!(activity.text_without_bot(), expected);
}

#[rstest]
#[case("message-personal", Scope::Personal)]
#[case("message-group-chat-mention", Scope::GroupChat)]
#[case("message-meeting-chat", Scope::GroupChat)]
#[case("message-channel-reply", Scope::Channel)]
fn the_scope_is_known(#[case] name: &str, #[case] scope: Scope) {
    assert_eq!(fixture(name).scope(), Some(scope));
    assert_eq!(fixture(name).is_personal(), scope == Scope::Personal);
}

#[test]
fn a_thread_is_a_conversation_whose_channel_is_known() {
    let activity = fixture("message-channel-reply");
    let conversation = activity.conversation.as_ref().unwrap();
    let channel = activity.channel_data.as_ref().unwrap().channel.as_ref().unwrap();
    assert!(activity.conversation_id().unwrap().contains(";messageid="));
    assert_eq!(conversation.without_thread(), channel.id.as_deref());
}

#[test]
fn event_types_are_compared_without_case() {
    assert!(fixture("conversation-update-team-archived-lower-case").is_event("teamArchived"));
    assert!(!fixture("conversation-update-team-renamed").is_event("teamArchived"));
}

#[test]
fn the_bot_is_told_from_people_among_members() {
    let first = fixture("conversation-update-first-chat");
    assert!(first.adds_bot());
    assert_eq!(first.people_added().count(), 1);
    assert!(fixture("conversation-update-team-bot-removed").removes_bot());
    assert!(!fixture("conversation-update-team-member-added").adds_bot());
}

#[test]
fn meetings_are_read_whatever_case_their_members_have() {
    let Some(TeamsEvent::MeetingStarted(start)) = fixture("event-meeting-start").teams_event() else {
        panic!("a meeting starts")
    };
    let Some(TeamsEvent::MeetingEnded(end)) = fixture("event-meeting-end-other-case").teams_event() else {
        panic!("a meeting ends")
    };
    assert_eq!(
        (&start.id, &start.title, &start.join_url),
        (&end.id, &end.title, &end.join_url)
    );
    assert!(start.id.is_some() && start.start_time.is_some() && end.end_time.is_some());
}

#[test]
fn participants_come_and_go() {
    let Some(TeamsEvent::ParticipantsJoined(joined)) = fixture("event-participants-join").teams_event() else {
        panic!("somebody joins")
    };
    let Some(TeamsEvent::ParticipantsLeft(left)) = fixture("event-participants-leave-other-case").teams_event() else {
        panic!("somebody leaves")
    };
    let told = |all: &[MeetingParticipant]| (all.len(), all[0].in_meeting, all[0].user.id.is_some());
    assert_eq!(told(&joined), (1, Some(true), true));
    assert_eq!(joined[0].role.as_deref(), Some("Attendee"));
    assert_eq!(told(&left), (1, Some(false), true));
}

#[test]
fn read_receipts_and_other_events_are_told_apart() {
    let receipt = fixture("event-read-receipt").teams_event();
    assert!(
        matches!(receipt, Some(TeamsEvent::ReadReceipt { last_read_message_id }) if last_read_message_id.len() == 13)
    );
    assert_eq!(fixture("message-personal").teams_event(), None);
    let mut other = fixture("event-read-receipt");
    other.name = Some("application/vnd.lusitania.docked".to_owned());
    assert_eq!(other.teams_event(), None);
}

#[test]
fn files_pictures_and_quotes_are_typed() {
    let file = fixture("message-personal-file").attachments[0].file().unwrap();
    assert_eq!(file.file_type.as_deref(), Some("csv"));
    assert!(fixture("message-personal-picture").attachments[0].is_image());
    assert!(fixture("message-channel-root").attachments[0].is(attachment::HTML));
    let quote = fixture("message-personal-quoting-another");
    assert!(matches!(&quote.entities[0], Entity::QuotedReply(quote) if quote.quoted_reply.is_some()));
}

#[test]
fn a_card_action_is_read_from_its_invoke() {
    let request = CardActionRequest::read(&fixture("invoke-card-action")).unwrap();
    assert_eq!(request.verb(), "releaseContainer");
    assert_eq!(request.data().unwrap()["container"], 14);
    assert!(
        CardActionRequest::read(&fixture("invoke-card-action-refresh"))
            .unwrap()
            .is_refresh()
    );
}

#[test]
fn values_inside_a_text_are_objects_too() {
    assert_eq!(
        fixture("message-card-message-back").value_object().unwrap()["hold"],
        true
    );
}

#[rstest]
#[case("2026-05-04T09:20:11.89Z", Some("2026-05-04T09:20:11.89Z"))]
#[case("2026-05-04T09:20:11.3042871Z", Some("2026-05-04T09:20:11.3042871Z"))]
#[case("2026-05-04T09:20:11Z", Some("2026-05-04T09:20:11Z"))]
#[case("2026-05-04T10:20:11+01:00", Some("2026-05-04T09:20:11Z"))]
#[case("yesterday", None)]
fn times_have_any_number_of_digits(#[case] text: &str, #[case] expected: Option<&str>) {
    let activity = Activity {
        timestamp: Some(text.to_owned()),
        ..Activity::default()
    };
    assert_eq!(activity.sent_at(), expected.map(|text| text.parse().unwrap()));
}

#[test]
fn members_of_unexpected_shape_are_absent_but_not_lost() {
    let odd = fixture("odd-shapes");
    assert_eq!(
        (&odd.id, &odd.timestamp, &odd.from, &odd.text),
        (&None, &None, &None, &None)
    );
    assert!(odd.attachments.is_empty() && odd.entities.is_empty() && odd.members_added.is_empty());
    assert_eq!(odd.time_zone(), Some("America/Los_Angeles"));
    assert_eq!(odd.extra.get("id"), Some(&Value::from(1_777_886_499)));
    assert_eq!(odd.extra.get("timestamp"), Some(&Value::Null));
}

#[test]
fn a_field_that_is_set_wins_over_what_was_kept() {
    let mut odd = fixture("odd-shapes");
    odd.id = Some("1".to_owned());
    odd.entities.push(Entity::Other(Value::from("mine")));
    let written = serde_json::to_value(&odd).unwrap();
    assert_eq!(
        (&written["id"], &written["entities"]),
        (&Value::from("1"), &serde_json::json!(["mine"]))
    );
}

#[test]
fn a_new_activity_writes_nothing_that_it_has_not() {
    assert_eq!(serde_json::to_string(&Activity::default()).unwrap(), "{}");
}

/// Names that are known somewhere, so that values of any shape land in typed places.
const NAMES: &str = "type|id|name|from|conversation|channelData|entities|attachments|text|value|tenant|team|settings|\
    selectedChannel|mentioned|membersAdded|suggestedActions|actions|to|content|contentType|isGroup|citation|appearance|\
    usageInfo|streamSequence|feedbackLoop|onBehalfOf|quotedReply|extra|[a-z]{1,2}";

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        "mention|streaminfo|streamInfo|clientInfo|https://schema.org/Message|ProductInfo|quotedReply"
            .prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(NAMES, inner, 0..4)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_object_comes_back_unchanged(members in prop::collection::hash_map(NAMES, any_json(), 0..8)) {
        let body = Value::from(members.into_iter().collect::<Map<_, _>>()).to_string();
        comes_back_unchanged(body.as_bytes())?;
    }

    #[test]
    fn a_member_that_stands_twice_counts_as_the_last(first in any_json(), second in any_json(), name in NAMES) {
        let body = format!("{{\"{name}\":{first},\"{name}\":{second}}}");
        comes_back_unchanged(body.as_bytes())?;
    }
}
