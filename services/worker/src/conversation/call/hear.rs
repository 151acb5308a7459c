//! From what was told to the record: the machine takes it, and what follows for host and bot is noted.

use trunkline_bot::logic::CallEvent;
use trunkline_proto::routing::{Answer, Reason};
use trunkline_teams::calls::{Call, ChangeType, Notification, NotificationError, Subject};
use trunkline_teams::graph::{Operation, SubscribeToTone};

use super::super::event::{Action, Note, Now};
use super::super::work::StartCall;
use super::super::{Conversation, Phase, Reply, refused};
use super::report::{Report, What};
use crate::call::{CallRecord, MomentKind, News, QueuedKind};
use crate::record::{Entry, EntryKind, Lane};

/// How long the host asks for the caller's keys.
const SUBSCRIBE_MS: u64 = 60_000;
/// How long the host hangs up a call without sound.
const HANG_UP_MS: u64 = 120_000;

impl Conversation {
    /// Takes everything that was told and does what the clock wants, between two commits.
    pub(in super::super) fn look_after_call(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.phase != Phase::Serving || self.in_flight.is_some() || self.memory.is_none() {
            return;
        }
        let Some(part) = &mut self.call else { return };
        let reports = std::mem::take(&mut part.reports);
        for report in reports {
            self.take(report, now, out);
        }
        self.look_after_leg(now);
        self.do_what_is_due(now, out);
    }

    fn take(&mut self, mut report: Report, now: Now, out: &mut Vec<Action>) {
        let Some(memory) = self.memory.as_mut() else { return };
        let ring = memory.record.ring.get_or_insert_default();
        if let Some(status) = report.repeat_key.and_then(|key| ring.status_of(key)) {
            out.push(Action::Note(Note::Repeat));
            let status = u32::from(status);
            let body = bytes::Bytes::new();
            report.reply(&Reply::Repeated(Answer { status, body }), out);
            return;
        }
        let is_taken = match &report.what {
            What::Notification {
                tenant,
                received_ms,
                body,
            } => {
                let (tenant, received_ms, body) = (tenant.clone(), *received_ms, body.clone());
                let taken = self.take_notification(&tenant, received_ms, &body, &report.traceparent, now, out);
                match taken {
                    Ok(is_taken) => is_taken,
                    Err(error) => {
                        let reason = error.to_string();
                        out.push(Action::Note(Note::NotificationUnread { reason }));
                        report.reply(&refused(Reason::Malformed, 0), out);
                        return;
                    }
                }
            }
            What::Start(start) => {
                let start = start.clone();
                self.take_start(*start, &report.traceparent, now)
            }
            What::Leg(_) => self.take_leg_news(&report.what, now),
        };
        if !is_taken {
            // Nothing came of it, and nothing of it is kept.
            report.accept(out);
            return;
        }
        if let (Some(key), Some(memory)) = (report.repeat_key, self.memory.as_mut()) {
            let ring = memory.record.ring.get_or_insert_default();
            ring.remember(key, 202, now.wall_ms);
        }
        self.must_write(now);
        self.call_part().hearing.push(report);
    }

    /// The record in memory is to be written at once.
    pub(super) fn must_write(&mut self, now: Now) {
        if let Some(memory) = self.memory.as_mut() {
            memory.dirty_since.get_or_insert(now.steady_ms);
        }
        self.call_part().wants_commit = true;
    }

