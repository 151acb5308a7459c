//! Runs turns and does what they ask for: the host of a chat in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use trunkline_teams::activity::Activity;

use super::chat::Crash;
use super::compare::assert_same;
use super::line::Line;
use super::port::{During, KitPort};
use super::screen::{Screen, Shown, described, json};
use super::wait::block_on;
use crate::address::Address;
use crate::logic::{
    Answer, Begin, CallEvent, Effect, End, FailedWork, Failure, Input, KeptStep, Logic, Partial, StoredState, TurnError,
};

use crate::signal::Signal;

/// Attempts that a turn has, as at the worker.
const ATTEMPTS: u32 = 3;

#[derive(Clone, Debug)]
pub(super) struct Timer {
    pub(super) name: String,
    pub(super) key: String,
    pub(super) at: SystemTime,
    pub(super) every: Option<Duration>,
    pub(super) payload: Bytes,
}

pub(super) struct Host {
    pub(super) logic: Arc<dyn Logic>,
    pub(super) routes: Vec<String>,
    /// Where the turns run.
    pub(super) here: Address,
    pub(super) locale: String,
    /// The other end of the call, where the turns are of one.
    pub(super) line: Option<Line>,
    pub(super) now: SystemTime,
    pub(super) state: Option<StoredState>,
    pub(super) users: BTreeMap<(String, String), StoredState>,
    pub(super) timers: Vec<Timer>,
    pub(super) screen: Screen,
    /// What the last turn asked for.
    pub(super) of_last_turn: Vec<Effect>,
    /// What all turns asked for since the test looked.
    pub(super) asked: Vec<Effect>,
    pub(super) answer: Option<Answer>,
    pub(super) failure: Option<String>,
    pub(super) stop_after: Option<usize>,
    pub(super) crash: Option<Crash>,
    /// Activities that were committed, with their answers: what recognises a repeat.
    done: Vec<(Vec<u8>, Option<Answer>)>,
    pub(super) next_sequence: u64,
    turns: u64,
    ids: u64,
}

/// What one run of a turn gave.
struct Ran {
    end: End,
    during: During,
}

