//! Paths of the Connector, read into calls.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::connector::Call;

/// The parts of a path below the tenant, decoded one by one: ids contain `:`, `@`, `;` and `=`.
pub(super) fn segments(path: &str) -> Option<Vec<String>> {
    let parts = path.trim_start_matches('/').split('/');
    parts
        .map(|part| percent_decode_str(part).decode_utf8().ok().map(Cow::into_owned))
        .collect()
}

/// What the queries of all calls may hold.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Query {
    page_size: Option<usize>,
    continuation: Option<String>,
    /// Whether the message shall be seen by its recipient alone.
    pub(super) is_targeted: bool,
}

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for pair in query.split('&') {
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            if name.eq_ignore_ascii_case("pageSize") {
                parsed.page_size = value.parse().ok();
            } else if name.eq_ignore_ascii_case("continuationToken") {
                parsed.continuation = Some(value);
            } else if name.eq_ignore_ascii_case("isTargetedActivity") {
                parsed.is_targeted = value.eq_ignore_ascii_case("true");
            }
        }
        parsed
    }
}

/// Reads a call; `None` when there is no such path. Names are compared without case, ids exactly.
pub(super) fn call<'a>(method: &str, segments: &'a [String], query: &'a Query, body: &'a [u8]) -> Option<Call<'a>> {
    let names: Vec<&str> = segments.iter().map(String::as_str).collect();
    let [version, area, rest @ ..] = names.as_slice() else {
        return None;
    };
    if !version.eq_ignore_ascii_case("v3") {
        return None;
    }
    let is = |part: &str, name: &str| part.eq_ignore_ascii_case(name);
    if is(area, "teams") {
        return match (method, rest) {
            ("GET", [team]) => Some(Call::Team { team }),
            ("GET", [team, what]) if is(what, "conversations") => Some(Call::TeamChannels { team }),
            _ => None,
        };
    }
    if !is(area, "conversations") {
        return None;
    }
    match (method, rest) {
        ("POST", [] | [""]) => Some(Call::CreateConversation { body }),
        (_, [conversation, what, rest @ ..]) if is(what, "activities") => {
            activity_call(method, conversation, rest, body)
        }
        ("GET", [conversation, what]) if is(what, "members") => Some(Call::Members { conversation }),
        ("GET", [conversation, what]) if is(what, "pagedmembers") => Some(Call::PagedMembers {
            conversation,
            page_size: query.page_size,
            continuation: query.continuation.as_deref(),
        }),
        ("GET", [conversation, what, member]) if is(what, "members") => Some(Call::Member { conversation, member }),
        _ => None,
    }
}

fn activity_call<'a>(method: &str, conversation: &'a str, rest: &[&'a str], body: &'a [u8]) -> Option<Call<'a>> {
    let is = |part: &str, name: &str| part.eq_ignore_ascii_case(name);
    match (method, rest) {
        ("POST", []) => Some(Call::Send {
            conversation,
            reply_to: None,
            body,
        }),
        ("POST", [activity]) => Some(Call::Send {
            conversation,
            reply_to: Some(activity),
            body,
        }),
        ("PUT", [activity]) => Some(Call::Update {
            conversation,
            activity,
            body,
        }),
        ("DELETE", [activity]) => Some(Call::Delete { conversation, activity }),
        ("GET", [activity, what]) if is(what, "members") => Some(Call::ActivityMembers { conversation, activity }),
        ("PUT" | "DELETE", [activity, what, reaction]) if is(what, "reactions") => Some(Call::React {
            conversation,
            activity,
            reaction,
            added: method == "PUT",
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_id_with_reserved_characters_is_one_segment() {
        let segments =
            segments("/v3/conversations/19%3Aab%40thread.tacv2%3Bmessageid%3D1776828100101/activities").unwrap();
        let query = Query::default();
        let call = call("POST", &segments, &query, b"{}").unwrap();
        let Call::Send {
            conversation,
            reply_to: None,
            ..
        } = call
        else {
            panic!("{call:?}")
        };
        assert_eq!(conversation, "19:ab@thread.tacv2;messageid=1776828100101");
    }

    #[test]
    fn paged_members_are_found_in_any_letter_case() {
        let segments = segments("/v3/conversations/a%3A1x/pagedMembers").unwrap();
        let query = Query::parse("pageSize=100&continuationToken=12");
        let call = call("GET", &segments, &query, b"").unwrap();
        assert!(
            matches!(
                call,
                Call::PagedMembers {
                    page_size: Some(100),
                    continuation: Some("12"),
                    ..
                }
            ),
            "{call:?}"
        );
    }

    #[test]
    fn other_paths_and_methods_are_no_calls() {
        for (method, path) in [
            ("GET", "/v3/conversations"),
            ("PATCH", "/v3/conversations/a/activities/1"),
            ("GET", "/v4/teams/x"),
        ] {
            let segments = segments(path).unwrap();
            assert!(
                call(method, &segments, &Query::default(), b"").is_none(),
                "{method} {path}"
            );
        }
    }
}
