//! Requests about media: prompts, recordings, tones, and whether the bot records.

use std::time::Duration;

use serde_json::Value;

use super::{
    Calls,
    agenda::Step,
    body::Body,
    call::{Call, CallKey, CallKind},
    media::{Job, MediaMode, PromptState, PromptView, RecordRequest},
    operation::{Operation, OperationKind, Status},
    refusal::{No, Refusal},
    request::Done,
};

/// Prompts of one playPrompt.
const MOST_PROMPTS: usize = 20;
/// Bounds of every time of recordResponse, and its defaults, in seconds.
const RECORD_BOUNDS: (u64, u64) = (1, 120);
const RECORD_DEFAULT: u64 = 5;
/// Milliseconds between two tones.
const MOST_PAUSE: u64 = 60_000;
/// How long one tone sounds.
const TONE: Duration = Duration::from_millis(100);
/// Tones, and the keys that people press for them.
pub(super) const TONES: [(&str, &str); 17] = [
    ("tone0", "0"),
    ("tone1", "1"),
    ("tone2", "2"),
    ("tone3", "3"),
    ("tone4", "4"),
    ("tone5", "5"),
    ("tone6", "6"),
    ("tone7", "7"),
    ("tone8", "8"),
    ("tone9", "9"),
    ("star", "*"),
    ("pound", "#"),
    ("a", "A"),
    ("b", "B"),
    ("c", "C"),
    ("d", "D"),
    ("flash", "!"),
];

impl Calls {
    pub(super) fn play_prompt(&mut self, key: CallKey, body: &Body, now: u64) -> Result<Done, Refusal> {
        let context = body.context()?;
        let prompts = read_prompts(body, (1, MOST_PROMPTS), context.as_ref())?;
        self.media_ready(key)?;
        let operation = Operation::new(
            self.ids.uuid("operation"),
            OperationKind::PlayPrompt,
            Status::Running,
            context,
        );
        let (operation, done) = self.operation(key, 200, operation);
        let prompts = self.add_prompts(key, prompts);
        let job = Job {
            operation,
            prompts,
            record: None,
        };
        self.enqueue(key, job, false, now);
        Ok(done)
    }

    pub(super) fn record_response(&mut self, key: CallKey, body: &Body, now: u64) -> Result<Done, Refusal> {
        let context = body.context()?;
        let prompts = read_prompts(body, (0, 1), context.as_ref())?;
        let seconds = |name: &str| {
            let number = body.number(name, RECORD_DEFAULT, RECORD_BOUNDS)?;
            Ok::<_, Refusal>(self.settings.span(Duration::from_secs(number)))
        };
        let stop_tones = body
            .list("stopTones")?
            .iter()
            .map(|tone| tone.as_str().map(str::to_owned));
        let stop_tones: Option<Vec<String>> = stop_tones.collect();
        let record = RecordRequest {
            initial_silence: seconds("initialSilenceTimeoutInSeconds")?,
            most_silence: seconds("maxSilenceTimeoutInSeconds")?,
            most: seconds("maxRecordDurationInSeconds")?,
            beeps: body.flag("playBeep", true)?,
            stop_tones: stop_tones.ok_or_else(|| Refusal::argument("stopTones are not strings."))?,
        };
        let barges_in = body.flag("bargeInAllowed", false)?;
        self.media_ready(key)?;
        let operation = Operation::new(
            self.ids.uuid("operation"),
            OperationKind::Record,
            Status::Running,
            context,
        );
        let (operation, done) = self.operation(key, 200, operation);
        let prompts = self.add_prompts(key, prompts);
        let job = Job {
            operation,
            prompts,
            record: Some(record),
        };
        self.enqueue(key, job, barges_in, now);
        Ok(done)
    }

    pub(super) fn subscribe_to_tone(&mut self, key: CallKey, body: &Body) -> Result<Done, Refusal> {
        self.service_hosted(key)?;
        let done = self.completed_at_once(key, OperationKind::SubscribeToTone, body)?;
        if let Some(call) = self.book.get_mut(&key) {
            call.media.is_subscribed = true;
        }
        Ok(done)
    }

