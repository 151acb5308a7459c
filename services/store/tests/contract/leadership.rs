//! Who leads, and which map counts.

use std::time::{Duration, Instant};

use bytes::Bytes;
use trunkline_store::StoreError;
use trunkline_store::contract::{Beat, Incarnation, Led, MAP_BYTES, MapVersion, MapWrite};

use crate::members::beat_of;
use crate::on_every_engine;
use crate::world::World;

/// A lease that does not end during a test.
const LONG: u64 = 60_000;
const A: Incarnation = Incarnation(0xa);
const B: Incarnation = Incarnation(0xb);

on_every_engine!(
    the_first_to_ask_leads_and_the_others_follow,
    a_leader_that_asks_again_renews_its_lease,
    a_lease_that_ended_goes_to_whoever_asks,
    a_lease_that_ends_later_than_a_fresh_one_counts_as_ended,
    beats_tell_who_leads,
    of_many_that_ask_at_once_one_leads,
    a_leader_writes_the_map_and_everybody_reads_it,
    who_does_not_lead_writes_no_map,
    who_led_writes_no_map,
    a_map_is_replaced_only_by_who_has_read_it,
    a_version_that_a_node_has_seen_is_not_issued_again,
    a_version_that_does_not_rise_is_refused,
    a_repeated_write_is_written_once_whoever_leads_by_then,
    the_same_version_with_another_map_is_no_repeat,
    any_bytes_are_a_map,
    a_map_over_the_limit_is_refused,
);

impl World {
    async fn lead(&self, me: Incarnation, lease_ms: u64) -> Led {
        self.store.lead(me, lease_ms).await.unwrap()
    }

    async fn write_map(&self, me: Incarnation, expected: u64, version: u64, blob: &[u8]) -> MapWrite {
        let blob = Bytes::copy_from_slice(blob);
        let write = self
            .store
            .write_map(me, MapVersion(expected), MapVersion(version), blob);
        write.await.unwrap()
    }

    /// Version and content of the map, which must be there.
    async fn map(&self) -> (u64, Bytes) {
        let (version, map) = self.store.map().await.unwrap().unwrap();
        (version.0, map)
    }
}

async fn the_first_to_ask_leads_and_the_others_follow(world: &World) {
    let before = world.store.now().await.unwrap();
    let Led::Leading { until_ms } = world.lead(A, LONG).await else {
        panic!("nobody else leads")
    };
    let after = world.store.now().await.unwrap();
    assert!((before + LONG..=after + LONG).contains(&until_ms), "{until_ms}");
    assert_eq!(world.lead(B, LONG).await, Led::Following { leader: A, until_ms });
}

async fn a_leader_that_asks_again_renews_its_lease(world: &World) {
    world.lead(A, 1_000).await;
    let Led::Leading { until_ms } = world.lead(A, LONG).await else {
        panic!("A leads")
    };
    assert!(until_ms > world.store.now().await.unwrap() + LONG / 2, "{until_ms}");
}

