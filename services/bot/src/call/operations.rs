//! The operations of a call. Each is asked for after the commit; its end comes as an event with the same [`Op`]. Before the call
//! is established they fail the turn; once it is over nothing is asked for any more, and `ended` follows.

use serde::{Deserialize, Serialize};
use trunkline_teams::calls::RecordingStatus;
use trunkline_teams::graph::{self, Operation};

use super::gather::{GATHERED, Gather, Heard, TIMER};
use super::op::{Gallery, MediaStop, Mute, Op, Recording, Role, Status, Voice};
use super::problem::{CallProblem, takes};
use super::{Call, CallKey, Digits, Prompt, Prompts, Record, Tones};
use crate::event::Gathered;
use crate::logic::{CallEvent, Input};

/// Begins the names of operations that gathering keys asks for on its own: no author knows them.
const OWN: char = 'g';

/// What a bot does with a shared screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ScreenRole {
    /// Looks at it.
    Viewer,
    /// Shares one.
    Sharer,
}

impl<A> Call<A> {
    /// Plays 1 to 20 prompts one after the other, behind those that play or wait. Ends with `prompt_ended`.
    pub fn play(&mut self, prompts: impl Into<Prompts>) -> Op<Voice> {
        let prompts = prompts.into().operation();
        self.operation("a prompt", prompts)
    }

    /// Records a short answer, behind the prompts that play or wait. Ends with `recorded`. In a call with [`crate::Media::hosted`] the
    /// media host keeps it, for an hour.
    #[allow(clippy::needless_pass_by_value, reason = "a value is what authors have at hand")]
    pub fn record(&mut self, record: Record) -> Op<Recording> {
        self.operation("a recording", record.operation())
    }

    /// Gathers keys into one answer. Ends with `gathered`; until then keys do not come as `tone`.
    ///
    /// A second gathering takes the place of the first, whose keys are forgotten. Graph's terms of use forbid to store what
    /// people press: gathered keys stand in the stored state of the call until the commit of the turn that gets them, and
    /// nowhere after it. Do not remember them either; look up what they mean, and remember that.
    #[allow(clippy::needless_pass_by_value, reason = "a value is what authors have at hand")]
    pub fn gather(&mut self, digits: Digits) -> Op<Digits> {
        let key = self.turn.fresh_key('o');
        match self.can_gather(&digits) {
            Ok(true) => {}
            Ok(false) => return Op::new(key),
            Err(problem) => {
                self.turn.cannot(problem);
                return Op::new(key);
            }
        }
        self.forget_gathering();
        let prompt = digits.prompt.as_ref().map(|prompt| self.plays_itself(prompt));
        let waits_for_prompt = prompt.is_some();
        let mut gather = Gather::begin(&key, &digits, prompt);
        if !waits_for_prompt {
            let until = gather.waits_from(self.turn.now());
            self.turn.set_bare_timer(TIMER, &key, until);
        }
        self.gather = Some(gather);
        Op::new(key)
    }

    /// Forgets the keys that are being gathered; no event follows.
    pub fn stop_gathering(&mut self) {
        self.forget_gathering();
    }

    /// Presses keys for the other side to hear. Ends with `tones_sent`.
    pub fn send_tones(&mut self, tones: impl Into<Tones>) -> Op<Tones> {
        let tones = tones.into().operation();
        self.operation("pressing keys", tones)
    }

    /// Turns the bot's microphone off; calls of several only. Ends with `operation_ended`.
    pub fn mute(&mut self) -> Op<Mute> {
        self.operation("muting", Ok(Operation::Mute(graph::Mute::default())))
    }

    /// Turns the bot's microphone on; calls of several only. Ends with `operation_ended`.
    pub fn unmute(&mut self) -> Op<Mute> {
        self.operation("unmuting", Ok(Operation::Unmute(graph::Mute::default())))
    }

    /// Drops prompts and recordings that run or wait; each of them ends as cancelled. Ends with `operation_ended`.
    pub fn stop_media(&mut self) -> Op<MediaStop> {
        self.operation(
            "stopping media",
            Ok(Operation::CancelMediaProcessing(graph::CancelMedia::default())),
        )
    }

    /// Says whether the bot records, in calls that a recording policy invited it to. Ends with `status_updated`: nothing of the
    /// call may be kept before that has come with success, and recording must have stopped before `NotRecording` is said.
    ///
    /// In a call with [`crate::Media::hosted`] the media host does that: it records both directions from Graph's confirmation of
    /// `Recording` on, `status_updated` comes when it does, and it has stopped before another word is sent.
    pub fn recording_status(&mut self, status: RecordingStatus) -> Op<Status> {
        let status = Operation::UpdateRecordingStatus(graph::UpdateRecordingStatus {
            status: Some(status),
            client_context: None,
        });
        self.operation("the recording status", Ok(status))
    }

