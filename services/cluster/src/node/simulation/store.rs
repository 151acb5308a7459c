//! A model of the store: the scripts of the contract as written there, on state that can be taken back to an earlier one.

use std::collections::BTreeMap;

use bytes::Bytes;
use trunkline_store::contract::{
    Claim, Claimed, Epoch, Incarnation, Led, MapVersion, MapWrite, NodeBeat, Nodes, Pulse, Released, SILENCE_MS, Token,
};
use trunkline_store::key::ShardId;

use super::super::times::LEADER_LEASE;
use super::super::{Action, Event, Trouble};

#[derive(Clone, Copy, Debug, Default)]
struct Fence {
    epoch: u64,
    holder: Option<Incarnation>,
    map: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) cluster: u64,
    last_beat: Option<u64>,
    up_since: u64,
    nodes: BTreeMap<Incarnation, (u64, Bytes)>,
    pub(super) map: Option<(MapVersion, Bytes)>,
    floor: u64,
    leader: Option<(Incarnation, u64)>,
    fences: Vec<Fence>,
}

impl Model {
    pub(super) fn new(cluster: u64, shards: u32) -> Self {
        Self {
            cluster,
            last_beat: None,
            up_since: 0,
            nodes: BTreeMap::new(),
            map: None,
            floor: 0,
            leader: None,
            fences: vec![Fence::default(); shards as usize],
        }
    }

    pub(super) fn leader(&self) -> Option<Incarnation> {
        self.leader.map(|(leader, _)| leader)
    }

    /// The token that the fence of a shard demands.
    pub(super) fn token(&self, shard: ShardId) -> Option<Token> {
        let fence = self.fences[shard.0 as usize];
        fence.holder.map(|holder| Token {
            epoch: Epoch(fence.epoch),
            holder,
            map: MapVersion(fence.map),
        })
    }

    /// Does what an action asks, at this time of the store's clock.
    pub(super) fn carry_out(&mut self, now: u64, action: &Action) -> Option<Event> {
        Some(match action {
            Action::Beat {
                me,
                sent,
                payload,
                seen_map,
            } => Event::Beaten {
                me: *me,
                sent: *sent,
                answer: Ok(self.beat(now, *me, payload, *seen_map)),
            },
            Action::ReadNodes { asked } => Event::NodesRead {
                asked: *asked,
                answer: Ok(Nodes {
                    now_ms: now,
                    up_since_ms: self.up_since(now),
                    nodes: self
                        .nodes
                        .iter()
                        .map(|(&incarnation, (beat_ms, payload))| NodeBeat {
                            incarnation,
                            beat_ms: *beat_ms,
                            payload: payload.clone(),
                        })
                        .collect(),
                }),
            },
            Action::ReadMap { asked } => Event::MapRead {
                asked: *asked,
                answer: Ok(self.map.clone()),
            },
            Action::Lead { me, sent } => Event::Led {
                me: *me,
                sent: *sent,
                answer: Ok(self.lead(now, *me)),
            },
            Action::WriteMap { me, expected, map } => Event::MapWritten {
                map: map.clone(),
                answer: Ok(self.write_map(now, *me, *expected, map.version(), map.encode().into())),
            },
            Action::Claim { shard, claim } => Event::Claimed {
                me: claim.me,
                shard: *shard,
                answer: Ok(self.claim(now, *shard, *claim)),
            },
            Action::Release { shard, token } => Event::Released {
                shard: *shard,
                token: *token,
                answer: Ok(self.release(*shard, *token)),
            },
            Action::Forget(dead) => {
                for node in dead {
                    self.nodes.remove(node);
                }
                return None;
            }
            Action::Leave(node) => {
                self.nodes.remove(node);
                if self.leader() == Some(*node) {
                    self.leader = None;
                }
                return None;
            }
            _ => return None,
        })
    }

    /// The answer to an action that the store never gave.
    pub(super) fn silence(action: &Action) -> Option<Event> {
        Self::failure(action, &Trouble::Away)
    }

