//! The body that creates a conversation.
//!
//! Source: Teams "Send proactive messages"; recorded behaviour of the Connector: a chat needs exactly one member and a
//! tenant, a thread needs a channel and a first message, group chats cannot be created.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

/// A conversation to be created.
#[derive(Clone, Debug)]
pub struct NewConversation {
    body: Bytes,
    has_activity: bool,
}

/// Why a conversation cannot be created.
#[derive(Debug, thiserror::Error)]
#[error("the first message is not JSON")]
pub struct NotJson(#[source] serde_json::Error);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    is_group: bool,
    tenant_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<[ById<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activity: Option<&'a RawValue>,
    channel_data: ChannelData<'a>,
}

#[derive(Serialize)]
struct ChannelData<'a> {
    tenant: ById<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<ById<'a>>,
}

#[derive(Serialize)]
struct ById<'a> {
    id: &'a str,
}

impl NewConversation {
    /// The chat of the bot with a person (`29:..`), with a first message or without. The same person gives the same chat.
    ///
    /// # Errors
    /// The message is not JSON.
    pub fn personal(tenant: &str, person: &str, activity: Option<&[u8]>) -> Result<Self, NotJson> {
        Self::new(&Body {
            is_group: false,
            tenant_id: tenant,
            members: Some([ById { id: person }]),
            activity: activity.map(serde_json::from_slice).transpose().map_err(NotJson)?,
            channel_data: ChannelData {
                tenant: ById { id: tenant },
                channel: None,
            },
        })
    }

    /// A thread in a channel, which begins with this message.
    ///
    /// # Errors
    /// The message is not JSON.
    pub fn thread(tenant: &str, channel: &str, activity: &[u8]) -> Result<Self, NotJson> {
        Self::new(&Body {
            is_group: true,
            tenant_id: tenant,
            members: None,
            activity: Some(serde_json::from_slice(activity).map_err(NotJson)?),
            channel_data: ChannelData {
                tenant: ById { id: tenant },
                channel: Some(ById { id: channel }),
            },
        })
    }

    fn new(body: &Body<'_>) -> Result<Self, NotJson> {
        let has_activity = body.activity.is_some();
        Ok(Self {
            body: serde_json::to_vec(body).map_err(NotJson)?.into(),
            has_activity,
        })
    }

    /// Whether it begins with a message, so that creating it twice shows that twice.
    pub fn has_activity(&self) -> bool {
        self.has_activity
    }

    /// The body of the call.
    pub fn to_json(&self) -> Bytes {
        self.body.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    fn body(conversation: &NewConversation) -> Value {
        serde_json::from_slice(&conversation.to_json()).unwrap()
    }

    #[test]
    fn a_chat_names_its_one_member_and_the_tenant() {
        let chat = NewConversation::personal("t1", "29:ines", None).unwrap();
        let expected = json!({
            "isGroup": false,
            "tenantId": "t1",
            "members": [{ "id": "29:ines" }],
            "channelData": { "tenant": { "id": "t1" } },
        });
        assert_eq!(body(&chat), expected);
        assert!(!chat.has_activity());
    }

    #[test]
    fn a_thread_begins_with_its_message_byte_for_byte() {
        let thread =
            NewConversation::thread("t1", "19:c@thread.tacv2", br#"{"type":"message", "value":1.10}"#).unwrap();
        let text = String::from_utf8(thread.to_json().to_vec()).unwrap();
        assert!(
            text.contains(r#""activity":{"type":"message", "value":1.10}"#),
            "{text}"
        );
        assert_eq!(
            body(&thread)["channelData"]["channel"],
            json!({ "id": "19:c@thread.tacv2" })
        );
        assert!(thread.has_activity());
    }

    #[test]
    fn a_message_that_is_not_json_is_refused() {
        assert!(NewConversation::thread("t1", "19:c", b"{").is_err());
    }
}
