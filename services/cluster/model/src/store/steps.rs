//! What can happen.

use trunkline_store::contract::{Claim, Claimed, Committed, Epoch, Header, Incarnation, MapVersion, Released, Token};
use trunkline_store::rules::{Comparison, Fence, Judged};

use super::state::{Answer, ClaimSent, CommitSent, Map, PROCESSES, Process, Shard, State, Waits, name};
use super::{Maps, StoreModel, Variant};
use crate::words::{Record, SmallToken};

/// One thing that happens. Processes are 0, 1 and 2, of which 0 and 1 share a name; activities are single bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The leader writes the next map.
    NewMap {
        /// The name that gets the shard.
        owner: u8,
    },
    /// The replica of the map catches up.
    MapReplicated,
    /// The replica of the map is promoted.
    MapFailover,
    /// A process sends a claim.
    Claims {
        /// The process.
        process: u8,
        /// The version of the map that it read.
        map: u8,
    },
    /// A claim reaches the store, not for the first time perhaps.
    ClaimArrives {
        /// Which one.
        claim: u8,
        /// Whether its answer gets back.
        answered: bool,
    },
    /// A process reads the record.
    Loads(u8),
    /// A process answers an activity from the record in its memory.
    Answers {
        /// The process.
        process: u8,
        /// The activity.
        activity: u8,
    },
    /// A process runs a turn and sends its commit.
    Runs {
        /// The process.
        process: u8,
        /// The activity.
        activity: u8,
    },
    /// A commit reaches the store, not for the first time perhaps.
    CommitArrives {
        /// Which one.
        commit: u8,
        /// Whether its answer gets back.
        answered: bool,
    },
    /// A process gives its shard back and forgets it.
    Releases(u8),
    /// The release reaches the store, not for the first time perhaps.
    ReleaseArrives,
    /// A process waits no longer.
    GivesUp(u8),
    /// The replica catches up.
    Replicated,
    /// The replica is promoted.
    Failover,
}

impl StoreModel {
    pub(super) fn all_steps(&self, state: &State, steps: &mut Vec<(Step, State)>) {
        self.map_steps(state, steps);
        if state.primary != state.replica || state.processes.iter().any(is_held_back) {
            steps.push((Step::Replicated, replicated(state)));
        }
        if state.primary != state.replica && state.failovers < self.bounds.failovers {
            steps.push((Step::Failover, failed_over(state)));
        }
        self.claim_arrivals(state, steps);
        self.commit_arrivals(state, steps);
        release_arrival(state, steps);
        for process in 0..PROCESSES {
            self.process_steps(state, process, steps);
        }
    }

    fn map_steps(&self, state: &State, steps: &mut Vec<(Step, State)>) {
        let Maps::Stored { versions, failovers } = self.bounds.maps else {
            return;
        };
        if state.map.version < versions {
            for owner in 0..=name(PROCESSES - 1) {
                let version = state.map.version + 1;
                let map = Map { version, owner };
                steps.push((Step::NewMap { owner }, State { map, ..*state }));
            }
        }
        if state.map != state.map_replica {
            let map_replica = state.map;
            steps.push((Step::MapReplicated, State { map_replica, ..*state }));
            if state.map_failovers < failovers {
                let map = state.map_replica;
                let map_failovers = state.map_failovers + 1;
                steps.push((
                    Step::MapFailover,
                    State {
                        map,
                        map_failovers,
                        ..*state
                    },
                ));
            }
        }
    }

    fn claim_arrivals(&self, state: &State, steps: &mut Vec<(Step, State)>) {
        for (claim, sent) in (0_u8..).zip(state.claims.iter().flatten()) {
            if sent.arrived >= self.bounds.claim_arrivals {
                continue;
            }
            let (mut after, token) = self.claimed(state, *sent);
            if let Some(sent) = &mut after.claims[usize::from(claim)] {
                sent.arrived += 1;
            }
            steps.push((Step::ClaimArrives { claim, answered: false }, after));
            if state.processes[usize::from(sent.by)].waits == Waits::Claim(claim) {
                let mut after = after;
                let process = after.process(sent.by);
                process.waits = Waits::Nothing;
                process.token = token;
                process.highest = process.highest.max(token.map_or(0, |token| token.epoch));
                steps.push((Step::ClaimArrives { claim, answered: true }, after));
            }
        }
    }

