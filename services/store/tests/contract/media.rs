//! Media hosts that announce themselves.

use std::time::Duration;

use bytes::Bytes;
use trunkline_store::contract::{MEDIA_ENTRY_BYTES, MEDIA_NAME_BYTES, MediaEntry, StoreError};

use crate::on_every_engine;
use crate::world::World;

on_every_engine!(
    hosts_that_announce_themselves_are_listed_by_name,
    an_announcement_takes_the_place_of_the_one_before,
    a_host_that_falls_silent_is_gone_after_its_life,
    a_host_that_withdraws_is_gone_at_once,
    a_host_that_says_too_much_is_refused,
);

const LONG_MS: u64 = 3_600_000;

async fn hosts_that_announce_themselves_are_listed_by_name(world: &World) {
    assert_eq!(hosts(world).await, []);
    let (one, other) = (entry("media-1", "one"), entry("media-2", "other"));
    announce(world, &other, LONG_MS).await;
    announce(world, &one, LONG_MS).await;
    assert_eq!(hosts(world).await, [one, other]);
}

async fn an_announcement_takes_the_place_of_the_one_before(world: &World) {
    announce(world, &entry("media-1", "idle"), LONG_MS).await;
    // The entry is the host's own: no byte of it has a meaning here.
    let busy = MediaEntry {
        name: "media-1".to_owned(),
        entry: Bytes::from_static(b"12:\x00\r\n\xff:)\n%d"),
    };
    announce(world, &busy, LONG_MS).await;
    assert_eq!(hosts(world).await, [busy]);
}

async fn a_host_that_falls_silent_is_gone_after_its_life(world: &World) {
    let kept = entry("kept", "here");
    announce(world, &kept, LONG_MS).await;
    announce(world, &entry("silent", "here"), 50).await;
    let gone = async {
        while hosts(world).await.len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone)
        .await
        .expect("the silent one goes");
    assert_eq!(hosts(world).await, std::slice::from_ref(&kept));
    // One that speaks again is back.
    let back = entry("silent", "back");
    announce(world, &back, LONG_MS).await;
    assert_eq!(hosts(world).await, [kept, back]);
}

async fn a_host_that_withdraws_is_gone_at_once(world: &World) {
    let kept = entry("kept", "here");
    announce(world, &kept, LONG_MS).await;
    announce(world, &entry("ends", "here"), LONG_MS).await;
    for _ in 0..2 {
        world.store.media().withdraw_media("ends").await.unwrap();
        assert_eq!(hosts(world).await, std::slice::from_ref(&kept));
    }
}

async fn a_host_that_says_too_much_is_refused(world: &World) {
    let book = world.store.media();
    let large = MediaEntry {
        name: "media-1".to_owned(),
        entry: vec![0; MEDIA_ENTRY_BYTES + 1].into(),
    };
    let long = entry(&"x".repeat(MEDIA_NAME_BYTES + 1), "one");
    for wrong in [large, long] {
        let refused = book.announce_media(wrong, LONG_MS).await;
        assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    }
}

fn entry(name: &str, says: &str) -> MediaEntry {
    MediaEntry {
        name: name.to_owned(),
        entry: Bytes::copy_from_slice(says.as_bytes()),
    }
}

async fn announce(world: &World, host: &MediaEntry, life_ms: u64) {
    world.store.media().announce_media(host.clone(), life_ms).await.unwrap();
}

async fn hosts(world: &World) -> Vec<MediaEntry> {
    world.store.media().media_hosts().await.unwrap()
}
