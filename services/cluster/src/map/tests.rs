//! The map holds together, and its bytes come back as they were or are refused.
#![allow(clippy::unwrap_used, reason = "tests")]

use prost::Message;
use trunkline_proto::cluster as wire;
use trunkline_store::contract::{Incarnation, MapVersion};
use trunkline_store::key::ShardId;

use super::{MapError, MapNode, ShardMap};

fn node(incarnation: u64, weight: u32) -> MapNode {
    MapNode {
        incarnation: Incarnation(incarnation),
        name: format!("worker-{incarnation}"),
        address: format!("10.0.0.{incarnation}:7400"),
        zone: "a".to_owned(),
        weight,
        reads: 3,
    }
}

fn map() -> ShardMap {
    let owners = [Some(0), Some(1), None, Some(1)];
    ShardMap::new(MapVersion(7), vec![node(3, 1), node(9, 3)], &owners).unwrap()
}

#[test]
fn a_map_says_who_owns_what() {
    let map = map();
    assert_eq!(map.owner(ShardId(1)).unwrap().incarnation, Incarnation(9));
    assert_eq!(map.owner(ShardId(2)), None, "nobody owns it");
    assert_eq!(map.owner(ShardId(4)), None, "there is no such shard");
    assert_eq!(
        map.shards_of(Incarnation(9)).collect::<Vec<_>>(),
        [ShardId(1), ShardId(3)]
    );
    assert_eq!(map.shards_of(Incarnation(4)).count(), 0, "a stranger owns nothing");
    assert_eq!(map.unowned().collect::<Vec<_>>(), [ShardId(2)]);
}

#[test]
fn a_share_follows_the_weights() {
    let map = map();
    assert!((map.share(Incarnation(3)) - 1.0).abs() < 1e-9);
    assert!((map.share(Incarnation(9)) - 3.0).abs() < 1e-9);
    assert!(map.share(Incarnation(4)).abs() < 1e-9, "a stranger has no share");
}

#[test]
fn bytes_come_back_as_the_map_that_they_were() {
    let mut map = map();
    map.pinned.insert(ShardId(3));
    map.needs.extend([(ShardId(0), 4), (ShardId(1), 5), (ShardId(3), 4)]);
    assert_eq!(ShardMap::decode(&map.encode()), Ok(map));
    let empty = ShardMap::empty(4_096);
    assert_eq!(ShardMap::decode(&empty.encode()), Ok(empty));
}

#[test]
fn a_newer_format_is_refused_even_when_the_rest_cannot_be_read() {
    // Format 2, then field 2 as text where format 1 has a number.
    let newer = [0x08, 0x02, 0x12, 0x01, b'x'];
    assert_eq!(ShardMap::decode(&newer), Err(MapError::NewerFormat { found: 2 }));
}

#[test]
fn bytes_that_contradict_themselves_are_refused() {
    let good = wire::ShardMap::decode(map().encode().as_slice()).unwrap();
    let refused = |change: fn(&mut wire::ShardMap)| {
        let mut changed = good.clone();
        change(&mut changed);
        matches!(ShardMap::decode(&changed.encode_to_vec()), Err(MapError::Malformed(_)))
    };
    assert!(refused(|map| map.format = 0), "no format");
    assert!(refused(|map| map.owners = map.owners.slice(1..)), "half an owner");
    assert!(refused(|map| map.owners.clear()), "no shards");
    assert!(refused(|map| map.nodes.truncate(1)), "an owner that is not there");
    assert!(refused(|map| map.pinned.push(4)), "a pinned shard that is not there");
    let unknown = |map: &mut wire::ShardMap| {
        let need = wire::Need {
            format: 4,
            shards: vec![4],
        };
        map.needs.push(need);
    };
    assert!(refused(unknown), "a need of a shard that is not there");
    assert!(refused(|map| map.nodes[1].incarnation = 3), "one incarnation twice");
    assert_eq!(
        ShardMap::decode(b"\xff\xff"),
        Err(MapError::Malformed("it is not a message"))
    );
}

#[test]
fn a_shard_is_unread_when_its_owner_does_not_read_the_format_that_it_needs() {
    let mut map = map();
    map.nodes[1].reads = 4;
    map.needs = [(ShardId(0), 4), (ShardId(1), 4), (ShardId(2), 4), (ShardId(3), 5)].into();
    let unread: Vec<_> = map
        .unread()
        .map(|(owner, shard, need)| (owner.incarnation.0, shard.0, need))
        .collect();
    assert_eq!(unread, [(3, 0, 4), (9, 3, 5)]);
    assert_eq!((map.need(ShardId(3)), map.need(ShardId(4))), (5, 0));
}
