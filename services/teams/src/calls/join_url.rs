//! The address that people click to join a meeting, and what of it a bot needs to join.
//!
//! `https://teams.microsoft.com/l/meetup-join/{thread}/{message}?context={"Tid":..,"Oid":..,"MessageId":..}`, percent-encoded.
//! That these parts are the meeting's chat and organizer is read in Microsoft's samples (microsoft-graph-comms-samples,
//! `JoinInfo.cs`). Newer meetings have short addresses (`/meet/{id}?p=..`, message center MC772556): these tell neither chat nor
//! organizer, and their `p` is not the pass code; a bot joins by the meeting id and pass code of the invitation instead.

use std::borrow::Cow;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::id::normal_id;
use super::meeting::{ChatInfo, MeetingInfo};

/// Hosts of Teams' meetings, and domains below which others lie.
const HOSTS: [&str; 3] = ["teams.microsoft.com", "teams.cloud.microsoft", "teams.microsoft.us"];

/// Host of the meetings of personal accounts, where no bot can call.
const PERSONAL: &str = "teams.live.com";

/// A meeting by the address that people click.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinUrl {
    /// The meeting's chat.
    pub chat: ChatInfo,
    /// The meeting by its organizer.
    pub meeting: MeetingInfo,
    /// Entra tenant of the organizer: that of the call.
    pub tenant: String,
}

/// Why an address leads to no meeting that a bot can join by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinUrlError {
    /// No address of the web.
    #[error("this is no address that begins with https://")]
    NotHttps,
    /// Another site: the address may be wrapped by a mail filter.
    #[error("{host} is no host of teams meetings; copy the address from teams, mail filters change it")]
    OtherHost {
        /// The host.
        host: String,
    },
    /// A meeting of personal accounts.
    #[error("this is a meeting of a personal account: bots join meetings of organizations only")]
    Personal,
    /// A short address, which holds neither chat nor organizer.
    #[error(
        "a short address does not tell enough: join meeting {meeting_id} by its id and the pass code of the invitation"
    )]
    Short {
        /// The meeting's id, for [`MeetingInfo::of_meeting_id`].
        meeting_id: String,
    },
    /// An address of Teams that is none of a meeting.
    #[error("this address of teams does not lead to a meeting (/l/meetup-join/..)")]
    NoMeeting,
    /// No thread (`19:..`) or no message.
    #[error("the address holds no chat of a meeting")]
    NoChat,
    /// No tenant or no organizer in `context`.
    #[error("the address does not tell tenant and organizer in its context")]
    NoOrganizer,
}

#[derive(Deserialize)]
struct Context {
    #[serde(rename = "Tid")]
    tenant: String,
    #[serde(rename = "Oid")]
    organizer: String,
    #[serde(rename = "MessageId")]
    message: Option<String>,
}

impl FromStr for JoinUrl {
    type Err = JoinUrlError;

    /// Reads an address as it stands in invitations, with or without angle brackets around it.
    fn from_str(text: &str) -> Result<Self, JoinUrlError> {
        let text = text.trim().trim_start_matches('<').trim_end_matches('>');
        let (host, path, query) = parts(text)?;
        check_host(host)?;
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let (thread, message) = match segments.as_slice() {
            [l, join, thread, message] if is(l, "l") && is(join, "meetup-join") => (decoded(thread), decoded(message)),
            [l, join, ..] if is(l, "l") && is(join, "meetup-join") => return Err(JoinUrlError::NoChat),
            [meet, id, ..] if is(meet, "meet") => return Err(short(id)),
            _ => return Err(JoinUrlError::NoMeeting),
        };
        let (Some(thread), Some(message)) = (thread, message) else {
            return Err(JoinUrlError::NoChat);
        };
        let is_message = message.bytes().all(|byte| byte.is_ascii_digit());
        if !thread.starts_with("19:") || !is_message {
            return Err(JoinUrlError::NoChat);
        }
        let context = context(query).ok_or(JoinUrlError::NoOrganizer)?;
        let (Some(tenant), Some(organizer)) = (normal_id(&context.tenant), normal_id(&context.organizer)) else {
            return Err(JoinUrlError::NoOrganizer);
        };
        Ok(Self {
            chat: ChatInfo {
                thread_id: Some(thread.into_owned()),
                message_id: Some(message.into_owned()),
                reply_chain_message_id: context.message.filter(|message| !message.is_empty()),
                ..ChatInfo::default()
            },
            meeting: MeetingInfo::of_organizer(organizer, tenant.clone()),
            tenant,
        })
    }
}

