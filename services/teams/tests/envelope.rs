//! What an ingress reads of a body, and what it refuses.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use trunkline_teams::activity::Activity;
use trunkline_teams::envelope::{DEFAULT_DEPTH, Envelope, EnvelopeError, Kind, MAX_DEPTH, MAX_TEXT_BYTES};

fn read(body: &str) -> Result<Envelope<'_>, EnvelopeError> {
    Envelope::parse(body.as_bytes(), DEFAULT_DEPTH)
}

fn refusal(body: &str) -> &'static str {
    read(body).expect_err("the body must be refused").name()
}

fn activity(activity_type: &str, members: &Value) -> String {
    let mut body = json!({
        "type": activity_type,
        "id": "1801",
        "timestamp": "2026-05-04T09:30:00.1234567Z",
        "conversation": { "id": "19:chat@thread.v2" },
    });
    body.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    body.to_string()
}

fn key(body: &str) -> Option<u64> {
    read(body).unwrap().repeat_key(body.as_bytes())
}

#[test]
fn all_parts_are_read_and_borrowed() {
    let body = r#"{"channelData":{"eventType":"editMessage","tenant":{"id":"t2"}},"type":"messageUpdate","id":"1","name":"n",
        "timestamp":"2026-05-04T09:30:00Z","channelId":"msteams","serviceUrl":"https://smba.example/","replyToId":"0",
        "from":{"name":"Ines","id":"29:ines"},"recipient":{"id":"28:bot"},"conversation":{"id":"a:1","tenantId":"t1"},
        "value":[1,-2.5,true,null,{"type":"x"}]}"#;
    let envelope = read(body).unwrap();
    let texts = [
        (Some(&envelope.activity_type), "messageUpdate"),
        (Some(&envelope.conversation_id), "a:1"),
        (envelope.id.as_ref(), "1"),
        (envelope.name.as_ref(), "n"),
        (envelope.timestamp.as_ref(), "2026-05-04T09:30:00Z"),
        (envelope.channel_id.as_ref(), "msteams"),
        (envelope.service_url.as_ref(), "https://smba.example/"),
        (envelope.from_id.as_ref(), "29:ines"),
        (envelope.recipient_id.as_ref(), "28:bot"),
        (envelope.tenant_id.as_ref(), "t1"),
        (envelope.event_type.as_ref(), "editMessage"),
        (envelope.reply_to_id.as_ref(), "0"),
    ];
    for (read, expected) in texts {
        let read = read.unwrap_or_else(|| panic!("{expected} is missing"));
        assert_eq!(read, expected);
        assert!(matches!(read, std::borrow::Cow::Borrowed(_)), "{expected} was copied");
    }
}

#[test]
fn the_tenant_is_taken_from_channel_data_where_the_conversation_has_none() {
    let body = activity("message", &json!({ "channelData": { "tenant": { "id": "t2" } } }));
    assert_eq!(read(&body).unwrap().tenant_id.as_deref(), Some("t2"));
}

#[test]
fn escapes_in_names_and_values_are_understood() {
    let body = r#"{"\u0074ype":"mess\u0061ge","conversation":{"i\u0064":"a:\u0031"}}"#;
    let envelope = read(body).unwrap();
    assert_eq!(
        (envelope.activity_type.as_ref(), envelope.conversation_id.as_ref()),
        ("message", "a:1")
    );
}

#[rstest]
#[case::empty("", "unreadable_json")]
#[case::cut(r#"{"type":"message","conversation":{"id":"a"}"#, "unreadable_json")]
#[case::two_values(r#"{"type":"message","conversation":{"id":"a"}}{}"#, "unreadable_json")]
#[case::number_out_of_range(r#"{"type":"message","conversation":{"id":"a"},"value":1e999}"#, "unreadable_json")]
#[case::array("[]", "not_an_object")]
#[case::text(r#""message""#, "not_an_object")]
#[case::null("null", "not_an_object")]
#[case::no_type(r#"{"conversation":{"id":"a"}}"#, "no_type")]
#[case::empty_type(r#"{"type":"","conversation":{"id":"a"}}"#, "no_type")]
#[case::type_is_a_number(r#"{"type":1,"conversation":{"id":"a"}}"#, "no_type")]
#[case::no_conversation(r#"{"type":"message"}"#, "no_conversation")]
#[case::conversation_is_a_text(r#"{"type":"message","conversation":"a"}"#, "no_conversation")]
#[case::conversation_without_id(r#"{"type":"message","conversation":{"id":null}}"#, "no_conversation")]
#[case::second_conversation_counts(
    r#"{"type":"message","conversation":{"id":"a"},"conversation":[]}"#,
    "no_conversation"
)]
fn a_body_that_is_no_activity_is_refused_by_name(#[case] body: &str, #[case] name: &str) {
    assert_eq!(refusal(body), name);
}

