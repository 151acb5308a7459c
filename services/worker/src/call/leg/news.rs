//! What a leg tells, and what it means in Graph's words.

use trunkline_bot::logic::{TroubleKind, TroubleTold};
use trunkline_teams::calls::{CommsOperation, OperationStatus, ResultInfo, Secret, Tone};

use super::LOST;
use crate::call::kept::KeptEnd;

/// Sub-code of what was cancelled, as Graph has it. Source: Graph, `call: record`.
pub(super) const CANCELLED: i64 = 8508;

/// What a leg tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegNews {
    /// There are keys: sound can flow.
    Connected,
    /// The peer pressed a key.
    Tone(Tone),
    /// A command that takes its time ended.
    Finished {
        /// The command's number.
        command: u64,
        /// How.
        how: LegEnd,
    },
    /// The recording of an answer ended.
    Answered {
        /// The command's number.
        command: u64,
        /// How.
        how: AnswerEnd,
        /// What was recorded, if it is kept.
        clip: Option<Clip>,
    },
    /// The peer began to speak, or fell silent.
    Speech(bool),
    /// Something is wrong with the sound, or not any more.
    Trouble(TroubleTold),
    /// The leg that it was bridged with ended, or is used otherwise.
    BridgeEnded,
    /// The host's disk was too slow for a recording of the call.
    RecordingGap {
        /// Number of the command that began it.
        command: u64,
        /// Of which direction.
        direction: LegDirection,
        /// Packets that are missing.
        packets: u32,
    },
    /// A recording of the call is on the host's disk, or was given up.
    RecordingEnded {
        /// Number of the command that began it.
        command: u64,
        /// Which direction.
        direction: LegDirection,
        /// Its file, or why it was given up.
        end: KeptEnd,
    },
    /// Its host is about to end, and the leg with it, in so many milliseconds.
    HostEnds(u64),
    /// The leg ended.
    Ended {
        /// The host's word for it.
        reason: String,
        /// Whether the peer ended it.
        by_peer: bool,
    },
    /// Something that means nothing to a call; what, for people.
    Other(&'static str),
}

/// Which way the sound of a leg goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegDirection {
    /// What the peer says.
    Received,
    /// What the leg says.
    Sent,
    /// Both in one.
    Mixed,
}

impl LegDirection {
    /// As the host writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Sent => "sent",
            Self::Mixed => "mixed",
        }
    }
}

/// How a command on a leg ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegEnd {
    /// To its end.
    Done,
    /// It was stopped.
    Stopped,
    /// The leg ended first.
    Cut,
}

/// How the recording of an answer on a leg ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerEnd {
    /// Whoever spoke fell silent.
    Silence,
    /// A key ended it.
    StopKey,
    /// It has its full length.
    FullLength,
    /// Nobody spoke.
    NothingSaid,
    /// It was stopped.
    Stopped,
    /// The leg ended first.
    Cut,
    /// The host could not write it.
    Failed,
}

/// Where a media host keeps what was recorded, for an hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    /// An address of the host.
    pub location: String,
    /// Opens it, as bearer.
    pub token: Secret,
}

/// Trouble for people.
pub(super) fn words_of(told: TroubleTold) -> &'static str {
    match (told.kind, told.is_over) {
        (TroubleKind::NothingComes, false) => "alarm: nothing comes from the peer",
        (TroubleKind::NothingComes, true) => "no alarm any more: the peer sends again",
        (TroubleKind::NothingHeard, false) => "alarm: the peer is not heard, though it sends",
        (TroubleKind::NothingHeard, true) => "no alarm any more: the peer is heard again",
        (TroubleKind::NothingArrives, false) => "alarm: the peer reports that nothing arrives",
        (TroubleKind::NothingArrives, true) => "no alarm any more: the peer hears us again",
        (TroubleKind::Losses, false) => "alarm: more than 5 % of what the peer sends is lost",
        (TroubleKind::Losses, true) => "no alarm any more: losses are low again",
        (_, false) => "an alarm that has no words",
        (_, true) => "the end of an alarm that has no words",
    }
}

/// The end of an answer in Graph's words; sub-codes as in [`trunkline_bot::event::RecordingEnd`].
pub(super) fn answered(how: AnswerEnd, clip: Option<Clip>) -> CommsOperation {
    let subcode = match how {
        AnswerEnd::Silence => 8509,
        AnswerEnd::StopKey => 8514,
        AnswerEnd::FullLength => 8515,
        AnswerEnd::NothingSaid => return failed(400, 8510, "nobody spoke"),
        AnswerEnd::Stopped => return failed(400, CANCELLED, "it was stopped"),
        AnswerEnd::Cut => return failed(i64::from(LOST.0), 0, "the leg ended"),
        AnswerEnd::Failed => return failed(500, 0, "the media host could not write it"),
    };
    let (location, token) = clip.map(|clip| (clip.location, clip.token)).unzip();
    CommsOperation {
        status: Some(OperationStatus::Completed),
        result_info: Some(ResultInfo::new(200, subcode)),
        recording_location: location,
        recording_access_token: token,
        ..CommsOperation::default()
    }
}

pub(super) fn failed(code: i64, subcode: i64, message: &str) -> CommsOperation {
    CommsOperation {
        status: Some(OperationStatus::Failed),
        result_info: Some(ResultInfo {
            message: Some(message.to_owned()),
            ..ResultInfo::new(code, subcode)
        }),
        ..CommsOperation::default()
    }
}
