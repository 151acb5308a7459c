//! Notifier, in the test kit: the chat and its calls, one after the other.

use std::time::Duration;

use serde_json::json;
use trunkline_bot::test::{self, Chat, Crash, Phone};
use trunkline_example_bots::notifier::{self, Cancel, Outcome, Reading, Report, Round, Settings};

fn settings() -> Settings {
    let settings = json!({
        "prompts": "https://bot.example/prompts",
        "account": "account-1",
        "people": [
            { "name": "Ada", "reach": { "user": "user-ada" } },
            { "name": "Grace", "reach": { "phone": "+4930123456" } },
            { "name": "Heidi", "reach": { "user": "user-heidi" } },
        ],
    });
    serde_json::from_value(settings).unwrap_or_else(|error| panic!("{error}"))
}

fn both() -> (Chat<Round>, Phone<Reading>) {
    (
        Chat::with(notifier::bot(settings())),
        Phone::with(notifier::call_bot(settings())),
    )
}

/// The call has ended: its word goes to the chat.
fn tell(chat: &mut Chat<Round>, phone: &Phone<Reading>) {
    let reports = phone.signals::<Report>();
    assert_eq!(reports.len(), 1, "every call tells once what became of it");
    chat.hears(reports[0]);
}

#[test]
fn everybody_is_called_one_after_the_other_and_the_chat_hears_who_acknowledged() {
    let (mut chat, mut phone) = both();
    chat.crashes(Crash::BeforeCommit).says("call");
    assert_eq!(chat.screen(), ["Calling Ada."]);
    phone.starts_as(chat.effects()).answers().listens().keys("1").listens();
    assert_eq!(phone.heard(), ["message.wav", "thanks.wav"]);
    tell(&mut chat, &phone);
    phone.starts_as(chat.effects()).does_not_answer();
    tell(&mut chat, &phone);
    phone
        .starts_as(chat.effects())
        .answers()
        .listens()
        .after(Duration::from_secs(10))
        .listens();
    phone.after(Duration::from_secs(10));
    assert_eq!(
        phone.heard(),
        ["message.wav", "message.wav"],
        "read twice, then given up"
    );
    tell(&mut chat, &phone);
    assert_eq!(
        chat.last(),
        "[Who heard the message | Ada: acknowledged | Grace: not reached | Heidi: reached, not acknowledged]"
    );
    assert_eq!(chat.state().call, None);
}

#[test]
fn a_call_of_which_nothing_is_heard_does_not_keep_the_others_waiting() {
    let (mut chat, mut phone) = both();
    chat.says("call");
    phone.starts_as(chat.effects()).is_in_doubt();
    chat.after(Duration::from_secs(10 * 60));
    assert_eq!(chat.last(), "Calling Grace.");
    assert_eq!(chat.state().outcomes, [Outcome::Unknown]);
    phone.ends(trunkline_bot::logic::EndedBy::Unknown, 0, 0);
    assert_eq!(phone.signals::<Report>()[0].outcome, Outcome::Unknown);
    tell(&mut chat, &phone);
    assert_eq!(
        chat.last(),
        "Calling Grace.",
        "a late word of the first call changes nothing"
    );
}

#[test]
fn stop_ends_the_call_that_goes_on_and_calls_nobody_else() {
    let (mut chat, mut phone) = both();
    chat.says("call");
    phone.starts_as(chat.effects()).answers();
    chat.says("call");
    assert_eq!(chat.last(), "I am at it already. Say **stop** to end it.");
    chat.says("stop");
    assert!(chat.transcript().contains("bot signals cancel-call"));
    phone.hears(Cancel);
    tell(&mut chat, &phone);
    assert_eq!(chat.last(), "[Who heard the message]");
    assert_eq!(chat.state().outcomes, []);
}

#[test]
fn a_list_that_cannot_be_called_is_told_before_anybody_is() {
    let without_account = Settings {
        account: None,
        ..settings()
    };
    let mut chat = Chat::with(notifier::bot(without_account));
    chat.says("call");
    assert!(chat.last().contains("no account"), "{}", chat.last());
    let mut chat = Chat::with(notifier::bot(Settings::default()));
    chat.says("hello").says("call");
    assert_eq!(chat.last(), "There is nobody on the list.");
}

#[test]
fn the_states_of_the_first_release_can_be_read() {
    let round = test::reads::<Round>("state/notifier-round-v1.json");
    assert_eq!(round.outcomes, [Outcome::Acknowledged, Outcome::NotReached]);
    let reading = test::reads::<Reading>("state/notifier-call-v1.json");
    assert_eq!(reading.asked.map(|read| read.place), Some(2));
}
