//! Echo, in the test kit.

use std::time::Duration;

use trunkline_bot::test::{self, Chat, Crash};
use trunkline_example_bots::echo::{self, Echo};

#[test]
fn every_message_is_counted_and_said_back_unchanged() {
    let mut chat = Chat::with(echo::bot());
    chat.says("hello").says("2. *not a list* <b>");
    assert_eq!(chat.screen(), ["1. hello", "2. 2. *not a list* <b>"]);
}

#[test]
fn an_hour_after_the_last_message_it_says_good_night() {
    let mut chat = Chat::with(echo::bot());
    chat.says("hello")
        .after(Duration::from_secs(3000))
        .says("still here")
        .after(Duration::from_secs(3000));
    assert_eq!(chat.last(), "2. still here");
    chat.after(Duration::from_secs(600));
    assert_eq!(chat.last(), "Good night.");
}

#[test]
fn a_crash_counts_nothing_twice() {
    let mut chat = Chat::with(echo::bot());
    chat.crashes(Crash::BeforeCommit)
        .says("one")
        .crashes(Crash::AfterCommit)
        .says("two");
    assert_eq!(chat.screen(), ["1. one", "2. two"]);
}

#[test]
fn the_state_of_the_first_release_can_be_read() {
    assert_eq!(test::reads::<Echo>("state/echo-v1.json"), Echo { heard: 41 });
}
