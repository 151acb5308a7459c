//! What routing needs of a body of the webhook of calls: its notifications byte for byte, and the call of each.
//!
//! Everything else is read by the worker. Nothing here is refused for being unknown: the types are open.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::value::RawValue;

/// Longest name of a call.
const LONGEST_KEY: usize = 64;
/// Shortest name that we give to a call ourselves.
const SHORTEST_OWN_KEY: usize = 26;

/// What a notification tells, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum NotificationKind {
    /// Somebody calls.
    Incoming,
    /// The state of a call, a tone, its end.
    Call,
    Participants,
    Operation,
    /// A recorded person wants to join a call: the HTTP answer decides.
    Joining,
    /// Anything else.
    Other,
}

impl NotificationKind {
    /// Every kind, in the order of their numbers.
    pub(crate) const ALL: [Self; 6] = [
        Self::Incoming,
        Self::Call,
        Self::Participants,
        Self::Operation,
        Self::Joining,
        Self::Other,
    ];

    /// Value of the label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Call => "call",
            Self::Participants => "participants",
            Self::Operation => "operation",
            Self::Joining => "joining",
            Self::Other => "other",
        }
    }
}

/// One notification.
#[derive(Debug)]
pub(super) struct Notification {
    pub(super) kind: NotificationKind,
    /// Graph's id of the call, if the notification says it.
    pub(super) call: Option<String>,
    /// Entra tenant, if the notification says it.
    pub(super) tenant: Option<String>,
    /// The element of `value`, byte for byte.
    pub(super) body: Bytes,
}

/// What a body is.
#[derive(Debug)]
pub(super) enum Batch {
    Notifications(Vec<Notification>),
    /// An incoming call in the older format of Skype.
    Legacy,
    /// Neither.
    Nothing,
}

/// The members of an object, none of them read: a roster may have a megabyte. Of anything else there are none.
#[derive(Default)]
struct Members<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Members<'a> {
    fn of(json: &'a [u8]) -> Self {
        Self(serde_json::from_slice(json).unwrap_or_default())
    }

    fn raw(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|value| value.get())
    }

    /// A member that is a text.
    fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.raw(name)?).ok()
    }

    /// A member that is an object.
    fn object(&self, name: &str) -> Option<Self> {
        let raw = self.raw(name).filter(|raw| raw.starts_with('{'))?;
        Some(Self::of(raw.as_bytes()))
    }
}

/// Reads a body that is an object of JSON.
pub(super) fn read(body: &Bytes) -> Batch {
    let members = Members::of(body);
    let elements = members
        .raw("value")
        .and_then(|value| serde_json::from_str::<Vec<&RawValue>>(value).ok());
    let is_legacy = ["callState", "presentedModalityTypes"]
        .iter()
        .any(|name| members.raw(name).is_some());
    match elements {
        Some(elements) => {
            let elements = elements.into_iter().map(|element| element.get().as_bytes());
            let parts = elements.map(|element| body.slice_ref(element));
            Batch::Notifications(parts.map(Notification::read).collect())
        }
        None if is_legacy => Batch::Legacy,
        None => Batch::Nothing,
    }
}

impl Notification {
    fn read(body: Bytes) -> Self {
        let whole = Members::of(&body);
        let resource = whole.object("resourceData").unwrap_or_default();
        let paths = [
            whole.text("resourceUrl"),
            whole.text("resource"),
            resource.text("@odata.id"),
        ];
        let path = paths.into_iter().flatten().find_map(|path| path_of(&path));
        let type_name = resource.text("@odata.type").unwrap_or_default().to_ascii_lowercase();
        let type_name = type_name.rsplit('.').next().unwrap_or_default();
        // Of notifications about a participant the call stands inside.
        let inner = resource.object("call");
        let is_call = type_name == "call" || inner.is_some();
        let call = inner.as_ref().unwrap_or(&resource);
        let id = call.text("id").filter(|_| is_call);
        let is_created = whole
            .text("changeType")
            .is_some_and(|change| change.eq_ignore_ascii_case("created"));
        let below = path.as_ref().map(|(_, below)| below.as_str());
        let kind = match (type_name, below) {
            ("participantjoiningnotification", _) => NotificationKind::Joining,
            ("call", _) | ("", Some("")) if is_created => NotificationKind::Incoming,
            ("call", _) | ("", Some("")) => NotificationKind::Call,
            (_, Some("participants")) | ("deltaparticipants", _) => NotificationKind::Participants,
            (_, Some("operations")) => NotificationKind::Operation,
            (name, _) if name.ends_with("operation") => NotificationKind::Operation,
            _ => NotificationKind::Other,
        };
        let of_path = path.and_then(|(call, _)| guid(&call));
        Self {
            kind,
            call: of_path.or_else(|| guid(&id?)),
            tenant: call.text("tenantId"),
            body,
        }
    }
}