    fn commit_arrivals(&self, state: &State, steps: &mut Vec<(Step, State)>) {
        for (commit, sent) in (0_u8..).zip(state.commits.iter().flatten()) {
            let (after, answer) = self.committed(state, *sent);
            steps.push((
                Step::CommitArrives {
                    commit,
                    answered: false,
                },
                after,
            ));
            let by = sent.token.holder;
            if state.processes[usize::from(by)].waits == Waits::Commit(commit) {
                let mut after = after;
                match answer {
                    Answer::Written if self.confirmed => after.process(by).waits = Waits::CommitConfirmed(commit),
                    Answer::Written => written(&mut after, by, *sent),
                    Answer::Fenced => *after.process(by) = forgetful(state.processes[usize::from(by)]),
                    Answer::Conflict => drop_memory(after.process(by)),
                }
                steps.push((Step::CommitArrives { commit, answered: true }, after));
            }
        }
    }

    fn process_steps(&self, state: &State, number: u8, steps: &mut Vec<(Step, State)>) {
        let process = state.processes[usize::from(number)];
        match (process.waits, process.token) {
            (Waits::Nothing, None) => self.claim_sent(state, number, steps),
            (Waits::Nothing, Some(token)) => {
                self.owner_steps(state, number, token, steps);
                if self.bounds.releases > 0 && state.release.is_none() {
                    let mut after = *state;
                    after.release = Some(token);
                    *after.process(number) = forgetful(process);
                    steps.push((Step::Releases(number), after));
                }
            }
            (Waits::LoadConfirmed, _) => {}
            (Waits::Claim(_) | Waits::Commit(_) | Waits::CommitConfirmed(_), _) => {
                let mut after = *state;
                drop_memory(after.process(number));
                steps.push((Step::GivesUp(number), after));
            }
        }
    }

    fn claim_sent(&self, state: &State, number: u8, steps: &mut Vec<(Step, State)>) {
        let sent = state.claims.iter().flatten().count();
        // Those that share a name are alike: the first of them to claim is called 0.
        let is_second = number == 1 && !state.claims.iter().flatten().any(|claim| claim.by == 0);
        if sent >= usize::from(self.bounds.claims) || is_second {
            return;
        }
        let maps = match self.bounds.maps {
            Maps::Any(highest) => 1..=highest,
            Maps::Stored { .. } if state.map.owner == name(number) => state.map.version.max(1)..=state.map.version,
            Maps::Stored { .. } => return,
        };
        for map in maps {
            let mut after = *state;
            after.claims[sent] = Some(ClaimSent {
                by: number,
                map,
                floor: state.processes[usize::from(number)].highest,
                arrived: 0,
            });
            after.process(number).waits = Waits::Claim(count(sent));
            steps.push((Step::Claims { process: number, map }, after));
        }
    }

    fn owner_steps(&self, state: &State, number: u8, token: SmallToken, steps: &mut Vec<(Step, State)>) {
        let Some(loaded) = state.processes[usize::from(number)].loaded else {
            let mut after = *state;
            let process = after.process(number);
            process.loaded = Some(state.primary.record);
            if self.confirmed && self.variant != Variant::UnconfirmedAnswers {
                process.waits = Waits::LoadConfirmed;
            }
            steps.push((Step::Loads(number), after));
            return;
        };
        let sent = state.commits.iter().flatten().count();
        for activity in (0..self.bounds.activities).map(|activity| 1 << activity) {
            let mut after = *state;
            if loaded.applied.once & activity != 0 {
                after.acknowledged |= activity;
                steps.push((
                    Step::Answers {
                        process: number,
                        activity,
                    },
                    after,
                ));
                continue;
            }
            // Activities are alike: the first to run is called 1, the next 2.
            let is_next = activity == 1
                || state
                    .commits
                    .iter()
                    .flatten()
                    .any(|commit| commit.activity == activity >> 1);
            if sent >= usize::from(self.bounds.commits) || !is_next {
                continue;
            }
            after.commits[sent] = Some(CommitSent {
                token,
                expected: loaded,
                new: Record {
                    version: loaded.version + 1,
                    turn: if self.variant == Variant::NumberOnly {
                        0
                    } else {
                        count(sent) + 1
                    },
                    applied: loaded.applied.with(activity),
                },
                activity,
            });
            after.process(number).waits = Waits::Commit(count(sent));
            steps.push((
                Step::Runs {
                    process: number,
                    activity,
                },
                after,
            ));
        }
    }

    fn claimed(&self, state: &State, sent: ClaimSent) -> (State, Option<SmallToken>) {
        let claim = Claim {
            me: Incarnation(sent.by.into()),
            map: MapVersion(sent.map.into()),
            force: true,
            floor: Epoch(sent.floor.into()),
        };
        let fence = Fence::from(state.primary.fence);
        let claimed = match self.variant {
            Variant::FenceByMapVersion if claim.map.0 < fence.map => Claimed::Stale(MapVersion(fence.map)),
            Variant::FenceByMapVersion => Claimed::Ours(Token {
                epoch: Epoch(claim.map.0),
                holder: claim.me,
                map: claim.map,
            }),
            _ => fence.claim(claim, 0),
        };
        let Claimed::Ours(token) = claimed else {
            return (*state, None);
        };
        let mut after = *state;
        after.primary.fence = Fence::from(token).into();
        (after, Some(token.into()))
    }

