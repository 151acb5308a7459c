//! What a turn asks of a call, and how its end is known again.

use std::time::Duration;

use bytes::Bytes;
use trunkline_bot::calls::{CallState, Participant};
use trunkline_bot::logic::{CallEvent, Effect, End, Input};
use trunkline_bot::prelude::*;
use trunkline_teams::calls::Tone as Key;
use trunkline_teams::graph::{Operation, OperationKind};

use crate::stage::Stage;
use crate::{Notes, at, bot, completed, key_of, operations};

#[test]
fn an_operation_is_known_again_by_the_event_that_ends_it() {
    async fn greet(call: &mut Call, notes: &mut Notes, _: Connected) -> Result<Then> {
        notes.prompt = Some(call.play(at("hello")));
        Ok(Then::Stay)
    }
    async fn ended(_: &mut Call, notes: &mut Notes, ended: PromptEnded) -> Result<Then> {
        let is_mine = notes.prompt.as_ref() == Some(&ended.prompt);
        notes.lines.push(format!("{is_mine} {:?}", ended.done));
        Ok(Then::HangUp)
    }
    let mut stage = Stage::new(bot().on(calls::connected(), greet).on(calls::prompt_ended(), ended));
    let asked = stage.happens(CallEvent::Connected);
    let key = key_of(&asked[0]).to_owned();
    let ended = stage.operation_ends(&key, OperationKind::PlayPrompt, completed());
    assert_eq!(operations(&ended), [OperationKind::Delete]);
    assert!(
        stage.stored().contains(r#""lines":["true Ok(())"]"#),
        "{}",
        stage.stored()
    );
}

#[test]
fn a_second_run_of_a_turn_asks_under_the_same_names() {
    async fn greet(call: &mut Call, _: &mut Notes, _: Connected) -> Result<Then> {
        call.play(at("one"));
        call.play(at("two"));
        Ok(Then::Stay)
    }
    let asked = |turn| {
        let mut stage = Stage::new(bot().on(calls::connected(), greet));
        stage.turns = turn;
        stage.happens(CallEvent::Connected)
    };
    let first = asked(1);
    assert_eq!(first, asked(1));
    assert_ne!(key_of(&first[0]), key_of(&first[1]));
    assert_ne!(key_of(&first[0]), key_of(&asked(2)[0]));
}

#[test]
fn a_hang_up_waits_for_its_prompt_and_a_transfer_names_the_other_call() {
    async fn key(call: &mut Call, _: &mut Notes, Tone(key): Tone) -> Result<Then> {
        let call_of_heidi = serde_json::from_value(serde_json::json!("c1"))?;
        Ok(match key {
            '1' => Then::HangUpAfter(call.play(at("bye"))),
            '2' => Then::Transfer(Callee::user("u")),
            '3' => Then::TransferTo(Callee::user("u"), call_of_heidi),
            _ => Then::HandOver {
                who: Callee::user("a"),
                to: Callee::user("u"),
            },
        })
    }
    let mut stage = Stage::new(bot().on(calls::tone(), key));
    let asked = stage.presses("1");
    let [
        prompt,
        Effect::Call {
            operation: Operation::Delete,
            after,
            ..
        },
    ] = asked.as_slice()
    else {
        panic!("{asked:?}")
    };
    assert_eq!(after.as_deref(), Some(key_of(prompt)));
    let transfers = stage.presses("23");
    let [
        Effect::Call { replaces: None, .. },
        Effect::Call {
            replaces: Some(other), ..
        },
    ] = transfers.as_slice()
    else {
        panic!("{transfers:?}")
    };
    assert_eq!(other, "c1");
    assert!(stage.fails(CallEvent::Tone(Key::Tone4)).contains("Then::Transfer"));
    stage.call.present = vec![Participant::default(); 3];
    assert_eq!(operations(&stage.presses("4")), [OperationKind::Transfer]);
    assert!(stage.fails(CallEvent::Tone(Key::Tone2)).contains("Then::HandOver"));
}

#[test]
fn what_graph_would_refuse_fails_the_turn_by_its_reason() {
    async fn key(call: &mut Call, _: &mut Notes, Tone(key): Tone) -> Result<Then> {
        match key {
            '1' => drop(call.play(vec![at("a"); 21])),
            '2' => drop(call.invite(vec![Callee::user("u"); 6])),
            '3' => drop(call.record(Record::at_most(Duration::from_secs(121)))),
            '4' => drop(call.remove("")),
            '5' => drop(call.gather(Digits::up_to(4))),
            '6' => return Err(tell("nobody reads this")),
            _ => drop(call.send(&call.here(), "nor this")),
        }
        Ok(Then::Stay)
    }
    let mut stage = Stage::new(bot().on(calls::tone(), key));
    for (key, why) in [
        (Key::Tone1, "the prompts of one play can be 1 to 20, not 21"),
        (Key::Tone2, "the people of one invitation can be 1 to 5, not 6"),
        (
            Key::Tone3,
            "the length of a recording in seconds can be 1 to 120, not 121",
        ),
        (Key::Tone4, "the id of the participant is empty"),
        (Key::Tone5, "calls::gathered()"),
        (Key::Tone6, "nobody reads"),
        (Key::Tone7, "a call cannot be written to"),
    ] {
        let said = stage.fails(CallEvent::Tone(key));
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn nothing_is_played_before_the_call_is_established() {
    #[derive(Serialize, Deserialize)]
    struct Hello;
    impl Signal for Hello {
        const NAME: &'static str = "hello";
    }
    async fn hello(call: &mut Call, _: &mut Notes, _: Hello) -> Result<Then> {
        call.play(at("hello"));
        Ok(Then::Stay)
    }
    let mut stage = Stage::new(bot().on(calls::signal::<Hello>(), hello)).in_state(CallState::Establishing);
    let input = Input::Signal {
        name: "hello".to_owned(),
        key: String::new(),
        payload: Bytes::from_static(b"null"),
    };
    let End::Failed(error) = stage.end(input.clone()) else {
        panic!("it played")
    };
    assert!(error.message.contains("this one is establishing"), "{}", error.message);
    stage.call.state = CallState::Established;
    assert_eq!(operations(&stage.gets(input)), [OperationKind::PlayPrompt]);
}
