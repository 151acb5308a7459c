//! What a calling bot may rely on, shown with the kit.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use trunkline_bot::calls::RecordingStatus;
use trunkline_bot::event::{Invited, Lobby, Muted, OperationEnded, StatusUpdated, participant_name};
use trunkline_bot::logic::EndedBy;
use trunkline_bot::prelude::*;
use trunkline_bot::test::{Crash, Phone};
use trunkline_bot::{Error, Tones};
use trunkline_teams::calls::is_own_key;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Notes {
    lines: Vec<String>,
    prompt: Option<Op<Voice>>,
    recording: Option<Op<Recording>>,
}

impl State for Notes {}

async fn take(_: &mut Ringing, notes: &mut Notes, invitation: Invitation) -> Result<Decision> {
    notes.lines.push(invitation.caller_name().to_owned());
    Ok(Decision::answer())
}

async fn greet(call: &mut Call, notes: &mut Notes, _: Connected) -> Result<Then> {
    notes.prompt = Some(call.play(at("hello")));
    Ok(Then::Stay)
}

async fn over(_: &mut Turn, notes: &mut Notes, ended: Ended) -> Result {
    notes.lines.push(format!("ended by {:?}", ended.by));
    Ok(())
}

async fn note_prompt(_: &mut Call, notes: &mut Notes, ended: PromptEnded) -> Result<Then> {
    let is_mine = notes.prompt.as_ref() == Some(&ended.prompt);
    notes.lines.push(format!("{is_mine} {:?}", ended.done));
    Ok(Then::Stay)
}

fn bot() -> CallBot<Notes> {
    CallBot::answering("notes", (), take).ended(over)
}

fn at(name: &str) -> Prompt {
    Prompt::at(format!("https://bot.example/{name}.wav"))
}

fn lines<S: State>(phone: &Phone<S>, of: impl Fn(S) -> Vec<String>) -> Vec<String> {
    of(phone.state())
}

fn notes(phone: &Phone<Notes>) -> Vec<String> {
    lines(phone, |notes| notes.lines)
}

#[test]
fn a_call_is_met_led_and_ended() {
    let mut phone = Phone::with(
        bot()
            .on(calls::connected(), greet)
            .on(calls::prompt_ended(), note_prompt),
    );
    phone.rings_from("Grace").listens();
    assert_eq!(phone.heard(), ["hello.wav"]);
    phone.hangs_up();
    assert_eq!(notes(&phone), ["Grace", "true Ok(())", "ended by Person"]);
    assert_eq!(
        phone.transcript(),
        "Grace calls\nbot answers\nbot plays hello.wav\n(heard: hello.wav)\n(hangs up)\n"
    );
    phone.rings();
    assert_eq!(
        notes(&phone),
        ["Ada"],
        "the next call remembers nothing of the one before"
    );
}

#[test]
fn prompts_take_their_time_one_after_the_other() {
    async fn greet_at_length(call: &mut Call, notes: &mut Notes, _: Connected) -> Result<Then> {
        call.play([at("hello"), at("menu")]);
        notes.prompt = Some(call.play(at("music")));
        Ok(Then::Stay)
    }
    let mut phone = Phone::with(
        bot()
            .on(calls::connected(), greet_at_length)
            .on(calls::prompt_ended(), note_prompt),
    );
    phone.rings().after(Duration::from_secs(5));
    assert!(phone.heard().is_empty());
    phone.after(Duration::from_secs(1));
    assert_eq!(phone.heard(), ["hello.wav", "menu.wav"]);
    phone.after(Duration::from_secs(3));
    assert_eq!(phone.heard().len(), 3);
    assert_eq!(notes(&phone)[1..], ["false Ok(())", "true Ok(())"]);
}

#[test]
fn what_is_stopped_ends_as_cancelled() {
    async fn stop(call: &mut Call, _: &mut Notes, _: Tone) -> Result<Then> {
        call.stop_media();
        Ok(Then::Stay)
    }
    let with = bot()
        .on(calls::connected(), greet)
        .on(calls::prompt_ended(), note_prompt);
    let mut phone = Phone::with(with.on(calls::tone(), stop));
    phone.rings().keys("1").listens();
    assert!(phone.heard().is_empty());
    assert_eq!(notes(&phone)[1..], ["true Err(Cancelled)"]);
}

