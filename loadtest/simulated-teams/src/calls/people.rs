//! What people do on the telephone: ring a bot, press keys, speak, pick up, hang up, meet.

use serde::{Deserialize, Serialize};
use serde_json::json;
use thiserror::Error;

use super::{
    Calls,
    agenda::Step,
    call::{Call, CallDirection, CallEnd, CallKey, CallKind, CallState, ConferenceKey, RingOutcome},
    clip::Speech,
    conference::{MeetingView, Member, chat_info},
    media::MediaMode,
    party::Party,
    prompt::TONES,
    settings::{CallFault, Callee},
    view::{CallEvent, Deed},
    wire,
};
use crate::world::people::{BotNumber, PersonNumber};

/// Why somebody cannot do something on the telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CallRefusal {
    /// No call has this id, or it has ended.
    #[error("there is no such call")]
    NoSuchCall,
    /// No meeting has this number.
    #[error("there is no such meeting")]
    NoSuchMeeting,
    /// The number names nobody.
    #[error("there is no such person")]
    NoSuchPerson,
    /// The number names no bot.
    #[error("there is no such bot")]
    NoSuchBot,
    /// The call is not, or not any more, where this can be done.
    #[error("the call is not in a state for this")]
    NotNow,
    /// The key is none of `0` to `9`, `*`, `#`, `A` to `D`.
    #[error("there is no such key")]
    NoSuchKey,
    /// The person is not being rung, or is not in the call.
    #[error("the person is not part of the call")]
    NotThere,
}

/// How somebody rings a bot.
#[derive(Debug, Clone)]
pub(crate) struct Ring {
    pub(crate) caller: Caller,
    pub(crate) bot: BotNumber,
    /// Whether the bot is called under its application instance.
    pub(crate) by_instance: bool,
    pub(crate) has_video: bool,
    /// A meeting, or a call of several, to which the bot is asked.
    pub(crate) meeting: Option<usize>,
}

/// Who rings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    Person(PersonNumber),
    Phone(String),
}

/// An invitation by a recording policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecorderInvitation {
    /// Whose calls are recorded.
    pub person: PersonNumber,
    /// With whom that person talks.
    pub other: PersonNumber,
    /// The recorder.
    pub bot: BotNumber,
    /// Whether the recorded person was called; else called.
    pub is_callee: bool,
}

/// What a person's action told the one who asked.
pub(crate) type Told<T> = Result<T, CallRefusal>;

impl Calls {
    /// Rings a bot and gives the call's id.
    pub(crate) fn ring(&mut self, ring: Ring, now: u64) -> Told<String> {
        let caller = match ring.caller {
            Caller::Person(person) => Party::Person(self.person(person)?),
            Caller::Phone(number) => Party::Phone(number),
        };
        let bot = self.bot(ring.bot)?;
        let conference = match ring.meeting {
            Some(number) => Some(self.meeting_key(number)?),
            None => None,
        };
        let by_instance = ring.by_instance || matches!(caller, Party::Phone(_));
        let mut call = self.incoming_call(bot, &caller, by_instance, now);
        call.modalities = if ring.has_video {
            json!(["audio", "video"])
        } else {
            json!(["audio"])
        };
        match conference {
            Some(key) => {
                let conference = self.conference(key);
                call.kind = CallKind::Meeting;
                call.conference = Some(key);
                call.chat_info = Some(chat_info(&conference.thread));
                let organizer = conference.organizer.map_or_else(|| caller.clone(), Party::Person);
                call.meeting_info = Some(json!({
                    "@odata.type": "#microsoft.graph.organizerMeetingInfo",
                    "organizer": self.parties.identity(&organizer), "allowConversationWithoutHost": true,
                }));
            }
            None => call.other = Some(caller),
        }
        let limit = self.settings.limits.answer;
        Ok(self.ring_bot(call, limit, now))
    }

