//! How calls and what a recorder says end.

use trunkline_bot::calls::{CallState, RecordingStatus, ResultInfo};
use trunkline_bot::event::{NotDone, StatusUpdated};
use trunkline_bot::logic::{CallEnd, CallEvent, Effect, EndedBy, OperationOutcome};
use trunkline_bot::prelude::*;
use trunkline_teams::calls::CommsOperation;
use trunkline_teams::graph::OperationKind;

use crate::stage::Stage;
use crate::{Notes, bot, completed, key_of};

#[test]
fn the_end_is_told_in_a_turn_that_has_no_operations() {
    async fn over(turn: &mut Turn, notes: &mut Notes, ended: Ended) -> Result {
        notes.lines.push(format!("{:?} {}", ended.by, ended.is_failure()));
        let chat = turn.here().person(&Person::new("29:1", "Ada"));
        turn.send(&chat, "It is over.");
        Ok(())
    }
    let mut stage = Stage::new(bot().ended(over)).in_state(CallState::Terminated);
    let end = CallEnd {
        by: EndedBy::Person,
        result: Some(ResultInfo::new(487, 10_004)),
    };
    let effects = stage.happens(CallEvent::Ended(end));
    assert!(
        matches!(
            effects.as_slice(),
            [Effect::Send {
                to: Address::Person { .. },
                ..
            }]
        ),
        "{effects:?}"
    );
    assert!(stage.stored().contains("Person true"));
}

#[test]
fn a_recorder_hears_whether_its_word_was_taken() {
    async fn connected(call: &mut Call, _: &mut Notes, _: Connected) -> Result<Then> {
        call.recording_status(RecordingStatus::Recording);
        Ok(Then::Stay)
    }
    async fn updated(_: &mut Call, notes: &mut Notes, updated: StatusUpdated) -> Result<Then> {
        notes.lines.push(match updated.done {
            Ok(()) => "recording".to_owned(),
            Err(NotDone::Refused { code, .. }) => code,
            Err(other) => other.to_string(),
        });
        Ok(Then::Stay)
    }
    let mut stage = Stage::new(
        bot()
            .on(calls::connected(), connected)
            .on(calls::status_updated(), updated),
    );
    let asked = stage.happens(CallEvent::Connected);
    let key = key_of(&asked[0]).to_owned();
    let outcomes = [
        completed(),
        OperationOutcome::Refused {
            status: 400,
            code: "8506".to_owned(),
            message: String::new(),
        },
        OperationOutcome::Failed(Box::new(CommsOperation {
            result_info: Some(ResultInfo::new(500, 9_999)),
            ..CommsOperation::default()
        })),
    ];
    for outcome in outcomes {
        stage.operation_ends(&key, OperationKind::UpdateRecordingStatus, outcome);
    }
    assert!(
        stage
            .stored()
            .contains(r#"["recording","8506","it failed with 500/9999: "]"#),
        "{}",
        stage.stored()
    );
}
