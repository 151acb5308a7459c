//! Beats: who is there, since when the store is, and which map everybody has seen.

use std::time::Duration;

use bytes::Bytes;
use trunkline_store::StoreError;
use trunkline_store::contract::{BEAT_BYTES, Beat, Incarnation, Led, MapVersion, NodeBeat, Pulse, SILENCE_MS};

use crate::on_every_engine;
use crate::world::World;

on_every_engine!(
    a_store_that_nobody_has_used_knows_no_node_no_leader_and_no_map,
    a_beat_tells_time_and_identity,
    a_beat_tells_when_the_one_before_it_was_received,
    nodes_are_listed_with_the_time_and_payload_of_their_newest_beat,
    any_bytes_are_a_payload,
    a_payload_over_the_limit_is_refused,
    the_store_is_up_since_the_first_beat_while_beats_come,
    after_a_silence_of_all_nodes_the_store_counts_as_new,
    whoever_reads_first_after_a_silence_takes_nobody_for_dead,
    a_node_that_leaves_is_gone_and_leads_no_more,
    a_node_that_leaves_takes_no_other_with_it,
    leaving_twice_is_leaving_once,
    forgotten_nodes_are_gone_until_they_beat_again,
);

/// A beat of `me` with a payload that names it.
pub(crate) fn beat_of(me: u64) -> Beat {
    Beat {
        me: Incarnation(me),
        payload: Bytes::from(format!("node {me}")),
        seen_map: MapVersion(0),
    }
}

impl World {
    pub(crate) async fn beat(&self, me: u64) -> Pulse {
        self.store.beat(beat_of(me)).await.unwrap()
    }

    async fn nodes(&self) -> Vec<NodeBeat> {
        let mut nodes = self.store.nodes().await.unwrap().nodes;
        nodes.sort_by_key(|node| node.incarnation);
        nodes
    }

    async fn names(&self) -> Vec<u64> {
        self.nodes().await.iter().map(|node| node.incarnation.0).collect()
    }
}

async fn a_store_that_nobody_has_used_knows_no_node_no_leader_and_no_map(world: &World) {
    assert_eq!(world.names().await, Vec::<u64>::new());
    assert_eq!(world.store.map().await.unwrap(), None);
    let pulse = world.beat(1).await;
    assert_eq!(pulse.map, MapVersion(0));
    assert_eq!((pulse.leader, pulse.leader_until_ms), (None, 0));
}

async fn a_beat_tells_time_and_identity(world: &World) {
    let before = world.store.now().await.unwrap();
    let pulse = world.beat(1).await;
    let after = world.store.now().await.unwrap();
    assert!((before..=after).contains(&pulse.now_ms), "{pulse:?}");
    assert_eq!(pulse.cluster, world.store.identity().cluster);
}

async fn a_beat_tells_when_the_one_before_it_was_received(world: &World) {
    let first = world.beat(1).await;
    assert_eq!(first.previous_beat_ms, None);
    world.beat(2).await;
    let second = world.beat(1).await;
    assert_eq!(second.previous_beat_ms, Some(first.now_ms));
    world.store.leave(Incarnation(1)).await.unwrap();
    assert_eq!(
        world.beat(1).await.previous_beat_ms,
        None,
        "others have taken it for gone"
    );
}

async fn nodes_are_listed_with_the_time_and_payload_of_their_newest_beat(world: &World) {
    world.beat(u64::MAX).await;
    world.beat(1).await;
    let newest = Beat {
        payload: Bytes::from_static(b"draining"),
        ..beat_of(1)
    };
    let pulse = world.store.beat(newest.clone()).await.unwrap();
    let nodes = world.nodes().await;
    assert_eq!(nodes.len(), 2, "{nodes:?}");
    let expected = NodeBeat {
        incarnation: Incarnation(1),
        beat_ms: pulse.now_ms,
        payload: newest.payload,
    };
    assert_eq!(nodes[0], expected);
    assert_eq!(nodes[1].incarnation, Incarnation(u64::MAX));
}

