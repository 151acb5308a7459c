//! Which primary serves which slot.

use std::collections::HashMap;
use std::sync::Arc;

use redis::Value;

use super::address::Node;
use super::connect::{CONNECTING, Dialler};
use super::failure::failed;
use super::primary::Primary;
use super::tags::SLOTS;
use crate::contract::StoreError;

/// The primaries and their slots, as they were seen at one moment.
#[derive(Debug)]
pub(super) enum Topology {
    /// One primary serves all slots.
    One(Arc<Primary>),
    /// The primaries of a cluster share them.
    Many {
        primaries: Vec<Arc<Primary>>,
        /// For each slot the number of its primary.
        owners: Owners,
    },
}

/// For each slot the number of its node in a list; `None` when nobody serves it.
pub(super) type Owners = Box<[Option<u16>]>;

impl Topology {
    /// The primary that serves a slot.
    pub(super) fn primary(&self, slot: u16) -> Option<&Arc<Primary>> {
        match self {
            Self::One(primary) => Some(primary),
            Self::Many { primaries, owners } => {
                let owner = owners.get(usize::from(slot)).copied().flatten()?;
                primaries.get(usize::from(owner))
            }
        }
    }

    /// Whether the slots lie as `slots` says.
    pub(super) fn is(&self, slots: &Slots) -> bool {
        let Self::Many { primaries, owners } = self else {
            return false;
        };
        let nodes = primaries.iter().map(|primary| primary.node());
        owners == &slots.owners && nodes.eq(slots.nodes.iter().map(Some))
    }
}

/// What a node of a cluster says of the slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slots {
    /// The primaries that serve any.
    pub(super) nodes: Vec<Node>,
    /// For each slot the number of its primary.
    pub(super) owners: Owners,
}

/// Asks one node after the other until one answers, beginning anywhere: a node that is cut off from the others may not know
/// yet what they decided.
pub(super) async fn ask_cluster(nodes: &[Node], dialler: &Dialler) -> Result<Slots, StoreError> {
    let dialler = dialler.hasty();
    let first = rand::random_range(0..nodes.len().max(1));
    let mut last = StoreError::Unavailable {
        doing: CONNECTING,
        reason: "no node of the cluster is known".to_owned(),
    };
    for node in nodes.iter().cycle().skip(first).take(nodes.len()) {
        let asked = async {
            let mut connection = dialler.dial(node).await?;
            let mut question = redis::cmd("CLUSTER");
            question.arg("SLOTS").query_async::<Value>(&mut connection).await
        };
        match asked.await {
            Ok(answer) => match read_slots(&answer, node) {
                Some(slots) if !slots.nodes.is_empty() => return Ok(slots),
                _ => {
                    last = StoreError::Unavailable {
                        doing: CONNECTING,
                        reason: format!("{node} knows no primary that serves slots"),
                    }
                }
            },
            Err(error) => {
                let reason = error.to_string();
                last = if reason.contains("cluster support disabled") {
                    StoreError::Unfit {
                        problem: format!("{node} does not run in cluster mode"),
                        remedy: "write its address as redis:// or rediss://".to_owned(),
                    }
                } else {
                    failed(CONNECTING)(error)
                };
            }
        }
    }
    Err(last)
}

/// Reads the answer to `CLUSTER SLOTS`: ranges, each with its primary first.
fn read_slots(answer: &Value, asked: &Node) -> Option<Slots> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut numbers: HashMap<Node, u16> = HashMap::new();
    let mut owners: Owners = vec![None; usize::from(SLOTS)].into();
    for range in answer.as_sequence()? {
        let [Value::Int(first), Value::Int(last), primary, ..] = range.as_sequence()? else {
            return None;
        };
        let node = read_node(primary, asked)?;
        let number = if let Some(number) = numbers.get(&node) {
            *number
        } else {
            let number = u16::try_from(nodes.len()).ok()?;
            numbers.insert(node.clone(), number);
            nodes.push(node);
            number
        };
        let range = usize::try_from(*first).ok()?..=usize::try_from(*last).ok()?;
        owners.get_mut(range)?.fill(Some(number));
    }
    Some(Slots { nodes, owners })
}

/// A node that does not know its own name means the one that we asked under.
fn read_node(value: &Value, asked: &Node) -> Option<Node> {
    let [host, Value::Int(port), ..] = value.as_sequence()? else {
        return None;
    };
    let host = match host {
        Value::BulkString(host) if host.as_slice() != b"" && host.as_slice() != b"?" => {
            std::str::from_utf8(host).ok()?.to_owned()
        }
        _ => asked.host.clone(),
    };
    let port = u16::try_from(*port).ok()?;
    Some(Node { host, port })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn node(host: &str, port: u16) -> Node {
        Node {
            host: host.to_owned(),
            port,
        }
    }

    fn member(host: &str, port: i64) -> Value {
        let host = Value::BulkString(host.as_bytes().to_vec());
        Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".to_vec())])
    }

    fn range(first: i64, last: i64, primary: Value, replica: Value) -> Value {
        Value::Array(vec![Value::Int(first), Value::Int(last), primary, replica])
    }

    #[test]
    fn slots_belong_to_the_primary_of_their_range() {
        let answer = Value::Array(vec![
            range(0, 8_191, member("a", 7_001), member("c", 7_003)),
            range(8_192, 16_000, member("b", 7_002), member("d", 7_004)),
            range(16_002, 16_383, member("a", 7_001), member("c", 7_003)),
        ]);
        let slots = read_slots(&answer, &node("seed", 7_000)).unwrap();
        assert_eq!(slots.nodes, [node("a", 7_001), node("b", 7_002)]);
        let owners = [0, 8_191, 8_192, 16_000, 16_001, 16_383].map(|slot: usize| slots.owners[slot]);
        assert_eq!(owners, [Some(0), Some(0), Some(1), Some(1), None, Some(0)]);
    }

    #[test]
    fn a_node_without_a_name_is_the_one_that_was_asked() {
        for unnamed in [
            Value::Nil,
            Value::BulkString(Vec::new()),
            Value::BulkString(b"?".to_vec()),
        ] {
            let unnamed = Value::Array(vec![unnamed, Value::Int(7_001)]);
            let answer = Value::Array(vec![range(0, 16_383, unnamed, member("c", 7_003))]);
            let slots = read_slots(&answer, &node("seed", 7_000)).unwrap();
            assert_eq!(slots.nodes, [node("seed", 7_001)]);
        }
    }

    #[test]
    fn an_answer_of_another_shape_is_not_read() {
        for answer in [
            Value::Int(1),
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![range(0, 99_999, member("a", 1), member("b", 2))]),
            Value::Array(vec![range(0, 1, member("a", 99_999), member("b", 2))]),
        ] {
            assert_eq!(read_slots(&answer, &node("seed", 7_000)), None, "{answer:?}");
        }
    }
}
