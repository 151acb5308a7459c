//! The recording of a call that its bot asked for: begun on the leg, and told to its end.
//!
//! It is in the record from the commit that lets the command out until its last direction has ended, so whoever looks after the call
//! knows it: the command's number tells the leg that it was asked before, and by it the leg's events find it.

use prost::Message;
use trunkline_bot::logic::{
    CallEvent, Directions, HostedOperation, OperationOutcome, RecordedFile, RecordingNews, RecordingTold,
};
use trunkline_teams::calls::ResultInfo;

use super::leg::{LegCommand, LegDirection, OnLeg};
use super::operations::HOST_BUDGET_MS;
use super::record::{CallRecord, Pending};
use crate::record::Entry;

/// Status and code of what is asked of a media host in a call whose sound none carries.
pub const NO_LEG: (u16, &str) = (409, "TRUNKLINE_NO_LEG");

/// A recording that goes on, as it is stored.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct KeptCall {
    /// Key of the operation that began it.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Number of that command.
    #[prost(uint64, tag = "2")]
    pub command: u64,
    /// What the names of its files begin with.
    #[prost(string, tag = "3")]
    pub name: String,
    /// Directions that have not ended.
    #[prost(string, repeated, tag = "4")]
    pub open: Vec<String>,
    /// Those that have.
    #[prost(message, repeated, tag = "5")]
    pub files: Vec<KeptFile>,
    /// Why a direction was given up; empty if none was.
    #[prost(string, tag = "6")]
    pub failed: String,
}

/// A direction that was recorded, as it is stored.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct KeptFile {
    /// `received` or `sent`.
    #[prost(string, tag = "1")]
    pub direction: String,
    /// The file of its last part.
    #[prost(string, tag = "2")]
    pub file: String,
    /// How many parts it has.
    #[prost(uint32, tag = "3")]
    pub parts: u32,
    /// SHA-256 of that file.
    #[prost(string, tag = "4")]
    pub sha256: String,
}

/// How the recording of a direction ended: its file, or why it was given up.
pub type KeptEnd = Result<KeptFile, String>;

impl CallRecord {
    /// An operation on the leg is committed.
    pub fn ask_host(&mut self, key: &str, operation: &HostedOperation) {
        if self.is_over() || self.is_pending(key) {
            return;
        }
        self.pending.push(Pending {
            key: key.to_owned(),
            kind: operation.name().to_owned(),
            until_ms: 0,
            budget_ms: HOST_BUDGET_MS,
            operation_id: String::new(),
            is_of_leg: true,
        });
    }

    /// What the leg is told; nothing for the end of a recording that has ended.
    pub(super) fn hosted_on_leg(&self, entry: &Entry, operation: &HostedOperation) -> Option<OnLeg> {
        Some(match operation {
            HostedOperation::RecordCall(directions) => OnLeg::Command(LegCommand::RecordCall {
                name: self.recording_name(entry.leg_command),
                received: directions.has_received(),
                sent: directions.has_sent(),
                mixed: directions.is_mixed(),
                confirmed_by: String::new(),
            }),
            HostedOperation::Bridge { with } => OnLeg::Command(LegCommand::Bridge(with.leg.clone())),
            HostedOperation::Unbridge => OnLeg::Command(LegCommand::Unbridge),
            HostedOperation::Reopen => OnLeg::Reopen,
            HostedOperation::StopRecordingCall { of } => {
                let kept = self.kept.iter().find(|kept| kept.key == *of);
                kept.map_or(OnLeg::Done, |kept| {
                    OnLeg::Command(LegCommand::StopRecordingCall { of: kept.command })
                })
            }
            _ => return None,
        })
    }

    /// A recording leaves to the leg, as a command of that number.
    pub fn keeps(&mut self, key: &str, command: u64, directions: Directions) {
        let wanted = [
            (LegDirection::Received, directions.has_received()),
            (LegDirection::Sent, directions.has_sent()),
            (LegDirection::Mixed, directions.is_mixed()),
        ];
        let open = wanted.into_iter().filter(|(_, is_wanted)| *is_wanted);
        self.kept.push(KeptCall {
            key: key.to_owned(),
            command,
            name: self.recording_name(command),
            open: open.map(|(direction, _)| direction.name().to_owned()).collect(),
            files: Vec::new(),
            failed: String::new(),
        });
    }