async fn a_lease_that_ended_goes_to_whoever_asks(world: &World) {
    let Led::Leading { until_ms } = world.lead(A, 300).await else {
        panic!("nobody else leads")
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Led::Following { leader, until_ms: ends } = world.lead(B, 300).await {
        assert_eq!((leader, ends), (A, until_ms));
        assert!(Instant::now() < deadline, "the lease does not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(
        world.store.now().await.unwrap() > until_ms,
        "B led before A's lease ended"
    );
}

async fn a_lease_that_ends_later_than_a_fresh_one_counts_as_ended(world: &World) {
    // As after a clock that stepped back by nearly a minute.
    world.lead(A, LONG).await;
    let led = world.lead(B, 1_000).await;
    assert!(matches!(led, Led::Leading { .. }), "{led:?}");
}

async fn beats_tell_who_leads(world: &World) {
    let Led::Leading { until_ms } = world.lead(A, LONG).await else {
        panic!("nobody else leads")
    };
    let pulse = world.beat(1).await;
    assert_eq!((pulse.leader, pulse.leader_until_ms), (Some(A), until_ms));
}

async fn of_many_that_ask_at_once_one_leads(world: &World) {
    let racers = (1..=16).map(|me| {
        let store = world.store.clone();
        tokio::spawn(async move { store.lead(Incarnation(me), LONG).await.unwrap() })
    });
    let mut leading = 0;
    for racer in racers.collect::<Vec<_>>() {
        // The lease of a later asker ends later, so the earlier one's never counts as of a stepped clock.
        leading += usize::from(matches!(racer.await.unwrap(), Led::Leading { .. }));
    }
    assert_eq!(leading, 1);
}

async fn a_leader_writes_the_map_and_everybody_reads_it(world: &World) {
    world.lead(A, LONG).await;
    assert_eq!(world.write_map(A, 0, 1, b"one").await, MapWrite::Written);
    assert_eq!(world.map().await, (1, Bytes::from_static(b"one")));
    assert_eq!(world.write_map(A, 1, 5, b"five").await, MapWrite::Written);
    assert_eq!(world.map().await, (5, Bytes::from_static(b"five")));
    assert_eq!(world.beat(1).await.map, MapVersion(5));
}

async fn who_does_not_lead_writes_no_map(world: &World) {
    assert_eq!(world.write_map(A, 0, 1, b"one").await, MapWrite::NotLeader);
    world.lead(A, LONG).await;
    assert_eq!(world.write_map(B, 0, 1, b"one").await, MapWrite::NotLeader);
    assert_eq!(world.store.map().await.unwrap(), None);
}

async fn who_led_writes_no_map(world: &World) {
    let Led::Leading { until_ms } = world.lead(A, 1).await else {
        panic!("nobody else leads")
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while world.store.now().await.unwrap() <= until_ms {
        assert!(
            Instant::now() < deadline,
            "the store's clock does not reach the lease's end"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(world.write_map(A, 0, 1, b"one").await, MapWrite::NotLeader);
}

async fn a_map_is_replaced_only_by_who_has_read_it(world: &World) {
    world.lead(A, LONG).await;
    world.write_map(A, 0, 7, b"seven").await;
    for expected in [0, 6, 8] {
        let refused = world.write_map(A, expected, 9, b"nine").await;
        assert_eq!(refused, MapWrite::Overtaken(MapVersion(7)));
    }
    assert_eq!(world.map().await, (7, Bytes::from_static(b"seven")));
}

async fn a_version_that_a_node_has_seen_is_not_issued_again(world: &World) {
    world.lead(A, LONG).await;
    for seen_map in [MapVersion(9), MapVersion(4)] {
        world.store.beat(Beat { seen_map, ..beat_of(1) }).await.unwrap();
    }
    for version in [1, 9] {
        let refused = world.write_map(A, 0, version, b"old").await;
        assert_eq!(refused, MapWrite::Overtaken(MapVersion(9)));
    }
    assert_eq!(world.write_map(A, 0, 10, b"ten").await, MapWrite::Written);
}

async fn a_version_that_does_not_rise_is_refused(world: &World) {
    world.lead(A, LONG).await;
    world.write_map(A, 0, 7, b"seven").await;
    for version in [0, 6, 7] {
        let refused = world.write_map(A, 7, version, b"other").await;
        assert_eq!(refused, MapWrite::Overtaken(MapVersion(7)));
    }
}

async fn a_repeated_write_is_written_once_whoever_leads_by_then(world: &World) {
    world.lead(A, LONG).await;
    world.write_map(A, 0, 1, b"one").await;
    assert_eq!(world.write_map(A, 0, 1, b"one").await, MapWrite::Written);
    world.store.leave(A).await.unwrap();
    world.lead(B, LONG).await;
    assert_eq!(world.write_map(A, 0, 1, b"one").await, MapWrite::Written);
    assert_eq!(world.write_map(B, 1, 2, b"two").await, MapWrite::Written);
    assert_eq!(world.write_map(A, 0, 1, b"one").await, MapWrite::NotLeader);
    assert_eq!(world.map().await, (2, Bytes::from_static(b"two")));
}

async fn the_same_version_with_another_map_is_no_repeat(world: &World) {
    world.lead(A, LONG).await;
    world.write_map(A, 0, 1, b"one").await;
    assert_eq!(
        world.write_map(A, 0, 1, b"another").await,
        MapWrite::Overtaken(MapVersion(1))
    );
    assert_eq!(world.map().await, (1, Bytes::from_static(b"one")));
}

async fn any_bytes_are_a_map(world: &World) {
    world.lead(A, LONG).await;
    let mut version = 0;
    let largest = vec![b'7'; MAP_BYTES];
    for map in [&b""[..], b":", b"3:4", b"\0\r\n\xff", &largest] {
        assert_eq!(world.write_map(A, version, version + 1, map).await, MapWrite::Written);
        version += 1;
        let (stored_version, stored) = world.map().await;
        assert_eq!((stored_version, stored.as_ref() == map), (version, true));
    }
}

async fn a_map_over_the_limit_is_refused(world: &World) {
    world.lead(A, LONG).await;
    let blob = Bytes::from(vec![0; MAP_BYTES + 1]);
    let refused = world.store.write_map(A, MapVersion(0), MapVersion(1), blob).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
}