#[test]
fn names_that_the_json_reader_takes_for_its_own_are_refused() {
    for place in [
        "{}",
        r#"{"value":{}}"#,
        r#"{"value":[{"a":{}}]}"#,
        r#"{"conversation":{}}"#,
    ] {
        let hidden = place.replacen("{}", r#"{"$serde_json::private::RawValue":"[]"}"#, 1);
        assert_eq!(refusal(&hidden), "unreadable_json", "{hidden}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_refused_wherever_they_stand() {
    for place in [
        &b"{\"type\":\"message\",\"conversation\":{\"id\":\"a\"},\"text\":\"\xff\"}"[..],
        b"{\"\xff\":1}",
    ] {
        assert_eq!(Envelope::parse(place, DEFAULT_DEPTH).unwrap_err().name(), "not_utf8");
    }
}

#[test]
fn an_endless_id_is_refused_with_its_length() {
    let long = "x".repeat(MAX_TEXT_BYTES + 1);
    for members in [
        json!({ "id": long }),
        json!({ "conversation": { "id": long } }),
        json!({ "from": { "id": long } }),
        json!({ "channelData": { "tenant": { "id": long } } }),
    ] {
        let body = activity("message", &members);
        assert!(
            matches!(read(&body), Err(EnvelopeError::TooLong { length: 1025, .. })),
            "{body}"
        );
    }
}

fn nested(levels: usize) -> String {
    let value = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    format!(r#"{{"type":"message","conversation":{{"id":"a"}},"value":{value}}}"#)
}

#[test]
fn nesting_is_bounded_to_the_level() {
    for limit in [2, 5, DEFAULT_DEPTH, MAX_DEPTH] {
        // The body itself is the first level.
        assert!(
            Envelope::parse(nested(limit - 1).as_bytes(), limit).is_ok(),
            "{limit} levels are allowed"
        );
        let deep = nested(limit);
        assert!(
            matches!(
                Envelope::parse(deep.as_bytes(), limit),
                Err(EnvelopeError::TooDeep { .. })
            ),
            "{limit}"
        );
    }
    assert_eq!(refusal(&nested(500_000)), "too_deep");
    let objects = format!("{}1", r#"{"a":"#.repeat(500_000));
    assert_eq!(refusal(&objects), "too_deep");
}

#[test]
fn what_the_deepest_limit_lets_through_is_readable_as_an_activity() {
    let body = nested(MAX_DEPTH - 1);
    assert!(Envelope::parse(body.as_bytes(), usize::MAX).is_ok());
    assert!(Activity::parse(body.as_bytes()).is_ok());
}

#[rstest]
#[case("message", Kind::Message)]
#[case("invoke", Kind::Invoke)]
#[case("event", Kind::Event)]
#[case("conversationUpdate", Kind::Event)]
#[case("installationUpdate", Kind::Event)]
#[case("messageUpdate", Kind::Event)]
#[case("messageDelete", Kind::Event)]
#[case("messageReaction", Kind::Event)]
#[case("typing", Kind::Transient)]
#[case("endOfConversation", Kind::Transient)]
#[case("trace", Kind::Transient)]
#[case("somethingNew", Kind::Event)]
#[case("Message", Kind::Event)]
fn each_type_has_its_kind(#[case] activity_type: &str, #[case] kind: Kind) {
    assert_eq!(Kind::of(activity_type), kind);
}

#[test]
fn a_repeat_has_the_same_key_whatever_else_changed() {
    let first = activity("message", &json!({ "text": "hi" }));
    let again = activity("message", &json!({ "timestamp": "2026-05-04T09:30:15Z", "text": "hi" }));
    assert_eq!(key(&first), key(&again));
    assert!(key(&first).is_some());
}

#[test]
fn two_edits_of_one_message_are_two_and_a_repeated_edit_is_one() {
    for activity_type in ["messageUpdate", "messageDelete", "messageReaction"] {
        let first = activity(activity_type, &json!({ "channelData": { "eventType": "editMessage" } }));
        let repeat = activity(
            activity_type,
            &json!({ "channelData": { "eventType": "editMessage" }, "text": "x" }),
        );
        let later = activity(
            activity_type,
            &json!({ "timestamp": "2026-05-04T09:31:00Z", "channelData": { "eventType": "editMessage" } }),
        );
        let other = activity(
            activity_type,
            &json!({ "channelData": { "eventType": "undeleteMessage" } }),
        );
        assert_eq!(key(&first), key(&repeat), "{activity_type}");
        assert_ne!(key(&first), key(&later), "{activity_type}");
        assert_ne!(key(&first), key(&other), "{activity_type}");
    }
}

#[test]
fn an_edit_is_no_repeat_of_the_message_that_it_edits() {
    assert_ne!(
        key(&activity("message", &json!({}))),
        key(&activity("messageUpdate", &json!({})))
    );
}

#[test]
fn name_id_and_conversation_tell_activities_apart() {
    let mut keys = vec![
        key(&activity("invoke", &json!({}))),
        key(&activity("invoke", &json!({ "name": "task/fetch" }))),
        key(&activity("invoke", &json!({ "name": "task/submit" }))),
        key(&activity("invoke", &json!({ "id": "1802" }))),
        key(&activity(
            "invoke",
            &json!({ "conversation": { "id": "19:other@thread.v2" } }),
        )),
    ];
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 5);
}

#[test]
fn without_an_id_the_body_decides() {
    let body = |text: &str| activity("message", &json!({ "id": null, "text": text }));
    assert_eq!(key(&body("a")), key(&body("a")));
    assert_ne!(key(&body("a")), key(&body("b")));
}

#[test]
fn typing_is_never_remembered() {
    assert_eq!(key(&activity("typing", &json!({}))), None);
}

/// Keys lie in stored records: a change of the rule makes every repeat across an upgrade run twice.
#[test]
fn keys_stay_the_same_across_versions() {
    assert_eq!(key(&activity("message", &json!({}))), Some(16_899_624_292_602_171_377));
    assert_eq!(
        key(&activity("messageUpdate", &json!({}))),
        Some(5_326_449_212_685_344_935)
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z\\\\\"é]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("id|tenantId|tenant|eventType|[a-z]{1,3}", inner, 0..4)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Objects as text, so that members may stand twice.
fn any_body() -> impl Strategy<Value = String> {
    let name = "type|id|conversation|channelData|serviceUrl|from|recipient|name|timestamp|[a-z]{1,3}";
    prop::collection::vec((name, any_json()), 0..12).prop_map(|members| {
        let members = members
            .iter()
            .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    })
}

proptest! {
    #[test]
    fn the_ingress_and_the_bot_read_the_same(body in any_body()) {
        let activity = Activity::parse(body.as_bytes()).unwrap();
        let filled = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        match read(&body) {
            Ok(envelope) => {
                let owned = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
                prop_assert_eq!(Some(envelope.activity_type.as_ref()), activity.kind.as_deref());
                prop_assert_eq!(Some(envelope.conversation_id.as_ref()), activity.conversation_id());
                prop_assert_eq!(owned(&envelope.id), filled(activity.id.as_deref()));
                prop_assert_eq!(owned(&envelope.name), filled(activity.name.as_deref()));
                prop_assert_eq!(owned(&envelope.timestamp), filled(activity.timestamp.as_deref()));
                prop_assert_eq!(owned(&envelope.service_url), filled(activity.service_url.as_deref()));
                prop_assert_eq!(owned(&envelope.tenant_id), filled(activity.tenant_id()));
                let from = activity.from.as_ref().and_then(|from| from.id.as_deref());
                prop_assert_eq!(owned(&envelope.from_id), filled(from));
            }
            Err(EnvelopeError::NoType) => prop_assert!(filled(activity.kind.as_deref()).is_none()),
            Err(EnvelopeError::NoConversation) => prop_assert!(filled(activity.conversation_id()).is_none()),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Envelope::parse(&body, DEFAULT_DEPTH);
        let _ = Activity::parse(&body);
    }
}