/// Call and first segment below it of `/communications/calls/{call}/..` or `/app/calls/{call}/..`, however it is spelt.
fn path_of(path: &str) -> Option<(String, String)> {
    let path = path.split(['?', '#']).next()?;
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let is_root = |pair: &[&str]| {
        let [root, calls] = pair else { return false };
        let is_known = root.eq_ignore_ascii_case("communications") || root.eq_ignore_ascii_case("app");
        is_known && calls.eq_ignore_ascii_case("calls")
    };
    let place = segments.windows(2).position(is_root)?;
    let call = segments.get(place + 2)?;
    let below = segments.get(place + 3).copied().unwrap_or_default();
    Some(((*call).to_owned(), below.to_ascii_lowercase()))
}

/// A GUID, with or without hyphens, as our keys write it: in lower case, with hyphens.
fn guid(text: &str) -> Option<String> {
    let is_hyphenated = text.len() == 36 && [8, 13, 18, 23].iter().all(|place| text.as_bytes()[*place] == b'-');
    let digits: String = text.chars().filter(|symbol| *symbol != '-').collect();
    let is_hex = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !(is_hyphenated || text.len() == 32) {
        return None;
    }
    let lower = digits.to_ascii_lowercase();
    Some([&lower[..8], &lower[8..12], &lower[12..16], &lower[16..20], &lower[20..]].join("-"))
}

/// The key that a path names: Graph's id of an incoming call, or a name that we gave to a call of our own.
pub(super) fn key_of_path(segment: &str) -> Option<String> {
    let is_own = segment.starts_with('o')
        && (SHORTEST_OWN_KEY..=LONGEST_KEY).contains(&segment.len())
        && segment
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if is_own {
        Some(segment.to_owned())
    } else {
        guid(segment)
    }
}

/// Whether a header's value may be sent back and hashed: what looks like a GUID, and nothing of a stranger's making.
pub(super) fn is_id(text: &str) -> bool {
    guid(text).is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    const ID: &str = "57dab8b1-894c-409a-b240-bd8beae78896";

    fn one(body: &str) -> Notification {
        let body = Bytes::from(format!(r#"{{"value":[{body}]}}"#));
        let Batch::Notifications(mut all) = read(&body) else {
            panic!("none")
        };
        all.remove(0)
    }

    #[rstest]
    #[case(r#"{"resourceUrl":"/communications/calls/57DAB8B1894C409AB240BD8BEAE78896"}"#)]
    #[case(r#"{"resourceUrl":"communications/calls/57dab8b1-894c-409a-b240-bd8beae78896/participants?x=1"}"#)]
    #[case(r#"{"resource":"/app/calls/57DAB8B1-894C-409A-B240-BD8BEAE78896"}"#)]
    #[case(r#"{"resourceData":{"@odata.id":"/communications/calls/57dab8b1-894c-409a-b240-bd8beae78896"}}"#)]
    #[case(r##"{"resourceData":{"@odata.type":"#microsoft.graph.call","id":"57DAB8B1-894C-409A-B240-BD8BEAE78896"}}"##)]
    #[case(r#"{"resourceUrl":7,"resourceData":{"call":{"id":"57dab8b1-894c-409a-b240-bd8beae78896"}}}"#)]
    fn the_call_is_found_in_every_spelling(#[case] notification: &str) {
        let read = one(notification);
        assert_eq!(
            (read.call.as_deref(), read.body.as_ref()),
            (Some(ID), notification.as_bytes())
        );
    }

    #[test]
    fn an_operation_without_a_path_has_no_call() {
        let read = one(&format!(
            r##"{{"resourceData":{{"@odata.type":"#microsoft.graph.playPromptOperation","id":"{ID}"}}}}"##
        ));
        assert_eq!((read.call, read.kind), (None, NotificationKind::Operation));
    }

    #[test]
    fn the_older_format_and_nothing_are_told_apart() {
        assert!(matches!(
            read(&Bytes::from_static(br#"{"callState":"incoming"}"#)),
            Batch::Legacy
        ));
        assert!(matches!(read(&Bytes::from_static(br#"{"value":{}}"#)), Batch::Nothing));
        assert!(matches!(read(&Bytes::from_static(b"{}")), Batch::Nothing));
    }

    #[test]
    fn a_path_names_a_call_or_nothing() {
        let own = format!("o{}", "7".repeat(25));
        assert_eq!(key_of_path(&own), Some(own.clone()));
        assert_eq!(key_of_path(&ID.to_uppercase()), Some(ID.to_owned()));
        for none in [
            "",
            "o7",
            "x",
            &format!("p{}", "7".repeat(30)),
            &own.to_uppercase(),
            &"o".repeat(65),
            "..%2f",
        ] {
            assert_eq!(key_of_path(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_left(text in "\\PC*") {
            let _ = (read(&Bytes::from(text.clone())), key_of_path(&text), path_of(&text), is_id(&text));
        }
    }
}
