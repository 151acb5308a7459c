//! The life of a call: how it begins, which news moves it on, and what its bot is told of it.

use trunkline_bot::logic::{CallAbout, CallEnd, CallEvent};
use trunkline_teams::calls::{
    Call, CallDirection, CallState, ChangeType, CommsOperation, ContentSharingSession, DeltaParticipants, MediaState,
    Participant, ParticipantJoining, ParticipantLeft, ResultInfo,
};

use super::record::{CallRecord, EndedBy, EndedRecord, Lease, to_json};

/// From the receipt of the notification to the decision about a call (documented: `call: answer`).
const DECIDE_MS: u64 = 15_000;
/// The same for an invitation to record by policy (documented there).
const DECIDE_RECORDING_MS: u64 = 5_000;

/// What Graph tells of a call.
#[derive(Clone, Debug)]
pub enum News {
    /// The call, as far as it is told.
    Call(Box<Call>),
    /// The call was deleted: it is over, whatever state is told.
    Over(Box<Call>),
    /// Graph does not know the call any more.
    Gone,
    /// Everybody who is in the call.
    Roster(Vec<Participant>),
    /// What changed in the roster.
    RosterChanges(DeltaParticipants),
    /// Content is shared, or no longer.
    Sharing(Vec<ContentSharingSession>, ChangeType),
    /// Another person is recorded by this call.
    Joining(Box<ParticipantJoining>),
    /// A recorded person left.
    Left(Box<ParticipantLeft>),
    /// An operation, told by a notification.
    Operation {
        /// Graph's id of it.
        id: Option<String>,
        /// As far as it is told.
        operation: Box<CommsOperation>,
        /// It was deleted, which is how its end is told.
        is_over: bool,
    },
}

/// Whether news of `next` moves a call on. Going back to established from a transfer wants a failure, which the caller
/// looks at: a late repeat of an earlier notification says the same state.
fn may_become(state: &CallState, next: &CallState) -> bool {
    use CallState::{
        Established, Establishing, Hold, Incoming, Redirecting, Terminated, Terminating, TransferAccepted, Transferring,
    };
    match next {
        Establishing | Redirecting => *state == Incoming,
        Established => !matches!(state, Established | Redirecting | Terminating | Terminated),
        Hold => *state == Established,
        Transferring => matches!(state, Established | Hold),
        TransferAccepted => matches!(state, Established | Hold | Transferring),
        Terminating => !matches!(state, Terminating | Terminated),
        Terminated => *state != Terminated,
        // `ringing` is in one page only; what is not known moves nothing.
        _ => false,
    }
}

impl CallRecord {
    /// A call that somebody makes to the bot: its notification was received at that time.
    pub fn incoming(call: Call, tenant: &str, received_ms: u64) -> Self {
        let is_recording_invitation = call.is_recording_invitation();
        let time = if is_recording_invitation {
            DECIDE_RECORDING_MS
        } else {
            DECIDE_MS
        };
        let mut record = Self {
            tenant: tenant.to_owned(),
            decide_by_ms: received_ms + time,
            is_recording_invitation,
            lease: Lease::Wanted as i32,
            began_ms: received_ms,
            ..Self::default()
        };
        record.set_state(&CallState::Incoming);
        record.set_about(&about_of(call, CallDirection::Incoming));
        record
    }

    /// A call that the bot asks for.
    pub fn outgoing(call: Call, tenant: &str, now_ms: u64) -> Self {
        let mut record = Self {
            tenant: tenant.to_owned(),
            is_decided: true,
            is_outgoing: true,
            lease: Lease::Wanted as i32,
            began_ms: now_ms,
            ..Self::default()
        };
        record.set_state(&CallState::Establishing);
        record.set_about(&about_of(call, CallDirection::Outgoing));
        record
    }

    /// Takes what Graph tells. Whatever is repeated, or comes after the call has gone beyond it, changes nothing.
    pub fn hear(&mut self, news: News, now_ms: u64) -> Vec<CallEvent> {
        if self.is_over() {
            return Vec::new();
        }
        match news {
            News::Over(call) => self.over(call.result_info, now_ms),
            News::Gone => self.over(None, now_ms),
            News::Call(call) => self.hear_call(*call, now_ms),
            News::Roster(roster) => self.compare(roster),
            News::RosterChanges(changes) => self.change_roster(changes, now_ms),
            News::Sharing(sessions, change) => self.hear_sharing(sessions, &change),
            News::Joining(joining) => self.hear_joining(*joining).into_iter().collect(),
            News::Left(left) => self.hear_left(*left).into_iter().collect(),
            News::Operation { id, operation, is_over } => {
                if is_over || operation.is_over() {
                    self.operation_ended(id.as_deref(), *operation)
                } else {
                    Vec::new()
                }
            }
        }
    }