    /// Invites a recorder, as a policy does before the recorded person is in.
    pub(crate) fn invite_recorder(&mut self, invitation: &RecorderInvitation, now: u64) -> Told<String> {
        let person = Party::Person(self.person(invitation.person)?);
        let other = Party::Person(self.person(invitation.other)?);
        let bot = self.bot(invitation.bot)?;
        let conference = self.open_conference(None, false);
        let observed = self.enter(conference, person.clone(), None, None);
        let other_id = self.enter(conference, other.clone(), None, None);
        let mut call = self.incoming_call(bot, &person, true, now);
        call.kind = CallKind::Recording;
        call.conference = Some(conference);
        call.meeting_info = Some(json!({
            "@odata.type": "#microsoft.graph.tokenMeetingInfo", "token": self.conference(conference).token,
        }));
        let (mine, theirs) = if invitation.is_callee {
            ("Callee", "Caller")
        } else {
            ("Caller", "Callee")
        };
        let id = |party: &Party| {
            self.parties.identity(party)["user"]["id"]
                .as_str()
                .unwrap_or("")
                .to_owned()
        };
        let incoming_context = json!({
            "@odata.type": "#microsoft.graph.incomingContext",
            "sourceParticipantId": observed, "observedParticipantId": observed,
        });
        let metadata = json!({ "botData": {
            "mediaHostedRegion": "USEA",
            "user": {
                "participationMethod": mine, "clientLocation": "US", "policyHolderId": format!("8:orgid:{}", id(&person)),
                "policyHolderTenantId": self.parties.tenant,
            },
            "otherSideUser": {
                "id": format!("8:orgid:{}", id(&other)), "participantId": other_id, "tenantId": self.parties.tenant,
                "participationMethod": theirs,
            },
            "inviteReasons": ["ComplianceRecording"],
            "policyIdentifier": "TeamsComplianceRecordingPolicy=Tenant:Harbour",
            "pairedRecorders": [], "otherRecorders": [], "isMultiParty": true,
        } });
        call.invitation = vec![("incomingContext", incoming_context), ("applicationMetadata", metadata)];
        let limit = self.settings.limits.answer_recording;
        Ok(self.ring_bot(call, limit, now))
    }

    fn incoming_call(&mut self, bot: BotNumber, caller: &Party, by_instance: bool, now: u64) -> Call {
        let chain = self.ids.uuid("chain");
        let mut call = Call::new(self.ids.uuid("call"), bot, CallDirection::Incoming, chain, now);
        call.style = self.style();
        call.by_instance = by_instance;
        call.my_participant = self.ids.uuid("participant");
        let me = if by_instance {
            Party::Instance(bot)
        } else {
            Party::Bot(bot)
        };
        let source_id = self.ids.uuid("participant");
        call.source = wire::participant_info(&self.parties, caller, call.style, &source_id);
        call.targets = json!([wire::target_info(&self.parties, &me, call.style, &call.my_participant)]);
        let context = json!({ "@odata.type": "#microsoft.graph.incomingContext", "sourceParticipantId": source_id });
        call.invitation = vec![("incomingContext", context)];
        call
    }

    fn ring_bot(&mut self, call: Call, limit: std::time::Duration, now: u64) -> String {
        let id = call.id.clone();
        let is_legacy = self.strikes(self.settings.disorder.legacy);
        let key = self.begin(call, now);
        self.agenda.add(now + self.settings.span(limit), key, Step::AnswerLimit);
        self.tell_incoming(key, is_legacy, now);
        id
    }

    /// Presses a key in an established call.
    pub(crate) fn press_key(&mut self, id: &str, sign: &str, now: u64) -> Told<()> {
        let key = self.talking(id)?;
        let found = TONES.iter().find(|(_, other)| other.eq_ignore_ascii_case(sign));
        let (tone, sign) = found.ok_or(CallRefusal::NoSuchKey)?;
        self.press(key, tone, sign, now);
        Ok(())
    }

