//! From ringing to talking: what callees do, and the states that follow.

use serde_json::{Map, Value, json};

use super::{
    Calls,
    agenda::Step,
    call::{CallDirection, CallEnd, CallKey, CallKind, CallState, RingOutcome, RingPurpose, Ringing},
    notify::unreachable,
    operation::{Completion, OperationKind},
    party::Party,
    settings::Callee,
};

impl Calls {
    /// Rings somebody from `at` on, as long as people are rung.
    pub(super) fn ring_after(&mut self, key: CallKey, party: Party, why: RingPurpose, at: u64) {
        let patience = self.settings.span(self.settings.limits.ring);
        self.ring_for(key, party, why, (at, patience));
    }

    /// Rings somebody from a time on, for some milliseconds.
    pub(super) fn ring_for(&mut self, key: CallKey, party: Party, why: RingPurpose, (at, patience): (u64, u64)) {
        let callee = match &party {
            Party::Person(person) => self.parties.people[person.0].callee,
            Party::Phone(number) => self.phones.get(number).copied().unwrap_or(Callee::answers()),
            _ => Callee::Unreachable,
        };
        let (after, outcome) = match callee {
            Callee::ByHand | Callee::Silent => (patience, RingOutcome::NoAnswer),
            Callee::Answers { after } => (self.settings.span(after), RingOutcome::Answered),
            Callee::Declines { after } => (self.settings.span(after), RingOutcome::Declined),
            Callee::Busy => (0, RingOutcome::Busy),
            Callee::Unreachable => (0, RingOutcome::Unreachable),
        };
        let Some(call) = self.book.get_mut(&key) else { return };
        call.rings += 1;
        let number = call.rings;
        call.ringing.push(Ringing { number, party, why });
        let step = if after > patience {
            (patience, RingOutcome::NoAnswer)
        } else {
            (after, outcome)
        };
        let (after, outcome) = step;
        let ringing = number;
        self.agenda.add(at + after, key, Step::Callee { ringing, outcome });
    }

    /// Somebody who was rung does something, by script or by hand.
    pub(super) fn callee(&mut self, key: CallKey, number: u32, outcome: RingOutcome, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let place = call.ringing.iter().position(|ringing| ringing.number == number);
        let Some(ringing) = place.map(|place| call.ringing.remove(place)) else {
            return;
        };
        match ringing.why {
            RingPurpose::Outgoing => self.outgoing_decided(key, ringing.party, outcome, now),
            RingPurpose::Transfer => self.transfer_decided(key, outcome, now),
            RingPurpose::Redirect => self.redirect_decided(key, &ringing.party, outcome, now),
            RingPurpose::Invite { operation } => self.invite_decided(key, operation, ringing.party, outcome, now),
        }
        self.changed(key);
    }

    fn outgoing_decided(&mut self, key: CallKey, party: Party, outcome: RingOutcome, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let (conference, is_phone) = (call.conference, matches!(party, Party::Phone(_)));
        let is_last = call.ringing.is_empty();
        let is_up = call.state == CallState::Established;
        match (outcome, conference) {
            (RingOutcome::Answered, conference) => {
                let is_first = call.answered.is_none();
                call.answered.get_or_insert(now);
                if let Some(conference) = conference {
                    self.enter(conference, party, None, None);
                    self.tell_roster(conference, &[], now);
                }
                if is_first {
                    let established = now + self.draw(self.settings.delays.established);
                    self.agenda.add(established, key, Step::Established);
                }
            }
            (outcome, None) => self.finish(key, refused(outcome, is_phone), now),
            (_, Some(_)) if is_last && !is_up && call.answered.is_none() => {
                self.finish(key, CallEnd::new(200, 5013, "Nobody else joined the call."), now);
            }
            (_, Some(_)) => {}
        }
    }

    fn redirect_decided(&mut self, key: CallKey, party: &Party, outcome: RingOutcome, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        if outcome == RingOutcome::Answered {
            call.redirected_to = match party {
                Party::Person(person) => Some(*person),
                _ => None,
            };
            call.transferred_to = Some(self.parties.name(party));
        } else if !call.ringing.is_empty() {
            return;
        }
        // In the samples the result is missing whether somebody answered or not.
        self.finish(key, CallEnd::silent(""), now);
    }

    fn invite_decided(&mut self, key: CallKey, place: usize, party: Party, outcome: RingOutcome, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let conference = call.conference;
        let Some(operation) = call.operations.get_mut(place) else {
            return;
        };
        operation.unresolved = operation.unresolved.saturating_sub(1);
        operation.joined += usize::from(outcome == RingOutcome::Answered);
        let (is_last, has_any) = (operation.unresolved == 0, operation.joined > 0);
        let replaced = operation.replaces.take().filter(|_| outcome == RingOutcome::Answered);
        if is_last {
            let completion = if has_any {
                Completion::completed()
            } else {
                let (code, subcode, message) = invitation_failed(outcome);
                Completion::failed(code, subcode, message)
            };
            self.complete(key, place, completion, now);
        }
        if outcome == RingOutcome::Answered
            && let Some(conference) = conference
        {
            self.enter(conference, party, None, None);
            self.tell_roster(conference, &[], now);
        }
        if let Some(replaced) = replaced {
            self.finish(replaced, CallEnd::new(200, 4521, "The call was replaced."), now);
        }
    }

    /// Tells `establishing`, unless `established` shall come first.
    pub(super) fn establishing(&mut self, key: CallKey, now: u64) {
        let Some(call) = self.book.get(&key) else { return };
        if call.is_swapped || call.state.is_over() {
            return;
        }
        self.tell_state(key, CallState::Establishing, Map::new(), now);
    }

