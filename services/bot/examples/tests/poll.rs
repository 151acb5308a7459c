//! Poll, in the test kit.

use trunkline_bot::test::{self, Chat};
use trunkline_example_bots::poll::{self, Choose, Poll};

#[test]
fn a_vote_is_answered_with_the_new_card_and_everybody_sees_it() {
    let mut chat = Chat::with(poll::bot()).group(["Ada", "Grace"]);
    chat.says("poll Lunch? Soup, Salad").presses(Choose { choice: 0 });
    let answer = chat.answer().unwrap_or_default();
    assert_eq!(answer["type"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(answer["value"]["body"][1]["facts"][0]["value"], "1");
    chat.by("Grace")
        .presses(Choose { choice: 1 })
        .by("Ada")
        .presses(Choose { choice: 1 });
    assert_eq!(chat.screen(), ["[Lunch? | Soup: 0 | Salad: 2 | (Soup) | (Salad)]"]);
}

#[test]
fn a_poll_without_choices_is_refused_in_words() {
    let mut chat = Chat::with(poll::bot());
    chat.says("poll Lunch");
    assert_eq!(chat.last(), "A question ends with a question mark.");
    chat.says("poll Lunch? Soup");
    assert_eq!(chat.last(), "Give me two to six choices, separated by commas.");
    assert_eq!(chat.state(), Poll::default());
}

#[test]
fn a_button_of_an_older_poll_is_answered_as_a_toast() {
    let mut chat = Chat::with(poll::bot());
    chat.says("poll Lunch? Soup, Salad").presses(Choose { choice: 5 });
    assert_eq!(chat.answer().unwrap_or_default()["value"], "That poll is over.");
}

#[test]
fn the_state_of_the_first_version_is_upgraded() {
    let poll: Poll = test::reads("state/poll-v1.json");
    assert_eq!(poll.choices, ["Salad", "Soup"]);
    let of = |choice| poll.votes.values().filter(|vote| **vote == choice).count();
    assert_eq!((of(0), of(1)), (1, 2));
}
