//! The leg of a call at a media host: where it is, what is asked of it instead of Graph, and what its events mean.
//!
//! What the leg tells is the twin of a notification: it is taken once, by its number, and means for the bot what Graph's word
//! would mean. The leg keeps its events, so nothing is lost between two owners.

use std::fmt;

use percent_encoding::percent_decode_str;
use prost::{Enumeration, Message};
use trunkline_bot::logic::CallEvent;
use trunkline_teams::calls::{CallState, CommsOperation, MediaPrompt, OperationStatus, ResultInfo, Secret, Tone};
use trunkline_teams::graph::{Operation, RecordResponse};

use super::record::CallRecord;
use super::timeline::MomentKind;

/// Status and code of what is asked of a leg that is no more.
pub const LOST: (u16, &str) = (503, "TRUNKLINE_MEDIA_LOST");
/// Status and code of an answer, or of a call, for which no host had room.
pub const NO_HOST: (u16, &str) = (503, "TRUNKLINE_NO_MEDIA_HOST");
/// Sub-code of what was cancelled, as Graph has it. Source: Graph, `call: record`.
const CANCELLED: i64 = 8508;
/// What is not said of an answer is five seconds. Source: Graph, `call: recordResponse`.
const ANSWER_MS: u32 = 5_000;
/// How long the call may be told over by Graph after its peer ended the leg.
const PEER_LEFT_MS: u64 = 2_000;
/// How long closing is tried: the host ends a leg that nobody is attached to after 60 s.
const CLOSING_MS: u64 = 60_000;

/// A leg as it is stored. What it prints leaves the secret out.
#[derive(Clone, PartialEq, Eq, Message)]
#[prost(skip_debug)]
pub struct Leg {
    /// How it stands.
    #[prost(enumeration = "LegState", tag = "1")]
    pub state: i32,
    /// Name of its host.
    #[prost(string, tag = "2")]
    pub host: String,
    /// Where that host is asked: host and port.
    #[prost(string, tag = "3")]
    pub address: String,
    /// The leg's name there.
    #[prost(string, tag = "4")]
    pub name: String,
    /// What lets the peer in, until Graph has it: a secret.
    #[prost(string, tag = "5")]
    pub blob: String,
    /// Number of the last event that was heard.
    #[prost(uint64, tag = "6")]
    pub last_event: u64,
    /// Number of the last command that was let out.
    #[prost(uint64, tag = "7")]
    pub last_command: u64,
    /// Lost: when that is told. Closing: when that is given up. In milliseconds since 1970; 0 for never.
    #[prost(fixed64, tag = "8")]
    pub due_ms: u64,
    /// Why it is no more, for people.
    #[prost(string, tag = "9")]
    pub why: String,
}

/// How a leg stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum LegState {
    /// To be opened: the answer waits for it.
    Wanted = 0,
    /// A host has it.
    Open = 1,
    /// The call is over: to be closed.
    Closing = 2,
    /// No more.
    Gone = 3,
}

impl fmt::Debug for Leg {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Leg")
            .field("state", &self.state())
            .field("host", &self.host)
            .field("name", &self.name)
            .field("last_event", &self.last_event)
            .field("last_command", &self.last_command)
            .finish_non_exhaustive()
    }
}

/// A leg that a host has opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedLeg {
    /// Name of the host.
    pub host: String,
    /// Where it is asked: host and port.
    pub address: String,
    /// The leg's name there.
    pub name: String,
    /// What lets the peer in.
    pub blob: Secret,
}

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
    /// The host gave a recording of the call up; why, for people.
    RecordingFailed(String),
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
    /// Record the call, both directions.
    RecordCall {
        /// A path without ending among the host's recordings.
        name: String,
        /// The operation by which Graph confirmed that the call may be recorded.
        confirmed_by: String,
    },
    /// Stop recording the call.
    StopRecordingCall,
}

/// What an operation is in a call with a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnLeg {
    /// A command.
    Command(LegCommand),
    /// Nothing is to be done: a leg always tells keys.
    Done,
}