    pub(super) fn send_dtmf_tones(&mut self, key: CallKey, body: &Body, now: u64) -> Result<Done, Refusal> {
        let context = body.context()?;
        let key_of = |tone: &Value| {
            let name = tone.as_str()?;
            let found = TONES.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            found.map(|(_, key)| (*key).to_owned())
        };
        let tones: Option<Vec<String>> = body.list("tones")?.iter().map(key_of).collect();
        let tones = tones.filter(|tones| !tones.is_empty());
        let tones = tones.ok_or_else(|| Refusal::argument("tones must be names of tones."))?;
        let pause = body.number("delayBetweenTonesMs", 0, (0, MOST_PAUSE))?;
        self.established_call(key)?;
        let kind = OperationKind::SendDtmfTones;
        let operation = Operation::new(self.ids.uuid("operation"), kind, Status::Running, context);
        let (operation, done) = self.operation(key, 200, operation);
        let one = Duration::from_millis(pause) + TONE;
        let length = self.settings.span(one * u32::try_from(tones.len()).unwrap_or(u32::MAX));
        if let Some(call) = self.book.get_mut(&key) {
            call.media.sent.extend(tones);
            self.agenda.add(now + length, key, Step::Operation { operation });
        }
        Ok(done)
    }

    pub(super) fn cancel_media_processing(&mut self, key: CallKey, body: &Body, now: u64) -> Result<Done, Refusal> {
        self.service_hosted(key)?;
        let done = self.completed_at_once(key, OperationKind::CancelMediaProcessing, body)?;
        self.cancel_media(key, None, now);
        Ok(done)
    }

    pub(super) fn update_recording_status(&mut self, key: CallKey, body: &Body, now: u64) -> Result<Done, Refusal> {
        body.context()?;
        let words = ["notRecording", "recording", "failed"];
        let status = body.text("status")?.unwrap_or("");
        let status = words.iter().find(|word| word.eq_ignore_ascii_case(status));
        let status = *status.ok_or_else(|| Refusal::argument("status is not known."))?;
        let call = self.established_call(key)?;
        let Some(conference) = call.conference.filter(|_| call.kind == CallKind::Recording) else {
            return Err(No::NotARecordingCall.into());
        };
        if status == "recording" && call.recording_status.as_deref() == Some("recording") {
            return Err(No::DuplicateRecording.into());
        }
        let done = self.completed_at_once(key, OperationKind::UpdateRecordingStatus, body)?;
        if let Some(call) = self.book.get_mut(&key) {
            call.recording_status = Some(status.to_owned());
        }
        let word = status.to_owned();
        self.change_member(
            conference,
            |member| member.call == Some(key),
            |member| member.recording = Some(word),
            now,
        );
        Ok(done)
    }

    /// A call in which Graph plays and hears, with audio that flows.
    fn media_ready(&self, key: CallKey) -> Result<(), Refusal> {
        let call = self.service_hosted(key)?;
        if call.media.is_active {
            Ok(())
        } else {
            Err(No::AudioInactive.into())
        }
    }

    fn service_hosted(&self, key: CallKey) -> Result<&Call, Refusal> {
        let call = self.established_call(key)?;
        if call.media.mode == Some(MediaMode::Service) {
            Ok(call)
        } else {
            Err(No::WrongMediaMode.into())
        }
    }

    fn add_prompts(&mut self, key: CallKey, prompts: Vec<PromptView>) -> Vec<usize> {
        let Some(call) = self.book.get_mut(&key) else {
            return Vec::new();
        };
        let first = call.media.prompts.len();
        call.media.prompts.extend(prompts);
        (first..call.media.prompts.len()).collect()
    }
}

fn read_prompts(
    body: &Body,
    (least, most): (usize, usize),
    context: Option<&String>,
) -> Result<Vec<PromptView>, Refusal> {
    let prompts = body.list("prompts")?;
    if !(least..=most).contains(&prompts.len()) {
        return Err(Refusal::argument(format!("prompts must be {least} to {most}.")));
    }
    let read = prompts.iter().map(|prompt| {
        let info = prompt.get("mediaInfo");
        let text = |name: &str| info.and_then(|info| info.get(name)).and_then(Value::as_str);
        let uri = text("uri").filter(|uri| uri.starts_with("https://") || uri.starts_with("http://"));
        let uri = uri.ok_or_else(|| Refusal::argument("A prompt has no mediaInfo with a uri."))?;
        if super::body::type_name(prompt).is_some_and(|name| name != "mediaPrompt") {
            return Err(Refusal::argument("A prompt is no mediaPrompt."));
        }
        Ok(PromptView {
            uri: uri.to_owned(),
            resource_id: text("resourceId").map(str::to_owned),
            context: context.cloned(),
            state: PromptState::Queued,
            length: 0,
        })
    });
    read.collect()
}
