//! The other end of a call that exists only in a test: what Graph and people do, with simulated time.
//!
//! Pure: it is asked for operations and told of people and of time, and says which events follow. What Graph documents stands
//! as it is; what is not documented (in which order things come, what a stop key does beside) is the kit's choice.

mod hosted;
mod recording;
mod told;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime};

use trunkline_teams::calls::{CallState, ResultInfo};
use trunkline_teams::graph::{Operation, OperationKind, PlayPrompt, RecordResponse};

pub(super) use told::{participant_id, somebody};

use crate::logic::{CallAbout, CallEnd, CallEvent, CallNow, EndedBy, OperationOutcome};
use told::{completed, ended, failed, file_of, id_of, participant, recorded};

/// Length of a prompt that the test has not given another.
const PROMPT: Duration = Duration::from_secs(3);
/// Silence that ends a recording, where the bot asks for no other. Source: Graph, `call: record`.
const SILENCE: Duration = Duration::from_secs(5);

/// A call and what waits in it.
pub(super) struct Line {
    pub(super) call: CallNow,
    pub(super) end: Option<CallEnd>,
    pub(super) heard: Vec<String>,
    pub(super) lengths: BTreeMap<String, Duration>,
    refusals: Vec<Refusal>,
    media: VecDeque<Media>,
    invites: VecDeque<String>,
    /// Hang up when this has ended.
    leaves_after: Option<String>,
    sound: Sound,
    is_bridged: bool,
    kept: Vec<recording::Kept>,
}

/// Who carries the sound.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sound {
    Graph,
    Hosted,
    Lost,
}

/// What Graph will not take.
struct Refusal {
    operation: String,
    status: u16,
    code: String,
}

/// A prompt or a recording; they run one after the other.
struct Media {
    key: String,
    what: What,
    /// When it ends by itself; `None` until it has begun.
    ends: Option<SystemTime>,
}

enum What {
    Prompts(Vec<String>),
    Recording { silence: Duration, stop_keys: String },
}

/// What followed from an operation.
#[derive(Default)]
pub(super) struct Follows {
    pub(super) lines: Vec<String>,
    pub(super) events: Vec<CallEvent>,
}

impl Follows {
    fn line(line: impl Into<String>) -> Self {
        Self {
            lines: vec![line.into()],
            events: Vec::new(),
        }
    }

    fn and(mut self, event: CallEvent) -> Self {
        self.events.push(event);
        self
    }

    fn then(mut self, events: Vec<CallEvent>) -> Self {
        self.events.extend(events);
        self
    }

    /// The bot hangs up in place of what it does not hear.
    pub(super) fn hangs_up(&mut self, line: &mut Line) {
        self.lines.push("bot hangs up".to_owned());
        self.events = line.ends(EndedBy::Bot, Some((200, 7000)));
    }
}

