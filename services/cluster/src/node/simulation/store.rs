//! A model of the store: its own rules, on state that can be taken back to an earlier one.

use bytes::Bytes;
use trunkline_store::contract::{
    Beat, Claim, Claimed, Epoch, Incarnation, MapVersion, MapWrite, Pulse, Released, Token,
};
use trunkline_store::key::ShardId;
use trunkline_store::rules::{Fence, Membership};

use super::super::times::LEADER_LEASE;
use super::super::{Action, Event, Trouble};

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) cluster: u64,
    members: Membership,
    pub(super) map: Option<(MapVersion, Bytes)>,
    fences: Vec<Fence>,
}

impl Model {
    pub(super) fn new(cluster: u64, shards: u32) -> Self {
        Self {
            cluster,
            members: Membership::new(cluster, MapVersion(0)),
            map: None,
            fences: vec![Fence::default(); shards as usize],
        }
    }

    /// The token that the fence of a shard demands.
    pub(super) fn token(&self, shard: ShardId) -> Option<Token> {
        let fence = self.fences[shard.0 as usize];
        fence.holder.map(|holder| Token {
            epoch: Epoch(fence.epoch),
            holder: Incarnation(holder),
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
                answer: Ok(Pulse {
                    cluster: self.cluster,
                    ..self.members.beat(
                        Beat {
                            me: *me,
                            payload: payload.clone(),
                            seen_map: *seen_map,
                        },
                        now,
                    )
                }),
            },
            Action::ReadNodes { asked } => Event::NodesRead {
                asked: *asked,
                answer: Ok(self.members.nodes(now)),
            },
            Action::ReadMap { asked } => Event::MapRead {
                asked: *asked,
                answer: Ok(self.map.clone()),
            },
            Action::Lead { me, sent } => Event::Led {
                me: *me,
                sent: *sent,
                answer: Ok(self.members.lead(*me, LEADER_LEASE, now)),
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
                self.members.forget(dead);
                return None;
            }
            Action::Leave(node) => {
                self.members.leave(*node);
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
        let judged = self.members.advance(me, expected, version, now);
        if judged == MapWrite::Written {
            self.map = Some((version, blob));
        }
        judged
    }

    fn claim(&mut self, now: u64, shard: ShardId, claim: Claim) -> Claimed {
        let fence = &mut self.fences[shard.0 as usize];
        let claimed = fence.claim(claim, now);
        if let Claimed::Ours(token) = claimed {
            *fence = token.into();
        }
        claimed
    }

    fn release(&mut self, shard: ShardId, token: Token) -> Released {
        let fence = &mut self.fences[shard.0 as usize];
        let released = fence.release(token);
        if released == Released::Free {
            *fence = fence.freed();
        }
        released
    }
}
