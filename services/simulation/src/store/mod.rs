//! The store in memory: the rules of the product on state that can be taken back to an earlier one, and a memory of its own for
//! what was ever written, so that the promises can be checked against it.

mod chart;
mod model;

use std::collections::{BTreeSet, VecDeque};

use trunkline_store::contract::{Commit, Committed, Token};

pub(crate) use self::chart::Stored;
pub(crate) use self::model::{IDENTITY, Model};
use crate::broken::Invariant;
use crate::chat::{CHATS, Chat, SHARDS};
use crate::faults::Guards;

/// The store's clock when the world begins.
pub(crate) const EPOCH: u64 = 1_700_000_000_000;
/// Copies that a failover may bring back.
const COPIES: usize = 20;

/// What is broken, if anything is.
pub(crate) type Verdict = Option<(Invariant, String)>;

/// The store with the copies of it that lag behind.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) model: Model,
    copies: VecDeque<Model>,
    /// What its clock is ahead of the world's.
    pub(crate) ahead: i64,
    /// It does not answer.
    pub(crate) is_away: bool,
    /// How much longer each answer takes.
    pub(crate) slow: u64,
    /// Who wrote last in each shard, since the last failover.
    writers: Vec<Option<Token>>,
    /// What a failover took of what had been written, by number.
    pub(crate) lost: BTreeSet<u64>,
    /// What was ever in a state or in an inbox.
    pub(crate) ever: BTreeSet<u64>,
    /// For each conversation the replies that a written commit asked for, in that order.
    pub(crate) asked_for: Vec<Vec<u64>>,
    pub(crate) commits: u64,
    pub(crate) failovers: u64,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            model: Model::new(),
            copies: VecDeque::new(),
            ahead: 0,
            is_away: false,
            slow: 0,
            writers: vec![None; SHARDS as usize],
            lost: BTreeSet::new(),
            ever: BTreeSet::new(),
            asked_for: vec![Vec::new(); CHATS],
            commits: 0,
            failovers: 0,
        }
    }

    /// Its clock at this time of the world.
    pub(crate) fn clock(&self, now: u64) -> u64 {
        (EPOCH + now).saturating_add_signed(self.ahead)
    }

    /// Judges a commit and writes it; what no commit may do is told.
    pub(crate) fn commit(&mut self, commit: &Commit, guards: Guards, chats: &[Chat]) -> (Committed, Verdict) {
        let spot = (commit.shard, commit.key);
        let before = self.model.stored(spot).cloned().unwrap_or_default();
        let committed = self.model.commit(commit, guards);
        let Some(after) = self.model.stored(spot).filter(|after| after.writes > before.writes) else {
            return (committed, None);
        };
        self.commits += 1;
        self.ever.extend(after.applied.iter());
        self.ever.extend(
            commit
                .accept
                .iter()
                .filter_map(|(field, entry)| Stored::number_of(field, entry)),
        );
        if let Some(place) = chats.iter().position(|chat| chat.key == commit.key) {
            let asked_for = &mut self.asked_for[place];
            for reply in &after.replies {
                if !asked_for.contains(reply) {
                    asked_for.push(*reply);
                }
            }
        }
        let verdict = after.differs_wrongly(&before);
        (committed, self.check_writer(commit).or(verdict))
    }

    /// I1: what an older token wrote comes before what a newer one wrote.
    fn check_writer(&mut self, commit: &Commit) -> Verdict {
        let writer = &mut self.writers[commit.shard.0 as usize];
        let before = writer.replace(commit.token);
        let is_older = |before: Token| {
            let same_epoch = before.epoch == commit.token.epoch && before.holder != commit.token.holder;
            before.epoch > commit.token.epoch || same_epoch
        };
        let before = before.filter(|before| is_older(*before))?;
        let what = format!("{} wrote in shard {} after {before}", commit.token, commit.shard);
        Some((Invariant::I1, what))
    }

    /// Keeps a copy of what is stored.
    pub(crate) fn copy(&mut self) {
        if self.copies.len() == COPIES {
            self.copies.pop_front();
        }
        self.copies.push_back(self.model.clone());
    }

    /// The copy of `back` copies ago takes over. Everything that it lacks is lost, fences and maps included.
    pub(crate) fn fail_over(&mut self, back: usize) {
        let Some(copy) = self.copies.iter().rev().nth(back).cloned() else {
            return;
        };
        let before = self.model.promised();
        self.model = copy;
        let after = self.model.promised();
        self.lost.extend(before.difference(&after));
        self.copies.truncate(self.copies.len() - back);
        // An older fence admits its holder again, until somebody claims above it.
        self.writers.fill(None);
        self.failovers += 1;
    }
}
