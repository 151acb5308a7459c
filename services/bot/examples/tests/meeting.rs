//! Meeting, in the test kit: the chat and the call.

use trunkline_bot::test::{self, Chat, Phone};
use trunkline_example_bots::meeting::{self, Desk, Leave, Over, Settings, Visit, WhoIsThere};

const LINK: &str = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_TestThread%40thread.v2/0?context=%7b%22Tid%22%3a%2200000000-0000-0000-0000-00000000c0de%22%2c%22Oid%22%3a%22dcef2282-e79c-455b-b99a-7d97fc53772d%22%7d";

fn both() -> (Chat<Desk>, Phone<Visit>) {
    let settings = Settings {
        prompts: "https://bot.example/prompts".to_owned(),
    };
    (Chat::with(meeting::bot()), Phone::with(meeting::call_bot(settings)))
}

#[test]
fn a_link_makes_it_join_greet_and_tell_who_is_there() {
    let (mut chat, mut phone) = both();
    chat.says(&format!("join {LINK}"));
    assert_eq!(chat.last(), "I am on my way.");
    phone.starts_as(chat.effects()).waits_in_lobby();
    assert_eq!(phone.written(), ["I wait in the lobby: somebody has to let me in."]);
    phone.is_let_in().answers().listens();
    assert_eq!(phone.heard(), ["hello.wav"]);
    phone.joins("Ada");
    assert_eq!(phone.written(), ["Ada: in the meeting."]);
    phone.joins("Grace");
    assert_eq!(phone.written(), ["Grace: joined."]);
    chat.says("who");
    phone.hears(WhoIsThere);
    assert_eq!(phone.written(), ["Ada, Grace"]);
}

#[test]
fn it_leaves_when_the_chat_says_so_or_when_it_is_alone() {
    let (mut chat, mut phone) = both();
    chat.says("join 241 837 296 011 sesame");
    phone.starts_as(chat.effects()).answers().joins("Ada");
    chat.says("leave").says("join 1");
    assert_eq!(chat.last(), "I am in a meeting already. Say **leave** first.");
    phone.hears(Leave);
    let over = phone.signals::<Over>().remove(0);
    assert_eq!(over.failure, None);
    chat.hears(over.clone());
    assert_eq!(chat.last(), "I have left the meeting.");
    chat.hears(over);
    assert_eq!(chat.screen().len(), 3, "told once");
    phone
        .starts_as(chat.says("join 241 837 296 011").effects())
        .answers()
        .joins("Ada")
        .leaves("Ada");
    assert!(phone.end().is_some());
}

#[test]
fn a_meeting_that_does_not_take_it_is_told() {
    let (mut chat, mut phone) = both();
    chat.says("join 241 837 296 011");
    phone.starts_as(chat.effects()).does_not_answer();
    chat.hears(phone.signals::<Over>().remove(0));
    assert_eq!(chat.last(), "I could not stay in the meeting (480/10037).");
    assert_eq!(chat.state(), Desk::default());
}

#[test]
fn what_is_no_meeting_is_told() {
    let mut chat = Chat::with(meeting::bot());
    chat.says("join https://example.org/")
        .says("join")
        .says("who")
        .says("hello");
    assert!(
        chat.screen()[0].starts_with("I cannot join that: example.org is no host"),
        "{}",
        chat.screen()[0]
    );
    assert_eq!(
        chat.screen()[1..3],
        [
            "Give me the link of a meeting, or its id and passcode.",
            "I am in no meeting."
        ]
    );
}

#[test]
fn the_states_of_the_first_release_can_be_read() {
    assert!(test::reads::<Desk>("state/meeting-desk-v1.json").call.is_some());
    assert!(test::reads::<Visit>("state/meeting-visit-v1.json").has_told);
}