    fn committed(&self, state: &State, sent: CommitSent) -> (State, Answer) {
        let stored = state.primary.record;
        let comparison = Comparison {
            token: sent.token.into(),
            expected: if self.variant == Variant::NoHeader {
                stored.header()
            } else {
                sent.expected.header()
            },
            new: Some(sent.new.header()),
        };
        match self.judged(state.primary, comparison, stored.header()) {
            Judged::Write => {
                let mut after = *state;
                after.primary.record = sent.new;
                after.lost &= !sent.new.applied.once;
                after.removed = stored.applied.once & !sent.new.applied.once != 0;
                (after, Answer::Written)
            }
            Judged::Refuse(Committed::Written) => (*state, Answer::Written),
            Judged::Refuse(Committed::Fenced) => (*state, Answer::Fenced),
            Judged::Refuse(Committed::Conflict(_)) => (*state, Answer::Conflict),
        }
    }

    fn judged(&self, shard: Shard, comparison: Comparison, stored: Header) -> Judged {
        let fence = Fence::from(shard.fence);
        if self.variant == Variant::FenceByMapVersion && self.admits(fence, comparison.token) {
            return comparison.judge(comparison.token.into(), stored);
        }
        comparison.judge(fence, stored)
    }

    fn admits(&self, fence: Fence, token: Token) -> bool {
        match self.variant {
            Variant::FenceByMapVersion => token.map.0 >= fence.map,
            _ => fence.admits(token),
        }
    }

    /// Whether a commit of `process` would get past the fence.
    pub(super) fn could_commit(&self, state: &State, process: u8) -> bool {
        let token = state.processes[usize::from(process)].token;
        token.is_some_and(|token| self.admits(state.primary.fence.into(), token.into()))
    }
}

impl State {
    fn process(&mut self, number: u8) -> &mut Process {
        &mut self.processes[usize::from(number)]
    }
}

fn release_arrival(state: &State, steps: &mut Vec<(Step, State)>) {
    let fence = Fence::from(state.primary.fence);
    if let Some(token) = state.release
        && fence.release(token.into()) == Released::Free
    {
        let mut after = *state;
        after.primary.fence = fence.freed().into();
        steps.push((Step::ReleaseArrives, after));
    }
}

fn is_held_back(process: &Process) -> bool {
    matches!(process.waits, Waits::CommitConfirmed(_) | Waits::LoadConfirmed)
}

/// A replica that has everything confirms what was held back.
fn replicated(state: &State) -> State {
    let mut after = *state;
    after.replica = state.primary;
    for number in 0..PROCESSES {
        match state.processes[usize::from(number)].waits {
            Waits::LoadConfirmed => after.process(number).waits = Waits::Nothing,
            Waits::CommitConfirmed(commit) => {
                if let Some(sent) = state.commits[usize::from(commit)] {
                    written(&mut after, number, sent);
                }
            }
            Waits::Nothing | Waits::Claim(_) | Waits::Commit(_) => {}
        }
    }
    after
}

/// What was held back on the old primary's connections is not confirmed any more: a commit is sent again, a load done anew.
fn failed_over(state: &State) -> State {
    let mut after = *state;
    after.primary = state.replica;
    after.failovers += 1;
    after.lost |= state.primary.record.applied.once & !state.replica.record.applied.once;
    for process in &mut after.processes {
        match process.waits {
            Waits::CommitConfirmed(commit) => process.waits = Waits::Commit(commit),
            Waits::LoadConfirmed => drop_memory(process),
            Waits::Nothing | Waits::Claim(_) | Waits::Commit(_) => {}
        }
    }
    after
}

/// A process learns that its turn is written, and answers.
fn written(state: &mut State, by: u8, sent: CommitSent) {
    let process = state.process(by);
    process.waits = Waits::Nothing;
    process.loaded = Some(sent.new);
    state.acknowledged |= sent.activity;
}

fn drop_memory(process: &mut Process) {
    process.waits = Waits::Nothing;
    process.loaded = None;
}

/// A process without its shard.
fn forgetful(process: Process) -> Process {
    Process {
        highest: process.highest,
        ..Process::default()
    }
}

/// Messages of a model are few.
fn count(messages: usize) -> u8 {
    u8::try_from(messages).unwrap_or(u8::MAX)
}
