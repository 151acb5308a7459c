//! The line of a call whose sound the bot handles itself: where the peer's offer goes, and whether the sound flows.
//!
//! Real Teams speaks a closed protocol there; what the `blob` holds is between Microsoft's library and its cloud. Here it is
//! read as Trunkline writes it: the address of a WHIP endpoint (RFC 9725) and a token.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Calls,
    call::{Call, CallEnd},
    media::MediaMode,
    people::{CallRefusal, Told},
};

/// What lets the peer of a call in. The token is a secret: it is not printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineInvitation {
    /// Where the offer is posted.
    pub whip: String,
    /// The bearer token; media hosts take it once, within 30 s.
    pub token: String,
}

impl fmt::Debug for LineInvitation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LineInvitation")
            .field("whip", &self.whip)
            .field("token", &"...")
            .finish()
    }
}

/// Whether the sound of a call flows that the bot handles itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LineState {
    /// The bot has said where the peer's offer goes.
    Offered,
    /// A peer is connected.
    Connected,
}

impl Calls {
    /// What lets the peer of a call in.
    pub(crate) fn line_invitation(&self, id: &str) -> Told<LineInvitation> {
        let key = self.live(id)?;
        invitation_of(&self.book[&key]).ok_or(CallRefusal::NoLine)
    }

    /// A peer is connected.
    pub(crate) fn line_connected(&mut self, id: &str, now: u64) -> Told<()> {
        let key = self.live(id)?;
        let Some(call) = self.book.get_mut(&key).filter(|call| invitation_of(call).is_some()) else {
            return Err(CallRefusal::NoLine);
        };
        call.media.is_line_connected = true;
        self.note_person(key, "the sound is connected".to_owned(), now);
        Ok(())
    }

    /// The peer lost its connection, or found none: the call is over as when media are lost.
    pub(crate) fn line_lost(&mut self, id: &str, now: u64) -> Told<()> {
        let key = self.live(id)?;
        if invitation_of(&self.book[&key]).is_none() {
            return Err(CallRefusal::NoLine);
        }
        self.note_person(key, "the sound broke off".to_owned(), now);
        self.finish(key, CallEnd::new(410, 301_005, "Media connectivity was lost."), now);
        Ok(())
    }
}

/// Where the line of a call stands; `None` where Graph hosts the media, or what the bot wrote cannot be read.
pub(super) fn state_of(call: &Call) -> Option<LineState> {
    invitation_of(call)?;
    Some(if call.media.is_line_connected {
        LineState::Connected
    } else {
        LineState::Offered
    })
}

fn invitation_of(call: &Call) -> Option<LineInvitation> {
    let config = call
        .media_config
        .as_ref()
        .filter(|_| call.media.mode == Some(MediaMode::App))?;
    let blob = config.get("blob").and_then(Value::as_str)?;
    let invitation: LineInvitation = serde_json::from_str(blob).ok()?;
    (is_http(&invitation.whip) && !invitation.token.is_empty()).then_some(invitation)
}

fn is_http(address: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| address.starts_with(scheme))
}
