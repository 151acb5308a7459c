//! Requests about those who take part: the roster, invitations, muting, hold music, the large gallery.

use serde_json::{Value, json};

use super::{
    Calls,
    agenda::Step,
    body::Body,
    call::{CallKey, ConferenceKey, RingPurpose},
    conference::Member,
    media::MediaMode,
    operation::{Operation, OperationKind, Status},
    party::Party,
    refusal::{No, Refusal},
    request::Done,
    wire,
};

/// People that one request invites.
const MOST_INVITED: usize = 5;

impl Calls {
    pub(super) fn list_participants(&self, key: CallKey) -> Done {
        let call = &self.book[&key];
        let members = call.conference.map(|conference| &self.conference(conference).members);
        let members = members.into_iter().flatten();
        let roster: Vec<Value> = members
            .map(|member| wire::participant(&self.parties, member, call.style))
            .collect();
        let context = format!(
            "{}/$metadata#communications/calls('{}')/participants",
            self.graph, call.id
        );
        Done::with(200, json!({ "@odata.context": context, "value": roster }))
    }

    pub(super) fn get_participant(&self, key: CallKey, participant: &str) -> Result<Done, Refusal> {
        let call = &self.book[&key];
        let member = self.member(key, participant)?;
        let mut body = wire::participant(&self.parties, member, call.style);
        let context = format!(
            "{}/$metadata#communications/calls('{}')/participants/$entity",
            self.graph, call.id
        );
        body["@odata.context"] = context.into();
        Ok(Done::with(200, body))
    }

    pub(super) fn invite(&mut self, key: CallKey, body: &Body, now: u64) -> Result<Done, Refusal> {
        let context = body.context()?;
        let asked = body.list("participants")?;
        if !(1..=MOST_INVITED).contains(&asked.len()) {
            return Err(Refusal::argument(format!("participants must be 1 to {MOST_INVITED}.")));
        }
        let replaced = asked[0].get("replacesCallId").and_then(Value::as_str);
        // With a replaced call only the first participant is read.
        let asked = if replaced.is_some() { &asked[..1] } else { asked };
        let parties: Option<Vec<Party>> = asked.iter().map(|info| self.parties.read(info)).collect();
        let parties = parties.ok_or_else(|| Refusal::argument("A participant has no identity."))?;
        let call = self.established_call(key)?;
        let (bot, by_instance) = (call.bot, call.by_instance);
        if parties.len() > 1 && call.chat_info.is_none() {
            return Err(Refusal::argument("Several participants need a call with chatInfo."));
        }
        let has_phone = parties.iter().any(|party| matches!(party, Party::Phone(_)));
        if has_phone && !by_instance && !self.is_in_meeting(key) {
            return Err(No::NotAllowed.into());
        }
        self.widen(key).ok_or(No::NotFound)?;
        let mut operation = Operation::new(
            self.ids.uuid("operation"),
            OperationKind::Invite,
            Status::Running,
            context,
        );
        operation.unresolved = parties.len();
        operation.replaces = replaced
            .and_then(|id| self.find(id))
            .filter(|other| *other != key && self.book[other].bot == bot);
        let echoed = Value::Array(asked.to_vec());
        operation.echoed.insert("participants".to_owned(), echoed);
        let (operation, done) = self.operation(key, 200, operation);
        for party in parties {
            self.ring_after(key, party, RingPurpose::Invite { operation }, now);
        }
        Ok(done)
    }

    pub(super) fn remove_participant(&mut self, key: CallKey, participant: &str, now: u64) -> Result<Done, Refusal> {
        self.established_call(key)?;
        let member = self.member(key, participant)?;
        let (party, call) = (member.party.clone(), member.call);
        let conference = self.group(key)?;
        let organizer = self.conference(conference).organizer.map(Party::Person);
        if organizer == Some(party) {
            return Err(No::OrganizerStays.into());
        }
        if call.is_some() {
            return Err(No::NotAllowed.into());
        }
        self.leave(conference, |member| member.id.eq_ignore_ascii_case(participant), now);
        Ok(Done::empty(204))
    }

    pub(super) fn mute_participant(
        &mut self,
        key: CallKey,
        participant: &str,
        body: &Body,
        now: u64,
    ) -> Result<Done, Refusal> {
        self.established_call(key)?;
        let conference = self.group(key)?;
        self.member(key, participant)?;
        let done = self.completed_at_once(key, OperationKind::Mute, body)?;
        let is_it = |member: &Member| member.id.eq_ignore_ascii_case(participant);
        self.change_member(conference, is_it, |member| member.is_server_muted = true, now);
        Ok(done)
    }