async fn record(call: &mut Call, notes: &mut Notes, _: Connected) -> Result<Then> {
    notes.recording = Some(call.record(Record::at_most(Duration::from_secs(60)).stop_keys("#")));
    Ok(Then::Stay)
}

async fn keep(call: &mut Call, notes: &mut Notes, recorded: Recorded) -> Result<Then> {
    assert_eq!(Some(&recorded.recording), notes.recording.as_ref());
    let clip = recorded.clip.map(|clip| clip.location().to_owned());
    notes.lines.push(format!("{clip:?} {:?}", recorded.end));
    Ok(Then::HangUpAfter(call.play(at("bye"))))
}

/// How a recording went, with what the other side does.
fn recorded(does: impl FnOnce(&mut Phone<Notes>)) -> String {
    async fn key(_: &mut Call, _: &mut Notes, _: Tone) -> Result<Then> {
        Ok(Then::Stay)
    }
    let bot = bot().on(calls::connected(), record).on(calls::recorded(), keep);
    let mut phone = Phone::with(bot.on(calls::tone(), key));
    phone.rings();
    does(&mut phone);
    phone.listens();
    assert_eq!(phone.end().unwrap().by, EndedBy::Bot);
    notes(&phone)[1].clone()
}

#[test]
fn a_recording_ends_by_silence_by_a_key_or_with_nothing() {
    let spoken = recorded(|phone| {
        phone.speaks(Some("clip7"));
    });
    assert_eq!(spoken, r#"Some("clip7") Silence"#);
    let stopped = recorded(|phone| {
        phone.keys("5#");
    });
    assert_eq!(stopped, r#"Some("stopped") StopKey"#);
    let silent = recorded(|phone| {
        phone.speaks(None);
    });
    assert_eq!(silent, "None NothingSaid");
    let waited = recorded(|phone| {
        phone.after(Duration::from_secs(5));
    });
    assert_eq!(waited, "None NothingSaid");
}

#[test]
fn keys_are_gathered_into_one_event() {
    async fn ask(call: &mut Call, _: &mut Notes, _: Connected) -> Result<Then> {
        call.gather(Digits::up_to(4).after(at("number")));
        Ok(Then::Stay)
    }
    async fn number(call: &mut Call, notes: &mut Notes, gathered: Gathered) -> Result<Then> {
        notes.lines.push(format!("{:?} {}", gathered.end, gathered.keys));
        call.gather(Digits::up_to(1).first_within(Duration::from_secs(7)));
        Ok(Then::Stay)
    }
    let mut phone = Phone::with(bot().on(calls::connected(), ask).on(calls::gathered(), number));
    phone.rings().keys("4").listens();
    assert!(phone.stored().contains(r#""keys":"4""#), "{}", phone.stored());
    phone.keys("711");
    assert!(phone.heard().is_empty(), "the first key cut the prompt off");
    assert!(!phone.stored().contains(r#""keys":"4"#), "{}", phone.stored());
    phone.after(Duration::from_secs(6));
    assert_eq!(notes(&phone).len(), 2);
    phone.after(Duration::from_secs(1)).keys("9");
    assert_eq!(notes(&phone)[1..], ["Complete 4711", "TimedOut ", "Complete 9"]);
    phone.hangs_up();
    assert!(!phone.stored().contains("gather"), "{}", phone.stored());
}

#[derive(Serialize, Deserialize)]
struct Hello {
    to: String,
}

impl Signal for Hello {
    const NAME: &'static str = "hello";
}

fn caller() -> CallBot<Notes> {
    async fn hello(_: &mut Call, notes: &mut Notes, hello: Hello) -> Result<Then> {
        notes.lines.push(hello.to);
        Ok(Then::Stay)
    }
    async fn doubt(_: &mut Call, notes: &mut Notes, _: InDoubt) -> Result<Then> {
        notes.lines.push("in doubt".to_owned());
        Ok(Then::Stay)
    }
    CallBot::calling("caller", ())
        .on(calls::signal::<Hello>(), hello)
        .on(calls::connected(), greet)
        .on(calls::in_doubt(), doubt)
        .ended(over)
}

#[test]
fn a_call_that_the_bot_begins_is_answered_declined_unanswered_or_in_doubt() {
    let mut phone = Phone::with(caller());
    let hello = || Hello { to: "Ada".to_owned() };
    phone.starts(hello()).answers().listens().hangs_up();
    assert_eq!(phone.heard(), ["hello.wav"]);
    phone.starts(hello()).declines();
    assert_eq!(notes(&phone), ["Ada", "ended by Person"]);
    phone.starts(hello()).does_not_answer();
    assert_eq!(notes(&phone), ["Ada", "ended by Service"]);
    phone.starts(hello()).is_in_doubt().ends(EndedBy::Unknown, 0, 0);
    assert_eq!(notes(&phone), ["Ada", "in doubt", "ended by Unknown"]);
    phone.rings();
    assert!(
        phone.transcript().ends_with("bot rejects the call: forbidden\n"),
        "{}",
        phone.transcript()
    );
}

#[test]
fn a_chat_begins_a_call_once_and_the_call_tells_the_chat() {
    #[derive(Default, Serialize, Deserialize)]
    struct Desk {
        call: Option<CallKey>,
    }
    impl State for Desk {}
    async fn ring(turn: &mut Turn, desk: &mut Desk, message: Message) -> Result {
        let hello = Hello {
            to: message.text().to_owned(),
        };
        desk.call = Some(turn.start_call(Outgoing::to_user("user-ada"), hello)?);
        Ok(())
    }
    let mut chat = trunkline_bot::test::Chat::with(Bot::<Desk>::new("desk").on(message(), ring));
    chat.crashes(Crash::BeforeCommit).says("Ada");
    assert!(
        chat.transcript().ends_with("bot calls user-ada\n"),
        "{}",
        chat.transcript()
    );
    let mut phone = Phone::with(caller());
    phone.starts_as(chat.effects()).answers();
    let Address::Call { call, .. } = phone.address() else {
        panic!("no call")
    };
    assert_eq!(call, chat.state().call.unwrap().as_str());
    assert!(is_own_key(&call), "the ingress would not know it: {call}");
    assert_eq!(notes(&phone), ["Ada"]);
}

#[test]
fn a_handler_that_is_late_or_fails_leaves_the_decision_to_the_bots_default() {
    async fn broken(_: &mut Ringing, _: &mut Notes, _: Invitation) -> Result<Decision> {
        Err(Error::fault("no"))
    }
    let broken = || CallBot::<Notes>::answering("broken", (), broken);
    let mut phone = Phone::with(broken());
    phone.rings();
    assert!(
        phone.transcript().ends_with("(failed)\nbot rejects the call: busy\n"),
        "{}",
        phone.transcript()
    );
    assert_eq!(phone.failure(), Some("no"));
    let mut phone = Phone::with(broken().if_late(Decision::redirect(Callee::user("desk"))));
    phone.rings_in_vain();
    assert!(
        phone.transcript().ends_with("bot redirects to desk\n"),
        "{}",
        phone.transcript()
    );
}

#[test]
fn a_recorder_is_asked_by_its_policy_and_hears_whether_its_word_was_taken() {
    async fn asked(_: &mut Ringing, notes: &mut Notes, invitation: RecordingInvitation) -> Result<Decision> {
        notes.lines.push(invitation.policy().unwrap_or_default().to_owned());
        Ok(Decision::answer())
    }
    async fn says(call: &mut Call, _: &mut Notes, _: Connected) -> Result<Then> {
        call.recording_status(RecordingStatus::Recording);
        Ok(Then::Stay)
    }
    async fn taken(_: &mut Call, notes: &mut Notes, updated: StatusUpdated) -> Result<Then> {
        notes.lines.push(format!("{}", updated.done.is_ok()));
        Ok(Then::Stay)
    }
    let bot = || {
        bot()
            .recording_asked(asked)
            .on(calls::connected(), says)
            .on(calls::status_updated(), taken)
    };
    let mut phone = Phone::with(bot());
    phone.asks_to_record("Ada", "trading desk");
    assert_eq!(notes(&phone), ["trading desk", "true"]);
    let mut phone = Phone::with(bot());
    phone.rings();
    assert_eq!(
        notes(&phone),
        ["Ada", "false"],
        "Graph takes it only in calls of a policy"
    );
}

#[test]
fn people_come_and_go_as_the_roster_says() {
    async fn joined(call: &mut Call, notes: &mut Notes, joined: Joined) -> Result<Then> {
        let names: Vec<&str> = joined.people.iter().map(participant_name).collect();
        notes
            .lines
            .push(format!("+{} of {}", names.join(","), call.present().len()));
        Ok(Then::Stay)
    }
    async fn left(call: &mut Call, notes: &mut Notes, left: Left) -> Result<Then> {
        notes.lines.push(format!("-{}", participant_name(&left.people[0])));
        Ok(if call.present().is_empty() {
            Then::HangUp
        } else {
            Then::Stay
        })
    }
    async fn muted(call: &mut Call, notes: &mut Notes, muted: Muted) -> Result<Then> {
        notes.lines.push(format!("muted {:?}", muted.people[0].is_muted));
        call.unmute();
        Ok(Then::Stay)
    }
    async fn lobby(_: &mut Call, notes: &mut Notes, lobby: Lobby) -> Result<Then> {
        notes.lines.push(format!("lobby {}", lobby.waits));
        Ok(Then::Stay)
    }
    let people = bot()
        .on(calls::joined(), joined)
        .on(calls::left(), left)
        .on(calls::muted(), muted);
    let mut phone = Phone::with(people.on(calls::lobby(), lobby));
    phone.rings().waits_in_lobby().is_let_in().joins("Ada").joins("Grace");
    phone.mutes("Grace").leaves("Ada").leaves("Grace");
    let expected = [
        "lobby true",
        "lobby false",
        "+Ada of 1",
        "+Grace of 2",
        "muted Some(true)",
        "-Ada",
        "-Grace",
    ];
    assert_eq!(notes(&phone)[1..8], expected);
    assert_eq!(phone.end().unwrap().by, EndedBy::Bot);
}

#[test]
fn every_operation_ends_with_an_event_of_its_own_or_the_common_one() {
    async fn key(call: &mut Call, notes: &mut Notes, Tone(key): Tone) -> Result<Then> {
        match key {
            '1' => drop(call.mute()),
            '2' => drop(call.invite([Callee::user("user-grace")])),
            '3' => drop(call.send_tones(Tones::keys("12#"))),
            '4' => drop(call.start_hold_music("participant-grace", Some(&at("music")))),
            '5' => drop(call.gallery()),
            '6' => return Ok(Then::Transfer(Callee::user("user-grace"))),
            _ => notes.lines.clear(),
        }
        Ok(Then::Stay)
    }
    async fn ended(_: &mut Call, notes: &mut Notes, ended: OperationEnded) -> Result<Then> {
        notes.lines.push(format!("{} {:?}", ended.operation, ended.done));
        Ok(Then::Stay)
    }
    async fn invited(_: &mut Call, notes: &mut Notes, invited: Invited) -> Result<Then> {
        notes.lines.push(format!("invited {}", invited.done.is_ok()));
        Ok(Then::Stay)
    }
    async fn failed(_: &mut Call, notes: &mut Notes, failed: TransferFailed) -> Result<Then> {
        notes
            .lines
            .push(format!("{}/{}", failed.result.code(), failed.result.subcode()));
        Ok(Then::Stay)
    }
    let bot = bot()
        .on(calls::tone(), key)
        .on(calls::invited(), invited)
        .on(calls::transfer_failed(), failed);
    let mut phone = Phone::with(bot.on(calls::operation_ended(), ended));
    phone
        .rings()
        .keys("061")
        .transfer_fails()
        .keys("2")
        .does_not_come()
        .keys("2")
        .comes("Grace");
    phone.refuses("addLargeGalleryView", 403, "7504").keys("1345");
    let refused = |status: u16, code: &str| {
        format!(r#"Err(Refused {{ status: {status}, code: "{code}", message: "refused by the test" }})"#)
    };
    assert_eq!(
        notes(&phone),
        [
            format!("mute {}", refused(400, "8548")),
            "500/7000".to_owned(),
            "invited false".to_owned(),
            "invited true".to_owned(),
            "mute Ok(())".to_owned(),
            "sendDtmfTones Ok(())".to_owned(),
            "startHoldMusic Ok(())".to_owned(),
            format!("addLargeGalleryView {}", refused(403, "7504")),
        ]
    );
}

#[test]
fn a_crash_does_not_run_a_step_again() {
    static FETCHED: AtomicU32 = AtomicU32::new(0);
    async fn fetch(call: &mut Call, notes: &mut Notes, _: Connected) -> Result<Then> {
        let number = call
            .once("fetch", async |_| Ok(FETCHED.fetch_add(1, Ordering::Relaxed)))
            .await?;
        notes.lines.push(number.to_string());
        Ok(Then::HangUpAfter(call.play(at("bye"))))
    }
    let mut phone = Phone::with(bot().on(calls::connected(), fetch));
    phone.crashes(Crash::BeforeCommit).rings();
    phone.crashes(Crash::AfterCommit).listens().repeats();
    assert_eq!(FETCHED.load(Ordering::Relaxed), 1);
    assert_eq!(phone.heard(), ["bye.wav"]);
}

#[test]
#[should_panic(expected = "ran twice and the state differs")]
fn a_look_at_the_clock_is_noticed() {
    async fn clock(_: &mut Call, notes: &mut Notes, _: Connected) -> Result<Then> {
        notes.lines.push(format!("{:?}", SystemTime::now()));
        Ok(Then::Stay)
    }
    Phone::with(bot().on(calls::connected(), clock)).rings();
}

#[test]
fn whoever_hangs_up_is_faster_than_the_bot() {
    async fn again(call: &mut Call, notes: &mut Notes, ended: PromptEnded) -> Result<Then> {
        notes.lines.push(format!("{:?}", ended.done));
        notes.prompt = Some(call.play(at("hello")));
        Ok(Then::Transfer(Callee::user("user-grace")))
    }
    let mut phone = Phone::with(bot().on(calls::connected(), greet).on(calls::prompt_ended(), again));
    phone.rings().hangs_up();
    assert_eq!(notes(&phone)[1..], ["Err(Unknown)", "ended by Person"]);
    assert!(phone.effects().is_empty(), "{:?}", phone.effects());
}

#[test]
#[should_panic(expected = "listens to no keys")]
fn keys_that_nobody_asked_for_do_not_come() {
    Phone::with(bot()).rings().keys("1");
}

#[test]
fn timers_of_a_call_die_with_it() {
    #[derive(Serialize, Deserialize)]
    struct Remind;
    impl Signal for Remind {
        const NAME: &'static str = "remind";
    }
    async fn connected(call: &mut Call, _: &mut Notes, _: Connected) -> Result<Then> {
        call.call_me_every(Duration::from_secs(10), Remind)?;
        Ok(Then::Stay)
    }
    async fn remind(_: &mut Call, notes: &mut Notes, _: Remind) -> Result<Then> {
        notes.lines.push("reminded".to_owned());
        Ok(Then::Stay)
    }
    let mut phone = Phone::with(
        bot()
            .on(calls::connected(), connected)
            .on(calls::signal::<Remind>(), remind),
    );
    phone
        .rings()
        .after(Duration::from_secs(25))
        .hangs_up()
        .after(Duration::from_secs(60));
    assert_eq!(notes(&phone), ["Ada", "reminded", "reminded", "ended by Person"]);
}

#[test]
fn what_was_given_up_is_the_bots_to_handle() {
    async fn broken(_: &mut Call, _: &mut Notes, _: Connected) -> Result<Then> {
        Err(Error::fault("the menu is gone"))
    }
    async fn sorry(call: &mut Call, _: &mut Notes, _: trunkline_bot::logic::Failure) -> Result<Then> {
        Ok(Then::HangUpAfter(call.play(at("sorry"))))
    }
    let mut phone = Phone::with(bot().on(calls::connected(), broken).on_failed(sorry));
    phone.rings().listens();
    assert_eq!(phone.heard(), ["sorry.wav"]);
    let mut phone = Phone::with(bot().on(calls::connected(), broken));
    phone.rings();
    assert!(phone.end().is_none(), "without a handler the call goes on");
}

#[test]
fn a_newer_bot_goes_on_with_the_call() {
    #[derive(Default, Serialize, Deserialize)]
    struct Newer {
        count: usize,
    }
    impl State for Newer {
        const VERSION: u32 = 2;
        fn upgrade(_: u32, stored: serde_json::Value) -> Result<Self> {
            let count = stored["lines"].as_array().map_or(0, Vec::len);
            Ok(Self { count })
        }
    }
    async fn never(_: &mut Ringing, _: &mut Newer, _: Invitation) -> Result<Decision> {
        Ok(Decision::Reject(RejectReason::Busy))
    }
    async fn key(_: &mut Call, newer: &mut Newer, _: Tone) -> Result<Then> {
        newer.count += 1;
        Ok(Then::Stay)
    }
    let mut phone = Phone::with(bot().on(calls::connected(), greet));
    phone.rings();
    let mut phone = phone.newer(CallBot::answering("notes", (), never).on(calls::tone(), key));
    phone.keys("1");
    assert_eq!(phone.state().count, 2);
}
