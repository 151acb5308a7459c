//! Echo, in the test kit.

use std::time::Duration;

use proptest::prelude::*;
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What load tests rely on: from the replies alone one sees whether anything was lost or counted twice.
    #[test]
    fn whatever_is_said_comes_back_with_its_number(
        said in prop::collection::vec("[ -~äß€😀\\n]{1,20}", 1..6),
        crash in 0usize..6,
    ) {
        let mut chat = Chat::with(echo::bot());
        let mut expected = Vec::new();
        for (place, text) in said.iter().enumerate() {
            if place == crash {
                chat.crashes(Crash::BeforeCommit);
            }
            chat.says(text);
            let reply = format!("{}. {}", place + 1, text.trim());
            expected.push(reply.replace('\n', " / "));
        }
        prop_assert_eq!(chat.screen(), expected);
    }
}