    /// Takes a notification. `false` when nothing is to be kept of it.
    ///
    /// # Errors
    /// It is none.
    fn take_notification(
        &mut self,
        tenant: &str,
        received_ms: u64,
        body: &[u8],
        traceparent: &str,
        now: Now,
        out: &mut Vec<Action>,
    ) -> Result<bool, NotificationError> {
        let notification = Notification::read(body)?;
        let Some(call) = self.call_record_mut() else {
            return Ok(match notification.subject {
                Subject::Call(call) if notification.change == ChangeType::Created => {
                    self.rings(*call, notification.call, tenant, received_ms, now)
                }
                // Of a call that has been forgotten, or that never was one of ours.
                _ => false,
            });
        };
        if call.tenant != tenant {
            let reason = "its token is of another tenant than the call".to_owned();
            out.push(Action::Note(Note::NotificationUnread { reason }));
            return Ok(false);
        }
        match (&notification.call, &call.id) {
            (Some(told), Some(known)) if told != known => {
                let reason = "it is about another call than its address".to_owned();
                out.push(Action::Note(Note::NotificationUnread { reason }));
                return Ok(false);
            }
            (Some(told), None) => {
                let told = told.clone();
                self.adopt(told, now);
            }
            _ => {}
        }
        let Some(call) = self.call_record_mut() else {
            return Ok(false);
        };
        if let Some(scenario) = notification.scenario.filter(|_| call.scenario.is_empty()) {
            call.scenario = scenario;
        }
        let is_gone = notification.change == ChangeType::Deleted;
        let what = words_of(&notification.subject, is_gone);
        let news = match notification.subject {
            Subject::Call(call) if is_gone => News::Over(call),
            Subject::Call(call) => News::Call(call),
            Subject::Roster(roster) => News::Roster(roster),
            Subject::RosterChanges(changes) => News::RosterChanges(changes),
            Subject::Operation { id, operation } => News::Operation {
                id,
                operation,
                is_over: is_gone,
            },
            Subject::ContentSharing(sessions) => News::Sharing(sessions, notification.change),
            Subject::Joining(joining) => News::Joining(joining),
            Subject::Left(left) => News::Left(left),
            Subject::Other => {
                call.note(MomentKind::Notification, what, now.wall_ms);
                return Ok(true);
            }
        };
        if call.is_over() {
            return Ok(false);
        }
        call.note(MomentKind::Notification, what, now.wall_ms);
        self.hear(news, traceparent, now);
        Ok(true)
    }

    /// Gives news to the machine; what it means for host and bot is done.
    pub(super) fn hear(&mut self, news: News, traceparent: &str, now: Now) {
        let Some(call) = self.call_record_mut() else { return };
        let events = call.hear(news, now.wall_ms);
        self.happened(events, traceparent, now);
    }

    /// What follows from what happened.
    pub(super) fn happened(&mut self, events: Vec<CallEvent>, traceparent: &str, now: Now) {
        let Some(bot) = self.identity.as_ref().map(|identity| identity.bot.clone()) else {
            return;
        };
        for event in events {
            if matches!(event, CallEvent::Ended(_)) {
                self.has_ended();
            }
            let Some(call) = self.call_record_mut() else { return };
            if event.leaves_no_sound()
                && call.is_leg_gone()
                && !(bot.handles_call_event(&event) && call.goes_on_without_sound())
            {
                call.note(MomentKind::Host, "hangs up: nobody can be heard", now.wall_ms);
                call.wants(&Operation::Delete, now.wall_ms + HANG_UP_MS);
                continue;
            }
            if matches!(event, CallEvent::Connected) && bot.wants_tones() && !call.has_leg() {
                let subscribe = Operation::SubscribeToTone(SubscribeToTone::default());
                call.wants(&subscribe, now.wall_ms + SUBSCRIBE_MS);
            }
            if bot.handles_call_event(&event) {
                call.queue(&event, traceparent, now.wall_ms);
            }
        }
        let Some(keep_alive) = bot.call_settings().map(|settings| settings.keep_alive) else {
            return;
        };
        let Some(call) = self.call_record_mut() else { return };
        if call.id.is_some() && call.is_decided {
            call.keep_alive_from(now.wall_ms, keep_alive);
        }
        call.await_news(now.wall_ms);
    }

    /// Nothing comes after the end but what had ended before.
    fn has_ended(&mut self) {
        let Some(memory) = self.memory.as_mut() else { return };
        memory.record.outbox.retain(|entry| entry.lane() != Lane::Graph);
        memory.record.timers.clear();
        if let Some(call) = memory.record.call.as_mut() {
            call.events.retain(|queued| {
                let is_of_what_was_asked =
                    |event| matches!(event, CallEvent::OperationEnded(_) | CallEvent::Recording(_));
                queued.kind() == QueuedKind::Signal || queued.event().is_some_and(is_of_what_was_asked)
            });
        }
        self.drop_handler();
    }

    /// Somebody calls.
    fn rings(&mut self, call: Call, id: Option<String>, tenant: &str, received_ms: u64, now: Now) -> bool {
        let Some(memory) = self.memory.as_mut() else {
            return false;
        };
        let mut record = CallRecord::incoming(call, tenant, received_ms);
        record.scenario = record.about().call_chain_id.unwrap_or_default();
        let invitation = if record.is_recording_invitation {
            ", to record"
        } else {
            ""
        };
        record.note(
            MomentKind::Notification,
            format!(
                "incoming{invitation}, received {} ms ago",
                now.wall_ms.saturating_sub(received_ms)
            ),
            now.wall_ms,
        );
        record.id = id;
        record.await_news(now.wall_ms);
        memory.record.call = Some(Box::new(record));
        true
    }