    /// An answer that tells of trouble.
    pub(super) fn failure(action: &Action, trouble: &Trouble) -> Option<Event> {
        let trouble = trouble.clone();
        Some(match action {
            Action::Beat { me, sent, .. } => Event::Beaten {
                me: *me,
                sent: *sent,
                answer: Err(trouble),
            },
            Action::ReadNodes { asked } => Event::NodesRead {
                asked: *asked,
                answer: Err(trouble),
            },
            Action::ReadMap { asked } => Event::MapRead {
                asked: *asked,
                answer: Err(trouble),
            },
            Action::Lead { me, sent } => Event::Led {
                me: *me,
                sent: *sent,
                answer: Err(trouble),
            },
            Action::WriteMap { map, .. } => Event::MapWritten {
                map: map.clone(),
                answer: Err(trouble),
            },
            Action::Claim { shard, claim } => Event::Claimed {
                me: claim.me,
                shard: *shard,
                answer: Err(trouble),
            },
            Action::Release { shard, token } => Event::Released {
                shard: *shard,
                token: *token,
                answer: Err(trouble),
            },
            _ => return None,
        })
    }

    fn up_since(&self, now: u64) -> u64 {
        match self.last_beat {
            Some(last) if (last..=last + SILENCE_MS).contains(&now) => self.up_since,
            _ => now,
        }
    }

    fn beat(&mut self, now: u64, me: Incarnation, payload: &Bytes, seen: MapVersion) -> Pulse {
        self.up_since = self.up_since(now);
        self.last_beat = Some(now);
        self.floor = self.floor.max(seen.0);
        let previous = self.nodes.insert(me, (now, payload.clone()));
        Pulse {
            now_ms: now,
            up_since_ms: self.up_since,
            previous_beat_ms: previous.map(|(beat, _)| beat),
            map: self.map.as_ref().map_or(MapVersion(0), |(version, _)| *version),
            leader: self.leader(),
            leader_until_ms: self.leader.map_or(0, |(_, until)| until),
            cluster: self.cluster,
        }
    }

    fn lead(&mut self, now: u64, me: Incarnation) -> Led {
        let fresh = now + LEADER_LEASE;
        if let Some((leader, until)) = self.leader
            && leader != me
            && (now..=fresh).contains(&until)
        {
            return Led::Following {
                leader,
                until_ms: until,
            };
        }
        self.leader = Some((me, fresh));
        Led::Leading { until_ms: fresh }
    }

    fn write_map(
        &mut self,
        now: u64,
        me: Incarnation,
        expected: MapVersion,
        version: MapVersion,
        blob: Bytes,
    ) -> MapWrite {
        if self.map.as_ref() == Some(&(version, blob.clone())) {
            return MapWrite::Written;
        }
        if !self.leader.is_some_and(|(leader, until)| leader == me && now <= until) {
            return MapWrite::NotLeader;
        }
        let stored = self.map.as_ref().map_or(MapVersion(0), |(version, _)| *version);
        let highest = stored.0.max(self.floor);
        if stored != expected || version.0 <= highest {
            return MapWrite::Overtaken(MapVersion(highest));
        }
        self.map = Some((version, blob));
        MapWrite::Written
    }

    fn claim(&mut self, now: u64, shard: ShardId, claim: Claim) -> Claimed {
        let fence = &mut self.fences[shard.0 as usize];
        if claim.map.0 < fence.map {
            return Claimed::Stale(MapVersion(fence.map));
        }
        if let Some(holder) = fence.holder
            && holder != claim.me
            && !claim.force
        {
            return Claimed::Held(holder);
        }
        *fence = Fence {
            epoch: (fence.epoch + 1).max(claim.floor.0 + 1).max(now),
            holder: Some(claim.me),
            map: claim.map.0,
        };
        Claimed::Ours(Token {
            epoch: Epoch(fence.epoch),
            holder: claim.me,
            map: claim.map,
        })
    }

    fn release(&mut self, shard: ShardId, token: Token) -> Released {
        if self.token(shard) == Some(token) {
            self.fences[shard.0 as usize].holder = None;
            Released::Free
        } else {
            Released::Fenced
        }
    }
}
