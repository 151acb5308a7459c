//! Meetings and calls of several: who is in, and who hears of changes.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Calls,
    call::{CallEnd, CallKey, CallKind, CallState, ConferenceKey},
    notify::Note,
    party::Party,
    scheduled::Scheduled,
    sharing::Sharing,
    wire,
};
use crate::world::people::PersonNumber;

/// The distance of media source ids, which leaves room for a member's other streams.
const SOURCE_STEP: u32 = 10;

/// Somebody in a conference.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) party: Party,
    /// The call of a bot.
    pub(super) call: Option<CallKey>,
    pub(super) source_id: u32,
    pub(super) is_muted: bool,
    pub(super) is_server_muted: bool,
    pub(super) is_in_lobby: bool,
    pub(super) is_on_hold: bool,
    pub(super) is_hidden: bool,
    /// Only in a delta: who has left.
    pub(super) is_removed: bool,
    /// `sendOnly` while sharing the screen, `receiveOnly` while viewing.
    pub(super) screen: Option<&'static str>,
    pub(super) recording: Option<String>,
    /// When it changed last.
    pub(super) sequence: u64,
}

/// A meeting, or a call of several.
#[derive(Debug)]
pub(super) struct Conference {
    pub(super) thread: String,
    pub(super) organizer: Option<PersonNumber>,
    pub(super) join_id: String,
    pub(super) passcode: Option<String>,
    /// The token of invitations by policy.
    pub(super) token: String,
    /// Whether guests wait until they are let in.
    pub(super) has_lobby: bool,
    pub(super) is_meeting: bool,
    pub(super) members: Vec<Member>,
    pub(super) sharings: Vec<Sharing>,
    /// Of a meeting that a bot made for somebody.
    pub(super) scheduled: Option<Scheduled>,
    pub(super) sequence: u64,
    sources: u32,
}

/// A meeting, as those who want to join it need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MeetingView {
    /// The number by which a [`Handle`](crate::Handle) finds it.
    pub number: usize,
    /// `chatInfo.threadId`; the message id is `"0"`.
    pub thread: String,
    /// Object id of the organizer.
    pub organizer: String,
    /// `meetingInfo.joinMeetingId`.
    pub join_id: String,
    /// `meetingInfo.passcode`.
    pub passcode: Option<String>,
    /// The address that people click.
    pub join_url: String,
    /// Who is in, by name; bots as well.
    pub members: Vec<String>,
}

impl Calls {
    /// Opens a conference; `organizer` makes it a meeting.
    pub(super) fn open_conference(&mut self, organizer: Option<PersonNumber>, has_lobby: bool) -> ConferenceKey {
        let key = ConferenceKey(self.conferences.len());
        let number = key.0.to_string();
        let thread = match organizer {
            Some(_) => format!("19:meeting_{}@thread.v2", self.ids.hex("meeting")),
            None => format!("19:{}@thread.v2", self.ids.hex("group")),
        };
        self.conferences.push(Conference {
            thread,
            organizer,
            join_id: format!("{:0>9}{:0>3}", self.ids.digits("join id"), number),
            passcode: organizer.map(|_| self.ids.hex("passcode")[..6].to_owned()),
            token: self.ids.hex("token"),
            has_lobby,
            is_meeting: organizer.is_some(),
            members: Vec::new(),
            sharings: Vec::new(),
            scheduled: None,
            sequence: 0,
            sources: 1,
        });
        key
    }

    /// Adds somebody and gives the participant id.
    pub(super) fn enter(
        &mut self,
        key: ConferenceKey,
        party: Party,
        call: Option<CallKey>,
        id: Option<String>,
    ) -> String {
        let id = id.unwrap_or_else(|| self.ids.uuid("participant"));
        let conference = &mut self.conferences[key.0];
        let is_in_lobby = conference.has_lobby && matches!(party, Party::Guest { .. });
        conference.sequence += 1;
        let member = Member {
            id: id.clone(),
            call,
            source_id: conference.sources,
            is_muted: false,
            is_server_muted: false,
            is_in_lobby,
            is_on_hold: false,
            is_hidden: matches!(party, Party::Gallery),
            is_removed: false,
            screen: None,
            recording: None,
            sequence: conference.sequence,
            party,
        };
        conference.sources += SOURCE_STEP;
        conference.members.push(member);
        id
    }

