//! What a leg is told to do, and which of Graph's operations that is.

use percent_encoding::percent_decode_str;
use trunkline_teams::calls::{MediaPrompt, Tone};
use trunkline_teams::graph::{Operation, RecordResponse};

/// What is not said of an answer is five seconds. Source: Graph, `call: recordResponse`.
const ANSWER_MS: u32 = 5_000;

/// An answer that a leg records. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerToRecord {
    /// Played before, by their names at the host.
    pub prompts: Vec<String>,
    /// And a beep.
    pub beep: bool,
    /// Stops what plays or waits first.
    pub barge_in: bool,
    /// So long nobody has begun to speak.
    pub first_silence_ms: u32,
    /// So long whoever spoke is silent.
    pub silence_ms: u32,
    /// It is so long.
    pub longest_ms: u32,
    /// One of these keys is pressed.
    pub stop_keys: String,
}

/// What a leg is told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegCommand {
    /// Play prompts, by their names at the host, behind those that play.
    Play(Vec<String>),
    /// Drop what plays and waits.
    StopPlaying,
    /// Press keys.
    SendTones(String),
    /// Record an answer, behind what plays.
    RecordAnswer(AnswerToRecord),
    /// Record the call.
    RecordCall {
        /// A path without ending among the host's recordings.
        name: String,
        /// What the peer says.
        received: bool,
        /// What the leg says.
        sent: bool,
        /// Both in one file.
        mixed: bool,
        /// The operation by which Graph confirmed that the call may be recorded; empty where no policy demands it.
        confirmed_by: String,
    },
    /// Hear another leg and be heard by it.
    Bridge(String),
    /// Hear nobody.
    Unbridge,
    /// Stop recording the call.
    StopRecordingCall {
        /// Number of the command that began it; 0 for whatever is recorded but answers.
        of: u64,
    },
}

/// What an operation is in a call with a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnLeg {
    /// A command.
    Command(LegCommand),
    /// Nothing is to be done: a leg always tells keys.
    Done,
    /// Another leg is to be opened in place of the lost one.
    Reopen,
}

/// What an operation is in a call with a leg; `None` for one that stays Graph's.
pub(in crate::call) fn on_leg(operation: &Operation) -> Option<OnLeg> {
    Some(match operation {
        Operation::PlayPrompt(play) => OnLeg::Command(LegCommand::Play(play.prompts.iter().map(prompt_name).collect())),
        Operation::CancelMediaProcessing(_) => OnLeg::Command(LegCommand::StopPlaying),
        Operation::SendDtmfTones(send) => {
            OnLeg::Command(LegCommand::SendTones(send.tones.iter().filter_map(Tone::key).collect()))
        }
        Operation::SubscribeToTone(_) => OnLeg::Done,
        Operation::RecordResponse(record) => OnLeg::Command(LegCommand::RecordAnswer(answer_of(record))),
        _ => return None,
    })
}

fn answer_of(record: &RecordResponse) -> AnswerToRecord {
    let milliseconds =
        |seconds: Option<i32>| seconds.map_or(ANSWER_MS, |seconds| seconds.unsigned_abs().saturating_mul(1_000));
    AnswerToRecord {
        prompts: record.prompts.iter().map(prompt_name).collect(),
        beep: record.play_beep.unwrap_or(true),
        barge_in: record.barge_in_allowed.unwrap_or_default(),
        first_silence_ms: milliseconds(record.initial_silence_timeout_in_seconds),
        silence_ms: milliseconds(record.max_silence_timeout_in_seconds),
        longest_ms: milliseconds(record.max_record_duration_in_seconds),
        stop_keys: record.stop_tones.concat(),
    }
}

/// A prompt's name at the host: the part of its address after the last `/prompts/`, else after the last slash.
fn prompt_name(prompt: &MediaPrompt) -> String {
    let uri = prompt.media_info.as_ref().and_then(|info| info.uri.as_deref());
    let uri = uri.unwrap_or_default();
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let name = path
        .rsplit_once("/prompts/")
        .or_else(|| path.rsplit_once('/'))
        .map_or(path, |(_, name)| name);
    percent_decode_str(name).decode_utf8_lossy().into_owned()
}
