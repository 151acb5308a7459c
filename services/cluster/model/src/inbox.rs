//! Acceptance of slow turns: one conversation, two processes that own its shard one after the other, an inbox.
//!
//! An activity may be accepted while its turn runs or waits; the turn's commit deletes the entry. Acceptances and commits
//! arrive late, twice or never. What is accepted runs first after a load. A load reads the inbox and then the record, as the
//! stores do, and a late commit may come between.
//!
//! Invariants: I2 no commit removes an activity from the state; I3 an activity is applied once; I4 what was answered, with
//! 200 or 202, is in the state or in the inbox; and no entry stands in the inbox whose activity is in the state, for it
//! would run again as soon as the ring of keys forgets it.

use trunkline_store::contract::{Claim, Claimed, Committed, Epoch, Incarnation, MapVersion};
use trunkline_store::rules::{Comparison, Fence, Judged};

use crate::explore::Model;
use crate::words::{Record, SmallFence, SmallToken};

const PROCESSES: u8 = 2;
const MESSAGES: usize = 3;

/// What the owner compares. All but the first are known to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// What the product does.
    Right,
    /// An acceptance does not compare the record's header.
    AcceptanceWithoutHeader,
    /// A turn from the inbox starts without a look into the ring of keys.
    InboxWithoutRing,
}

/// The model and its bounds.
#[derive(Clone, Copy, Debug)]
pub struct InboxModel {
    /// What is compared.
    pub variant: Variant,
    /// Different activities, each of which arrives as often as it likes.
    pub activities: u8,
    /// Claims, all of them forced; the first process claims at the start.
    pub claims: u8,
    /// Acceptances that are sent, each delivered as often as it likes; at most 3.
    pub acceptances: u8,
    /// Commits of turns that are sent, each delivered as often as it likes; at most 3.
    pub commits: u8,
}

/// Everything that decides what can happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    fence: SmallFence,
    record: Record,
    inbox: u8,
    claims: u8,
    acceptances: [Option<Acceptance>; MESSAGES],
    commits: [Option<Turn>; MESSAGES],
    processes: [Process; PROCESSES as usize],
    /// Activities that somebody was told are done or accepted.
    answered: u8,
    removed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Acceptance {
    token: SmallToken,
    expected: Record,
    activity: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Turn {
    token: SmallToken,
    expected: Record,
    new: Record,
    activity: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Process {
    token: Option<SmallToken>,
    /// What it read of the inbox, and what it accepted since.
    inbox: Option<u8>,
    /// `None` until it is read, after the inbox.
    record: Option<Record>,
    /// Activities that wait for their turn or run.
    live: u8,
    running: Option<u8>,
    /// The acceptance that it waits for.
    accepting: Option<u8>,
    /// The commit that it waits for.
    committing: Option<u8>,
}

/// One thing that happens. Processes are 0 and 1, activities single bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A process takes the shard by force.
    Claims(u8),
    /// A process reads the inbox.
    LoadsInbox(u8),
    /// A process reads the record, after the inbox.
    LoadsRecord(u8),
    /// An activity reaches a process that owns the shard as far as it knows.
    Arrives {
        /// The process.
        process: u8,
        /// The activity.
        activity: u8,
    },
    /// A turn starts.
    Runs {
        /// The process.
        process: u8,
        /// The activity.
        activity: u8,
    },
    /// The budget of an activity ends; its acceptance is sent.
    Accepts {
        /// The process.
        process: u8,
        /// The activity.
        activity: u8,
    },
    /// An acceptance reaches the store.
    AcceptanceArrives {
        /// Which one.
        acceptance: u8,
        /// Whether its answer gets back.
        answered: bool,
    },
    /// The running turn ends; its commit is sent.
    Ends(u8),
    /// A commit reaches the store.
    CommitArrives {
        /// Which one.
        commit: u8,
        /// Whether its answer gets back.
        answered: bool,
    },
    /// A process waits no longer, answers 503 and drops its memory.
    GivesUp(u8),
}

impl Model for InboxModel {
    type State = State;
    type Step = Step;

    fn start(&self) -> State {
        claimed(&State::default(), 0)
    }

    fn next(&self, state: &State, steps: &mut Vec<(Step, State)>) {
        for number in 0..PROCESSES {
            if state.claims < self.claims && state.processes[usize::from(number)].token.is_none() {
                steps.push((Step::Claims(number), claimed(state, number)));
            }
            if let Some(token) = state.processes[usize::from(number)].token {
                self.owner_steps(state, number, token, steps);
            }
        }
        self.acceptance_arrivals(state, steps);
        commit_arrivals(state, steps);
    }

    fn broken(&self, state: &State) -> Option<&'static str> {
        let applied = state.record.applied;
        if state.removed {
            return Some("I2: a commit removes an activity from the state");
        }
        if applied.twice != 0 {
            return Some("I3: an activity is applied twice");
        }
        if state.inbox & applied.once != 0 {
            return Some("I3: an activity stands in the inbox that is in the state");
        }
        (state.answered & !applied.once & !state.inbox != 0)
            .then_some("I4: an answered activity is neither in the state nor in the inbox")
    }
}

