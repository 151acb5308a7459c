//! Keys that are gathered into one event.

use std::time::Duration;

use trunkline_bot::logic::{CallEvent, Effect, OperationOutcome};
use trunkline_bot::prelude::*;
use trunkline_teams::graph::OperationKind;

use crate::stage::Stage;
use crate::{Notes, at, bot, completed, key_of, operations};

async fn ask_for_number(call: &mut Call, _: &mut Notes, _: Connected) -> Result<Then> {
    call.gather(Digits::up_to(4).after(at("number")));
    Ok(Then::Stay)
}

pub(crate) async fn number(_: &mut Call, notes: &mut Notes, gathered: Gathered) -> Result<Then> {
    notes.lines.push(format!("{} {:?}", gathered.keys.len(), gathered.end));
    Ok(Then::HangUp)
}

pub(crate) fn gatherer() -> Stage {
    async fn silence(_: &mut Call, _: &mut Notes, _: PromptEnded) -> Result<Then> {
        Err(trunkline_bot::Error::fault(
            "the prompt of the gathering is nobody's business",
        ))
    }
    let bot = bot()
        .on(calls::connected(), ask_for_number)
        .on(calls::gathered(), number);
    Stage::new(bot.on(calls::prompt_ended(), silence))
}

#[test]
fn keys_become_one_event_and_are_forgotten_with_it() {
    let mut stage = gatherer();
    assert!(stage.logic.describe().calls.unwrap().wants_tones);
    let asked = stage.happens(CallEvent::Connected);
    assert_eq!(operations(&asked), [OperationKind::PlayPrompt]);
    let first = stage.presses("47");
    assert_eq!(
        operations(&first),
        [OperationKind::CancelMediaProcessing],
        "the first key cuts the prompt off"
    );
    assert!(stage.stored().contains("47"), "{}", stage.stored());
    let prompt = key_of(&asked[0]).to_owned();
    assert!(
        stage
            .operation_ends(&prompt, OperationKind::PlayPrompt, OperationOutcome::Unknown)
            .is_empty()
    );
    let over = stage.presses("1#");
    assert_eq!(operations(&over), [OperationKind::Delete]);
    assert_eq!(stage.stored(), r#"{"state":{"prompt":null,"lines":["3 StopKey"]}}"#);
    assert!(
        stage
            .operation_ends(&prompt, OperationKind::PlayPrompt, completed())
            .is_empty()
    );
}

#[test]
fn nobody_presses_until_the_patience_after_the_prompt_is_over() {
    let mut stage = gatherer();
    let asked = stage.happens(CallEvent::Connected);
    stage.now += Duration::from_secs(20);
    let prompt = key_of(&asked[0]).to_owned();
    let waits = stage.operation_ends(&prompt, OperationKind::PlayPrompt, completed());
    let [Effect::SetTimer { key, at, .. }] = waits.as_slice() else {
        panic!("{waits:?}")
    };
    assert_eq!(*at, stage.now + Duration::from_secs(10));
    assert!(stage.timer(key).is_empty(), "too early");
    assert!(stage.timer("another").is_empty());
    stage.now += Duration::from_secs(10);
    let over = stage.timer(key);
    assert!(
        over.iter().any(|effect| matches!(effect, Effect::ForgetTimer { .. })),
        "{over:?}"
    );
    assert_eq!(stage.stored(), r#"{"state":{"prompt":null,"lines":["0 TimedOut"]}}"#);
}

#[test]
fn every_state_that_was_stored_can_be_read_by_a_newer_bot() {
    #[derive(Default, Serialize, Deserialize)]
    struct Newer {
        heard: usize,
    }
    impl State for Newer {
        const VERSION: u32 = 2;
        fn upgrade(_: u32, stored: serde_json::Value) -> Result<Self> {
            let heard = stored["lines"].as_array().map_or(0, Vec::len);
            Ok(Self { heard })
        }
    }
    async fn meet(_: &mut Ringing, _: &mut Newer, _: Invitation) -> Result<Decision> {
        Ok(Decision::answer())
    }
    async fn gathered(_: &mut Call, newer: &mut Newer, gathered: Gathered) -> Result<Then> {
        newer.heard += gathered.keys.len();
        Ok(Then::Stay)
    }
    let mut old = gatherer();
    old.happens(CallEvent::Connected);
    old.presses("47");
    let mut new = Stage::new(CallBot::answering("notes", (), meet).on(calls::gathered(), gathered));
    new.state = old.state;
    new.presses("1#");
    assert_eq!(new.stored(), r#"{"state":{"heard":3}}"#);
}