    /// Removes a member; the others hear of it, and a call of several ends when it has nobody left.
    pub(super) fn leave(&mut self, key: ConferenceKey, is_leaver: impl Fn(&Member) -> bool, now: u64) {
        let conference = &mut self.conferences[key.0];
        let Some(place) = conference.members.iter().position(is_leaver) else {
            return;
        };
        let mut gone = conference.members.remove(place);
        let party = gone.party.clone();
        conference.sequence += 1;
        gone.is_removed = true;
        gone.sequence = conference.sequence;
        self.tell_roster(key, &[gone], now);
        self.stop_sharing_of(key, &party, now);
        let conference = &self.conferences[key.0];
        let is_empty = !conference.members.iter().any(|member| member.call.is_none());
        if is_empty && !conference.is_meeting {
            for call in self.calls_in(key) {
                self.finish(call, CallEnd::new(200, 5002, "All other participants have left."), now);
            }
        }
    }

    /// Changes one member and tells everybody; whether it is there.
    pub(super) fn change_member(
        &mut self,
        key: ConferenceKey,
        is_it: impl Fn(&Member) -> bool,
        change: impl FnOnce(&mut Member),
        now: u64,
    ) -> bool {
        let conference = &mut self.conferences[key.0];
        let Some(member) = conference.members.iter_mut().find(|member| is_it(member)) else {
            return false;
        };
        change(member);
        conference.sequence += 1;
        member.sequence = conference.sequence;
        self.tell_roster(key, &[], now);
        true
    }

    /// The bots' calls in a conference.
    pub(super) fn calls_in(&self, key: ConferenceKey) -> Vec<CallKey> {
        let members = self.conferences[key.0].members.iter();
        members.filter_map(|member| member.call).collect()
    }

    /// Sends the roster to every bot that is in.
    pub(super) fn tell_roster(&mut self, key: ConferenceKey, gone: &[Member], now: u64) {
        for call in self.calls_in(key) {
            if self
                .book
                .get(&call)
                .is_some_and(|call| call.state == CallState::Established)
            {
                self.tell_roster_to(call, gone, now);
            }
        }
    }

    /// Sends the roster to one bot: whole, or what changed last when it asked for that.
    pub(super) fn tell_roster_to(&mut self, key: CallKey, gone: &[Member], now: u64) {
        let Some(call) = self.book.get(&key) else { return };
        let Some(conference) = call.conference.map(|conference| &self.conferences[conference.0]) else {
            return;
        };
        let (wants_delta, style) = (call.wants_delta, call.style);
        let data = if wants_delta {
            let changed = conference.members.iter().chain(gone);
            let changed = changed.filter(|member| member.sequence == conference.sequence);
            let changed: Vec<Value> = changed
                .map(|member| wire::participant(&self.parties, member, style))
                .collect();
            json!({
                "@odata.type": "#microsoft.graph.deltaParticipants",
                "sequenceNumber": conference.sequence, "participants": changed,
            })
        } else {
            let members = conference.members.iter();
            members
                .map(|member| wire::participant(&self.parties, member, style))
                .collect()
        };
        if wants_delta && self.strikes(self.settings.disorder.roster_gap) {
            return;
        }
        let note = Note::updated("roster".to_owned(), data).below("/participants");
        self.tell(key, note, now);
    }

    /// Makes a one-to-one call a call of several: its person and its bot become members.
    pub(super) fn widen(&mut self, key: CallKey) -> Option<ConferenceKey> {
        let call = self.book.get(&key)?;
        if let Some(conference) = call.conference {
            return Some(conference);
        }
        let (other, mine, bot) = (call.other.clone(), call.my_participant.clone(), Party::Bot(call.bot));
        let conference = self.open_conference(None, false);
        self.enter(conference, bot, Some(key), Some(mine));
        if let Some(other) = other {
            self.enter(conference, other, None, None);
        }
        let thread = self.conferences[conference.0].thread.clone();
        let call = self.book.get_mut(&key)?;
        call.kind = CallKind::Group;
        call.conference = Some(conference);
        call.other = None;
        call.chat_info = Some(chat_info(&thread));
        self.changed(key);
        Some(conference)
    }

    /// A meeting as people and bots find it.
    pub(super) fn meeting_view(&self, key: ConferenceKey) -> Option<MeetingView> {
        let conference = self.conferences.get(key.0)?;
        let organizer = &self.parties.people[conference.organizer?.0];
        let context = format!(r#"{{"Tid":"{}","Oid":"{}"}}"#, self.parties.tenant, organizer.object_id);
        let encode =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        Some(MeetingView {
            number: key.0,
            thread: conference.thread.clone(),
            organizer: organizer.object_id.clone(),
            join_id: conference.join_id.clone(),
            passcode: conference.passcode.clone(),
            join_url: format!(
                "https://teams.microsoft.com/l/meetup-join/{}/0?context={}",
                encode(&conference.thread),
                encode(&context)
            ),
            members: conference
                .members
                .iter()
                .map(|member| self.parties.name(&member.party))
                .collect(),
        })
    }
}

/// `chatInfo` of a conference.
pub(super) fn chat_info(thread: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.chatInfo", "threadId": thread, "messageId": "0", "replyChainMessageId": null,
    })
}