/// Host, path and query of an address.
fn parts(text: &str) -> Result<(&str, &str, &str), JoinUrlError> {
    let scheme = text.get(..8).filter(|scheme| is(scheme, "https://"));
    let rest = scheme.map(|_| &text[8..]).ok_or(JoinUrlError::NotHttps)?;
    let rest = rest.split('#').next().unwrap_or_default();
    let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = address.split_once('/').unwrap_or((address, ""));
    Ok((host.strip_suffix(":443").unwrap_or(host), path, query))
}

fn check_host(host: &str) -> Result<(), JoinUrlError> {
    let lower = host.to_ascii_lowercase();
    let is_below = |domain: &str| lower.strip_suffix(domain).is_some_and(|labels| labels.ends_with('.'));
    let has_user = lower.contains('@');
    if !has_user && HOSTS.iter().any(|known| lower == *known || is_below(known)) {
        Ok(())
    } else if lower == PERSONAL {
        Err(JoinUrlError::Personal)
    } else {
        Err(JoinUrlError::OtherHost { host: host.to_owned() })
    }
}

fn short(id: &str) -> JoinUrlError {
    if id.bytes().all(|byte| byte.is_ascii_digit()) {
        JoinUrlError::Short {
            meeting_id: id.to_owned(),
        }
    } else {
        JoinUrlError::NoMeeting
    }
}

fn context(query: &str) -> Option<Context> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("context="))?;
    serde_json::from_str(&decoded(value)?).ok()
}

/// Percent-decoded; `None` if that is no text.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(text).decode_utf8().ok()
}