impl Host {
    pub(super) fn new(logic: Arc<dyn Logic>, here: Address) -> Self {
        let mut host = Self {
            logic: Arc::clone(&logic),
            routes: Vec::new(),
            here,
            locale: "en-US".to_owned(),
            line: None,
            // A Monday morning; any time would do, but always the same one.
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_603_600),
            state: None,
            users: BTreeMap::new(),
            timers: Vec::new(),
            screen: Screen::default(),
            of_last_turn: Vec::new(),
            asked: Vec::new(),
            answer: None,
            failure: None,
            stop_after: None,
            crash: None,
            done: Vec::new(),
            next_sequence: 1,
            turns: 0,
            ids: 1_767_603_600_000,
        };
        host.replace_bot(logic);
        host
    }

    pub(super) fn replace_bot(&mut self, logic: Arc<dyn Logic>) {
        self.routes = logic.describe().routes.into_iter().map(|route| route.name).collect();
        self.logic = logic;
    }

    pub(super) fn next_id(&mut self) -> String {
        self.ids += 1;
        self.ids.to_string()
    }

    pub(super) fn next_event_id(&mut self) -> String {
        format!("f:{}", self.next_id())
    }

    /// When Teams sent an activity: no two have the same.
    pub(super) fn timestamp(&mut self) -> String {
        self.ids += 1;
        let at = jiff::Timestamp::from_millisecond(self.ids.cast_signed());
        at.map(|at| at.to_string()).unwrap_or_default()
    }

    /// The next timer up to a time; taken out, or set again if it recurs.
    pub(super) fn due(&mut self, until: SystemTime) -> Option<Timer> {
        let mut candidates: Vec<usize> = (0..self.timers.len())
            .filter(|&place| self.timers[place].at <= until)
            .collect();
        candidates.sort_by_key(|&place| self.timers[place].at);
        let place = *candidates.first()?;
        let due = self.timers[place].clone();
        match due.every {
            Some(period) => self.timers[place].at += period,
            None => drop(self.timers.remove(place)),
        }
        Some(due)
    }

    /// Time goes by: timers go off, and what takes its time in a call ends, in order.
    pub(super) fn passes(&mut self, until: SystemTime) {
        loop {
            let of_call = self.line.as_ref().and_then(Line::due).filter(|due| *due <= until);
            if let Some(due) = of_call
                && self.timers.iter().all(|timer| due <= timer.at)
            {
                self.now = due;
                let follows = self
                    .line
                    .as_mut()
                    .map(|line| line.ends_by_itself(due))
                    .unwrap_or_default();
                self.follows(follows);
                continue;
            }
            let Some(Timer {
                at, name, key, payload, ..
            }) = self.due(until)
            else {
                break;
            };
            self.now = at;
            self.screen.line(&format!("(timer {name})"));
            self.turn(Input::Signal { name, key, payload });
        }
        self.now = until;
    }

    /// A signal from somewhere else.
    pub(super) fn hears_signal<T: Signal>(&mut self, signal: &T) {
        let payload = serde_json::to_vec(signal).unwrap_or_else(|error| panic!("{} is not JSON: {error}", T::NAME));
        self.screen.line(&format!("(signal {})", T::NAME));
        self.turn(Input::Signal {
            name: T::NAME.to_owned(),
            key: signal.key(),
            payload: payload.into(),
        });
    }

    /// Runs a turn to its end: again after a crash, three times if it fails, then what follows from giving up.
    pub(super) fn turn(&mut self, input: Input) {
        self.of_last_turn.clear();
        self.failure = None;
        self.answer = None;
        let body = body(&input);
        if let Some((_, answer)) = self.done.iter().find(|(done, _)| Some(done) == body.as_ref()) {
            self.answer.clone_from(answer);
            return self.screen.line("(recognised as a repeat)");
        }
        self.run_to_end(input);
        self.done.extend(body.map(|body| (body, self.answer.clone())));
        if self.crash.take() == Some(Crash::AfterCommit) {
            self.screen.line("(crash after the commit)");
            self.answer = None;
            self.repeat();
        }
    }

    /// Teams sends the last activity once more, or Graph its last notification.
    pub(super) fn repeat(&mut self) {
        if self.line.is_some() {
            // Whatever a call has once told its bot is not told again.
            return self.screen.line("(recognised as a repeat)");
        }
        let Some((last, _)) = self.done.last() else {
            panic!("nothing was sent that could be repeated")
        };
        let activity = Activity::parse(last).unwrap_or_else(|error| panic!("not an activity: {error}"));
        self.turn(Input::Activity(Box::new(activity)));
    }

    fn run_to_end(&mut self, input: Input) {
        self.turns += 1;
        let mut begin = self.begin(input);
        loop {
            let ran = self.run_twice(&mut begin);
            match ran.end {
                End::Failed(error) if goes_on_after(&error, &begin) => begin.attempt += 1,
                end => return self.ended(end, &begin),
            }
        }
    }

    fn begin(&self, input: Input) -> Begin {
        Begin {
            input,
            here: self.here.clone(),
            state: self.state.clone(),
            steps: Vec::new(),
            now: self.now,
            seed: format!("turn {}", self.turns),
            attempt: 1,
            locale: Some(self.locale.clone()),
            next_sequence: self.next_sequence,
            call: self.line.as_ref().map(|line| Box::new(line.call.clone())),
        }
    }

    /// Runs a turn; if it came to an end that can be committed, once more with the steps that it kept.
    fn run_twice(&mut self, begin: &mut Begin) -> Ran {
        let stop_after = self.stop_after.take();
        let first = self.run(begin.clone(), stop_after);
        begin.steps.extend(first.during.kept.iter().cloned());
        if self.crash == Some(Crash::BeforeCommit) {
            self.crash = None;
            self.screen.line("(crash before the commit)");
            begin.attempt += 1;
            return self.run_twice(begin);
        }
        self.show(&first.during);
        if matches!(first.end, End::Commit(_) | End::Tell(_)) {
            let second = self.run(begin.clone(), None);
            assert!(
                second.during.kept.is_empty(),
                "the second run of a turn kept the steps {:?}, which the first did not have: what it does depends on something \
                 outside the turn",
                second
                    .during
                    .kept
                    .iter()
                    .map(|step: &KeptStep| &step.name)
                    .collect::<Vec<_>>()
            );
            assert_same(&name_of(&begin.input), &first.end, &second.end);
        }
        first
    }

    fn run(&self, begin: Begin, stop_after: Option<usize>) -> Ran {
        let during = Arc::new(Mutex::new(During::default()));
        let port = KitPort {
            during: Arc::clone(&during),
            users: self.users.clone(),
            stop_after,
            next_id: self.ids + 500,
        };
        let end = block_on(self.logic.run(begin, Box::new(port)));
        let during = std::mem::take(&mut *during.lock().unwrap_or_else(PoisonError::into_inner));
        Ran { end, during }
    }

    /// What appeared on the screen while the turn ran.
    fn show(&mut self, during: &During) {
        for (id, activity) in &during.sent_now {
            let activity = json(activity);
            self.screen.line(&format!("bot, at once: {}", described(&activity)));
            self.checked(&activity);
            self.screen.messages.push(Shown {
                sent: None,
                id: id.clone(),
                activity,
                is_deleted: false,
            });
        }
        for partial in &during.partials {
            if let Partial::Note(note) = partial {
                self.screen.line(&format!("bot is busy: {note}"));
            }
        }
    }

    fn ended(&mut self, end: End, begin: &Begin) {
        match end {
            End::Commit(outcome) | End::Tell(outcome) => self.commit(outcome),
            End::Stopped => self.screen.line("(stopped)"),
            End::State(problem) => panic!("the stored state cannot be used: {problem}"),
            End::Failed(error) => self.gave_up(&error, begin),
        }
    }

    fn gave_up(&mut self, error: &TurnError, begin: &Begin) {
        self.screen.line("(failed)");
        if let Input::Activity(activity) = &begin.input
            && activity.is("invoke")
        {
            self.failure = Some(error.message.clone());
            self.answer = Some(self.logic.failed_answer(activity));
            return;
        }
        if matches!(&begin.input, Input::Call(event) if **event == CallEvent::Incoming) {
            self.failure = Some(error.message.clone());
            return self.decides_late();
        }
        assert!(
            !matches!(begin.input, Input::Failed(_)),
            "on_failed failed: {}",
            error.message
        );
        self.turn(Input::Failed(Failure {
            what: FailedWork::Turn(name_of(&begin.input)),
            attempts: begin.attempt,
            reference: "TL-TEST".to_owned(),
        }));
        self.failure = Some(error.message.clone());
    }
}

/// Invokes are not tried again: somebody waits for the answer.
fn goes_on_after(error: &TurnError, begin: &Begin) -> bool {
    !error.is_final && begin.attempt < ATTEMPTS && !is_invoke(&begin.input) && !matches!(begin.input, Input::Failed(_))
}

/// What tells an activity from others.
fn body(input: &Input) -> Option<Vec<u8>> {
    match input {
        Input::Activity(activity) => activity.to_json().ok(),
        _ => None,
    }
}

fn is_invoke(input: &Input) -> bool {
    matches!(input, Input::Activity(activity) if activity.is("invoke"))
}

/// What a turn is about, for messages of failure.
fn name_of(input: &Input) -> String {
    match input {
        Input::Activity(activity) => {
            let kind = activity.kind.as_deref().unwrap_or("activity");
            activity
                .text
                .as_deref()
                .map_or_else(|| kind.to_owned(), |text| format!("{kind} {text:?}"))
        }
        Input::Signal { name, .. } => format!("signal {name}"),
        Input::Sent { .. } => "sent".to_owned(),
        Input::Failed(_) => "on_failed".to_owned(),
        Input::Call(event) => format!("{event:?}"),
    }
}
