//! What a bot may rely on, shown with the kit.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use trunkline_bot::prelude::*;
use trunkline_bot::test::{Chat, Crash};
use trunkline_bot::{BotError, Error};

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Notes {
    heard: u32,
    lines: Vec<String>,
    last: Option<SentRef>,
}

impl State for Notes {}

async fn note(turn: &mut Turn, notes: &mut Notes, message: Message) -> Result {
    notes.heard += 1;
    notes.lines.push(message.text().to_owned());
    turn.reply(plain(message.text()));
    Ok(())
}

fn bot() -> Bot<Notes> {
    Bot::new("notes")
}

#[test]
fn state_and_messages_are_committed_together() {
    let mut chat = Chat::with(bot().on(message(), note));
    chat.says("one").says("two");
    assert_eq!(chat.screen(), ["one", "two"]);
    assert_eq!(chat.state().lines, ["one", "two"]);
}

#[test]
fn in_a_group_the_mention_of_the_bot_is_not_part_of_the_text() {
    let mut chat = Chat::with(bot().on(message(), note)).group(["Ada", "Grace"]);
    chat.by("Grace").says("status");
    assert_eq!(chat.last(), "status");
}

#[test]
fn the_first_route_that_fits_runs_and_only_that_one() {
    async fn booked(turn: &mut Turn, _: &mut Notes, message: Message) -> Result {
        turn.reply(format!("booking {}", message.text()));
        Ok(())
    }
    let mut chat = Chat::with(bot().on(command("book"), booked).on(message(), note));
    chat.says("Book a room").says("/book it").says("bookshop");
    assert_eq!(chat.screen(), ["booking a room", "booking it", "bookshop"]);
}

#[test]
fn a_pattern_gives_its_groups_and_leaves_what_does_not_fit_to_the_routes_below() {
    #[derive(Deserialize)]
    struct Order {
        number: u8,
    }
    async fn order(turn: &mut Turn, _: &mut Notes, order: Matched<Order>) -> Result {
        turn.reply(format!("order {}", order.found.number));
        Ok(())
    }
    let pattern = pattern::<Order>(trunkline_bot::Regex::new(r"^order (?<number>\d+)$").unwrap());
    let mut chat = Chat::with(bot().on(pattern, order).on(message(), note));
    chat.says("order 7").says("order 999");
    assert_eq!(chat.screen(), ["order 7", "order 999"]);
    assert_eq!(chat.state().heard, 1, "999 is no u8, so the route below took it");
}

#[test]
fn a_condition_sends_the_rest_to_the_routes_below() {
    async fn long(turn: &mut Turn, _: &mut Notes, _: Message) -> Result {
        turn.reply("long");
        Ok(())
    }
    let is_long = message().when(|message| message.text().len() > 5);
    let mut chat = Chat::with(bot().on(is_long, long).on(message(), note));
    chat.says("a long one").says("short");
    assert_eq!(chat.screen(), ["long", "short"]);
}

#[test]
fn an_error_leaves_no_trace_and_is_given_up_after_three_attempts() {
    async fn fails(turn: &mut Turn, notes: &mut Notes, _: Message) -> Result {
        notes.heard += 1;
        turn.reply("never seen");
        Err(Error::fault("the shop is down"))
    }
    let mut chat = Chat::with(bot().on(message(), fails)).locale("de-DE");
    chat.says("hi");
    assert_eq!(chat.screen(), ["Das hat leider nicht funktioniert. Referenz: TL-TEST"]);
    assert_eq!(chat.failure(), Some("the shop is down"));
    assert_eq!(chat.state(), Notes::default());
}

#[test]
fn what_was_given_up_comes_to_on_failed() {
    async fn fails(_: &mut Turn, _: &mut Notes, _: Message) -> Result {
        Err(Error::fault("down"))
    }
    async fn failed(turn: &mut Turn, notes: &mut Notes, failure: trunkline_bot::logic::Failure) -> Result {
        notes.heard += 1;
        turn.reply(format!("gave up after {}", failure.attempts));
        Ok(())
    }
    let mut chat = Chat::with(bot().on(message(), fails).on_failed(failed));
    chat.says("hi");
    assert_eq!(chat.last(), "gave up after 3");
    assert_eq!(chat.state().heard, 1);
}