fn is(text: &str, expected: &str) -> bool {
    text.eq_ignore_ascii_case(expected)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const TENANT: &str = "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f";
    const ORGANIZER: &str = "dcef2282-e79c-455b-b99a-7d97fc53772d";
    const THREAD: &str = "19:meeting_NGFmM2Q5MzItMTNlOC00ZjAwLTkxNzUtNTcwZGU5MDRjZmU4@thread.v2";

    fn address(host: &str, thread: &str, message: &str, context: &str) -> String {
        let [thread, context] = [thread, context].map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string());
        format!("https://{host}/l/meetup-join/{thread}/{message}?context={context}")
    }

    fn usual_context() -> String {
        format!(r#"{{"Tid":"{TENANT}","Oid":"{ORGANIZER}"}}"#)
    }

    fn organizer(url: &JoinUrl) -> (String, String) {
        let organizer = url.meeting.organizer.clone().unwrap().user.unwrap();
        (organizer.id.unwrap(), organizer.tenant_id.unwrap())
    }

    #[rstest]
    #[case("teams.microsoft.com")]
    #[case("TEAMS.microsoft.com:443")]
    #[case("teams.cloud.microsoft")]
    #[case("gov.teams.microsoft.us")]
    fn the_address_of_a_scheduled_meeting_tells_chat_and_organizer(#[case] host: &str) {
        let url: JoinUrl = address(host, THREAD, "0", &usual_context()).parse().unwrap();
        assert_eq!(url.chat.thread_id.as_deref(), Some(THREAD));
        assert_eq!(url.chat.message_id.as_deref(), Some("0"));
        assert_eq!(url.chat.reply_chain_message_id, None);
        assert_eq!(organizer(&url), (ORGANIZER.to_owned(), TENANT.to_owned()));
        assert_eq!(url.tenant, TENANT);
    }

    #[test]
    fn the_meeting_of_a_channel_tells_the_message_that_it_hangs_on() {
        let context = format!(r#"{{"Tid":"{TENANT}","Oid":"{ORGANIZER}","MessageId":"1777886914281"}}"#);
        let text = address("teams.microsoft.com", "19:abc@thread.tacv2", "1777886914000", &context);
        let url: JoinUrl = format!(" <{text}&anon=true#x> ").parse().unwrap();
        assert_eq!(url.chat.message_id.as_deref(), Some("1777886914000"));
        assert_eq!(url.chat.reply_chain_message_id.as_deref(), Some("1777886914281"));
    }

    #[rstest]
    #[case("", JoinUrlError::NotHttps)]
    #[case("http://teams.microsoft.com/l/meetup-join/x/0", JoinUrlError::NotHttps)]
    #[case("https://nam06.safelinks.protection.outlook.com/?url=https", JoinUrlError::OtherHost {
        host: "nam06.safelinks.protection.outlook.com".to_owned(),
    })]
    #[case("https://teams.microsoft.com.evil.example/l/meetup-join/19%3ax/0", JoinUrlError::OtherHost {
        host: "teams.microsoft.com.evil.example".to_owned(),
    })]
    #[case("https://evil@teams.microsoft.com/l/meetup-join/19%3ax/0", JoinUrlError::OtherHost {
        host: "evil@teams.microsoft.com".to_owned(),
    })]
    #[case("https://evilteams.microsoft.com/l/meetup-join/19%3ax/0", JoinUrlError::OtherHost {
        host: "evilteams.microsoft.com".to_owned(),
    })]
    #[case("https://teams.live.com/meet/9312345678901?p=x", JoinUrlError::Personal)]
    #[case("https://teams.microsoft.com/meet/21234567890123?p=AbCd", JoinUrlError::Short {
        meeting_id: "21234567890123".to_owned(),
    })]
    #[case("https://teams.microsoft.com/meet/", JoinUrlError::NoMeeting)]
    #[case("https://teams.microsoft.com/l/chat/19%3ax/0", JoinUrlError::NoMeeting)]
    #[case("https://teams.microsoft.com", JoinUrlError::NoMeeting)]
    #[case("https://teams.microsoft.com/l/meetup-join/19%3ax", JoinUrlError::NoChat)]
    #[case(
        "https://teams.microsoft.com/l/meetup-join/28%3ax/0?context=%7b%7d",
        JoinUrlError::NoChat
    )]
    #[case(
        "https://teams.microsoft.com/l/meetup-join/19%3ax/zero?context=%7b%7d",
        JoinUrlError::NoChat
    )]
    #[case(
        "https://teams.microsoft.com/l/meetup-join/19%3a%ff/0?context=%7b%7d",
        JoinUrlError::NoChat
    )]
    #[case("https://teams.microsoft.com/l/meetup-join/19%3ax/0", JoinUrlError::NoOrganizer)]
    #[case(
        "https://teams.microsoft.com/l/meetup-join/19%3ax/0?context=%7b%7d",
        JoinUrlError::NoOrganizer
    )]
    #[case(
        "https://teams.microsoft.com/l/meetup-join/19%3ax/0?context=%7b%22Tid%22%3a%22a%22%2c%22Oid%22%3a%22b%22%7d",
        JoinUrlError::NoOrganizer
    )]
    fn what_is_no_address_of_a_meeting_is_refused_by_name(#[case] text: &str, #[case] expected: JoinUrlError) {
        assert_eq!(text.parse::<JoinUrl>(), Err(expected));
    }

    proptest! {
        #[test]
        fn whatever_thread_and_message_an_address_holds_are_read(thread in "19:[a-zA-Z0-9_.@/+é-]{1,80}", message in "[0-9]{1,13}") {
            let url: JoinUrl = address("teams.microsoft.com", &thread, &message, &usual_context()).parse().unwrap();
            prop_assert_eq!(url.chat.thread_id, Some(thread));
            prop_assert_eq!(url.chat.message_id, Some(message));
        }

        #[test]
        fn whatever_text_comes_is_read_or_refused(text in "(https://teams.microsoft.com/l/meetup-join/)?\\PC*") {
            let _ = text.parse::<JoinUrl>();
        }
    }
}