    /// Makes the bot a viewer or the sharer of a screen; calls of several with media of the bot's own only. Ends with
    /// `operation_ended`.
    pub fn share_role(&mut self, role: ScreenRole) -> Op<Role> {
        let role = match role {
            ScreenRole::Viewer => "viewer",
            ScreenRole::Sharer => "sharer",
        };
        let role = Operation::ChangeScreenSharingRole(graph::ScreenSharingRole { role: role.to_owned() });
        self.operation("sharing a screen", Ok(role))
    }

    /// Adds the large gallery to the meeting. Ends with `operation_ended`.
    pub fn gallery(&mut self) -> Op<Gallery> {
        self.operation(
            "the large gallery",
            Ok(Operation::AddLargeGalleryView(graph::Mute::default())),
        )
    }

    pub(super) fn operation<K>(&mut self, what: &'static str, operation: Result<Operation, CallProblem>) -> Op<K> {
        self.asked(what, operation, None)
    }

    /// The same, in place of another call of the bot.
    pub(super) fn operation_in_place_of<K>(
        &mut self,
        what: &'static str,
        operation: Result<Operation, CallProblem>,
        other: &CallKey,
    ) -> Op<K> {
        self.asked(what, operation, Some(other.as_str().to_owned()))
    }

    fn asked<K>(
        &mut self,
        what: &'static str,
        operation: Result<Operation, CallProblem>,
        replaces: Option<String>,
    ) -> Op<K> {
        let key = self.turn.fresh_key('o');
        match takes(what, &self.now).and_then(|takes| Ok((takes, operation?))) {
            Ok((true, operation)) => self.turn.ask_after(key.clone(), operation, None, replaces),
            Ok((false, _)) => {}
            Err(problem) => self.turn.cannot(problem),
        }
        Op::new(key)
    }

    fn can_gather(&self, digits: &Digits) -> Result<bool, CallProblem> {
        if !self.hears_gathered {
            return Err(CallProblem::NobodyListens);
        }
        digits.check()?;
        takes("gathering keys", &self.now)
    }

    /// Plays a prompt under a name that no author sees.
    fn plays_itself(&mut self, prompt: &Prompt) -> String {
        let key = self.turn.fresh_key(OWN);
        match Prompts::from(prompt).operation() {
            Ok(operation) => self.turn.ask(key.clone(), operation),
            Err(problem) => self.turn.cannot(problem),
        }
        key
    }

    fn forget_gathering(&mut self) {
        if let Some(gather) = self.gather.take() {
            self.turn.forget_timer(TIMER, &gather.key);
        }
    }
}

/// Gathering takes its part of what happens before the routes look at it.
impl<A> Call<A> {
    /// What is left for the routes: the event itself, the gathered keys in place of the last of them, or nothing.
    pub(crate) fn listen(&mut self, input: Input) -> Option<Input> {
        let heard = match &input {
            Input::Call(event) => match event.as_ref() {
                CallEvent::Tone(tone) => match (&mut self.gather, tone.key()) {
                    (Some(gather), Some(key)) => gather.pressed(key, self.turn.now()),
                    _ => return Some(input),
                },
                CallEvent::OperationEnded(ended) if ended.key.starts_with(OWN) => match &mut self.gather {
                    Some(gather) if gather.plays(&ended.key) => gather.prompt_ended(self.turn.now()),
                    _ => Heard::Nothing,
                },
                _ => return Some(input),
            },
            Input::Signal { name, key, .. } if name == TIMER => match &mut self.gather {
                Some(gather) if gather.key == *key => gather.timed_out(self.turn.now()),
                _ => Heard::Nothing,
            },
            _ => return Some(input),
        };
        self.follows(heard)
    }

    fn follows(&mut self, heard: Heard) -> Option<Input> {
        let gather = self.gather.as_ref()?;
        match heard {
            Heard::Nothing => None,
            Heard::Wait(until) | Heard::CutOff(until) => {
                let key = gather.key.clone();
                self.turn.set_bare_timer(TIMER, &key, until);
                if matches!(heard, Heard::CutOff(_)) {
                    self.cut_off();
                }
                None
            }
            Heard::Over(end) => {
                let still_plays = gather.still_plays();
                let gather = self.gather.take()?;
                self.turn.forget_timer(TIMER, &gather.key);
                if still_plays {
                    self.cut_off();
                }
                let key = gather.key.clone();
                let gathered = Gathered::new(Op::new(key.clone()), gather.into_keys(), end);
                Some(Input::Signal {
                    name: GATHERED.to_owned(),
                    key,
                    payload: gathered.to_json(),
                })
            }
        }
    }

    fn cut_off(&mut self) {
        let key = self.turn.fresh_key(OWN);
        self.turn
            .ask(key, Operation::CancelMediaProcessing(graph::CancelMedia::default()));
    }
}
