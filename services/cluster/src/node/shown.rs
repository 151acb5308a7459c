//! What a node tells of itself and of what it knows: to the others in its beats, and to operators.

use std::sync::Arc;

use super::payload::{AWAITED, NEEDS, Payload, SUSPECTS};
use super::times::STALL;
use super::{Leaving, Node};
use crate::view::{Health, View};

impl Node {
    /// What its next beat carries.
    pub(super) fn payload(&mut self, now: u64) -> Payload {
        let counts = self.shards.counts();
        let store_answers = self.member.is_valid(now);
        Payload {
            facts: self.facts.clone(),
            draining: self.draining,
            stalled: self
                .stalled_since
                .is_some_and(|since| now.saturating_sub(since) >= STALL),
            cannot_claim: self.shards.cannot_claim(now, store_answers),
            load: self.load,
            map: self.map.version(),
            serving: counts.serving,
            waiting: counts.waiting,
            quiescing: counts.quiescing,
            awaited: self.shards.awaited().take(AWAITED).collect(),
            suspects: self.leader.reported().take(SUSPECTS).collect(),
            needs: self
                .needs
                .iter()
                .take(NEEDS)
                .map(|(&shard, &format)| (shard, format))
                .collect(),
        }
    }

    fn health(&self, now: u64) -> Health {
        if let Some(problem) = &self.lost {
            return Health::StoreLost {
                problem: problem.clone(),
            };
        }
        match self.leaving {
            Leaving::Left => Health::Left,
            _ if self.member.is_valid(now) => Health::Valid,
            _ if self.member.has_joined() => Health::Away,
            _ => Health::Joining,
        }
    }

    /// What it knows.
    pub fn view(&self, now: u64) -> View {
        let pulse = self.member.pulse();
        View {
            incarnation: self.member.me(),
            facts: self.facts.clone(),
            health: self.health(now),
            draining: self.draining,
            beat_ms: self.member.answer_ms(),
            store_up_since: pulse.map(|pulse| pulse.up_since_ms),
            map: Arc::clone(&self.map),
            leader: pulse.and_then(|pulse| pulse.leader),
            nodes: self.leader.table().views(&self.map),
            shards: self.shards.shown(),
            unreadable_map: self.unreadable.as_ref().map(ToString::to_string),
        }
    }
}
