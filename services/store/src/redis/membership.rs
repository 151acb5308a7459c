//! Beats, leadership and the map: scripts on the key tag `{tl}`, on a connection that nothing else uses.

use bytes::Bytes;
use redis::{Cmd, Value};

use super::failure::unexpected;
use super::fleet::Call;
use super::primary::Purpose;
use super::scripts::{By, Stored};
use super::tags::{MAP, META, META_SLOT, NODES};
use super::{RedisStore, read};
use crate::contract::{Beat, Incarnation, Led, MapVersion, MapWrite, NodeBeat, Nodes, Pulse, SILENCE_MS, StoreError};
use crate::limits;

const BEATING: &str = "beating";
const LEAVING: &str = "leaving the cluster";
const READING_NODES: &str = "reading the nodes";
const FORGETTING: &str = "forgetting dead nodes";
const LEADING: &str = "asking to lead";
const READING_MAP: &str = "reading the map";
const WRITING_MAP: &str = "writing the map";

impl RedisStore {
    pub(super) fn cluster(&self) -> String {
        format!("{:016x}", self.identity.cluster)
    }

    pub(super) async fn run_beat(&self, beat: Beat) -> Result<Pulse, StoreError> {
        limits::beat(&beat)?;
        let command = |by| {
            let mut command = on_keys(&self.scripts.beat, by, &[META, NODES], beat.payload.len());
            command
                .arg(self.cluster())
                .arg(text(beat.me))
                .arg(beat.payload.as_ref())
                .arg(beat.seen_map.0)
                .arg(SILENCE_MS);
            command
        };
        let answer = self.run_script(beats(BEATING), command).await?;
        let (now_ms, up_since_ms, map, leader, leader_until_ms, previous): (u64, u64, u64, String, u64, u64) =
            read(BEATING, answer)?;
        let leader = match leader.as_str() {
            "" => None,
            leader => Some(incarnation(BEATING, leader)?),
        };
        Ok(Pulse {
            now_ms,
            up_since_ms,
            previous_beat_ms: (previous > 0).then_some(previous),
            map: MapVersion(map),
            leader,
            leader_until_ms,
            cluster: self.identity.cluster,
        })
    }

    pub(super) async fn run_leave(&self, me: Incarnation) -> Result<(), StoreError> {
        let command = |by| {
            let mut command = on_keys(&self.scripts.leave, by, &[META, NODES], 0);
            command.arg(text(me));
            command
        };
        self.run_script(beats(LEAVING), command).await?;
        Ok(())
    }

    pub(super) async fn run_nodes(&self) -> Result<Nodes, StoreError> {
        let command = |by| {
            let mut command = on_keys(&self.scripts.nodes, by, &[META, NODES], 0);
            command.arg(self.cluster()).arg(SILENCE_MS);
            command
        };
        let answer = self.run_script(beats(READING_NODES), command).await?;
        let (now_ms, up_since_ms, nodes): (u64, u64, Vec<(String, Bytes)>) = read(READING_NODES, answer)?;
        let nodes = nodes.into_iter().map(|(node, beat)| node_beat(&node, beat));
        Ok(Nodes {
            now_ms,
            up_since_ms,
            nodes: nodes.collect::<Result<_, _>>()?,
        })
    }

    pub(super) async fn run_forget(&self, dead: Vec<Incarnation>) -> Result<(), StoreError> {
        if dead.is_empty() {
            return Ok(());
        }
        let mut command = redis::cmd("HDEL");
        command.arg(NODES);
        for dead in dead {
            command.arg(text(dead));
        }
        self.run(beats(FORGETTING), &command).await
    }

    pub(super) async fn run_lead(&self, me: Incarnation, lease_ms: u64) -> Result<Led, StoreError> {
        let command = |by| {
            let mut command = on_keys(&self.scripts.lead, by, &[META], 0);
            command.arg(self.cluster()).arg(text(me)).arg(lease_ms);
            command
        };
        let answer = self.run_script(beats(LEADING), command).await?;
        let (leader, until_ms): (String, u64) = read(LEADING, answer)?;
        let leader = incarnation(LEADING, &leader)?;
        Ok(if leader == me {
            Led::Leading { until_ms }
        } else {
            Led::Following { leader, until_ms }
        })
    }

    pub(super) async fn run_map(&self) -> Result<Option<(MapVersion, Bytes)>, StoreError> {
        let mut command = redis::cmd("GET");
        command.arg(MAP);
        let stored: Option<Bytes> = self.run(beats(READING_MAP), &command).await?;
        stored
            .map(|stored| {
                let (version, map) = numbered(READING_MAP, stored)?;
                Ok((MapVersion(version), map))
            })
            .transpose()
    }

    pub(super) async fn run_write_map(
        &self,
        me: Incarnation,
        expected: MapVersion,
        version: MapVersion,
        blob: Bytes,
    ) -> Result<MapWrite, StoreError> {
        limits::map(&blob)?;
        let command = |by| {
            let mut command = on_keys(&self.scripts.write_map, by, &[META, MAP], blob.len());
            command
                .arg(self.cluster())
                .arg(text(me))
                .arg(expected.0)
                .arg(version.0)
                .arg(blob.as_ref());
            command
        };
        let answer = self.run_script(beats(WRITING_MAP), command).await?;
        if let Value::BulkString(outcome) = &answer {
            match outcome.as_slice() {
                b"written" => return Ok(MapWrite::Written),
                b"not leader" => return Ok(MapWrite::NotLeader),
                _ => {}
            }
        }
        let highest: u64 = read(WRITING_MAP, answer)?;
        Ok(MapWrite::Overtaken(MapVersion(highest)))
    }
}

/// On a connection that nothing else uses.
pub(super) fn beats(doing: &'static str) -> Call {
    Call {
        slot: META_SLOT,
        purpose: Purpose::Beats,
        doing,
    }
}

pub(super) fn on_keys(script: &Stored, by: By, keys: &[&str], bytes: usize) -> Cmd {
    let mut command = super::scripts::call(script, by, keys.len() + 6, bytes);
    command.arg(keys.len()).arg(keys);
    command
}

/// How a node is named in the store.
fn text(node: Incarnation) -> String {
    format!("{:016x}", node.0)
}

fn incarnation(doing: &'static str, text: &str) -> Result<Incarnation, StoreError> {
    u64::from_str_radix(text, 16)
        .map(Incarnation)
        .map_err(|_| unexpected(doing, &Value::SimpleString(text.to_owned())))
}

fn node_beat(node: &str, beat: Bytes) -> Result<NodeBeat, StoreError> {
    let (beat_ms, payload) = numbered(READING_NODES, beat)?;
    Ok(NodeBeat {
        incarnation: incarnation(READING_NODES, node)?,
        beat_ms,
        payload,
    })
}

/// Parts `number:bytes`.
fn numbered(doing: &'static str, mut value: Bytes) -> Result<(u64, Bytes), StoreError> {
    let digits = value.iter().position(|byte| *byte == b':');
    let number = digits.and_then(|digits| std::str::from_utf8(&value[..digits]).ok()?.parse().ok());
    match (digits, number) {
        (Some(digits), Some(number)) => Ok((number, value.split_off(digits + 1))),
        _ => Err(StoreError::Corrupt {
            doing,
            reason: "a value does not begin with its number".to_owned(),
        }),
    }
}