impl Line {
    pub(super) fn new(tenant: &str) -> Self {
        Self {
            call: CallNow {
                key: String::new(),
                id: None,
                tenant: tenant.to_owned(),
                state: CallState::Incoming,
                is_audio_active: false,
                decide_within: None,
                about: CallAbout::default(),
                present: Vec::new(),
                leg: None,
            },
            end: None,
            heard: Vec::new(),
            lengths: BTreeMap::new(),
            refusals: Vec::new(),
            media: VecDeque::new(),
            invites: VecDeque::new(),
            leaves_after: None,
            sound: Sound::Graph,
            is_bridged: false,
            kept: Vec::new(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.end.is_some()
    }

    pub(super) fn refuses(&mut self, operation: &str, status: u16, code: &str) {
        self.refusals.push(Refusal {
            operation: operation.to_owned(),
            status,
            code: code.to_owned(),
        });
    }

    /// The bot asks for an operation.
    pub(super) fn asked(&mut self, key: &str, operation: &Operation, after: Option<&str>, now: SystemTime) -> Follows {
        let kind = operation.kind();
        if self.is_over() {
            return Follows::line(format!("(the call is over: {} is not asked for)", kind.name()));
        }
        if let Some((status, code)) = self.refusal(operation) {
            let line = Follows::line(format!("(Graph refuses {}: {status} {code})", kind.name()));
            return match operation {
                Operation::Transfer(_) => line.and(self.transfer_failed()),
                _ => line.and(ended(
                    key,
                    kind,
                    OperationOutcome::Refused {
                        status,
                        code,
                        message: "refused by the test".to_owned(),
                    },
                )),
            };
        }
        match operation {
            Operation::Answer(_) => {
                self.is_hosted_by(operation);
                let events = self.connects();
                Follows {
                    lines: vec!["bot answers".to_owned()],
                    events,
                }
            }
            Operation::Reject(reject) => {
                let reason = reject.reason.as_ref().map(ToString::to_string).unwrap_or_default();
                Follows::line(format!("bot rejects the call: {reason}")).then(self.ends(EndedBy::Bot, None))
            }
            Operation::Redirect(redirect) => {
                let to: Vec<_> = redirect
                    .targets
                    .iter()
                    .filter_map(|target| id_of(target.identity.as_ref()))
                    .collect();
                Follows::line(format!("bot redirects to {}", to.join(", "))).then(self.ends(EndedBy::Service, None))
            }
            Operation::Transfer(transfer) => {
                self.call.state = CallState::Transferring;
                let to = id_of(transfer.transfer_target.identity.as_ref()).unwrap_or("somebody");
                Follows::line(format!("bot transfers to {to}"))
            }
            Operation::Delete => self.leaves(after),
            Operation::PlayPrompt(play) => self.plays(key, play, now),
            Operation::RecordResponse(record) => self.records(key, record, now),
            Operation::CancelMediaProcessing(_) => {
                let mut follows = Follows::line("bot stops what plays");
                follows.events = self.cancels();
                follows.and(completed(key, kind))
            }
            Operation::Invite(invite) => {
                self.invites.push_back(key.to_owned());
                let who: Vec<_> = invite
                    .participants
                    .iter()
                    .filter_map(|target| id_of(target.identity.as_ref()))
                    .collect();
                Follows::line(format!("bot invites {}", who.join(", ")))
            }
            Operation::SendDtmfTones(tones) => {
                let keys: String = tones
                    .tones
                    .iter()
                    .filter_map(trunkline_teams::calls::Tone::key)
                    .collect();
                Follows::line(format!("bot presses {keys}")).and(completed(key, kind))
            }
            Operation::UpdateRecordingStatus(update) => {
                let status = update.status.as_ref().map(ToString::to_string).unwrap_or_default();
                Follows::line(format!("bot says: {status}")).and(completed(key, kind))
            }
            _ => Follows::line(format!("bot asks for {}", kind.name())).and(completed(key, kind)),
        }
    }

    /// What the test said about the next operation of that name.
    fn refused(&mut self, operation: &str) -> Option<(u16, String)> {
        let place = self
            .refusals
            .iter()
            .position(|refusal| refusal.operation == operation)?;
        let refusal = self.refusals.remove(place);
        Some((refusal.status, refusal.code))
    }

    /// What Graph refuses where the call stands, or because the test said so.
    fn refusal(&mut self, operation: &Operation) -> Option<(u16, String)> {
        let kind = operation.kind().name();
        if let Some(refused) = self.refused(kind) {
            return Some(refused);
        }
        let needs_sound = matches!(
            kind,
            "playPrompt" | "recordResponse" | "sendDtmfTones" | "cancelMediaProcessing"
        );
        if self.sound == Sound::Lost && needs_sound {
            return Some((503, "TRUNKLINE_MEDIA_LOST".to_owned()));
        }
        let code = match operation {
            Operation::Mute(_)
            | Operation::Unmute(_)
            | Operation::MuteParticipant(_)
            | Operation::CreateAudioRoutingGroup(_) => (!self.call.is_of_several()).then_some("8548"),
            Operation::UpdateRecordingStatus(_) => self.call.about.observed_participant().is_none().then_some("8506"),
            _ => None,
        };
        code.map(|code| (400, code.to_owned()))
    }

    fn plays(&mut self, key: &str, play: &PlayPrompt, now: SystemTime) -> Follows {
        let files = play
            .prompts
            .iter()
            .filter_map(|prompt| prompt.media_info.as_ref()?.uri.as_deref());
        let files: Vec<String> = files.map(|address| file_of(address).to_owned()).collect();
        let line = format!("bot plays {}", files.join(", "));
        self.media.push_back(Media {
            key: key.to_owned(),
            what: What::Prompts(files),
            ends: None,
        });
        self.begins(now);
        Follows::line(line)
    }

    fn records(&mut self, key: &str, record: &RecordResponse, now: SystemTime) -> Follows {
        let mut follows = Follows::line("bot records");
        if record.barge_in_allowed == Some(true) {
            follows.events = self.cancels();
        }
        let files = record
            .prompts
            .iter()
            .filter_map(|prompt| prompt.media_info.as_ref()?.uri.as_deref());
        let prompts: Duration = files.map(|address| self.length(file_of(address))).sum();
        let silence = record
            .initial_silence_timeout_in_seconds
            .and_then(|seconds| u64::try_from(seconds).ok());
        self.media.push_back(Media {
            key: key.to_owned(),
            what: What::Recording {
                silence: prompts + silence.map_or(SILENCE, Duration::from_secs),
                stop_keys: record.stop_tones.concat(),
            },
            ends: None,
        });
        self.begins(now);
        follows
    }

    fn length(&self, file: &str) -> Duration {
        self.lengths.get(file).copied().unwrap_or(PROMPT)
    }

    /// The first of the queue begins, if it has not.
    fn begins(&mut self, now: SystemTime) {
        let Some(first) = self.media.front() else { return };
        if first.ends.is_some() {
            return;
        }
        let lasts = match &first.what {
            What::Prompts(files) => files.iter().map(|file| self.length(file)).sum(),
            What::Recording { silence, .. } => *silence,
        };
        if let Some(first) = self.media.front_mut() {
            first.ends = Some(now + lasts);
        }
    }

    /// When something ends by itself.
    pub(super) fn due(&self) -> Option<SystemTime> {
        self.media.front()?.ends
    }

    /// Whether a prompt plays.
    pub(super) fn is_playing(&self) -> bool {
        self.media
            .front()
            .is_some_and(|media| matches!(media.what, What::Prompts(_)))
    }

    /// The first of the queue ends by itself: a prompt was heard, or nobody has said anything.
    pub(super) fn ends_by_itself(&mut self, now: SystemTime) -> Follows {
        let Some(media) = self.media.pop_front() else {
            return Follows::default();
        };
        self.begins(now);
        match media.what {
            What::Prompts(files) => {
                let mut follows = Follows::line(format!("(heard: {})", files.join(", ")));
                self.heard.extend(files);
                follows.events.push(completed(&media.key, OperationKind::PlayPrompt));
                self.after(&media.key, follows)
            }
            What::Recording { .. } => {
                let follows = Follows::line("(nobody says anything)");
                follows.and(recorded(&media.key, 400, 8510, None))
            }
        }
    }

    /// Somebody speaks, or nobody does, while the bot records.
    pub(super) fn speaks(&mut self, clip: Option<&str>, now: SystemTime) -> Result<Follows, &'static str> {
        let is_recording = self
            .media
            .front()
            .is_some_and(|media| matches!(media.what, What::Recording { .. }));
        if !is_recording {
            return Err("nobody records: the bot has not asked for it, or prompts play first (listens)");
        }
        let media = self.media.pop_front().ok_or("nobody records")?;
        self.begins(now);
        Ok(match clip {
            Some(clip) => Follows::line(format!("(says {clip})")).and(recorded(&media.key, 200, 8509, Some(clip))),
            None => Follows::line("(nobody says anything)").and(recorded(&media.key, 400, 8510, None)),
        })
    }

    /// A key ends the recording that runs, if it is one of its stop keys.
    pub(super) fn stops_recording(&mut self, key: char, now: SystemTime) -> Option<Follows> {
        let media = self.media.front()?;
        let What::Recording { stop_keys, .. } = &media.what else {
            return None;
        };
        if !stop_keys.contains(key) {
            return None;
        }
        let media = self.media.pop_front()?;
        self.begins(now);
        Some(Follows::default().and(recorded(&media.key, 200, 8514, Some("stopped"))))
    }

    fn cancels(&mut self) -> Vec<CallEvent> {
        let cancelled = self.media.drain(..).map(|media| match media.what {
            What::Prompts(_) => failed(&media.key, OperationKind::PlayPrompt, 400, 8508),
            What::Recording { .. } => recorded(&media.key, 400, 8508, None),
        });
        cancelled.collect()
    }

    fn leaves(&mut self, after: Option<&str>) -> Follows {
        match after {
            Some(key) if self.media.iter().any(|media| media.key == key) => {
                self.leaves_after = Some(key.to_owned());
                Follows::line("bot hangs up after it")
            }
            _ => Follows::line("bot hangs up").then(self.ends(EndedBy::Bot, Some((200, 7000)))),
        }
    }

    /// Hangs up, if that waited for this operation.
    fn after(&mut self, key: &str, follows: Follows) -> Follows {
        if self.leaves_after.as_deref() == Some(key) {
            return follows.then(self.ends(EndedBy::Bot, Some((200, 7000))));
        }
        follows
    }

    /// The call is established and sound goes through.
    pub(super) fn connects(&mut self) -> Vec<CallEvent> {
        self.call.state = CallState::Established;
        self.call.is_audio_active = true;
        self.call.decide_within = None;
        vec![CallEvent::Connected]
    }

    /// The call is over: nobody knows what became of what was under way, and then it has ended.
    pub(super) fn ends(&mut self, by: EndedBy, result: Option<(i64, i64)>) -> Vec<CallEvent> {
        let result = result.map(|(code, subcode)| ResultInfo::new(code, subcode));
        let end = CallEnd { by, result };
        self.end = Some(end.clone());
        self.call.state = CallState::Terminated;
        self.call.is_audio_active = false;
        self.call.present.clear();
        let media = self.media.drain(..).map(|media| match media.what {
            What::Prompts(_) => (media.key, OperationKind::PlayPrompt),
            What::Recording { .. } => (media.key, OperationKind::RecordResponse),
        });
        let invites = self.invites.drain(..).map(|key| (key, OperationKind::Invite));
        let unknown = media
            .chain(invites)
            .map(|(key, kind)| ended(&key, kind, OperationOutcome::Unknown));
        let mut events: Vec<CallEvent> = unknown.collect();
        events.extend(self.leaves_kept());
        events.push(CallEvent::Ended(end));
        events
    }

    pub(super) fn transfer_failed(&mut self) -> CallEvent {
        self.call.state = CallState::Established;
        CallEvent::TransferFailed(ResultInfo::new(500, 7000))
    }

    /// The oldest invitation ends.
    pub(super) fn invitation_ends(&mut self, comes: bool) -> Option<CallEvent> {
        let key = self.invites.pop_front()?;
        Some(if comes {
            completed(&key, OperationKind::Invite)
        } else {
            failed(&key, OperationKind::Invite, 408, 0)
        })
    }

    /// Somebody is on the roster from now on.
    pub(super) fn joins(&mut self, name: &str) -> CallEvent {
        let participant = participant(name);
        self.call.present.push(participant.clone());
        CallEvent::Joined(vec![participant])
    }

    /// Somebody is not on the roster any more.
    pub(super) fn leaves_roster(&mut self, name: &str) -> Option<CallEvent> {
        let place = self.place_of(name)?;
        Some(CallEvent::Left(vec![self.call.present.remove(place)]))
    }

    /// Somebody's microphone goes off or on.
    pub(super) fn mutes(&mut self, name: &str, is_muted: bool) -> Option<CallEvent> {
        let place = self.place_of(name)?;
        let participant = &mut self.call.present[place];
        participant.is_muted = Some(is_muted);
        Some(CallEvent::Muted(vec![participant.clone()]))
    }

    fn place_of(&self, name: &str) -> Option<usize> {
        let id = participant_id(name);
        self.call
            .present
            .iter()
            .position(|present| present.participant_id() == Some(&id))
    }
}
