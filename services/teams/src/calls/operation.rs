//! What became of a request that takes its time.

use super::participant::InvitationParticipantInfo;
use super::result::ResultInfo;
use super::secret::Secret;
use super::word::wire_word;
use crate::wire::wire_object;

wire_object! {
    /// An operation on a call. Source: Graph, `commsOperation` and the types derived from it.
    pub struct CommsOperation {
        /// `#microsoft.graph.playPromptOperation` and others.
        odata_type: Option<String> => "@odata.type",
        /// Named by the `Location` of the answer; may be absent in the notification.
        id: Option<String> => "id",
        /// How far it is.
        status: Option<OperationStatus> => "status",
        /// The correlation key that the request gave.
        client_context: Option<String> => "clientContext",
        /// Why it ended.
        result_info: Option<ResultInfo> => "resultInfo",
        /// Where a recording lies, until shortly after the call ends.
        recording_location: Option<String> => "recordingLocation",
        /// Opens the recording.
        recording_access_token: Option<Secret> => "recordingAccessToken",
        /// Who was invited.
        participants: Vec<InvitationParticipantInfo> => "participants",
        /// How tones that were sent ended: this counts, not the status.
        completion_reason: Option<SendDtmfCompletionReason> => "completionReason",
    }
}

wire_word! {
    /// How far an operation is. Source: Graph, `operationStatus`.
    pub enum OperationStatus {
        /// Waits.
        NotStarted => "notStarted",
        /// Under way.
        Running => "running",
        /// Done.
        Completed => "completed",
        /// Failed.
        Failed => "failed",
    }
}

wire_word! {
    /// How sent tones ended. Source: Graph, `sendDtmfCompletionReason`.
    pub enum SendDtmfCompletionReason {
        /// Nobody knows.
        Unknown => "unknown",
        /// All were sent.
        CompletedSuccessfully => "completedSuccessfully",
        /// Cancelled.
        MediaOperationCanceled => "mediaOperationCanceled",
    }
}

impl CommsOperation {
    /// Whether it is over, so that no notification follows (Graph, `commsOperation`).
    pub fn is_over(&self) -> bool {
        matches!(self.status, Some(OperationStatus::Completed | OperationStatus::Failed))
    }
}