/// What an operation is in a call with a leg; `None` for one that stays Graph's.
pub fn on_leg(operation: &Operation) -> Option<OnLeg> {
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

impl CallRecord {
    /// Whether a leg carries the sound, carried it, or will.
    pub fn has_leg(&self) -> bool {
        self.leg.is_some()
    }

    fn leg_state(&self) -> Option<LegState> {
        self.leg.as_ref().map(Leg::state)
    }

    /// Whether a leg is to be opened.
    pub fn is_leg_wanted(&self) -> bool {
        self.leg_state() == Some(LegState::Wanted)
    }

    /// Whether a host has the leg, as far as is known.
    pub fn is_leg_open(&self) -> bool {
        self.leg_state() == Some(LegState::Open)
    }

    /// Whether the leg is to be closed.
    pub fn is_leg_closing(&self) -> bool {
        self.leg_state() == Some(LegState::Closing)
    }

    /// Whether there was a leg and is none any more.
    pub fn is_leg_gone(&self) -> bool {
        self.leg_state() == Some(LegState::Gone)
    }

    /// What lets the peer in, while it is still to be told.
    pub fn leg_blob(&self) -> Option<Secret> {
        let blob = &self.leg.as_ref()?.blob;
        (!blob.is_empty()).then(|| Secret::new(blob.clone()))
    }

    /// Graph has it, or will never get it.
    pub fn forget_blob(&mut self) {
        if let Some(leg) = &mut self.leg {
            leg.blob.clear();
        }
    }

    /// What was asked for needs a leg.
    pub(super) fn want_leg_for(&mut self, operation: &Operation) {
        if operation.wants_media_host() {
            self.leg.get_or_insert_default();
        }
    }

    /// A host has opened the leg. `false` when it is not wanted any more.
    pub fn leg_opened(&mut self, opened: OpenedLeg) -> bool {
        let Some(leg) = self.leg.as_mut().filter(|leg| leg.state() == LegState::Wanted) else {
            return false;
        };
        leg.set_state(LegState::Open);
        leg.host = opened.host;
        leg.address = opened.address;
        leg.name = opened.name;
        opened.blob.expose().clone_into(&mut leg.blob);
        true
    }

    /// Number of the next command, which rises for the life of the leg.
    pub fn next_leg_command(&mut self) -> u64 {
        let Some(leg) = &mut self.leg else { return 0 };
        leg.last_command += 1;
        leg.last_command
    }

    /// Takes what the leg tells. `None` when nothing is to be kept of it: it was heard before, or means nothing.
    pub fn hear_leg(&mut self, name: &str, number: u64, news: LegNews, now_ms: u64) -> Option<Vec<CallEvent>> {
        let is_over = self.is_over();
        let leg = self
            .leg
            .as_mut()
            .filter(|leg| leg.name == name && number > leg.last_event)?;
        leg.last_event = number;
        if leg.state() != LegState::Open || is_over {
            return None;
        }
        let mut told = |what: String| self.note(MomentKind::Host, what, now_ms);
        Some(match news {
            LegNews::Other(what) => {
                told(format!("leg: {what}"));
                return None;
            }
            LegNews::Connected => {
                told("leg: connected".to_owned());
                self.is_audio_active = true;
                self.connect(now_ms).into_iter().collect()
            }
            LegNews::Tone(tone) => {
                told("leg: a tone".to_owned());
                vec![CallEvent::Tone(tone)]
            }
            LegNews::Finished { command, how } => {
                told(format!("leg: command {command} {how:?}"));
                self.leg_operation_ended(command, how)
            }
            LegNews::Answered { command, how, clip } => {
                told(format!("leg: answer {command} {how:?}"));
                self.operation_ended(Some(&command.to_string()), answered(how, clip))
            }
            LegNews::Speech(speaks) => vec![CallEvent::Speech(speaks)],
            LegNews::RecordingFailed(why) => {
                told(format!("leg: the recording failed: {why}"));
                self.say_that_recording_failed(now_ms);
                Vec::new()
            }
            LegNews::Ended { reason, by_peer } => {
                let told_at = if by_peer { now_ms + PEER_LEFT_MS } else { now_ms };
                self.lose_leg(&reason, told_at, now_ms)
            }
        })
    }

    fn leg_operation_ended(&mut self, command: u64, how: LegEnd) -> Vec<CallEvent> {
        let id = command.to_string();
        let operation = match how {
            LegEnd::Done => CommsOperation {
                status: Some(OperationStatus::Completed),
                ..CommsOperation::default()
            },
            LegEnd::Stopped => failed(400, CANCELLED, "it was stopped"),
            LegEnd::Cut => failed(i64::from(LOST.0), 0, "the leg ended"),
        };
        self.operation_ended(Some(&id), operation)
    }

    /// The leg is no more though the call is: what was under way on it has failed, and at that time the bot is told.
    pub fn lose_leg(&mut self, why: &str, told_at_ms: u64, now_ms: u64) -> Vec<CallEvent> {
        let Some(leg) = self.leg.as_mut().filter(|leg| leg.state() == LegState::Open) else {
            return Vec::new();
        };
        leg.set_state(LegState::Gone);
        why.clone_into(&mut leg.why);
        leg.due_ms = told_at_ms.max(1);
        self.is_audio_active = false;
        self.note(MomentKind::Host, format!("the leg is gone: {why}"), now_ms);
        self.end_pending_of_leg(&failed(i64::from(LOST.0), 0, why))
    }

    /// The loss of the leg, when it is time to tell it.
    pub fn lost_leg(&mut self, now_ms: u64) -> Option<CallEvent> {
        let leg = self.leg.as_mut()?;
        let is_due = leg.state() == LegState::Gone && leg.due_ms > 0 && leg.due_ms <= now_ms;
        is_due.then(|| {
            leg.due_ms = 0;
            CallEvent::MediaLost(leg.why.clone())
        })
    }

    /// Whether a bot could still do something about a call without sound.
    pub fn goes_on_without_sound(&self) -> bool {
        matches!(self.state(), CallState::Established | CallState::Hold)
    }

    /// The call is over, or will never have a leg.
    pub(super) fn end_leg(&mut self, now_ms: u64) {
        let Some(leg) = &mut self.leg else { return };
        leg.blob.clear();
        if leg.state() == LegState::Open {
            leg.set_state(LegState::Closing);
            leg.due_ms = now_ms + CLOSING_MS;
        } else {
            leg.set_state(LegState::Gone);
            leg.due_ms = 0;
        }
    }

    /// No host takes the leg.
    pub fn no_leg(&mut self) {
        if let Some(leg) = &mut self.leg {
            leg.set_state(LegState::Gone);
        }
    }

    /// The leg is closed, or the host ends it by itself.
    pub fn leg_closed(&mut self) {
        if let Some(leg) = self.leg.as_mut().filter(|leg| leg.state() == LegState::Closing) {
            leg.set_state(LegState::Gone);
            leg.due_ms = 0;
        }
    }

    /// Closing has been tried for long enough.
    pub fn gives_up_closing(&mut self, now_ms: u64) {
        if self.leg.as_ref().is_some_and(|leg| leg.due_ms <= now_ms) {
            self.leg_closed();
        }
    }
}

/// The end of an answer in Graph's words; sub-codes as in [`trunkline_bot::event::RecordingEnd`].
fn answered(how: AnswerEnd, clip: Option<Clip>) -> CommsOperation {
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

fn failed(code: i64, subcode: i64, message: &str) -> CommsOperation {
    CommsOperation {
        status: Some(OperationStatus::Failed),
        result_info: Some(ResultInfo {
            message: Some(message.to_owned()),
            ..ResultInfo::new(code, subcode)
        }),
        ..CommsOperation::default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use trunkline_bot::logic::OperationOutcome;
    use trunkline_teams::calls::{Call, MediaConfig, MediaInfo};
    use trunkline_teams::graph::{Answer, PlayPrompt};

    use super::*;
    use crate::call::News;

    fn answer() -> Operation {
        Operation::Answer(Box::new(Answer {
            media_config: Some(MediaConfig::app_hosted()),
            ..Answer::default()
        }))
    }

    fn play(uri: &str) -> Operation {
        Operation::PlayPrompt(Box::new(PlayPrompt::one(MediaInfo::new(uri, "key"))))
    }

    fn opened() -> OpenedLeg {
        OpenedLeg {
            host: "media-1".to_owned(),
            address: "127.0.0.1:9".to_owned(),
            name: "leg".to_owned(),
            blob: Secret::new("let me in"),
        }
    }

    /// Answered and established at Graph; the leg has no keys yet.
    fn established() -> CallRecord {
        let mut call = CallRecord::incoming(Call::default(), "tenant", 1_000);
        call.ask("yes", &answer());
        assert!(call.is_leg_wanted() && call.leg_opened(opened()));
        let told = Call {
            state: Some(CallState::Established),
            ..serde_json::from_str(r#"{"mediaState":{"audio":"active"}}"#).unwrap()
        };
        assert_eq!(call.hear(News::Call(Box::new(told)), 2_000), Vec::new());
        call
    }

    fn outcome(events: &[CallEvent]) -> &OperationOutcome {
        match events {
            [CallEvent::OperationEnded(end)] => &end.outcome,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_call_with_a_leg_is_connected_when_the_leg_is() {
        let mut call = established();
        let events = call.hear_leg("leg", 1, LegNews::Connected, 3_000).unwrap();
        assert_eq!(events, [CallEvent::Connected]);
        assert_eq!(call.hear_leg("leg", 1, LegNews::Connected, 3_000), None);
        assert_eq!(call.hear_leg("another", 2, LegNews::Tone(Tone::Pound), 3_000), None);
    }

    #[test]
    fn a_prompt_on_the_leg_ends_by_the_number_of_its_command() {
        let mut call = established();
        for (key, how) in [("a", LegEnd::Done), ("b", LegEnd::Stopped)] {
            call.ask(key, &play("https://bot.example/prompts/a.wav"));
            let command = call.next_leg_command();
            call.leaves_to_leg(key, command);
            let news = LegNews::Finished { command, how };
            let events = call.hear_leg("leg", command, news, 4_000).unwrap();
            match (how, outcome(&events)) {
                (LegEnd::Done, OperationOutcome::Completed(_)) => {}
                (LegEnd::Stopped, OperationOutcome::Failed(told)) => {
                    assert_eq!(told.result_info.as_ref().unwrap().subcode(), CANCELLED);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn an_answer_is_recorded_on_the_leg_as_graph_would() {
        let record = RecordResponse {
            max_record_duration_in_seconds: Some(60),
            stop_tones: vec!["#".to_owned(), "*".to_owned()],
            ..RecordResponse::default()
        };
        let Some(OnLeg::Command(LegCommand::RecordAnswer(answer))) =
            on_leg(&Operation::RecordResponse(Box::new(record)))
        else {
            panic!()
        };
        assert!(answer.beep && !answer.barge_in);
        assert_eq!((answer.first_silence_ms, answer.longest_ms), (5_000, 60_000));
        assert_eq!(answer.stop_keys, "#*");
    }

    #[test]
    fn what_was_recorded_is_told_with_what_opens_it() {
        let mut call = established();
        let clip = Clip {
            location: "https://media.example/clips/1".to_owned(),
            token: Secret::new("sesame"),
        };
        let ends = [
            (AnswerEnd::StopKey, Some(clip), 8514),
            (AnswerEnd::NothingSaid, None, 8510),
            (AnswerEnd::Stopped, None, CANCELLED),
        ];
        for (how, clip, subcode) in ends {
            call.ask("a", &Operation::RecordResponse(Box::default()));
            let command = call.next_leg_command();
            call.leaves_to_leg("a", command);
            let news = LegNews::Answered {
                command,
                how,
                clip: clip.clone(),
            };
            let events = call.hear_leg("leg", command, news, 4_000).unwrap();
            let (OperationOutcome::Completed(told) | OperationOutcome::Failed(told)) = outcome(&events) else {
                panic!("{events:?}")
            };
            assert_eq!(told.result_info.as_ref().unwrap().subcode(), subcode);
            assert_eq!(told.recording_location, clip.as_ref().map(|clip| clip.location.clone()));
            assert!(!format!("{events:?}").contains("sesame"));
        }
    }

    #[test]
    fn with_the_leg_everything_on_it_fails_and_the_loss_is_told_once() {
        let mut call = established();
        call.ask("a", &play("a.wav"));
        let events = call.lose_leg("the host is gone", 5_000, 5_000);
        assert!(matches!(outcome(&events), OperationOutcome::Failed(_)));
        assert!(!call.is_audio_active && call.next_due_ms() == Some(5_000));
        assert_eq!(
            call.lost_leg(5_000),
            Some(CallEvent::MediaLost("the host is gone".to_owned()))
        );
        assert_eq!(call.lost_leg(9_000), None);
        assert_eq!(call.lose_leg("again", 6_000, 6_000), Vec::new());
    }

    #[test]
    fn a_peer_that_leaves_gives_graph_time_to_tell_the_end() {
        let mut call = established();
        let ended = LegNews::Ended {
            reason: "peer_hung_up".to_owned(),
            by_peer: true,
        };
        call.hear_leg("leg", 1, ended, 5_000).unwrap();
        assert_eq!(call.lost_leg(6_999), None);
        call.hear(News::Gone, 6_999);
        assert_eq!(call.lost_leg(9_000), None);
    }

    #[test]
    fn an_open_leg_is_closed_when_the_call_is_over_and_for_a_minute_at_most() {
        let mut call = established();
        call.hear(News::Gone, 10_000);
        assert!(call.is_leg_closing() && call.needs_owner());
        call.gives_up_closing(69_999);
        assert!(call.is_leg_closing());
        call.gives_up_closing(70_000);
        assert!(call.is_leg_gone());
    }

    #[test]
    fn the_secret_is_not_printed_and_goes_when_graph_has_it() {
        let mut call = established();
        assert!(!format!("{call:?}").contains("let me in"));
        assert_eq!(call.leg_blob().unwrap().expose(), "let me in");
        call.forget_blob();
        assert_eq!(call.leg_blob(), None);
    }

    #[test]
    fn a_prompt_is_named_by_what_follows_the_directory() {
        for (uri, name) in [
            ("https://bot.example/prompts/de/menu.wav", "de/menu.wav"),
            ("https://a/prompts/b/prompts/c.wav?v=2", "c.wav"),
            ("https://bot.example/sounds/good%20bye.ogg#x", "good bye.ogg"),
            ("hello.wav", "hello.wav"),
        ] {
            let OnLeg::Command(LegCommand::Play(names)) = on_leg(&play(uri)).unwrap() else {
                panic!()
            };
            assert_eq!(names, [name]);
        }
    }
}