    /// The call is up.
    pub(super) fn established(&mut self, key: CallKey, now: u64) {
        let delay = self.draw(self.settings.delays.media);
        let lobby = now + self.settings.span(self.settings.limits.lobby);
        let Some(call) = self.book.get_mut(&key) else { return };
        if call.state != CallState::Establishing {
            return;
        }
        call.state = CallState::Established;
        if call.kind == CallKind::Recording
            && let Some(conference) = call.conference
        {
            let (me, id) = (Party::Instance(call.bot), call.my_participant.clone());
            self.enter(conference, me, Some(key), Some(id));
        } else if call.kind == CallKind::Meeting
            && call.direction == CallDirection::Incoming
            && let Some(conference) = call.conference
        {
            let (me, id) = (Party::Bot(call.bot), call.my_participant.clone());
            self.enter(conference, me, Some(key), Some(id));
        }
        let Some(call) = self.book.get(&key) else { return };
        let members = established_members(call.direction, call.chat_info.as_ref(), call.meeting_info.as_ref());
        let (is_swapped, conference) = (call.is_swapped, call.conference);
        self.tell_state(key, CallState::Established, members, now);
        if is_swapped {
            self.tell_state(key, CallState::Establishing, Map::new(), now);
        }
        if self.is_in_lobby(key) {
            self.agenda.add(lobby, key, Step::LobbyLimit);
        } else {
            self.agenda.add(now + delay, key, Step::Media);
        }
        if let Some(conference) = conference {
            self.tell_roster(conference, &[], now);
        }
        self.changed(key);
    }

    /// Audio flows.
    pub(super) fn media_flows(&mut self, key: CallKey, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        if call.state != CallState::Established || call.media.is_active {
            return;
        }
        call.media.is_active = true;
        self.tell_media(key, true, now);
        self.start_media(key, now);
        self.changed(key);
    }

    pub(super) fn tell_media(&mut self, key: CallKey, is_active: bool, now: u64) {
        let Some(call) = self.book.get(&key) else { return };
        let word = call.style.word(if is_active { "active" } else { "inactive" });
        let mut members = Map::new();
        let media = json!({ "@odata.type": "#microsoft.graph.callMediaState", "audio": word });
        members.insert("mediaState".to_owned(), media);
        let state = call.state;
        self.tell_state(key, state, members, now);
    }

    /// The bot has not decided in time.
    pub(super) fn answer_limit(&mut self, key: CallKey, now: u64) {
        if self.state(key) == Some(CallState::Incoming) {
            self.finish(key, unreachable(), now);
        }
    }

    /// Nobody let the bot in.
    pub(super) fn lobby_limit(&mut self, key: CallKey, now: u64) {
        if self.is_in_lobby(key) {
            let end = CallEnd::new(200, 5855, "Removed from the lobby by its time limit.");
            self.finish(key, end, now);
        }
    }

    pub(super) fn is_in_lobby(&self, key: CallKey) -> bool {
        let conference = self.book.get(&key).and_then(|call| call.conference);
        conference.is_some_and(|conference| {
            let mut members = self.conference(conference).members.iter();
            members.any(|member| member.call == Some(key) && member.is_in_lobby)
        })
    }

    /// An operation without media is done.
    pub(super) fn operation_due(&mut self, key: CallKey, place: usize, now: u64) {
        let Some(call) = self.book.get(&key) else { return };
        let Some(operation) = call.operations.get(place) else {
            return;
        };
        let (kind, conference) = (operation.kind, call.conference);
        let mut completion = Completion::completed();
        if kind == OperationKind::SendDtmfTones {
            completion.members = vec![("completionReason", "completedSuccessfully".into())];
        }
        self.complete(key, place, completion, now);
        if kind == OperationKind::AddLargeGalleryView
            && let Some(conference) = conference
        {
            self.enter(conference, Party::Gallery, None, None);
            self.tell_roster(conference, &[], now);
        }
    }
}

/// How an outgoing call ends that nobody took. The exact pairs of Graph are not documented; these are those of Azure
/// Communication Services.
fn refused(outcome: RingOutcome, is_phone: bool) -> CallEnd {
    match outcome {
        RingOutcome::Declined => CallEnd::new(603, 0, "The call was declined."),
        RingOutcome::Busy if is_phone => CallEnd::new(486, 560_486, "Busy here."),
        RingOutcome::Busy => CallEnd::new(486, 0, "Busy here."),
        RingOutcome::Unreachable => CallEnd::new(480, 10_037, "The callee has no endpoints."),
        RingOutcome::NoAnswer | RingOutcome::Answered => {
            CallEnd::new(487, 10_004, "The call was not accepted in time.")
        }
    }
}

fn invitation_failed(outcome: RingOutcome) -> (u16, u32, &'static str) {
    match outcome {
        RingOutcome::Declined => (603, 8538, "addParticipants failed: the callee declined."),
        RingOutcome::Busy => (486, 8539, "addParticipants failed: the callee is busy."),
        RingOutcome::Unreachable => (480, 8541, "addParticipants failed: the callee is unavailable."),
        RingOutcome::NoAnswer | RingOutcome::Answered => (408, 8544, "addParticipants failed: nobody answered."),
    }
}

fn established_members(
    direction: CallDirection,
    chat_info: Option<&Value>,
    meeting_info: Option<&Value>,
) -> Map<String, Value> {
    let mut members = Map::new();
    if direction == CallDirection::Outgoing {
        for (name, value) in [("chatInfo", chat_info), ("meetingInfo", meeting_info)] {
            if let Some(value) = value {
                members.insert(name.to_owned(), value.clone());
            }
        }
    }
    members
}