impl InboxModel {
    fn owner_steps(self, state: &State, number: u8, token: SmallToken, steps: &mut Vec<(Step, State)>) {
        let process = state.processes[usize::from(number)];
        let mut push = |step, change: &dyn Fn(&mut Process)| {
            let mut after = *state;
            change(&mut after.processes[usize::from(number)]);
            steps.push((step, after));
        };
        let (Some(inbox), Some(record)) = (process.inbox, process.record) else {
            if process.inbox.is_none() {
                push(Step::LoadsInbox(number), &|process| process.inbox = Some(state.inbox));
            } else {
                push(Step::LoadsRecord(number), &|process| {
                    process.record = Some(state.record);
                });
            }
            return;
        };
        if process.committing.is_some() || process.accepting.is_some() {
            push(Step::GivesUp(number), &|process| *process = owner(token));
        }
        for activity in (0..self.activities).map(|activity| 1 << activity) {
            if process.live & activity == 0 {
                let step = Step::Arrives {
                    process: number,
                    activity,
                };
                push(step, &|process| process.live |= activity);
            }
            if self.may_run(process, inbox, record, activity) {
                let step = Step::Runs {
                    process: number,
                    activity,
                };
                push(step, &|process| process.running = Some(activity));
            }
        }
        self.sent(state, number, token, record, steps);
    }

    /// What is accepted runs before what has just arrived, and nothing runs that is in the state.
    fn may_run(self, process: Process, inbox: u8, record: Record, activity: u8) -> bool {
        let known = record.applied.once;
        let from_inbox = if self.variant == Variant::InboxWithoutRing {
            inbox
        } else {
            inbox & !known
        };
        let waiting = if from_inbox == 0 {
            process.live & !known
        } else {
            from_inbox
        };
        process.running.is_none() && waiting & activity != 0
    }

    /// Acceptances and commits that a process sends, and answers from the record.
    fn sent(self, state: &State, number: u8, token: SmallToken, record: Record, steps: &mut Vec<(Step, State)>) {
        let process = state.processes[usize::from(number)];
        let acceptances = state.acceptances.iter().flatten().count();
        for activity in (0..self.activities).map(|activity| 1 << activity) {
            let pending = process.live & !process.inbox.unwrap_or_default() & !record.applied.once & activity != 0;
            if pending && process.accepting.is_none() && acceptances < usize::from(self.acceptances) {
                let mut after = *state;
                after.acceptances[acceptances] = Some(Acceptance {
                    token,
                    expected: record,
                    activity,
                });
                after.processes[usize::from(number)].accepting = u8::try_from(acceptances).ok();
                steps.push((
                    Step::Accepts {
                        process: number,
                        activity,
                    },
                    after,
                ));
            }
        }
        let commits = state.commits.iter().flatten().count();
        if let Some(activity) = process.running
            && process.committing.is_none()
            && commits < usize::from(self.commits)
        {
            let mut after = *state;
            let turn = u8::try_from(commits).unwrap_or(u8::MAX);
            after.commits[commits] = Some(Turn {
                token,
                expected: record,
                new: Record {
                    version: record.version + 1,
                    turn: turn + 1,
                    applied: record.applied.with(activity),
                },
                activity,
            });
            after.processes[usize::from(number)].committing = Some(turn);
            steps.push((Step::Ends(number), after));
        }
    }

