//! How bots are rung: by people, from telephones, into meetings, and by recording policies.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Calls,
    agenda::Step,
    call::{Call, CallDirection, CallKind},
    conference::chat_info,
    party::Party,
    people::Told,
    wire,
};
use crate::world::people::{BotNumber, PersonNumber};

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
        let mut call = self.recorder_call(bot, &person, &observed, now);
        call.conference = Some(conference);
        call.meeting_info = Some(json!({
            "@odata.type": "#microsoft.graph.tokenMeetingInfo", "token": self.conference(conference).token,
        }));
        let (mine, theirs) = if invitation.is_callee {
            ("Callee", "Caller")
        } else {
            ("Caller", "Callee")
        };
        if let Some((_, metadata)) = call
            .invitation
            .iter_mut()
            .find(|(name, _)| *name == "applicationMetadata")
        {
            let other = self.parties.identity(&other)["user"]["id"].take();
            metadata["botData"]["user"]["participationMethod"] = mine.into();
            metadata["botData"]["otherSideUser"] = json!({
                "id": format!("8:orgid:{}", other.as_str().unwrap_or("")), "participantId": other_id,
                "tenantId": self.parties.tenant, "participationMethod": theirs,
            });
        }
        let limit = self.settings.limits.answer_recording;
        Ok(self.ring_bot(call, limit, now))
    }

    /// An invitation to record somebody, without a conference.
    pub(super) fn recorder_call(&mut self, bot: BotNumber, person: &Party, observed: &str, now: u64) -> Call {
        let mut call = self.incoming_call(bot, person, true, now);
        call.kind = CallKind::Recording;
        let holder = self.parties.identity(person)["user"]["id"].take();
        let incoming_context = json!({
            "@odata.type": "#microsoft.graph.incomingContext",
            "sourceParticipantId": observed, "observedParticipantId": observed,
        });
        let metadata = json!({ "botData": {
            "mediaHostedRegion": "USEA",
            "user": {
                "participationMethod": "Caller", "clientLocation": "US",
                "policyHolderId": format!("8:orgid:{}", holder.as_str().unwrap_or("")),
                "policyHolderTenantId": self.parties.tenant,
            },
            "inviteReasons": ["ComplianceRecording"],
            "policyIdentifier": "TeamsComplianceRecordingPolicy=Tenant:Harbour",
            "pairedRecorders": [], "otherRecorders": [], "isMultiParty": true,
        } });
        call.invitation = vec![("incomingContext", incoming_context), ("applicationMetadata", metadata)];
        call
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
}