    pub(super) fn mute_self(&mut self, key: CallKey, body: &Body, mutes: bool, now: u64) -> Result<Done, Refusal> {
        self.established_call(key)?;
        let conference = self.group(key)?;
        let kind = if mutes {
            OperationKind::Mute
        } else {
            OperationKind::Unmute
        };
        let done = self.completed_at_once(key, kind, body)?;
        let is_it = |member: &Member| member.call == Some(key);
        self.change_member(conference, is_it, |member| member.is_muted = mutes, now);
        Ok(done)
    }

    pub(super) fn change_role(&mut self, key: CallKey, body: &Body, now: u64) -> Result<Done, Refusal> {
        let direction = match body.text("role")?.map(str::to_ascii_lowercase).as_deref() {
            Some("viewer") => "receiveOnly",
            Some("sharer") => "sendOnly",
            _ => return Err(Refusal::argument("role is not known.")),
        };
        let call = self.established_call(key)?;
        if call.media.mode != Some(MediaMode::App) {
            return Err(No::WrongMediaMode.into());
        }
        let conference = self.group(key)?;
        let is_it = |member: &Member| member.call == Some(key);
        self.change_member(conference, is_it, |member| member.screen = Some(direction), now);
        Ok(Done::empty(202))
    }

    pub(super) fn add_gallery(&mut self, key: CallKey, body: &Body, now: u64) -> Result<Done, Refusal> {
        self.established_call(key)?;
        self.group(key)?;
        let kind = OperationKind::AddLargeGalleryView;
        Ok(self.slow_operation(key, kind, body.context()?, now))
    }

    pub(super) fn start_hold_music(
        &mut self,
        key: CallKey,
        participant: &str,
        body: &Body,
        now: u64,
    ) -> Result<Done, Refusal> {
        self.established_call(key)?;
        self.member(key, participant)?;
        let conference = self.group(key)?;
        if self
            .conference(conference)
            .members
            .iter()
            .any(|member| member.is_on_hold)
        {
            return Err(No::Conflict.into());
        }
        let done = self.slow_operation(key, OperationKind::StartHoldMusic, body.context()?, now);
        let is_it = |member: &Member| member.id.eq_ignore_ascii_case(participant);
        self.change_member(conference, is_it, |member| member.is_on_hold = true, now);
        Ok(done)
    }

    pub(super) fn stop_hold_music(
        &mut self,
        key: CallKey,
        participant: &str,
        body: &Body,
        now: u64,
    ) -> Result<Done, Refusal> {
        self.established_call(key)?;
        if !self.member(key, participant)?.is_on_hold {
            return Err(No::WrongState.into());
        }
        let conference = self.group(key)?;
        let done = self.slow_operation(key, OperationKind::StopHoldMusic, body.context()?, now);
        let is_it = |member: &Member| member.id.eq_ignore_ascii_case(participant);
        self.change_member(conference, is_it, |member| member.is_on_hold = false, now);
        Ok(done)
    }

    /// An operation that is answered 202 and ends a moment later.
    fn slow_operation(&mut self, key: CallKey, kind: OperationKind, context: Option<String>, now: u64) -> Done {
        let operation = Operation::new(self.ids.uuid("operation"), kind, Status::Running, context);
        let (operation, done) = self.operation(key, 202, operation);
        let delay = self.draw(self.settings.delays.operation);
        self.agenda.add(now + delay, key, Step::Operation { operation });
        done
    }

    pub(super) fn group(&self, key: CallKey) -> Result<ConferenceKey, Refusal> {
        self.book[&key].conference.ok_or_else(|| No::NotAGroup.into())
    }

    fn is_in_meeting(&self, key: CallKey) -> bool {
        let conference = self.book[&key].conference;
        conference.is_some_and(|conference| self.conference(conference).is_meeting)
    }

    pub(super) fn member(&self, key: CallKey, participant: &str) -> Result<&Member, Refusal> {
        let conference = self.book[&key].conference;
        let mut members = conference.map(|conference| self.conference(conference).members.iter());
        let member = members
            .as_mut()
            .and_then(|members| members.find(|member| member.id.eq_ignore_ascii_case(participant)));
        member.ok_or_else(|| No::ParticipantAbsent.into())
    }
}