    fn acceptance_arrivals(self, state: &State, steps: &mut Vec<(Step, State)>) {
        for (acceptance, sent) in (0_u8..).zip(state.acceptances.iter().flatten()) {
            let stored = state.record.header();
            let compares = self.variant != Variant::AcceptanceWithoutHeader;
            let judged = Comparison {
                token: sent.token.into(),
                expected: if compares { sent.expected.header() } else { stored },
                new: None,
            }
            .judge(state.fence.into(), stored);
            let mut after = *state;
            if judged == Judged::Write {
                after.inbox |= sent.activity;
            }
            steps.push((
                Step::AcceptanceArrives {
                    acceptance,
                    answered: false,
                },
                after,
            ));
            let by = usize::from(sent.token.holder);
            if state.processes[by].accepting != Some(acceptance) {
                continue;
            }
            let process = &mut after.processes[by];
            process.accepting = None;
            match judged {
                Judged::Write | Judged::Refuse(Committed::Written) => {
                    process.inbox = process.inbox.map(|inbox| inbox | sent.activity);
                    after.answered |= sent.activity;
                }
                Judged::Refuse(Committed::Fenced) => *process = Process::default(),
                // The record moved on, by a turn of its own: the acceptance is sent again with the new header.
                Judged::Refuse(Committed::Conflict(_)) => {}
            }
            steps.push((
                Step::AcceptanceArrives {
                    acceptance,
                    answered: true,
                },
                after,
            ));
        }
    }
}

fn commit_arrivals(state: &State, steps: &mut Vec<(Step, State)>) {
    for (commit, sent) in (0_u8..).zip(state.commits.iter().flatten()) {
        let (mut after, answer) = committed(state, *sent);
        steps.push((
            Step::CommitArrives {
                commit,
                answered: false,
            },
            after,
        ));
        let by = usize::from(sent.token.holder);
        if state.processes[by].committing != Some(commit) {
            continue;
        }
        let process = &mut after.processes[by];
        match answer {
            Committed::Written => {
                process.committing = None;
                process.running = None;
                process.record = Some(sent.new);
                process.inbox = process.inbox.map(|inbox| inbox & !sent.activity);
                process.live &= !sent.activity;
                after.answered |= sent.activity;
            }
            Committed::Fenced => *process = Process::default(),
            Committed::Conflict(_) => *process = owner(sent.token),
        }
        steps.push((Step::CommitArrives { commit, answered: true }, after));
    }
}

fn committed(state: &State, sent: Turn) -> (State, Committed) {
    let comparison = Comparison {
        token: sent.token.into(),
        expected: sent.expected.header(),
        new: Some(sent.new.header()),
    };
    match comparison.judge(state.fence.into(), state.record.header()) {
        Judged::Write => {
            let mut after = *state;
            after.removed = state.record.applied.once & !sent.new.applied.once != 0;
            after.record = sent.new;
            after.inbox &= !sent.activity;
            (after, Committed::Written)
        }
        Judged::Refuse(answer) => (*state, answer),
    }
}

fn claimed(state: &State, number: u8) -> State {
    let claim = Claim {
        me: Incarnation(number.into()),
        map: MapVersion(1),
        force: true,
        floor: Epoch(0),
    };
    let mut after = *state;
    if let Claimed::Ours(token) = Fence::from(state.fence).claim(claim, 0) {
        after.fence = Fence::from(token).into();
        after.processes[usize::from(number)] = owner(token.into());
    }
    after.claims += 1;
    after
}

/// An owner that has read nothing.
fn owner(token: SmallToken) -> Process {
    Process {
        token: Some(token),
        ..Process::default()
    }
}
