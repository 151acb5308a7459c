//! Beats beside slow commits, clocks that step, memory that is full, a store that is gone.

use std::sync::Arc;
use std::time::Duration;

use redis::Commands as _;
use trunkline_store::StoreError;
use trunkline_store::contract::{Incarnation, Led, MapVersion, MapWrite, SharedStore};
use trunkline_store::redis::{RedisConfig, RedisStore};

use super::{beside, config, open, set};
use crate::members::beat_of;
use trunkline_fleet::redis_server::{IN_MEMORY, RedisServer};

const LONG: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;

#[tokio::test]
async fn a_clock_that_stepped_back_makes_the_store_new_and_ends_the_leader_s_lease() {
    let server = RedisServer::start(IN_MEMORY);
    let store = open(&server).await;
    let before = store.beat(beat_of(1)).await.unwrap();
    store.lead(Incarnation(1), 1_000).await.unwrap();
    // The clock of Redis cannot be set; what it wrote an hour ago by its clock can.
    for (field, value) in [
        ("last_beat", before.now_ms + HOUR_MS),
        ("up_since", before.now_ms + HOUR_MS),
        ("leader_until", before.now_ms + HOUR_MS + 1_000),
    ] {
        let () = beside(&server).hset("{tl}meta", field, value).unwrap();
    }
    let nodes = store.nodes().await.unwrap();
    assert_eq!(nodes.up_since_ms, nodes.now_ms);
    let pulse = store.beat(beat_of(2)).await.unwrap();
    assert_eq!(pulse.up_since_ms, pulse.now_ms);
    let led = store.lead(Incarnation(2), 1_000).await.unwrap();
    assert!(matches!(led, Led::Leading { .. }), "{led:?}");
}

#[tokio::test]
async fn with_full_memory_nodes_beat_and_lead_but_write_no_map() {
    let server = RedisServer::start(IN_MEMORY);
    let store = open(&server).await;
    set(&server, "maxmemory", "1mb");
    store.beat(beat_of(1)).await.unwrap();
    store.nodes().await.unwrap();
    store.lead(Incarnation(1), LONG).await.unwrap();
    let write = || store.write_map(Incarnation(1), MapVersion(0), MapVersion(1), b"map".as_slice().into());
    let error = write().await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    set(&server, "maxmemory", "0");
    assert_eq!(write().await.unwrap(), MapWrite::Written);
    set(&server, "maxmemory", "1mb");
    store.leave(Incarnation(1)).await.unwrap();
}

#[tokio::test]
async fn a_store_that_was_emptied_is_lost_and_not_written_to() {
    let server = RedisServer::start(IN_MEMORY);
    let store = open(&server).await;
    store.beat(beat_of(1)).await.unwrap();
    store.lead(Incarnation(1), LONG).await.unwrap();
    redis::cmd("FLUSHALL").exec(&mut beside(&server)).unwrap();

    let errors = [
        store.beat(beat_of(1)).await.unwrap_err(),
        store.nodes().await.unwrap_err(),
        store.lead(Incarnation(1), LONG).await.unwrap_err(),
        store
            .write_map(Incarnation(1), MapVersion(0), MapVersion(1), b"map".as_slice().into())
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, StoreError::Unfit { .. }), "{error}");
        assert!(error.to_string().contains("STORE_LOST"), "{error}");
    }
    let keys: Vec<String> = beside(&server).keys("*").unwrap();
    assert!(keys.is_empty(), "{keys:?} were written to a store that is not ours");
}

#[tokio::test]
async fn a_server_that_hangs_delays_a_beat_by_its_own_time_out_only() {
    let server = RedisServer::start(IN_MEMORY);
    let hasty = RedisConfig {
        beat_timeout: Duration::from_millis(300),
        ..config(&server)
    };
    let store: SharedStore = Arc::new(RedisStore::open(hasty).await.unwrap());
    // The machine may be busy; the connection is up once a beat was answered.
    while store.beat(beat_of(1)).await.is_err() {}
    let mut beside = beside(&server);
    let pause = tokio::task::spawn_blocking(move || {
        redis::cmd("CLIENT")
            .arg("PAUSE")
            .arg(5_000)
            .arg("ALL")
            .exec(&mut beside)
            .unwrap();
    });
    pause.await.unwrap();
    let began = std::time::Instant::now();
    let error = store.beat(beat_of(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    // The response time-out of all other calls is 20 s.
    assert!(began.elapsed() < Duration::from_secs(3), "took {:?}", began.elapsed());
}

#[test]
fn beats_go_on_from_their_own_runtime_while_the_commits_runtime_is_stuck() {
    let server = RedisServer::start(IN_MEMORY);
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let (commits, beats) = (runtime(), runtime());
    let store = commits.block_on(open(&server));
    // From here on nobody drives the first runtime, and with it its connections.
    let pulse = beats.block_on(store.beat(beat_of(1))).unwrap();
    assert_eq!(pulse.cluster, store.identity().cluster);
}
