//! What Graph plays and hears for a bot: the queue of prompts and recordings, keys, and clips.
//!
//! `playPrompt` and `recordResponse` queue in their order of arrival (documented); only `bargeInAllowed` cuts in.

use std::{collections::VecDeque, time::Duration};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Action, Calls,
    agenda::Step,
    body::is_loopback,
    call::{CallKey, CallState},
    clip::{Clip, Speech},
    notify::Note,
    operation::{Completion, OperationKind, Status},
    view::{CallEvent, Deed},
};

/// How long the beep before a recording is.
const BEEP: Duration = Duration::from_millis(500);
/// How long a clip is kept after its call: Graph keeps it until "shortly after the call ends".
pub(super) const CLIP_LIFE: Duration = Duration::from_secs(60);

/// Who handles the media of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaMode {
    Service,
    App,
}

/// Where a prompt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PromptState {
    /// Others play before it, or it is being fetched.
    Queued,
    /// The caller hears it.
    Playing,
    /// It was played to its end.
    Finished,
    /// It was dropped, or the call ended.
    Cancelled,
    /// It could not be fetched, or is no WAV of 16 kHz, 16 bit, one channel.
    Failed,
}

/// One prompt that the bot asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PromptView {
    /// Where it is.
    pub uri: String,
    /// `resourceId`, by which Graph keeps it.
    pub resource_id: Option<String>,
    /// `clientContext` of the operation.
    pub context: Option<String>,
    /// Where it stands.
    pub state: PromptState,
    /// Milliseconds.
    pub length: u64,
}

/// What `recordResponse` wants; milliseconds of this simulation.
#[derive(Debug, Clone)]
pub(super) struct RecordRequest {
    pub(super) initial_silence: u64,
    pub(super) most_silence: u64,
    pub(super) most: u64,
    pub(super) beeps: bool,
    pub(super) stop_tones: Vec<String>,
}

/// Prompts and perhaps a recording, of one operation.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) operation: usize,
    /// Places in [`Media::prompts`].
    pub(super) prompts: Vec<usize>,
    pub(super) record: Option<RecordRequest>,
}

/// What runs now.
#[derive(Debug)]
enum Run {
    Fetching {
        job: Job,
        missing: usize,
        failure: Option<FetchFailure>,
    },
    Playing(Job),
    Beeping(Job),
    Listening(Job, Listening),
}

impl Run {
    fn into_job(self) -> Job {
        match self {
            Self::Fetching { job, .. } | Self::Playing(job) | Self::Beeping(job) | Self::Listening(job, _) => job,
        }
    }
}

/// A recording that runs.
#[derive(Debug)]
struct Listening {
    since: u64,
    /// What was said, and when it began.
    said: Vec<(u64, Speech)>,
    quiet_from: Option<u64>,
}

/// Why a prompt cannot be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FetchFailure {
    /// It could not be fetched: 8536.
    Unreachable,
    /// It is no WAV of the documented format: 8535.
    Format,
}

/// The media of one call.
#[derive(Debug, Default)]
pub(super) struct Media {
    pub(super) is_active: bool,
    pub(super) mode: Option<MediaMode>,
    queue: VecDeque<Job>,
    running: Option<Run>,
    /// Which timer counts; older ones are void.
    timer: u64,
    pub(super) is_subscribed: bool,
    sequence: u64,
    /// What the person says at the next chance.
    speeches: VecDeque<Speech>,
    pub(super) prompts: Vec<PromptView>,
    pub(super) pressed: Vec<String>,
    pub(super) sent: Vec<String>,
}

impl Calls {
    /// Puts a job into the queue; one that may barge in drops what stands before it.
    pub(super) fn enqueue(&mut self, key: CallKey, job: Job, barges_in: bool, now: u64) {
        if barges_in {
            self.cancel_media(key, Some(job.operation), now);
        }
        if let Some(call) = self.book.get_mut(&key) {
            call.media.queue.push_back(job);
        }
        self.start_media(key, now);
    }

