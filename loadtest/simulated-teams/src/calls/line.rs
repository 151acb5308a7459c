//! The line of a call whose sound the bot handles itself: where the peer's offer goes, and whether the sound flows.
//!
//! Real Teams speaks a closed protocol there; what the `blob` holds is between Microsoft's library and its cloud. Here it is
//! read as Trunkline writes it: the address of a WHIP endpoint (RFC 9725) and a token.
//!
//! A media host may be lost and the bot find another one. Graph has no operation that says so; here a second `answer` of an established
//! call does, with the new blob. The line of before is forgotten then: whatever its peer reports of it changes nothing.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Calls,
    body::Body,
    call::{Call, CallEnd, CallKey, CallState},
    create::media_mode,
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

    /// A peer is connected where that line goes.
    pub(crate) fn line_connected(&mut self, id: &str, whip: &str, now: u64) -> Told<()> {
        let Some(key) = self.of_line(id, whip)? else {
            return Ok(());
        };
        if let Some(call) = self.book.get_mut(&key) {
            call.media.is_line_connected = true;
        }
        self.note_person(key, "the sound is connected".to_owned(), now);
        Ok(())
    }

    /// The peer lost its connection there, or found none: the call is over as when media are lost.
    pub(crate) fn line_lost(&mut self, id: &str, whip: &str, now: u64) -> Told<()> {
        let Some(key) = self.of_line(id, whip)? else {
            return Ok(());
        };
        self.note_person(key, "the sound broke off".to_owned(), now);
        self.finish(key, CallEnd::new(410, 301_005, "Media connectivity was lost."), now);
        Ok(())
    }

    /// The call, if its line goes there still.
    fn of_line(&self, id: &str, whip: &str) -> Told<Option<CallKey>> {
        let key = self.live(id)?;
        let invitation = invitation_of(&self.book[&key]).ok_or(CallRefusal::NoLine)?;
        Ok((invitation.whip == whip).then_some(key))
    }

    /// The bot answers a call once more because its sound goes elsewhere now. `false` for every other second answer.
    pub(super) fn answers_again(&mut self, key: CallKey, body: &Body, now: u64) -> bool {
        let takes = |call: &&mut Call| call.state == CallState::Established && call.media.mode == Some(MediaMode::App);
        let Some(call) = self.book.get_mut(&key).filter(takes) else {
            return false;
        };
        if !matches!(media_mode(body), Ok(MediaMode::App)) {
            return false;
        }
        let config = body.get("mediaConfig").cloned();
        // The same answer, repeated, says nothing new.
        if call.media_config != config {
            call.leads_to(config);
            self.note_person(key, "the sound goes elsewhere".to_owned(), now);
        }
        true
    }
}

impl Call {
    /// The bot has said where the sound goes.
    pub(super) fn leads_to(&mut self, config: Option<Value>) {
        self.media_config = config;
        self.media.is_line_connected = false;
        self.media.lines += 1;
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