async fn any_bytes_are_a_payload(world: &World) {
    for payload in [&b""[..], b":", b"1:2:3", b"\0\r\n\xff", &[b':'; BEAT_BYTES]] {
        let beat = Beat {
            payload: Bytes::copy_from_slice(payload),
            ..beat_of(1)
        };
        world.store.beat(beat).await.unwrap();
        assert_eq!(world.nodes().await[0].payload, payload);
    }
}

async fn a_payload_over_the_limit_is_refused(world: &World) {
    let beat = Beat {
        payload: Bytes::from(vec![0; BEAT_BYTES + 1]),
        ..beat_of(1)
    };
    let error = world.store.beat(beat).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
}

async fn the_store_is_up_since_the_first_beat_while_beats_come(world: &World) {
    let first = world.beat(1).await;
    assert_eq!(first.up_since_ms, first.now_ms);
    let mut last = first;
    // More than the longest silence in all, but never a silence; a pause that the machine made too long starts anew.
    let mut since = first.up_since_ms;
    while last.now_ms - since <= SILENCE_MS {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let next = world.beat(2).await;
        if next.now_ms - last.now_ms > SILENCE_MS {
            since = next.now_ms;
        }
        assert_eq!(next.up_since_ms, since, "{last:?}, then {next:?}");
        last = next;
    }
    assert!(world.store.nodes().await.unwrap().up_since_ms >= since);
}

async fn after_a_silence_of_all_nodes_the_store_counts_as_new(world: &World) {
    world.beat(1).await;
    silence().await;
    let pulse = world.beat(1).await;
    assert_eq!(pulse.up_since_ms, pulse.now_ms);
}

async fn whoever_reads_first_after_a_silence_takes_nobody_for_dead(world: &World) {
    world.beat(1).await;
    silence().await;
    let nodes = world.store.nodes().await.unwrap();
    assert_eq!(nodes.up_since_ms, nodes.now_ms);
    // Reading is no beat.
    let pulse = world.beat(1).await;
    assert_eq!(pulse.up_since_ms, pulse.now_ms);
}

async fn a_node_that_leaves_is_gone_and_leads_no_more(world: &World) {
    world.beat(1).await;
    world.store.lead(Incarnation(1), 60_000).await.unwrap();
    world.store.leave(Incarnation(1)).await.unwrap();
    assert_eq!(world.names().await, Vec::<u64>::new());
    assert_eq!(world.beat(2).await.leader, None);
    let led = world.store.lead(Incarnation(2), 60_000).await.unwrap();
    assert!(matches!(led, Led::Leading { .. }), "{led:?}");
}

async fn a_node_that_leaves_takes_no_other_with_it(world: &World) {
    world.beat(1).await;
    world.beat(2).await;
    world.store.lead(Incarnation(1), 60_000).await.unwrap();
    world.store.leave(Incarnation(2)).await.unwrap();
    assert_eq!(world.names().await, [1]);
    assert_eq!(world.beat(1).await.leader, Some(Incarnation(1)));
}

async fn leaving_twice_is_leaving_once(world: &World) {
    world.beat(1).await;
    world.store.leave(Incarnation(1)).await.unwrap();
    world.store.leave(Incarnation(1)).await.unwrap();
    assert_eq!(world.names().await, Vec::<u64>::new());
}

async fn forgotten_nodes_are_gone_until_they_beat_again(world: &World) {
    for me in 1..=3 {
        world.beat(me).await;
    }
    let dead = vec![Incarnation(1), Incarnation(3), Incarnation(99)];
    world.store.forget(dead.clone()).await.unwrap();
    world.store.forget(dead).await.unwrap();
    world.store.forget(Vec::new()).await.unwrap();
    assert_eq!(world.names().await, [2]);
    world.beat(3).await;
    assert_eq!(world.names().await, [2, 3]);
}

/// Lets the longest silence pass.
async fn silence() {
    tokio::time::sleep(Duration::from_millis(SILENCE_MS + 50)).await;
}