    /// The bot began this call elsewhere. The intent is in the first commit, and Graph is asked only after it.
    fn take_start(&mut self, start: StartCall, traceparent: &str, now: Now) -> bool {
        let Some(key) = self
            .identity
            .as_ref()
            .map(|identity| identity.triple.conversation.clone())
        else {
            return false;
        };
        let Some(memory) = self.memory.as_mut() else {
            return false;
        };
        if memory.record.call.is_some() {
            // Told before, by a teller whose key has been forgotten.
            return false;
        }
        let Ok(wanted) = serde_json::from_slice::<Call>(&start.call) else {
            return false;
        };
        let mut call = CallRecord::outgoing(wanted.clone(), &start.tenant, now.wall_ms);
        let create = Operation::Create(Box::new(wanted));
        call.ask(&key, &create);
        call.queue_signal(start.name, start.key, start.payload, traceparent, now.wall_ms);
        call.note(MomentKind::Host, "to be made", now.wall_ms);
        let record = &mut memory.record;
        record.service_url = start.service_url;
        record.call = Some(Box::new(call));
        let mut entry = Entry {
            sequence: record.next_sequence,
            name: create.kind().name().to_owned(),
            key,
            body: serde_json::to_vec(&create).unwrap_or_default().into(),
            traceparent: traceparent.to_owned(),
            queued_ms: now.wall_ms,
            ..Entry::default()
        };
        entry.set_kind(EntryKind::Call);
        record.next_sequence += 1;
        record.outbox.push(entry);
        true
    }

    /// Graph's id of a call of our own, by the answer of its making or by a notification that overtook it.
    pub(super) fn adopt(&mut self, id: String, now: Now) {
        let key = self
            .identity
            .as_ref()
            .map(|identity| identity.triple.conversation.clone());
        let (Some(call), Some(key)) = (self.call_record_mut(), key) else {
            return;
        };
        call.created(&key);
        call.note(MomentKind::Host, format!("Graph knows it as {id}"), now.wall_ms);
        call.id = Some(id);
        call.look_ms = 0;
        if let Some(memory) = self.memory.as_mut() {
            // Where the making was in doubt, it is no longer.
            let is_create = |entry: &Entry| entry.lane() == Lane::Graph && entry.is_leaving && entry.key == key;
            memory.record.outbox.retain(|entry| !is_create(entry));
        }
    }
}

/// A notification for people, without what it says of them.
fn words_of(subject: &Subject, is_gone: bool) -> String {
    match subject {
        Subject::Call(call) => {
            let mut words = if is_gone {
                "deleted".to_owned()
            } else {
                "call".to_owned()
            };
            if let Some(state) = &call.state {
                words = format!("{words} {state}");
            }
            if let Some(audio) = call.media_state.as_ref().and_then(|media| media.audio.as_ref()) {
                words = format!("{words}, audio {audio}");
            }
            if call.tone_info.is_some() {
                words.push_str(", a tone");
            }
            if let Some(result) = &call.result_info {
                words = format!("{words}, {}/{}", result.code(), result.subcode());
            }
            words
        }
        Subject::Roster(roster) => format!("roster of {}", roster.len()),
        Subject::RosterChanges(changes) => format!("{} changes of the roster", changes.participants.len()),
        Subject::Operation { operation, .. } => {
            let kind = operation.odata_type.as_deref().unwrap_or_default();
            let kind = kind.rsplit('.').next().unwrap_or_default();
            let context = operation.client_context.as_deref().unwrap_or_default();
            let status = operation.status.as_ref().map(ToString::to_string).unwrap_or_default();
            let result = operation.result_info.as_ref();
            let result = result.map(|result| format!(", {}/{}", result.code(), result.subcode()));
            format!("{kind} {context} {status}{}", result.unwrap_or_default())
        }
        Subject::ContentSharing(_) if is_gone => "content is shared no more".to_owned(),
        Subject::ContentSharing(_) => "content is shared".to_owned(),
        Subject::Joining(_) => "a recorded person joins".to_owned(),
        Subject::Left(_) => "a recorded person left".to_owned(),
        Subject::Other => "something unknown".to_owned(),
    }
}
