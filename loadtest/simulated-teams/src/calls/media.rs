//! What Graph plays for a bot: the queue of prompts and recordings.
//!
//! `playPrompt` and `recordResponse` queue in their order of arrival (documented); only `bargeInAllowed` cuts in.

use std::{collections::VecDeque, time::Duration};

use serde::Serialize;
use serde_json::Value;

use super::{
    Action, Calls,
    agenda::Step,
    body::is_loopback,
    call::CallKey,
    clip::Speech,
    hearing::recording_failed,
    operation::{Completion, OperationKind, Status},
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
pub(super) enum Run {
    Fetching {
        job: Job,
        missing: usize,
        failure: Option<FetchFailure>,
    },
    /// The prompt at this place of the job plays.
    Playing(Job, usize),
    Beeping(Job),
    Listening(Job, Listening),
}

impl Run {
    fn into_job(self) -> Job {
        match self {
            Self::Fetching { job, .. } | Self::Playing(job, _) | Self::Beeping(job) | Self::Listening(job, _) => job,
        }
    }
}

/// A recording that runs.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) since: u64,
    /// What was said, and when it began.
    pub(super) said: Vec<(u64, Speech)>,
    pub(super) quiet_from: Option<u64>,
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
    /// Whether the peer of a call is connected whose sound the bot handles itself.
    pub(super) is_line_connected: bool,
    /// Times that the bot has said where the sound goes.
    pub(super) lines: u32,
    pub(super) mode: Option<MediaMode>,
    queue: VecDeque<Job>,
    pub(super) running: Option<Run>,
    /// Which timer counts; older ones are void.
    pub(super) timer: u64,
    pub(super) is_subscribed: bool,
    pub(super) sequence: u64,
    /// What the person says at the next chance.
    pub(super) speeches: VecDeque<Speech>,
    pub(super) prompts: Vec<PromptView>,
    pub(super) pressed: Vec<String>,
    pub(super) sent: Vec<String>,
}

impl Media {
    /// Whether a recording listens.
    pub(super) fn is_listening(&self) -> bool {
        matches!(self.running, Some(Run::Listening(..)))
    }

    /// Lets something run and gives the number of its timer; older timers are void.
    pub(super) fn start(&mut self, run: Run) -> u64 {
        self.timer += 1;
        self.running = Some(run);
        self.timer
    }
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
            for &prompt in &job.prompts {
                media.prompts[prompt].state = PromptState::Failed;
            }
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
        self.play(key, job, 0, now);
    }

    /// Plays the prompt at this place of a job; after the last one the job goes on.
    fn play(&mut self, key: CallKey, job: Job, place: usize, now: u64) {
        let beep = self.settings.span(BEEP);
        let Some(call) = self.book.get_mut(&key) else { return };
        let media = &mut call.media;
        if let Some(prompt) = job.prompts.get(place).map(|prompt| &mut media.prompts[*prompt]) {
            prompt.state = PromptState::Playing;
            let length = self.settings.span(Duration::from_millis(prompt.length));
            let timer = media.start(Run::Playing(job, place));
            self.agenda.add(now + length, key, Step::MediaTimer { timer });
            self.changed(key);
            return;
        }
        match &job.record {
            None => {
                self.complete(key, job.operation, Completion::played(), now);
                self.start_media(key, now);
            }
            Some(record) if record.beeps => {
                let timer = media.start(Run::Beeping(job));
                self.agenda.add(now + beep, key, Step::MediaTimer { timer });
            }
            Some(_) => self.listen(key, job, now),
        }
    }

    /// A timer of the media has run out.
    pub(super) fn media_timer(&mut self, key: CallKey, timer: u64, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let media = &mut call.media;
        if media.timer != timer {
            return;
        }
        match media.running.take() {
            Some(Run::Playing(job, place)) => {
                if let Some(prompt) = job.prompts.get(place) {
                    media.prompts[*prompt].state = PromptState::Finished;
                }
                self.play(key, job, place + 1, now);
            }
            Some(Run::Beeping(job)) => self.listen(key, job, now),
            Some(Run::Listening(job, listening)) => self.heard_enough(key, &job, listening, now),
            other => media.running = other,
        }
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
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
