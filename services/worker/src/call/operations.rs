//! Operations that are under way: joined to their end by their key, never asked twice where that would be heard.

use trunkline_bot::logic::{CallEvent, HostedOperation, OperationEnd, OperationOutcome};
use trunkline_teams::calls::{CommsOperation, OperationStatus, ResultInfo, SendDtmfCompletionReason};
use trunkline_teams::graph::{Completion, Operation, OperationKind, Told};

use super::leg::on_leg;
use super::life::News;
use super::record::{CallRecord, Pending};

/// What an operation may take, beside the sound that it plays or records.
const BUDGET_MS: u64 = 30_000;
/// Longest sound of which nobody told the length.
const SOUND_MS: u64 = 120_000;
/// From the end of a sound to the notification of it.
const AFTER_SOUND_MS: u64 = 10_000;
/// Somebody who is invited and does not answer: Graph gives up after about 60 s (observed).
const INVITE_MS: u64 = 70_000;
/// Between two tones, where the operation does not say it, with the tone itself.
const TONE_MS: u64 = 1_000;
/// How long a call that was perhaps made is waited for (design: "Calls").
const ADOPT_MS: u64 = 30_000;

/// How long an operation on the leg may take that no sound is waited for.
pub(super) const HOST_BUDGET_MS: u64 = BUDGET_MS;

/// How long an operation may take from its leaving to its end, in milliseconds.
pub fn budget_ms(operation: &Operation) -> u64 {
    let seconds =
        |given: Option<i32>, default: u64| given.map_or(default, |given| u64::from(given.unsigned_abs())) * 1_000;
    match operation {
        Operation::PlayPrompt(prompt) => SOUND_MS * (prompt.prompts.len().max(1) as u64) + AFTER_SOUND_MS,
        Operation::RecordResponse(record) => {
            let silence = seconds(record.initial_silence_timeout_in_seconds, 5);
            SOUND_MS + silence + seconds(record.max_record_duration_in_seconds, 5) + AFTER_SOUND_MS
        }
        Operation::SendDtmfTones(tones) => {
            let delay = tones
                .delay_between_tones_ms
                .map_or(0, |delay| u64::from(delay.unsigned_abs()));
            BUDGET_MS + (delay + TONE_MS) * tones.tones.len() as u64
        }
        Operation::Invite(_) => INVITE_MS,
        // The request's own time, and then that of the first notification.
        Operation::Create(_) => BUDGET_MS + ADOPT_MS,
        _ => BUDGET_MS,
    }
}

/// Whether it decides about an incoming call.
pub fn is_decision(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Answer(_) | Operation::Reject(_) | Operation::Redirect(_)
    )
}

/// Whether it only looks, or says that the call is wanted: such operations wait for no other and none waits for them.
pub fn is_look(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Get | Operation::KeepAlive | Operation::ListParticipants
    )
}

/// Sounds wait for one another at Graph, in order of arrival (documented).
fn is_sound(kind: &str) -> bool {
    matches!(
        OperationKind::by_name(kind),
        Some(OperationKind::PlayPrompt | OperationKind::RecordResponse)
    )
}

impl CallRecord {
    /// An operation of the bot is committed. One that is known already is not noted twice.
    pub fn ask(&mut self, key: &str, operation: &Operation) {
        if self.is_over() || self.pending.iter().any(|pending| pending.key == key) {
            return;
        }
        self.want_leg_for(operation);
        self.pending.push(Pending {
            is_of_leg: self.has_leg() && on_leg(operation).is_some(),
            key: key.to_owned(),
            kind: operation.kind().name().to_owned(),
            until_ms: 0,
            budget_ms: budget_ms(operation),
            operation_id: String::new(),
        });
        if is_decision(operation) {
            self.is_decided = true;
        }
    }

    /// Whether the operation of that key has no end yet.
    pub fn is_pending(&self, key: &str) -> bool {
        self.pending.iter().any(|pending| pending.key == key)
    }

