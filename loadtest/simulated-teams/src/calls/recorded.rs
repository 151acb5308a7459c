//! Several people in one recording by policy: who joins and leaves a call that a recorder is in.
//!
//! That there are these two notifications, and what a bot may answer to the first, is documented; their paths and the rest of
//! their form are inferred.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{
    Calls,
    call::{CallKey, CallKind, CallState},
    conference::Member,
    incoming::RecorderInvitation,
    notify::Note,
    party::Party,
    people::{CallRefusal, Told},
    view::{CallEvent, Deed},
    wire,
};
use crate::world::people::PersonNumber;

/// Who is recorded by one call of a recorder.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// `participantCapacity` of the answer; 0 and 1 mean no grouping (documented).
    pub(super) capacity: u64,
    /// Those who are in.
    people: Vec<PersonNumber>,
    /// Those whose joining is being told, with the participant ids that they will have.
    waiting: VecDeque<(PersonNumber, String)>,
}

/// What a bot answers to somebody who wants to join: `participantJoiningResponse`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinDecision {
    /// `acceptJoinResponse`.
    Accept,
    /// `rejectJoinResponse`.
    Reject,
    /// `inviteNewBotResponse`: an ordinary invitation follows.
    InviteNewBot,
    /// None of these.
    None,
}

impl JoinDecision {
    /// Reads the body of an answer.
    pub(crate) fn read(body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        match super::body::type_name(&body) {
            Some("acceptJoinResponse") => Self::Accept,
            Some("rejectJoinResponse") => Self::Reject,
            Some("inviteNewBotResponse") => Self::InviteNewBot,
            _ => Self::None,
        }
    }
}

impl Calls {
    /// Another person of the recording policy wants to join the call that a recorder is in.
    pub(crate) fn record_another(&mut self, id: &str, person: PersonNumber, now: u64) -> Told<()> {
        let person = self.person(person)?;
        let key = self.recording(id)?;
        let recorded = &self.book[&key].recorded;
        let taken = 1 + recorded.people.len() + recorded.waiting.len();
        if taken as u64 >= recorded.capacity || recorded.people.contains(&person) {
            return Err(CallRefusal::NotNow);
        }
        let participant = self.ids.uuid("participant");
        let joining = self.joining_call(key, person, &participant, now);
        let Some(call) = self.book.get_mut(&key) else {
            return Err(CallRefusal::NoSuchCall);
        };
        call.recorded.waiting.push_back((person, participant));
        let data = json!({ "@odata.type": "#microsoft.graph.participantJoiningNotification", "call": joining });
        let note = Note::created("joining".to_owned(), Some(data));
        self.tell(key, note.below("/participantJoiningNotification").joining(), now);
        Ok(())
    }

    /// One of those leaves.
    pub(crate) fn stop_recording_of(&mut self, id: &str, person: PersonNumber, now: u64) -> Told<()> {
        let key = self.recording(id)?;
        let party = Party::Person(self.person(person)?);
        let call = &self.book[&key];
        let conference = call.conference.ok_or(CallRefusal::NotThere)?;
        let is_it = |member: &Member| member.party == party;
        let mut members = self.conference(conference).members.iter();
        let participant = members.find(|member| is_it(member)).map(|member| member.id.clone());
        let participant = participant.ok_or(CallRefusal::NotThere)?;
        let data = json!({
            "@odata.type": "#microsoft.graph.participantLeftNotification", "participantId": participant,
            "call": {
                "@odata.type": "#microsoft.graph.call", "id": call.id,
                "resultInfo": { "@odata.type": "#microsoft.graph.resultInfo", "code": 200, "subcode": 5000 },
            },
        });
        let note = Note::deleted("left".to_owned(), data).below("/participantLeftNotification");
        self.tell(key, note, now);
        if let Some(call) = self.book.get_mut(&key) {
            call.recorded.people.retain(|other| *other != person);
        }
        self.leave(conference, is_it, now);
        Ok(())
    }

    /// What the bot answered.
    pub(super) fn joining_decided(&mut self, key: CallKey, decision: JoinDecision, now: u64) {
        let waiting = self
            .book
            .get_mut(&key)
            .and_then(|call| call.recorded.waiting.pop_front());
        let Some((person, participant)) = waiting else { return };
        let Some(call) = self.book.get_mut(&key) else { return };
        let (bot, conference) = (call.bot, call.conference);
        let what = match decision {
            JoinDecision::Accept => "joins, recorded by this call",
            JoinDecision::Reject => "is rejected by the recorder",
            JoinDecision::InviteNewBot => "is to be recorded by a call of its own",
            JoinDecision::None => "is not recorded: 8609, invalid join response from bot",
        };
        let name = self.parties.name(&Party::Person(person));
        call.note(CallEvent {
            at: now,
            deed: Deed::Person {
                what: format!("{name} {what}"),
            },
        });
        match decision {
            JoinDecision::Accept => {
                call.recorded.people.push(person);
                if let Some(conference) = conference {
                    self.enter(conference, Party::Person(person), None, Some(participant));
                    self.tell_roster(conference, &[], now);
                }
            }
            JoinDecision::InviteNewBot => {
                let invitation = RecorderInvitation {
                    person,
                    other: person,
                    bot,
                    is_callee: false,
                };
                // The bot and the person are known.
                let _ = self.invite_recorder(&invitation, now);
            }
            JoinDecision::Reject | JoinDecision::None => {}
        }
        self.changed(key);
    }

    /// A recording that has been answered.
    fn recording(&self, id: &str) -> Told<CallKey> {
        let key = self.find(id).ok_or(CallRefusal::NoSuchCall)?;
        let call = &self.book[&key];
        match (call.kind, call.state) {
            (CallKind::Recording, CallState::Established) => Ok(key),
            _ => Err(CallRefusal::NotNow),
        }
    }

    /// The call that the notification carries: as an invitation of that person would be, under the id of the call that there is.
    fn joining_call(&mut self, key: CallKey, person: PersonNumber, participant: &str, now: u64) -> Value {
        let party = Party::Person(person);
        let bot = self.book[&key].bot;
        let mut joining = self.recorder_call(bot, &party, participant, now);
        let call = &self.book[&key];
        joining.id.clone_from(&call.id);
        joining.chain.clone_from(&call.chain);
        joining.style = call.style;
        joining.meeting_info.clone_from(&call.meeting_info);
        Value::Object(wire::incoming(&joining, &self.parties.tenant))
    }
}