    /// The leg records.
    pub(super) fn keeping_began(&self, key: &str) -> Option<CallEvent> {
        let kept = self.kept.iter().find(|kept| kept.key == key)?;
        let name = kept.name.clone();
        Some(told(key, RecordingNews::Started { name }))
    }

    /// Packets are missing in what the leg records. Nothing if the bot asked for no such recording.
    pub(super) fn keeping_lacks(&self, command: u64, direction: LegDirection, packets: u32) -> Option<CallEvent> {
        let kept = self.kept.iter().find(|kept| kept.command == command)?;
        let direction = direction.name().to_owned();
        Some(told(&kept.key, RecordingNews::Gap { direction, packets }))
    }

    /// A direction ended; with the last one the recording has. `None` if the bot asked for no such recording.
    pub(super) fn direction_ended(
        &mut self,
        command: u64,
        direction: LegDirection,
        end: KeptEnd,
    ) -> Option<Vec<CallEvent>> {
        let place = self.kept.iter().position(|kept| kept.command == command)?;
        let kept = &mut self.kept[place];
        let is_new = kept.open.iter().any(|open| open == direction.name());
        kept.open.retain(|open| open != direction.name());
        match end {
            Ok(file) if is_new => kept.files.push(file),
            Err(why) if is_new && kept.failed.is_empty() => kept.failed = why,
            _ => {}
        }
        if !kept.open.is_empty() {
            return Some(Vec::new());
        }
        let kept = self.kept.remove(place);
        // The answer to the command may be slower than its end.
        let mut events = self.began_late(&kept);
        events.push(told(&kept.key, end_of(&kept)));
        Some(events)
    }

    fn began_late(&mut self, kept: &KeptCall) -> Vec<CallEvent> {
        let waiting = self.pending.extract_if(.., |pending| pending.key == kept.key);
        let name = &kept.name;
        let began = waiting.map(|pending| told(&pending.key, RecordingNews::Started { name: name.clone() }));
        began.collect()
    }

    /// It did not begin.
    pub(super) fn keeping_failed(&mut self, key: &str, outcome: &OperationOutcome) -> CallEvent {
        self.kept.retain(|kept| kept.key != key);
        let files = Vec::new();
        let reason = reason_of(outcome);
        told(key, RecordingNews::Failed { reason, files })
    }

    /// The leg is gone, and what it recorded with it.
    pub(super) fn lose_kept(&mut self, why: &str) -> Vec<CallEvent> {
        let each = std::mem::take(&mut self.kept).into_iter().map(|mut kept| {
            why.clone_into(&mut kept.failed);
            told(&kept.key, end_of(&kept))
        });
        each.collect()
    }

    /// The call is over: the media host finishes the files by itself.
    pub(super) fn leave_kept(&mut self) -> Vec<CallEvent> {
        let kept = std::mem::take(&mut self.kept);
        let each = kept
            .into_iter()
            .map(|kept| told(&kept.key, RecordingNews::CallEnded { name: kept.name }));
        each.collect()
    }
}

fn told(key: &str, news: RecordingNews) -> CallEvent {
    CallEvent::Recording(Box::new(RecordingTold {
        key: key.to_owned(),
        news,
    }))
}

fn end_of(kept: &KeptCall) -> RecordingNews {
    let files = kept.files.iter().cloned().map(|file| RecordedFile {
        direction: file.direction,
        file: file.file,
        parts: file.parts,
        sha256: file.sha256,
    });
    let files = files.collect();
    if kept.failed.is_empty() {
        return RecordingNews::Finished { files };
    }
    let reason = kept.failed.clone();
    RecordingNews::Failed { reason, files }
}

/// For people.
fn reason_of(outcome: &OperationOutcome) -> String {
    match outcome {
        OperationOutcome::Refused { code, message, .. } if message.is_empty() => code.clone(),
        OperationOutcome::Refused { message, .. } => message.clone(),
        OperationOutcome::Failed(operation) => {
            let message = |result: &ResultInfo| result.message.clone();
            let message = operation.result_info.as_ref().and_then(message);
            message.unwrap_or_else(|| "it failed".to_owned())
        }
        OperationOutcome::Completed(_) | OperationOutcome::Unknown => "what became of it is not known".to_owned(),
    }
}
