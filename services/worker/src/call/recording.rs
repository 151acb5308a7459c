//! The recording of a call that a policy demands, on a leg: nothing is kept before Graph has confirmed the word "recording", and
//! recording has stopped before any other word is said (Graph, `call: updateRecordingStatus`).
//!
//! The word is one operation of the bot with two halves. Of "recording" the first half is Graph's and the second the leg's; of every
//! other word it is the other way round. The bot is told that the word was taken when both are done.

use trunkline_bot::logic::CallEvent;
use trunkline_teams::calls::{CommsOperation, OperationStatus, RecordingStatus, ResultInfo};
use trunkline_teams::graph::{Operation, Told, UpdateRecordingStatus};

use super::kept::KeptEnd;
use super::leg::{LegCommand, LegDirection, OnLeg, on_leg};
use super::record::CallRecord;
use super::timeline::MomentKind;
use crate::record::{Asks, Entry};

/// Status and code where Graph took the word and did not confirm it with the same answer.
pub const NOT_CONFIRMED: (u16, &str) = (409, "TRUNKLINE_NOT_CONFIRMED");
/// How long Graph is told that a recording failed.
const SAY_FAILED_MS: u64 = 30_000;

/// What follows when an operation was taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Half {
    /// Nothing more: it is whole.
    Whole,
    /// The second half, with the operation that confirmed the first.
    Second(String),
    /// Nothing may be recorded: it was not confirmed.
    NotConfirmed,
}

impl CallRecord {
    /// What an entry is in a call with a leg; `None` for what is asked of Graph.
    pub fn on_leg(&self, entry: &Entry) -> Option<OnLeg> {
        match entry.asks()? {
            Asks::Graph(operation) => self.graph_on_leg(entry, &operation),
            Asks::Host(operation) => self.hosted_on_leg(entry, &operation),
        }
    }

    fn graph_on_leg(&self, entry: &Entry, operation: &Operation) -> Option<OnLeg> {
        let Operation::UpdateRecordingStatus(update) = operation else {
            return on_leg(operation);
        };
        let is_of_leg = self.is_leg_open() && says_recording(update) == entry.is_second_half;
        is_of_leg.then(|| {
            OnLeg::Command(if says_recording(update) {
                LegCommand::RecordCall {
                    name: self.recording_name(entry.leg_command),
                    received: true,
                    sent: true,
                    mixed: false,
                    confirmed_by: entry.confirmed_by.clone(),
                }
            } else {
                LegCommand::StopRecordingCall { of: 0 }
            })
        })
    }

    /// What follows for an entry that was taken with this answer.
    pub fn half(&self, entry: &Entry, operation: &Operation, told: &Told) -> Half {
        let Operation::UpdateRecordingStatus(update) = operation else {
            return Half::Whole;
        };
        if entry.is_second_half || !self.is_leg_open() {
            return Half::Whole;
        }
        if !says_recording(update) {
            return Half::Second(String::new());
        }
        match told {
            Told::Operation(answer) if has_succeeded(answer) => Half::Second(
                answer
                    .id
                    .clone()
                    .filter(|id| !id.is_empty())
                    .unwrap_or_else(|| entry.key.clone()),
            ),
            // It failed: the bot is told as ever.
            Told::Operation(answer) if answer.is_over() => Half::Whole,
            _ => Half::NotConfirmed,
        }
    }

    /// `tenant/call/leg-number`: what is no letter or digit is written as a line.
    pub(super) fn recording_name(&self, command: u64) -> String {
        let plain = |text: &str| -> String {
            let character = |character: char| {
                if character.is_ascii_alphanumeric() {
                    character
                } else {
                    '-'
                }
            };
            text.chars().map(character).take(100).collect()
        };
        let tenant = plain(&self.tenant);
        let call = plain(self.id.as_deref().unwrap_or_default());
        let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
        format!("{}/{}/leg-{command}", or_none(tenant), or_none(call))
    }

    /// Whether a policy demands that the call is recorded.
    pub fn is_of_policy(&self) -> bool {
        self.about().observed_participant().is_some()
    }

    /// A direction that the leg recorded ended. Of a policy's call Graph is told when that was no good end.
    pub(super) fn recording_ended(
        &mut self,
        command: u64,
        direction: LegDirection,
        end: KeptEnd,
        now_ms: u64,
    ) -> Vec<CallEvent> {
        let has_failed = end.is_err();
        if let Some(events) = self.direction_ended(command, direction, end) {
            return events;
        }
        if has_failed && self.is_of_policy() {
            self.say_that_recording_failed(now_ms);
        }
        Vec::new()
    }

    /// Teams is told that the recording failed: the people in the call are to know.
    pub(super) fn say_that_recording_failed(&mut self, now_ms: u64) {
        if self.is_over() || self.id.is_none() {
            return;
        }
        let failed = Operation::UpdateRecordingStatus(UpdateRecordingStatus {
            status: Some(RecordingStatus::Failed),
            client_context: None,
        });
        self.wants(&failed, now_ms + SAY_FAILED_MS);
        self.note(MomentKind::Host, "graph is told that the recording failed", now_ms);
    }
}