    /// Speaks: into a recording that listens, else at the next chance.
    pub(crate) fn speak(&mut self, id: &str, speech: Speech, now: u64) -> Told<()> {
        let key = self.talking(id)?;
        self.note_person(key, format!("speaks for {:?}", speech.length()), now);
        self.say(key, speech, now);
        Ok(())
    }

    /// The person hangs up: before the bot has answered, or later; in a call of several everybody does.
    pub(crate) fn hang_up(&mut self, id: &str, now: u64) -> Told<()> {
        let key = self.live(id)?;
        let call = &self.book[&key];
        let is_phone = matches!(call.other, Some(Party::Phone(_)));
        let end = match (call.state, call.direction) {
            (CallState::Incoming | CallState::Redirecting, _) => CallEnd::new(487, 0, "The caller cancelled the call."),
            (_, CallDirection::Incoming) if is_phone => {
                CallEnd::new(200, 540_000, "The call was ended by the PSTN user.")
            }
            (_, CallDirection::Outgoing) if is_phone => {
                CallEnd::new(200, 560_000, "The call was ended by the PSTN user.")
            }
            _ if call.has_roster() => CallEnd::new(200, 5003, "The conversation has ended."),
            _ => CallEnd::new(200, 4521, "The call was ended by the other participant."),
        };
        self.note_person(key, "hangs up".to_owned(), now);
        self.finish(key, end, now);
        Ok(())
    }

    /// Somebody who is rung for a call picks up, or declines.
    pub(crate) fn decide(&mut self, id: &str, person: PersonNumber, accepts: bool, now: u64) -> Told<()> {
        let key = self.live(id)?;
        let mut ringing = self.book[&key].ringing.iter();
        let number = ringing
            .rfind(|ringing| ringing.party == Party::Person(person))
            .map(|ringing| ringing.number);
        let number = number.ok_or(CallRefusal::NotThere)?;
        let (word, outcome) = if accepts {
            ("picks up", RingOutcome::Answered)
        } else {
            ("declines", RingOutcome::Declined)
        };
        let name = self.parties.name(&Party::Person(person));
        self.note_person(key, format!("{name} {word}"), now);
        self.callee(key, number, outcome, now);
        Ok(())
    }

    /// Audio breaks off for good.
    pub(crate) fn lose_media(&mut self, id: &str, now: u64) -> Told<()> {
        let key = self.talking(id)?;
        self.finish(key, CallEnd::new(410, 301_005, "Media connectivity was lost."), now);
        Ok(())
    }

    /// Somebody lets the bot in that waits in the lobby.
    pub(crate) fn admit(&mut self, id: &str, now: u64) -> Told<()> {
        let key = self.live(id)?;
        if !self.is_in_lobby(key) {
            return Err(CallRefusal::NotNow);
        }
        let conference = self.book[&key].conference.ok_or(CallRefusal::NotNow)?;
        let is_it = |member: &Member| member.call == Some(key);
        self.change_member(conference, is_it, |member| member.is_in_lobby = false, now);
        self.media_flows(key, now);
        Ok(())
    }

    /// Opens a meeting that nobody is in yet.
    pub(crate) fn open_meeting(&mut self, organizer: PersonNumber, has_lobby: bool) -> Told<MeetingView> {
        let organizer = self.person(organizer)?;
        let key = self.open_conference(Some(organizer), has_lobby);
        self.meeting_view(key).ok_or(CallRefusal::NoSuchMeeting)
    }

    /// A meeting by its number.
    pub(crate) fn meeting(&self, number: usize) -> Told<MeetingView> {
        let key = self.meeting_key(number)?;
        self.meeting_view(key).ok_or(CallRefusal::NoSuchMeeting)
    }

    /// Somebody joins or leaves a meeting.
    pub(crate) fn attend(&mut self, number: usize, person: PersonNumber, joins: bool, now: u64) -> Told<()> {
        let key = self.meeting_key(number)?;
        let party = Party::Person(self.person(person)?);
        let is_in = self.conference(key).members.iter().any(|member| member.party == party);
        match (joins, is_in) {
            (true, false) => {
                self.enter(key, party, None, None);
                self.tell_roster(key, &[], now);
            }
            (false, true) => self.leave(key, |member| member.party == party, now),
            _ => return Err(CallRefusal::NotNow),
        }
        Ok(())
    }