#[test]
fn telling_leaves_the_state_and_throws_away_what_was_asked_for_before() {
    async fn tells(turn: &mut Turn, notes: &mut Notes, _: Message) -> Result {
        notes.heard += 1;
        turn.reply("never seen");
        None::<()>.or_tell("no such order")
    }
    let mut chat = Chat::with(bot().on(message(), tells));
    chat.says("hi");
    assert_eq!(chat.screen(), ["no such order"]);
    assert_eq!(chat.state().heard, 0);
    assert_eq!(chat.failure(), None);
}

static PAID: AtomicU32 = AtomicU32::new(0);

#[test]
fn a_kept_step_is_not_run_again_after_a_crash() {
    async fn pays(turn: &mut Turn, _: &mut Notes, _: Message) -> Result {
        let number = turn
            .once("pay", async |_| Ok(PAID.fetch_add(1, Ordering::SeqCst) + 1))
            .await?;
        turn.reply(format!("paid {number}"));
        Ok(())
    }
    let mut chat = Chat::with(bot().on(message(), pays));
    chat.crashes(Crash::BeforeCommit).says("pay");
    assert_eq!(chat.screen(), ["paid 1"]);
    assert_eq!(PAID.load(Ordering::SeqCst), 1);
}

#[test]
fn a_repeat_after_the_commit_runs_nothing_and_an_invoke_gets_the_same_answer() {
    let mut chat = Chat::with(bot().on(message(), note).on(any(), async |_, notes, _| {
        notes.heard += 1;
        Ok(json!({ "count": notes.heard }))
    }));
    chat.crashes(Crash::AfterCommit).says("hi");
    assert_eq!(chat.state().heard, 1);
    chat.gets(json!({ "type": "invoke", "name": "task/fetch" }));
    let first = chat.answer();
    chat.repeats();
    assert_eq!(chat.answer(), first);
    assert_eq!(chat.state().heard, 2);
}