    /// An operation leaves: from now on its time runs. A sound waits for those before it.
    pub fn leaves(&mut self, key: &str, now_ms: u64) {
        let sounds = self
            .pending
            .iter()
            .filter(|other| other.key != key && is_sound(&other.kind));
        let last_sound = sounds.map(|other| other.until_ms).max().unwrap_or(0);
        let decide_by_ms = self.decide_by_ms;
        let Some(pending) = self.pending.iter_mut().find(|pending| pending.key == key) else {
            return;
        };
        let from = if is_sound(&pending.kind) {
            now_ms.max(last_sound)
        } else {
            now_ms
        };
        pending.until_ms = from + pending.budget_ms;
        let is_decision = matches!(
            OperationKind::by_name(&pending.kind),
            Some(OperationKind::Answer | OperationKind::Reject | OperationKind::Redirect)
        );
        if is_decision && decide_by_ms > 0 {
            // Afterwards Graph does not take it any more.
            pending.until_ms = pending.until_ms.min(decide_by_ms.max(now_ms + 1));
        }
    }

    /// It leaves to the leg, as a command of that number: by that its end is told.
    pub fn leaves_to_leg(&mut self, key: &str, command: u64) {
        if let Some(pending) = self.pending.iter_mut().find(|pending| pending.key == key) {
            pending.operation_id = command.to_string();
        }
    }

    /// Graph answered an operation of the bot.
    pub fn answered(&mut self, key: &str, told: Told, now_ms: u64) -> Vec<CallEvent> {
        let Some(place) = self.pending.iter().position(|pending| pending.key == key) else {
            return Vec::new();
        };
        let kind = OperationKind::by_name(&self.pending[place].kind);
        if kind.is_none() {
            return self.host_answered(place);
        }
        let completion = kind.map_or(Completion::Notification, OperationKind::completion);
        match (told, completion) {
            (Told::Operation(operation), completion) => {
                let is_over = operation.is_over() || (completion == Completion::Answer && operation.status.is_none());
                if is_over || completion == Completion::CallState {
                    return self.end_operation(place, *operation);
                }
                self.pending[place].operation_id = operation.id.unwrap_or_default();
                Vec::new()
            }
            (_, Completion::Notification) => Vec::new(),
            (Told::Call(call), _) => {
                let mut events = self.end_operation(place, done());
                events.extend(self.hear(News::Call(call), now_ms));
                events
            }
            (Told::Roster(roster), _) => {
                let mut events = self.end_operation(place, done());
                events.extend(self.hear(News::Roster(roster), now_ms));
                events
            }
            _ => self.end_operation(place, done()),
        }
    }

    /// The leg did what it was asked: the end of it is told, but of a recording, which begins.
    fn host_answered(&mut self, place: usize) -> Vec<CallEvent> {
        if self.pending[place].kind != HostedOperation::RECORD_CALL {
            return self.end_operation(place, done());
        }
        let pending = self.pending.remove(place);
        self.keeping_began(&pending.key).into_iter().collect()
    }

    /// The call was made, and this is its id.
    pub fn created(&mut self, key: &str) {
        self.pending.retain(|pending| pending.key != key);
    }

    /// Graph did not take an operation.
    pub fn refused(&mut self, key: &str, status: u16, code: &str, message: &str) -> Vec<CallEvent> {
        self.finish(
            key,
            OperationOutcome::Refused {
                status,
                code: code.to_owned(),
                message: message.to_owned(),
            },
        )
    }

    /// Nobody knows whether Graph took an operation that is not asked twice: its time goes on. A call that was perhaps made
    /// is waited for from now on.
    pub fn in_doubt(&mut self, key: &str, now_ms: u64) {
        if let Some(pending) = self.pending.iter_mut().find(|pending| pending.key == key) {
            if pending.kind == OperationKind::Create.name() {
                pending.until_ms = now_ms + ADOPT_MS;
            } else if pending.until_ms == 0 {
                pending.until_ms = now_ms + pending.budget_ms;
            }
        }
    }