    fn hear_call(&mut self, call: Call, now_ms: u64) -> Vec<CallEvent> {
        self.learn(&call);
        let audio = call.media_state.as_ref().and_then(|media| media.audio.as_ref());
        // Where a leg carries the sound, the leg tells of it, and of keys.
        if let Some(audio) = audio.filter(|_| !self.has_leg()) {
            self.is_audio_active = *audio == MediaState::Active;
        }
        // Audio and keys are told of established calls only.
        let is_established = audio.is_some() || call.tone_info.is_some();
        let next = call.state.or_else(|| is_established.then_some(CallState::Established));
        let mut events = match next {
            Some(CallState::Terminated) => return self.over(call.result_info, now_ms),
            Some(next) => self.move_on(&next, call.result_info),
            None => Vec::new(),
        };
        events.extend(self.connect(now_ms));
        if let Some(tone) = call.tone_info.filter(|_| !self.has_leg()) {
            let is_new = match (tone.sequence_id, self.last_tone) {
                (Some(number), Some(last)) => number > last,
                _ => true,
            };
            if is_new {
                self.last_tone = tone.sequence_id.or(self.last_tone);
                events.extend(tone.tone.map(CallEvent::Tone));
            }
        }
        events
    }

    /// What a later notification tells for the first time.
    fn learn(&mut self, call: &Call) {
        if self.scenario.is_empty()
            && let Some(chain) = &call.call_chain_id
        {
            self.scenario.clone_from(chain);
        }
        if call.chat_info.is_none() && call.my_participant_id.is_none() && call.call_chain_id.is_none() {
            return;
        }
        let mut about = self.about();
        let before = about.clone();
        fill(&mut about.chat_info, call.chat_info.as_ref());
        fill(&mut about.meeting_info, call.meeting_info.as_ref());
        fill(&mut about.my_participant_id, call.my_participant_id.as_ref());
        fill(&mut about.call_chain_id, call.call_chain_id.as_ref());
        fill(&mut about.subject, call.subject.as_ref());
        if about != before {
            self.set_about(&about);
        }
    }

    fn move_on(&mut self, next: &CallState, result: Option<ResultInfo>) -> Vec<CallEvent> {
        let state = self.state();
        if !may_become(&state, next) {
            return Vec::new();
        }
        let was_transferring = matches!(state, CallState::Transferring | CallState::TransferAccepted);
        if was_transferring && *next == CallState::Established {
            let Some(result) = result.filter(ResultInfo::is_failure) else {
                return Vec::new();
            };
            self.set_state(next);
            return vec![CallEvent::TransferFailed(result)];
        }
        self.set_state(next);
        // Whoever decided, it is decided.
        self.is_decided = true;
        self.looks = 0;
        Vec::new()
    }

    pub(super) fn connect(&mut self, now_ms: u64) -> Option<CallEvent> {
        let is_new = self.state() == CallState::Established && self.is_audio_active && !self.was_connected;
        if is_new {
            self.was_connected = true;
            self.connected_ms = now_ms;
        }
        is_new.then_some(CallEvent::Connected)
    }

    /// The end is final: what was under way ends with it, and nobody is in the call any more.
    pub fn over(&mut self, result: Option<ResultInfo>, now_ms: u64) -> Vec<CallEvent> {
        if self.is_over() {
            return Vec::new();
        }
        let by = match &result {
            Some(result) => who(result.code(), result.subcode()),
            None if self.is_ending => EndedBy::Bot,
            None => EndedBy::Unknown,
        };
        self.set_state(&CallState::Terminated);
        self.is_audio_active = false;
        self.is_decided = true;
        self.present = Vec::new();
        self.sharings = Vec::new();
        self.recorded = Vec::new();
        self.recorded_left = Vec::new();
        self.own = Vec::new();
        self.end_leg(now_ms);
        self.keep_alive_ms = 0;
        self.look_ms = 0;
        self.lease = match self.lease() {
            Lease::None => Lease::None,
            _ => Lease::Closing,
        } as i32;
        self.ended = Some(EndedRecord {
            at_ms: now_ms,
            by: by as i32,
            result: result.as_ref().map(to_json).unwrap_or_default(),
        });
        let mut events = self.end_pending();
        events.extend(self.leave_kept());
        events.push(CallEvent::Ended(CallEnd { by: by.into(), result }));
        events
    }
}

/// What does not change.
pub(super) fn about_of(call: Call, direction: CallDirection) -> CallAbout {
    CallAbout {
        direction: Some(call.direction.unwrap_or(direction)),
        call_chain_id: call.call_chain_id,
        source: call.source,
        targets: call.targets,
        requested_modalities: call.requested_modalities,
        chat_info: call.chat_info,
        meeting_info: call.meeting_info,
        my_participant_id: call.my_participant_id,
        incoming_context: call.incoming_context,
        application_metadata: call.application_metadata,
        subject: call.subject,
    }
}

fn fill<T: Clone>(place: &mut Option<T>, told: Option<&T>) {
    if place.is_none() {
        *place = told.cloned();
    }
}

/// Who ended a call, by Graph's table of ends (documented on the page of deleting a call).
pub(super) fn who(code: i64, subcode: i64) -> EndedBy {
    match (code, subcode) {
        (_, 7015) | (200, 7000 | 10_550) => EndedBy::Bot,
        // For want of people, of a host, or of time: Teams ends it.
        (200, 5010 | 5012..=5014 | 5020 | 5030 | 5855) => EndedBy::Service,
        (0 | 200 | 486 | 487 | 603, _) => EndedBy::Person,
        _ => EndedBy::Service,
    }
}