    /// Somebody in a meeting mutes or unmutes themselves.
    pub(crate) fn mute_person(&mut self, number: usize, person: PersonNumber, mutes: bool, now: u64) -> Told<()> {
        let key = self.meeting_key(number)?;
        let party = Party::Person(self.person(person)?);
        let change = |member: &mut Member| member.is_muted = mutes;
        if self.change_member(key, |member| member.party == party, change, now) {
            Ok(())
        } else {
            Err(CallRefusal::NotThere)
        }
    }

    /// The organizer ends the meeting for everybody.
    pub(crate) fn end_meeting(&mut self, number: usize, now: u64) -> Told<()> {
        let key = self.meeting_key(number)?;
        for call in self.calls_in(key) {
            self.finish(call, CallEnd::new(200, 5003, "The conversation has ended."), now);
        }
        Ok(())
    }

    /// Replaces what somebody does when called.
    pub(crate) fn set_callee(&mut self, person: PersonNumber, callee: Callee) -> Told<()> {
        let person = self.person(person)?;
        self.parties.people[person.0].callee = callee;
        Ok(())
    }

    /// Replaces what a telephone does when called.
    pub(crate) fn set_phone(&mut self, number: String, callee: Callee) {
        self.phones.insert(number, callee);
    }

    /// Replaces the faults of the API.
    pub(crate) fn set_faults(&mut self, faults: Vec<CallFault>) {
        self.gate.set(faults);
    }

    /// The faults of the API that are in force.
    pub(crate) fn faults(&self) -> Vec<CallFault> {
        self.gate.in_force().to_vec()
    }

    /// The object id of the application instance of a bot.
    pub(crate) fn instance(&self, bot: BotNumber) -> Told<String> {
        let bot = self.bot(bot)?;
        Ok(self.parties.bots[bot.0].instance.clone())
    }

    /// The object id of somebody.
    pub(crate) fn object_id(&self, person: PersonNumber) -> Told<String> {
        let person = self.person(person)?;
        Ok(self.parties.people[person.0].object_id.clone())
    }

    fn note_person(&mut self, key: CallKey, what: String, now: u64) {
        if let Some(call) = self.book.get_mut(&key) {
            call.note(CallEvent {
                at: now,
                deed: Deed::Person { what },
            });
        }
        self.changed(key);
    }

    fn live(&self, id: &str) -> Told<CallKey> {
        let key = self.find(id).ok_or(CallRefusal::NoSuchCall)?;
        if self.book[&key].state.is_over() {
            Err(CallRefusal::NoSuchCall)
        } else {
            Ok(key)
        }
    }

    fn talking(&self, id: &str) -> Told<CallKey> {
        let key = self.live(id)?;
        let call = &self.book[&key];
        let is_up = call.state == CallState::Established;
        if is_up && (call.media.is_active || call.media.mode == Some(MediaMode::App)) {
            Ok(key)
        } else {
            Err(CallRefusal::NotNow)
        }
    }

    fn person(&self, person: PersonNumber) -> Told<PersonNumber> {
        let is_known = person.0 < self.parties.people.len();
        is_known.then_some(person).ok_or(CallRefusal::NoSuchPerson)
    }

    fn bot(&self, bot: BotNumber) -> Told<BotNumber> {
        let is_known = bot.0 < self.parties.bots.len();
        is_known.then_some(bot).ok_or(CallRefusal::NoSuchBot)
    }

    fn meeting_key(&self, number: usize) -> Told<ConferenceKey> {
        let conference = self.conferences.get(number).filter(|conference| conference.is_meeting);
        conference
            .map(|_| ConferenceKey(number))
            .ok_or(CallRefusal::NoSuchMeeting)
    }
}