    /// Operations whose time is over. A create among them is in doubt, and the call with it.
    pub fn give_up(&mut self, now_ms: u64) -> Vec<CallEvent> {
        let is_over = |pending: &mut Pending| pending.until_ms > 0 && pending.until_ms <= now_ms;
        let over: Vec<Pending> = self.pending.extract_if(.., is_over).collect();
        over.into_iter()
            .map(|pending| {
                if pending.kind == OperationKind::Create.name() {
                    CallEvent::InDoubt
                } else {
                    self.ended(pending, OperationOutcome::Unknown)
                }
            })
            .collect()
    }

    /// A notification says that an operation ended.
    pub(super) fn operation_ended(&mut self, id: Option<&str>, operation: CommsOperation) -> Vec<CallEvent> {
        let id = id.or(operation.id.as_deref()).filter(|id| !id.is_empty());
        let context = operation.client_context.as_deref();
        let is_it = |pending: &Pending| {
            context.map_or_else(
                || id == Some(pending.operation_id.as_str()),
                |context| pending.key == context,
            )
        };
        match self.pending.iter().position(is_it) {
            Some(place) => self.end_operation(place, operation),
            None => Vec::new(),
        }
    }

    pub(super) fn end_operation(&mut self, place: usize, operation: CommsOperation) -> Vec<CallEvent> {
        let pending = self.pending.remove(place);
        let outcome = if has_failed(&operation) {
            OperationOutcome::Failed(Box::new(operation))
        } else {
            OperationOutcome::Completed(Box::new(operation))
        };
        vec![self.ended(pending, outcome)]
    }

    pub(super) fn end_pending(&mut self) -> Vec<CallEvent> {
        let pending = std::mem::take(&mut self.pending);
        let known = pending
            .into_iter()
            .filter(|pending| pending.kind != OperationKind::Create.name());
        known
            .map(|pending| self.ended(pending, OperationOutcome::Unknown))
            .collect()
    }

    /// What is under way on the leg ended like this.
    pub(super) fn end_pending_of_leg(&mut self, how: &CommsOperation) -> Vec<CallEvent> {
        let of_leg: Vec<Pending> = self.pending.extract_if(.., |pending| pending.is_of_leg).collect();
        let failed = |pending| self.ended(pending, OperationOutcome::Failed(Box::new(how.clone())));
        of_leg.into_iter().map(failed).collect()
    }

    fn finish(&mut self, key: &str, outcome: OperationOutcome) -> Vec<CallEvent> {
        let Some(place) = self.pending.iter().position(|pending| pending.key == key) else {
            return Vec::new();
        };
        let pending = self.pending.remove(place);
        vec![self.ended(pending, outcome)]
    }

    fn ended(&mut self, pending: Pending, outcome: OperationOutcome) -> CallEvent {
        if pending.kind == HostedOperation::RECORD_CALL {
            return self.keeping_failed(&pending.key, &outcome);
        }
        if pending.kind == HostedOperation::REOPEN {
            self.reopening_ended(&pending, &outcome);
        }
        CallEvent::OperationEnded(Box::new(OperationEnd {
            key: pending.key,
            operation: pending.kind,
            outcome,
        }))
    }
}

/// Of tones the reason counts, not the status (documented: `sendDtmfTonesOperation`).
fn has_failed(operation: &CommsOperation) -> bool {
    let is_cancelled = matches!(
        operation.completion_reason,
        Some(SendDtmfCompletionReason::MediaOperationCanceled)
    );
    let result = operation.result_info.as_ref();
    is_cancelled
        || operation.status == Some(OperationStatus::Failed)
        || (operation.status.is_none() && result.is_some_and(ResultInfo::is_failure))
}

/// What is told of an operation that Graph took without telling anything of it.
pub(super) fn done() -> CommsOperation {
    CommsOperation {
        status: Some(OperationStatus::Completed),
        ..CommsOperation::default()
    }
}
