//! Calls whose sound a real media host carries: what a caller hears, and what happens when a worker or a host dies.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod bridged;
mod host;
mod kept;
mod live;
mod troubled;
mod world;

use std::time::{Duration, Instant};

use serde_json::json;
use support::{SHARDS, until};
use trunkline_caller::{Caller, Heard, Sound};
use world::{CALL, FAREWELL, GREETING, PATIENCE, STORY, World};

/// What may be missing of a sound: a host that the machine stops for more than three packets goes on with the next, rather than
/// with a burst.
const BUSY_MS: u32 = 300;

/// Enough of a tone to know it.
const SOME: Duration = Duration::from_millis(100);

/// A frame at each end of a tone may be half of it.
fn most_of(length: Duration) -> Duration {
    length * 9 / 10
}

/// Waits until so much of the greeting is heard.
async fn greeted(caller: &Caller, length: Duration) {
    let is_heard = |heard: &Heard| heard.tone(GREETING.hz, 0) >= length;
    caller.hears("the greeting", PATIENCE, is_heard).await.unwrap();
}

#[actix::test]
async fn a_caller_hears_prompts_its_keys_are_gathered_and_the_leg_ends_with_the_call() {
    let world = World::new();
    let _host = world.host("media-1").await;
    let worker = world.worker("a").await;
    let caller = world.caller(&worker).await;
    greeted(&caller, most_of(GREETING.length)).await;
    let missing = caller.heard(|heard| heard.missing_ms(0));
    assert!(missing <= BUSY_MS, "{missing} ms of the greeting are missing");
    assert_eq!(
        world.graph.count("playPrompt") + world.graph.count("subscribeToTone"),
        0,
        "Graph plays nothing"
    );

    caller.press("12#").unwrap();
    caller
        .hears("the farewell", PATIENCE, |heard| {
            heard.tone(FAREWELL.hz, 0) >= most_of(FAREWELL.length)
        })
        .await
        .unwrap();
    until("the bot hangs up", || world.graph.count("delete") == 1).await;
    world.is_over(&worker).await;
    tokio::time::timeout(PATIENCE, caller.ended())
        .await
        .expect("the leg is closed");
}

#[actix::test]
async fn a_caller_who_hangs_up_ends_the_call() {
    let world = World::new();
    let _host = world.host("media-1").await;
    let worker = world.worker("a").await;
    let caller = world.caller(&worker).await;
    greeted(&caller, SOME).await;
    assert_eq!(caller.hang_up().await.unwrap(), 200);
    until("the bot hangs up, too", || world.graph.count("delete") == 1).await;
}

#[actix::test]
async fn a_worker_that_is_killed_is_not_heard_and_the_next_one_goes_on() {
    let world = World::new();
    let _host = world.host("media-1").await;
    let first = world.worker("a").await;
    let caller = world.caller(&first).await;
    caller.say(Sound::Tone(700));
    // Keys that come before the bot asks for some are none of its answer.
    greeted(&caller, SOME).await;
    caller.press("5").unwrap();
    let begins = |heard: &Heard| heard.tone(STORY.hz, 0) >= Duration::from_millis(500);
    caller.hears("the story", PATIENCE, begins).await.unwrap();

    let place = caller.heard(Heard::count);
    first.kill().await;
    let second = world.worker("b").await;
    until("the next worker serves everything", || {
        second.serving() == SHARDS as usize
    })
    .await;
    let goes_on = |heard: &Heard| heard.tone(STORY.hz, place) >= Duration::from_secs(2);
    caller.hears("the story goes on", PATIENCE, goes_on).await.unwrap();
    let (missing, wait) = caller.heard(|heard| (heard.missing_ms(place), heard.longest_wait(place)));
    assert!(missing <= BUSY_MS, "a break in the audio: {missing} ms are missing");
    assert!(wait < Duration::from_millis(500), "{wait:?} without a packet");

    // The keys of a call that nobody told the next worker of reach it all the same.
    caller.press("2#").unwrap();
    let bye = |heard: &Heard| heard.tone(FAREWELL.hz, place) >= most_of(FAREWELL.length);
    caller.hears("the farewell", PATIENCE, bye).await.unwrap();
    until("the bot hangs up", || world.graph.count("delete") == 1).await;
}

#[actix::test]
async fn a_host_that_dies_ends_its_calls_at_once() {
    let world = World::new();
    let host = world.host("media-1").await;
    let worker = world.worker("a").await;
    let caller = world.caller(&worker).await;
    greeted(&caller, SOME).await;
    host.kill().await;
    let killed = Instant::now();
    until("the bot hangs up", || world.graph.count("delete") == 1).await;
    // Documented: within 2 s. The rest is for a busy machine.
    assert!(
        killed.elapsed() < Duration::from_secs(2 + 3),
        "it took {:?}",
        killed.elapsed()
    );
    tokio::time::timeout(PATIENCE, caller.ended())
        .await
        .expect("the caller notices");
}

#[actix::test]
async fn without_a_host_a_call_is_rejected_as_busy() {
    let world = World::new();
    let worker = world.worker("a").await;
    world.rings(&worker).await;
    until("the call is rejected", || world.graph.count("reject") == 1).await;
    let rejected = world.graph.last("reject");
    assert_eq!(
        (rejected.path.as_str(), &rejected.body["reason"]),
        (format!("{CALL}/reject").as_str(), &json!("busy"))
    );
    assert_eq!(world.graph.count("answer"), 0);
}