fn says_recording(update: &UpdateRecordingStatus) -> bool {
    update.status == Some(RecordingStatus::Recording)
}

fn has_succeeded(answer: &CommsOperation) -> bool {
    let is_failure = answer.result_info.as_ref().is_some_and(ResultInfo::is_failure);
    let is_done = match answer.status {
        Some(OperationStatus::Completed) => true,
        // An answer without a status is its end.
        None => answer.result_info.is_some(),
        _ => false,
    };
    is_done && !is_failure
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use trunkline_teams::calls::{Call, MediaConfig, Secret};
    use trunkline_teams::graph::Answer;

    use super::*;
    use crate::call::{OpenedLeg, Own};

    fn with_leg() -> CallRecord {
        let mut call = CallRecord::incoming(Call::default(), "tenant", 1_000);
        call.id = Some("57dab8b1-894c/x".to_owned());
        let answer = Operation::Answer(Box::new(Answer {
            media_config: Some(MediaConfig::app_hosted()),
            ..Answer::default()
        }));
        call.ask("yes", &answer);
        assert!(call.leg_opened(OpenedLeg {
            host: "media-1".to_owned(),
            address: "127.0.0.1:9".to_owned(),
            name: "leg".to_owned(),
            blob: Secret::new("let me in"),
        }));
        call
    }

    fn word(status: RecordingStatus) -> Operation {
        Operation::UpdateRecordingStatus(UpdateRecordingStatus {
            status: Some(status),
            client_context: None,
        })
    }

    fn told(status: OperationStatus) -> Told {
        Told::Operation(Box::new(CommsOperation {
            id: Some("operation-7".to_owned()),
            status: Some(status),
            result_info: Some(ResultInfo::new(200, 0)),
            ..CommsOperation::default()
        }))
    }

    #[test]
    fn recording_begins_on_the_leg_only_after_graph_confirmed_it() {
        let (call, word) = (with_leg(), word(RecordingStatus::Recording));
        let mut entry = Entry::default();
        assert_eq!(call.graph_on_leg(&entry, &word), None, "the first half is Graph's");
        let confirmed = call.half(&entry, &word, &told(OperationStatus::Completed));
        assert_eq!(confirmed, Half::Second("operation-7".to_owned()));
        assert_eq!(
            call.half(&entry, &word, &told(OperationStatus::Running)),
            Half::NotConfirmed
        );
        assert_eq!(call.half(&entry, &word, &Told::Nothing), Half::NotConfirmed);
        assert_eq!(call.half(&entry, &word, &told(OperationStatus::Failed)), Half::Whole);
        entry.is_second_half = true;
        entry.confirmed_by = "operation-7".to_owned();
        entry.leg_command = 4;
        let command = LegCommand::RecordCall {
            name: "tenant/57dab8b1-894c-x/leg-4".to_owned(),
            received: true,
            sent: true,
            mixed: false,
            confirmed_by: "operation-7".to_owned(),
        };
        assert_eq!(call.graph_on_leg(&entry, &word), Some(OnLeg::Command(command)));
        assert_eq!(call.half(&entry, &word, &Told::Nothing), Half::Whole);
    }

    #[test]
    fn recording_has_stopped_before_another_word_is_said() {
        let call = with_leg();
        for status in [RecordingStatus::NotRecording, RecordingStatus::Failed] {
            let (word, mut entry) = (word(status), Entry::default());
            assert_eq!(
                call.graph_on_leg(&entry, &word),
                Some(OnLeg::Command(LegCommand::StopRecordingCall { of: 0 }))
            );
            assert_eq!(call.half(&entry, &word, &Told::Nothing), Half::Second(String::new()));
            entry.is_second_half = true;
            assert_eq!(call.graph_on_leg(&entry, &word), None, "the second half is Graph's");
        }
    }

    #[test]
    fn without_a_leg_the_word_is_graph_s_alone() {
        let mut call = with_leg();
        call.lose_leg("gone", false, 2_000);
        for status in [RecordingStatus::Recording, RecordingStatus::NotRecording] {
            let (word, entry) = (word(status), Entry::default());
            assert_eq!(call.graph_on_leg(&entry, &word), None);
            assert_eq!(call.half(&entry, &word, &told(OperationStatus::Completed)), Half::Whole);
        }
    }

    #[test]
    fn teams_is_told_of_a_recording_that_failed() {
        let mut call = with_leg();
        call.say_that_recording_failed(5_000);
        let own: Vec<_> = call.own.iter().filter_map(Own::operation).collect();
        assert!(own.contains(&word(RecordingStatus::Failed)), "{own:?}");
    }
}
