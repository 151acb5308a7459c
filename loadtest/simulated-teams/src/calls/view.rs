//! What tests and the page see of calls.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{
    Calls,
    call::{Call, CallDirection, CallEnd, CallKey, CallKind, CallState},
    line::{self, LineState},
    media::PromptView,
    party::Party,
    wire::Style,
};
use crate::world::people::{BotNumber, PersonNumber};

/// Something that happened to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallEvent {
    /// Milliseconds since 1970.
    pub at: u64,
    /// What.
    #[serde(flatten)]
    pub deed: Deed,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Deed {
    /// The bot asked Graph for something.
    Request {
        /// As the path names it: `answer`, `playPrompt`.
        operation: String,
        /// The status of the answer.
        status: u16,
    },
    /// The bot was told something, or could not be.
    Notification {
        /// `updated established`.
        what: String,
        /// What the bot answered; `None` when it did not.
        status: Option<u16>,
        /// 1 is the first attempt.
        attempt: u32,
        /// Whether disorder sent it a second time.
        repeat: bool,
    },
    /// Somebody pressed a key.
    Pressed {
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        key: String,
    },
    /// Somebody did something else.
    Person {
        /// What, for people.
        what: String,
    },
}

/// Somebody in the roster of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantView {
    /// The participant id.
    pub id: String,
    /// The name that people see.
    pub name: String,
    /// Who it is, if somebody of the tenant.
    pub person: Option<PersonNumber>,
    /// Muted by themselves or by others.
    pub is_muted: bool,
    /// Not let in yet.
    pub is_in_lobby: bool,
    /// Hears hold music.
    pub is_on_hold: bool,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallView {
    /// Graph's id.
    pub id: String,
    /// Whose call it is.
    pub bot: BotNumber,
    /// What kind of call.
    pub kind: CallKind,
    /// Who called.
    pub direction: CallDirection,
    /// Where it stands.
    pub state: CallState,
    /// Whether audio flows.
    pub is_audio_active: bool,
    /// The line to the bot's own media host; `None` where Graph hosts the media.
    pub line: Option<LineState>,
    /// Times that the bot has said where that line goes: one more after its media host was lost and another one was found.
    pub lines: u32,
    /// Whom the bot talks to, by name; empty in groups and meetings.
    pub with: String,
    /// Who that is, if somebody of the tenant.
    pub person: Option<PersonNumber>,
    /// People who are being rung for this call.
    pub ringing: Vec<PersonNumber>,
    /// The roster; empty in calls of two.
    pub participants: Vec<ParticipantView>,
    /// Where its notifications go, if not to the registered webhook.
    pub callback: Option<String>,
    /// `callChainId`, which is the scenario id.
    pub chain: String,
    /// Whether enums are spelled as in logs.
    pub is_log_style: bool,
    /// Prompts in the order in which the bot asked for them.
    pub prompts: Vec<PromptView>,
    /// Whether a recording listens.
    pub is_listening: bool,
    /// Whether the bot hears keys.
    pub is_subscribed_to_tones: bool,
    /// Keys that the person pressed.
    pub pressed: Vec<String>,
    /// Tones that the bot sent.
    pub tones_sent: Vec<String>,
    /// `status` of the last updateRecordingStatus.
    pub recording_status: Option<String>,
    /// How it ended.
    pub end: Option<CallEnd>,
    /// Who took the call in the bot's place.
    pub redirected_to: Option<PersonNumber>,
    /// To whom the bot handed it on.
    pub transferred_to: Option<String>,
    /// When it began to ring or was created: milliseconds since 1970.
    pub began: u64,
    /// From there to the bot's answer, or to the callee's.
    pub answered_after: Option<Duration>,
    /// When it ended.
    pub ended: Option<u64>,
    /// All that happened.
    pub timeline: Vec<CallEvent>,
}

impl CallView {
    /// How often a prompt was played to its end.
    pub fn times_played(&self, uri: &str) -> usize {
        let finished = super::media::PromptState::Finished;
        let prompts = self.prompts.iter();
        prompts
            .filter(|prompt| prompt.uri == uri && prompt.state == finished)
            .count()
    }