#[test]
#[should_panic(expected = "ran twice and the state differs")]
fn a_random_number_outside_a_step_fails_the_test() {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    async fn random(_: &mut Turn, notes: &mut Notes, _: Message) -> Result {
        notes.heard = NUMBER.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    Chat::with(bot().on(message(), random)).says("hi");
}

#[test]
#[should_panic(expected = "ran twice and the state differs")]
fn state_changed_inside_a_step_fails_the_test() {
    async fn inside(turn: &mut Turn, notes: &mut Notes, _: Message) -> Result {
        turn.once("step", async |_| {
            notes.heard += 1;
            Ok(())
        })
        .await
    }
    Chat::with(bot().on(message(), inside)).says("hi");
}

#[test]
fn two_steps_of_one_name_are_an_error_that_says_so() {
    async fn twice(turn: &mut Turn, _: &mut Notes, _: Message) -> Result {
        turn.once("pay", async |_| Ok(1)).await?;
        turn.once("pay", async |_| Ok(2)).await?;
        Ok(())
    }
    let mut chat = Chat::with(bot().on(message(), twice));
    chat.says("hi");
    assert!(
        chat.failure()
            .unwrap()
            .contains("two steps of one turn are named \"pay\"")
    );
}

#[test]
fn a_turn_has_at_most_32_steps() {
    async fn many(turn: &mut Turn, _: &mut Notes, _: Message) -> Result {
        for number in 0..33 {
            turn.once(&format!("step {number}"), async |_| Ok(())).await?;
        }
        Ok(())
    }
    let mut chat = Chat::with(bot().on(message(), many));
    chat.says("hi");
    assert!(chat.failure().unwrap().contains("at most 32 steps"));
}

#[derive(Serialize, Deserialize)]
struct Remind {
    what: String,
}

impl Signal for Remind {
    const NAME: &'static str = "remind";
    fn key(&self) -> String {
        self.what.clone()
    }
}

async fn reminded(turn: &mut Turn, _: &mut Notes, remind: Remind) -> Result {
    turn.reply(format!("remember {}", remind.what));
    Ok(())
}

#[test]
fn a_timer_is_replaced_by_one_of_the_same_name_and_key() {
    async fn remind(turn: &mut Turn, _: &mut Notes, message: Message) -> Result {
        turn.call_me_in(
            Duration::from_secs(60),
            Remind {
                what: message.text().to_owned(),
            },
        )
    }
    let mut chat = Chat::with(bot().on(message(), remind).on(signal::<Remind>(), reminded));
    chat.says("milk")
        .after(Duration::from_secs(50))
        .says("milk")
        .says("bread");
    chat.after(Duration::from_secs(20));
    assert_eq!(chat.screen(), Vec::<String>::new(), "the second milk put the first off");
    chat.after(Duration::from_secs(60));
    assert_eq!(chat.screen(), ["remember milk", "remember bread"]);
}

#[test]
fn a_recurring_timer_goes_off_until_it_is_forgotten() {
    async fn remind(turn: &mut Turn, _: &mut Notes, message: Message) -> Result {
        if message.text() == "stop" {
            turn.forget::<Remind>();
            return Ok(());
        }
        turn.call_me_every(Duration::from_secs(10), Remind { what: "it".to_owned() })
    }
    let mut chat = Chat::with(bot().on(message(), remind).on(signal::<Remind>(), reminded));
    chat.says("go").after(Duration::from_secs(35));
    assert_eq!(chat.screen().len(), 3);
    chat.says("stop").after(Duration::from_secs(100));
    assert_eq!(chat.screen().len(), 3);
}

#[test]
fn a_sent_message_can_be_updated_and_deleted_by_a_later_turn() {
    async fn change(turn: &mut Turn, notes: &mut Notes, message: Message) -> Result {
        match (message.text(), notes.last) {
            ("update", Some(last)) => turn.update(last, "second"),
            ("delete", Some(last)) => turn.delete(last),
            _ => notes.last = Some(turn.reply("first")),
        }
        Ok(())
    }
    let mut chat = Chat::with(bot().on(message(), change));
    chat.says("new").says("update");
    assert_eq!(chat.screen(), ["second"]);
    chat.says("delete");
    assert_eq!(chat.screen(), Vec::<String>::new());
}

#[test]
fn the_id_of_a_send_comes_in_a_turn_of_its_own() {
    async fn asks(turn: &mut Turn, notes: &mut Notes, _: Message) -> Result {
        let sent = turn.reply("hello");
        turn.on_sent(&sent);
        notes.last = Some(sent);
        Ok(())
    }
    async fn told(_: &mut Turn, notes: &mut Notes, sent: Sent) -> Result {
        assert_eq!(Some(sent.sent), notes.last);
        notes.lines.push(sent.id.to_string());
        Ok(())
    }
    let mut chat = Chat::with(bot().on(message(), asks).on(sent(), told));
    chat.says("hi");
    assert_eq!(chat.state().lines.len(), 1);
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Visits {
    count: u32,
}

impl State for Visits {}

impl UserState for Visits {
    const NAME: &'static str = "visits";
    type Change = u32;
    fn apply(&mut self, more: u32) {
        self.count += more;
    }
}

#[test]
fn what_is_remembered_of_a_person_changes_by_typed_changes() {
    async fn visit(turn: &mut Turn, _: &mut Notes, _: Message) -> Result {
        turn.change_user::<Visits>(1)?;
        let visits = turn.user::<Visits>().await?;
        turn.reply(format!("visit {}", visits.count));
        Ok(())
    }
    let mut chat = Chat::with(bot().users::<Visits>().on(message(), visit)).group(["Ada", "Grace"]);
    chat.says("hi").says("hi").by("Grace").says("hi");
    assert_eq!(chat.screen(), ["visit 1", "visit 2", "visit 1"]);
}

#[derive(Serialize, Deserialize)]
struct Vote {
    choice: String,
}

impl Verb for Vote {
    const VERB: &'static str = "vote";
}

async fn ask(turn: &mut Turn, _: &mut Notes, _: Message) -> Result {
    let vote = Vote {
        choice: "tea".to_owned(),
    };
    turn.reply(Card::new("Tea or coffee?").button("Tea", vote));
    Ok(())
}

async fn voted(_: &mut Turn, notes: &mut Notes, pressed: Pressed<Vote>) -> Result<CardReply> {
    notes.lines.push(pressed.action.choice);
    if notes.lines.len() > 1 {
        return Err(tell("You have voted."));
    }
    Ok(Card::new("Thank you").into())
}

#[test]
fn a_button_is_answered_in_the_response() {
    let mut chat = Chat::with(bot().on(verb::<Vote>(), voted).on(message(), ask));
    chat.says("poll").presses(Vote {
        choice: "tea".to_owned(),
    });
    let answer = chat.answer().unwrap();
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(answer["type"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(answer["value"]["body"][0]["text"], "Thank you");
    assert_eq!(chat.state().lines, ["tea"]);
}

#[test]
fn telling_answers_a_button_as_a_toast() {
    let mut chat = Chat::with(bot().on(verb::<Vote>(), voted).on(message(), ask));
    let tea = || Vote {
        choice: "tea".to_owned(),
    };
    chat.says("poll").presses(tea()).presses(tea());
    let answer = chat.answer().unwrap();
    assert_eq!(
        (&answer["type"], &answer["value"]),
        (
            &json!("application/vnd.microsoft.activity.message"),
            &json!("You have voted.")
        )
    );
    assert_eq!(chat.state().lines.len(), 1, "telling keeps the old state");
}

#[test]
fn a_button_whose_turn_fails_gets_the_error_answer_of_cards() {
    async fn fails(_: &mut Turn, _: &mut Notes, _: Pressed<Vote>) -> Result<CardReply> {
        Err(Error::fault("down"))
    }
    let mut chat = Chat::with(bot().on(verb::<Vote>(), fails).on(message(), ask));
    chat.says("poll").presses(Vote {
        choice: "tea".to_owned(),
    });
    assert_eq!(chat.answer_status(), Some(200), "the inner status tells it");
    let answer = chat.answer().unwrap();
    assert_eq!(
        (answer["statusCode"].as_u64(), answer["type"].as_str()),
        (Some(500), Some("application/vnd.microsoft.error"))
    );
    assert_eq!(chat.failure(), Some("down"));
}

#[test]
fn an_invoke_that_nobody_handles_gets_501() {
    let mut chat = Chat::with(bot().on(message(), note));
    chat.gets(json!({ "type": "invoke", "name": "task/fetch", "value": {} }));
    assert_eq!(chat.answer_status(), Some(501));
}

#[test]
#[should_panic(expected = "no route listens to the button")]
fn a_button_without_a_route_fails_the_test() {
    Chat::with(bot().on(message(), ask)).says("poll");
}

#[test]
fn a_submit_brings_its_members_and_the_inputs() {
    #[derive(Deserialize)]
    struct Comment {
        comment: String,
    }
    async fn form(turn: &mut Turn, _: &mut Notes, _: Message) -> Result {
        let vote = Vote {
            choice: "tea".to_owned(),
        };
        turn.reply(Card::new("Why?").input(CardInput::text("comment")).submit("Send", vote));
        Ok(())
    }
    async fn sent(turn: &mut Turn, _: &mut Notes, sent: Submitted<Vote>) -> Result {
        let why: Comment = sent.inputs()?;
        turn.reply(format!("{} because {}", sent.action.choice, why.comment));
        Ok(())
    }
    let mut chat = Chat::with(bot().on(submit::<Vote>(), sent).on(message(), form));
    chat.says("form").submits(
        Vote {
            choice: "tea".to_owned(),
        },
        json!({ "comment": "it is warm" }),
    );
    assert_eq!(chat.last(), "tea because it is warm");
}

#[test]
fn text_and_card_in_one_draft_become_two_messages_and_update_means_the_card() {
    async fn both(turn: &mut Turn, notes: &mut Notes, message: Message) -> Result {
        match notes.last {
            Some(last) if message.text() == "update" => turn.update(last, Card::new("new card")),
            _ => notes.last = Some(turn.reply(Draft::from("text").card(Card::new("card")))),
        }
        Ok(())
    }
    let mut chat = Chat::with(bot().on(message(), both));
    chat.says("go").says("update");
    assert_eq!(chat.screen(), ["text", "[new card]"]);
}

#[test]
fn a_message_over_the_limit_fails_the_turn_at_its_end() {
    async fn large(turn: &mut Turn, _: &mut Notes, _: Message) -> Result {
        turn.reply("x".repeat(60_000));
        Ok(())
    }
    let mut chat = Chat::with(bot().on(message(), large));
    chat.says("hi");
    assert!(
        chat.failure().unwrap().contains("bytes as UTF-16"),
        "{:?}",
        chat.failure()
    );
}

#[test]
fn a_stream_ends_with_the_returned_draft_and_stop_ends_the_turn_quietly() {
    async fn streams(turn: &mut Turn, notes: &mut Notes, _: Message) -> Result {
        notes.heard += 1;
        turn.stream("answer", async |out, _| {
            out.note("Thinking")?;
            for word in ["a", "b", "c"] {
                out.push(word)?;
            }
            Ok(out.written().ai_generated())
        })
        .await?;
        Ok(())
    }
    let mut chat = Chat::with(bot().on(message(), streams));
    chat.says("go");
    assert_eq!(chat.last(), "abc");
    chat.presses_stop_after(1).says("go");
    assert_eq!(chat.screen(), ["abc"]);
    assert_eq!(chat.state().heard, 1);
    assert!(chat.transcript().ends_with("(stopped)\n"));
}

#[test]
fn a_bot_that_cannot_reach_a_route_is_refused_with_both_names() {
    let error = bot().on(message(), note).on(command("book"), note).check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "bot notes: route command(\"book\") can never be reached, message() above it takes everything that it listens to"
    );
    let twice = bot().on(text("hi"), note).on(text("Hi "), note).check().unwrap_err();
    assert!(matches!(twice, BotError::Duplicate { .. }), "{twice}");
    let conditional = message().when(|message| message.text().is_empty());
    assert_eq!(bot().on(conditional, note).on(message(), note).check(), Ok(()));
}

#[test]
fn the_app_can_be_used_inside_a_step() {
    struct App {
        greeting: String,
    }
    async fn greet(turn: &mut Turn<App>, _: &mut Notes, _: Message) -> Result {
        let greeting = turn.once("greet", async |_| Ok(turn.app.greeting.clone())).await?;
        turn.reply(greeting);
        Ok(())
    }
    let app = App {
        greeting: "hello".to_owned(),
    };
    let mut chat = Chat::with(Bot::with("greeter", app).on(message(), greet));
    chat.says("hi");
    assert_eq!(chat.last(), "hello");
}

#[test]
fn telling_answers_other_invokes_in_their_own_form() {
    async fn tells(_: &mut Turn, _: &mut Notes, _: trunkline_teams::activity::Activity) -> Result<serde_json::Value> {
        Err(tell("not today"))
    }
    let mut chat = Chat::with(bot().on(any(), tells));
    chat.gets(json!({ "type": "invoke", "name": "task/fetch" }));
    assert_eq!(chat.answer().unwrap()["task"]["value"], "not today");
    chat.gets(json!({ "type": "invoke", "name": "composeExtension/query" }));
    assert_eq!(chat.answer().unwrap()["composeExtension"]["text"], "not today");
    chat.gets(json!({ "type": "invoke", "name": "something/new" }));
    assert_eq!(chat.answer_status(), Some(400));
}

#[test]
fn messages_and_signals_go_elsewhere_by_addresses() {
    async fn forwards(turn: &mut Turn, _: &mut Notes, message: Message) -> Result {
        let ada = turn.here().person(&message.person());
        turn.send(&ada, plain(message.text()));
        turn.signal(&turn.here(), Remind { what: "it".to_owned() })
    }
    let mut chat = Chat::with(bot().on(message(), forwards).on(signal::<Remind>(), reminded)).group(["Ada"]);
    chat.says("for you");
    assert_eq!(chat.screen(), ["remember it"]);
    assert!(chat.transcript().contains("bot, elsewhere: for you"));
    assert!(
        matches!(&chat.effects()[0], trunkline_bot::logic::Effect::Send { to: Address::Person { person, .. }, .. } if person == "29:ada")
    );
}

#[test]
fn work_that_blocks_runs_elsewhere_and_gives_its_result_back() {
    async fn blocks(turn: &mut Turn, _: &mut Notes, message: Message) -> Result {
        let text = message.text().to_owned();
        let length = turn.blocking(move || text.len()).await?;
        turn.reply(format!("{length} bytes"));
        Ok(())
    }
    let mut chat = Chat::with(bot().on(message(), blocks));
    chat.says("four");
    assert_eq!(chat.last(), "4 bytes");
}

#[test]
fn a_part_brings_its_routes_and_is_no_bot_by_itself() {
    let part = || Bot::<Notes>::part("greetings").on(text("hi"), note);
    assert!(matches!(part().build().map(drop), Err(BotError::NoApp { .. })));
    let mut chat = Chat::with(bot().include(part()));
    chat.says("hi");
    assert_eq!(chat.last(), "hi");
}

#[test]
#[should_panic(expected = "state of version 2 was stored, this code knows up to 1")]
fn older_code_does_not_misread_the_state_of_newer_code() {
    #[derive(Default, Serialize, Deserialize)]
    struct Newer {
        heard: u32,
    }
    impl State for Newer {
        const VERSION: u32 = 2;
    }
    async fn hears(_: &mut Turn, newer: &mut Newer, _: Message) -> Result {
        newer.heard += 1;
        Ok(())
    }
    let mut chat = Chat::with(Bot::new("newer").on(message(), hears));
    chat.says("hi");
    chat.newer(bot().on(message(), note)).says("hi");
}

#[test]
fn a_signal_that_cannot_be_read_is_given_up_at_once() {
    #[derive(Serialize, Deserialize)]
    struct Older(u32);
    impl Signal for Older {
        const NAME: &'static str = Remind::NAME;
    }
    let mut chat = Chat::with(bot().on(signal::<Remind>(), reminded));
    chat.hears(Older(7));
    assert!(chat.failure().unwrap().starts_with("the signal remind cannot be read"));
    assert_eq!(chat.screen(), ["Sorry, that did not work. Reference: TL-TEST"]);
}

#[test]
fn a_bot_describes_what_the_host_must_know_before_a_turn() {
    let route = message()
        .once_per(Duration::from_secs(30))
        .within(Duration::from_secs(3));
    let logic = bot()
        .users::<Visits>()
        .stop_words([" Stop "])
        .on(route, note)
        .build()
        .unwrap();
    let described = logic.describe();
    assert_eq!((described.name.as_str(), described.state_version), ("notes", 1));
    assert_eq!(described.users, ["visits"]);
    assert_eq!(described.stop_words, ["stop"]);
    assert_eq!(described.routes[0].once_per, Some(Duration::from_secs(30)));
    assert_eq!(described.routes[0].within, Some(Duration::from_secs(3)));
}

#[test]
fn a_turn_over_the_state_limit_fails_and_keeps_the_old_state() {
    async fn hoards(_: &mut Turn, notes: &mut Notes, _: Message) -> Result {
        notes.lines.push("x".repeat(300_000));
        Ok(())
    }
    let mut chat = Chat::with(bot().on(message(), hoards));
    chat.says("hi");
    assert!(chat.failure().unwrap().contains("at most 262144 can be kept"));
    assert_eq!(chat.state(), Notes::default());
}