    /// Starts the next job when nothing runs.
    pub(super) fn start_media(&mut self, key: CallKey, now: u64) {
        let fallback = self.settings.prompt_length;
        let Some(call) = self.book.get_mut(&key) else { return };
        if call.media.running.is_some() || !call.media.is_active {
            return;
        }
        let Some(job) = call.media.queue.pop_front() else {
            return;
        };
        call.media.timer += 1;
        let (run, bot) = (call.media.timer, call.bot);
        let mut missing = 0;
        for &place in &job.prompts {
            let prompt = &mut call.media.prompts[place];
            let cached = prompt
                .resource_id
                .as_ref()
                .and_then(|id| self.cached_prompts.get(&(bot, id.clone())));
            if let Some(length) = cached {
                prompt.length = *length;
            } else if is_loopback(&prompt.uri) {
                missing += 1;
                self.actions.push_back(Action::Fetch {
                    call: key,
                    run,
                    place,
                    uri: prompt.uri.clone(),
                });
            } else {
                prompt.length = millis(fallback);
            }
        }
        call.media.running = Some(Run::Fetching {
            job,
            missing,
            failure: None,
        });
        self.play_when_fetched(key, now);
    }

    /// Takes the length of a prompt that was fetched.
    pub(super) fn take_fetched(
        &mut self,
        key: CallKey,
        run: u64,
        place: usize,
        fetched: Result<Duration, FetchFailure>,
        now: u64,
    ) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let media = &mut call.media;
        if media.timer != run {
            return;
        }
        let Some(Run::Fetching { missing, failure, .. }) = &mut media.running else {
            return;
        };
        *missing = missing.saturating_sub(1);
        match fetched {
            Ok(length) => {
                let prompt = &mut media.prompts[place];
                prompt.length = millis(length);
                if let Some(id) = &prompt.resource_id {
                    self.cached_prompts.insert((call.bot, id.clone()), prompt.length);
                }
            }
            Err(failed) => *failure = Some(failed),
        }
        self.play_when_fetched(key, now);
    }

    fn play_when_fetched(&mut self, key: CallKey, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let media = &mut call.media;
        let (job, failure) = match media.running.take() {
            Some(Run::Fetching {
                job,
                missing: 0,
                failure,
            }) => (job, failure),
            other => {
                media.running = other;
                return;
            }
        };
        if let Some(failure) = failure {
            set_prompts(media, &job, PromptState::Failed);
            let completion = match (&job.record, failure) {
                (Some(_), _) => recording_failed(8511, "Action failed, play prompt failed."),
                (None, FetchFailure::Unreachable) => {
                    Completion::failed(400, 8536, "Action failed, file could not be downloaded.")
                }
                (None, FetchFailure::Format) => {
                    Completion::failed(400, 8535, "Action failed, the format of the file is not valid.")
                }
            };
            self.complete(key, job.operation, completion, now);
            self.start_media(key, now);
            return;
        }
        set_prompts(media, &job, PromptState::Playing);
        let length = job.prompts.iter().map(|place| media.prompts[*place].length).sum();
        let length = self.settings.span(Duration::from_millis(length));
        media.timer += 1;
        self.agenda
            .add(now + length, key, Step::MediaTimer { timer: media.timer });
        media.running = Some(Run::Playing(job));
        self.changed(key);
    }

    /// A timer of the media has run out.
    pub(super) fn media_timer(&mut self, key: CallKey, timer: u64, now: u64) {
        let beep = self.settings.span(BEEP);
        let Some(call) = self.book.get_mut(&key) else { return };
        let media = &mut call.media;
        if media.timer != timer {
            return;
        }
        match media.running.take() {
            Some(Run::Playing(job)) => {
                set_prompts(media, &job, PromptState::Finished);
                match &job.record {
                    None => {
                        self.complete(key, job.operation, Completion::played(), now);
                        self.start_media(key, now);
                    }
                    Some(record) if record.beeps => {
                        media.timer += 1;
                        let timer = media.timer;
                        media.running = Some(Run::Beeping(job));
                        self.agenda.add(now + beep, key, Step::MediaTimer { timer });
                    }
                    Some(_) => self.listen(key, job, now),
                }
            }
            Some(Run::Beeping(job)) => self.listen(key, job, now),
            Some(Run::Listening(job, listening)) => {
                let most = job.record.as_ref().map_or(0, |record| record.most);
                let completion = if now >= listening.since + most {
                    Some((8515, "Action completed, max record duration reached."))
                } else if listening.quiet_from.is_some() {
                    Some((8509, "Action completed, max silence timeout reached."))
                } else {
                    None
                };
                if let Some(how) = completion {
                    self.keep_clip(key, &job, listening, how, now);
                } else {
                    let failed = recording_failed(8510, "Action failed, initial silence timeout reached.");
                    self.complete(key, job.operation, failed, now);
                    self.start_media(key, now);
                }
            }
            other => media.running = other,
        }
    }

    fn listen(&mut self, key: CallKey, job: Job, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let Some(record) = &job.record else { return };
        let until = now + record.initial_silence.min(record.most);
        call.media.timer += 1;
        let timer = call.media.timer;
        let listening = Listening {
            since: now,
            said: Vec::new(),
            quiet_from: None,
        };
        call.media.running = Some(Run::Listening(job, listening));
        let waiting = call.media.speeches.pop_front();
        self.agenda.add(until, key, Step::MediaTimer { timer });
        if let Some(speech) = waiting {
            self.say(key, speech, now);
        }
    }

    /// The person speaks: now if a recording listens, else at the next chance.
    pub(super) fn say(&mut self, key: CallKey, speech: Speech, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let media = &mut call.media;
        let Some(Run::Listening(job, listening)) = &mut media.running else {
            media.speeches.push_back(speech);
            return;
        };
        let Some(record) = &job.record else { return };
        let begin = now.max(listening.quiet_from.unwrap_or(0));
        let quiet_from = begin + self.settings.span(speech.length());
        listening.said.push((begin, speech));
        listening.quiet_from = Some(quiet_from);
        media.timer += 1;
        let until = (quiet_from + record.most_silence).min(listening.since + record.most);
        self.agenda.add(until, key, Step::MediaTimer { timer: media.timer });
    }

    fn keep_clip(
        &mut self,
        key: CallKey,
        job: &Job,
        listening: Listening,
        (subcode, message): (u32, &'static str),
        now: u64,
    ) {
        let pace = if self.settings.pace > 0.0 {
            self.settings.pace
        } else {
            1.0
        };
        let unscaled = |span: u64| Duration::from_millis(span).mul_f64(pace);
        let said = listening.said.into_iter();
        let said = said.map(|(at, speech)| (unscaled(at.saturating_sub(listening.since)), speech));
        let clip = Clip::new(
            key,
            unscaled(now - listening.since),
            said.collect(),
            self.ids.hex("clip token"),
        );
        let id = self.ids.uuid("clip");
        let completion = Completion {
            result: Some((200, subcode, message)),
            members: vec![
                ("recordingLocation", format!("{}/recordings/{id}", self.graph).into()),
                ("recordingAccessToken", clip.token.as_str().into()),
            ],
            ..Completion::completed()
        };
        self.clips.insert(id, clip);
        self.complete(key, job.operation, completion, now);
        self.start_media(key, now);
    }

    /// The person presses a key: `0` to `9`, `*`, `#`, `A` to `D`.
    pub(super) fn press(&mut self, key: CallKey, tone: &'static str, sign: &str, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let media = &mut call.media;
        media.pressed.push(sign.to_owned());
        media.sequence += 1;
        let sequence = media.sequence;
        let stops = match &media.running {
            Some(Run::Listening(job, _)) => job
                .record
                .as_ref()
                .is_some_and(|record| record.stop_tones.iter().any(|stop| stop.eq_ignore_ascii_case(sign))),
            _ => false,
        };
        let stopped = if stops { media.running.take() } else { None };
        let is_heard = media.is_subscribed;
        call.note(CallEvent {
            at: now,
            deed: Deed::Pressed { key: sign.to_owned() },
        });
        if is_heard {
            let mut members = Map::new();
            let tone = call.style.word(tone);
            let info = json!({ "@odata.type": "#microsoft.graph.toneInfo", "sequenceId": sequence, "tone": tone });
            members.insert("toneInfo".to_owned(), info);
            self.tell_state(key, CallState::Established, members, now);
        }
        if let Some(Run::Listening(job, listening)) = stopped {
            self.keep_clip(
                key,
                &job,
                listening,
                (8514, "Action completed, stop tone detected."),
                now,
            );
        }
        self.changed(key);
    }

    /// Drops what runs and waits, but not the operation `except`.
    pub(super) fn cancel_media(&mut self, key: CallKey, except: Option<usize>, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let media = &mut call.media;
        media.timer += 1;
        let running = media.running.take().map(Run::into_job);
        let dropped: Vec<Job> = running.into_iter().chain(media.queue.drain(..)).collect();
        for job in &dropped {
            let media = &mut call.media;
            let unplayed = job.prompts.iter();
            for &place in unplayed {
                if matches!(media.prompts[place].state, PromptState::Queued | PromptState::Playing) {
                    media.prompts[place].state = PromptState::Cancelled;
                }
            }
        }
        let tones: Vec<usize> = call
            .operations
            .iter()
            .enumerate()
            .filter(|(place, operation)| {
                operation.kind == OperationKind::SendDtmfTones
                    && operation.status == Status::Running
                    && Some(*place) != except
                    && except.is_none()
            })
            .map(|(place, _)| place)
            .collect();
        for job in dropped {
            let completion = if job.record.is_some() {
                let nothing = || Value::String(String::new());
                let mut completion = Completion::cancelled();
                completion.members = vec![
                    ("recordingLocation", nothing()),
                    ("recordingAccessToken", nothing()),
                    ("completionReason", "operationCanceled".into()),
                ];
                completion
            } else {
                Completion::cancelled()
            };
            self.complete(key, job.operation, completion, now);
        }
        for operation in tones {
            let completion = Completion {
                members: vec![("completionReason", "mediaOperationCanceled".into())],
                ..Completion::completed()
            };
            self.complete(key, operation, completion, now);
        }
    }

    /// The call is over: nothing plays any more, and no operation is told to have ended.
    pub(super) fn stop_media(&mut self, key: CallKey) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let media = &mut call.media;
        media.is_active = false;
        media.running = None;
        media.queue.clear();
        media.timer += 1;
        for prompt in &mut media.prompts {
            if matches!(prompt.state, PromptState::Queued | PromptState::Playing) {
                prompt.state = PromptState::Cancelled;
            }
        }
    }

    /// Ends an operation and tells so; one that has ended stays as it is.
    pub(super) fn complete(&mut self, key: CallKey, operation: usize, completion: Completion, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let style = call.style;
        let Some(operation) = call.operations.get_mut(operation) else {
            return;
        };
        if operation.status != Status::Running || call.is_closed {
            return;
        }
        operation.status = completion.status;
        let mut data = Map::new();
        let type_name = operation.kind.type_name();
        data.insert("@odata.type".to_owned(), format!("#microsoft.graph.{type_name}").into());
        data.extend(operation.echoed.clone());
        data.insert("clientContext".to_owned(), operation.context.clone().into());
        data.insert("status".to_owned(), style.word(completion.status.word()).into());
        if let Some((code, subcode, message)) = completion.result {
            let result = json!({
                "@odata.type": "#microsoft.graph.resultInfo", "code": code, "subcode": subcode, "message": message,
            });
            data.insert("resultInfo".to_owned(), result);
        }
        let members = completion.members.into_iter();
        data.extend(members.map(|(name, value)| (name.to_owned(), value)));
        // The samples of prompts, hold music and gallery carry no id: only the path names the operation.
        let is_hold = matches!(
            operation.kind,
            OperationKind::StartHoldMusic | OperationKind::StopHoldMusic
        );
        let is_nameless = is_hold
            || matches!(
                operation.kind,
                OperationKind::PlayPrompt | OperationKind::AddLargeGalleryView
            );
        if !is_nameless {
            data.insert("id".to_owned(), operation.id.as_str().into());
        }
        let path = format!("/operations/{}", operation.id);
        let label = format!("{type_name} {}", completion.status.word());
        let note = Note::deleted(label, Value::Object(data)).below(path);
        let note = if is_hold { note.without_slash() } else { note };
        self.tell(key, note, now);
        self.changed(key);
    }
}

fn set_prompts(media: &mut Media, job: &Job, state: PromptState) {
    for &place in &job.prompts {
        media.prompts[place].state = state;
    }
}

fn recording_failed(subcode: u32, message: &'static str) -> Completion {
    Completion {
        members: vec![
            ("recordingLocation", Value::String(String::new())),
            ("recordingAccessToken", Value::String(String::new())),
        ],
        ..Completion::failed(400, subcode, message)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