    /// The labels of the notifications that were sent, in the order of their outcome: `updated established`.
    pub fn notified(&self) -> Vec<&str> {
        let events = self.timeline.iter();
        let notified = events.filter_map(|event| match &event.deed {
            Deed::Notification { what, .. } => Some(what.as_str()),
            _ => None,
        });
        notified.collect()
    }

    /// The operations that were asked for, in their order, with the status of the answer.
    pub fn requested(&self) -> Vec<(&str, u16)> {
        let events = self.timeline.iter();
        let requested = events.filter_map(|event| match &event.deed {
            Deed::Request { operation, status } => Some((operation.as_str(), *status)),
            _ => None,
        });
        requested.collect()
    }
}

/// What was counted since the start.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallCounters {
    /// Requests by operation and status.
    pub requests: BTreeMap<String, BTreeMap<u16, u64>>,
    /// Attempts to notify by what was told and status; 0 stands for no answer.
    pub notifications: BTreeMap<String, BTreeMap<u16, u64>>,
    /// Notifications that were given up.
    pub lost: u64,
    /// Calls that began.
    pub began: u64,
    /// Calls that ended.
    pub ended: u64,
    /// From ring to answer of each incoming call that was answered, in milliseconds, in the order of answers.
    pub answer_times: Vec<u64>,
}

impl CallCounters {
    pub(super) fn requested(&mut self, operation: &str, status: u16) {
        count(&mut self.requests, operation, status);
    }

    pub(super) fn delivered(&mut self, label: &str, status: Option<u16>) {
        count(&mut self.notifications, label, status.unwrap_or(0));
    }
}

fn count(of: &mut BTreeMap<String, BTreeMap<u16, u64>>, name: &str, status: u16) {
    let statuses = match of.get_mut(name) {
        Some(statuses) => statuses,
        None => of.entry(name.to_owned()).or_default(),
    };
    *statuses.entry(status).or_default() += 1;
}

impl Calls {
    /// The call with this id, in any spelling.
    pub(crate) fn view(&self, id: &str) -> Option<CallView> {
        let key = self.find(id)?;
        self.book.get(&key).map(|call| self.view_of(call))
    }

    /// All calls that are kept, in the order in which they began.
    pub(crate) fn views(&self) -> Vec<CallView> {
        let mut keys: Vec<&CallKey> = self.book.keys().collect();
        keys.sort_unstable();
        keys.into_iter().map(|key| self.view_of(&self.book[key])).collect()
    }

    fn view_of(&self, call: &Call) -> CallView {
        let person = |party: &Party| match party {
            Party::Person(person) => Some(*person),
            _ => None,
        };
        let members = call.conference.map(|key| &self.conferences[key.0].members);
        let participants = members.into_iter().flatten().map(|member| ParticipantView {
            id: member.id.clone(),
            name: self.parties.name(&member.party),
            person: person(&member.party),
            is_muted: member.is_muted || member.is_server_muted,
            is_in_lobby: member.is_in_lobby,
            is_on_hold: member.is_on_hold,
        });
        CallView {
            id: call.id.clone(),
            bot: call.bot,
            kind: call.kind,
            direction: call.direction,
            state: call.state,
            is_audio_active: call.media.is_active,
            line: line::state_of(call),
            lines: call.media.lines,
            with: call
                .other
                .as_ref()
                .map_or_else(String::new, |party| self.parties.name(party)),
            person: call.other.as_ref().and_then(person),
            ringing: call
                .ringing
                .iter()
                .filter_map(|ringing| person(&ringing.party))
                .collect(),
            participants: participants.collect(),
            callback: call.callback.clone(),
            chain: call.chain.clone(),
            is_log_style: call.style == Style::Log,
            prompts: call.media.prompts.clone(),
            is_listening: call.media.is_listening(),
            is_subscribed_to_tones: call.media.is_subscribed,
            pressed: call.media.pressed.clone(),
            tones_sent: call.media.sent.clone(),
            recording_status: call.recording_status.clone(),
            end: call.end.clone(),
            redirected_to: call.redirected_to,
            transferred_to: call.transferred_to.clone(),
            began: call.began,
            answered_after: call.answered.map(|at| Duration::from_millis(at - call.began)),
            ended: call.ended,
            timeline: call.timeline.clone(),
        }
    }
}
