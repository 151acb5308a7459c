//! What becomes of a call that comes in.

use trunkline_bot::calls::CallState;
use trunkline_bot::logic::{CallEvent, Effect};
use trunkline_bot::prelude::*;
use trunkline_bot::{BotError, CallProblem};
use trunkline_teams::graph::{Operation, OperationKind};

use crate::stage::Stage;
use crate::{Notes, bot, key_of, observed, operations};

#[test]
fn a_call_is_met_with_what_its_handler_returns() {
    let effects = Stage::new(bot())
        .in_state(CallState::Incoming)
        .happens(CallEvent::Incoming);
    assert_eq!(operations(&effects), [OperationKind::Answer]);
    let key = key_of(&effects[0]);
    assert!(key.len() == 33 && key.starts_with('o'), "{key}");
}

#[test]
fn calls_that_nobody_meets_are_forbidden() {
    let caller = CallBot::<Notes>::calling("notes", ());
    assert!(!caller.build().unwrap().describe().calls.unwrap().answers);
    let mut calling = Stage::new(CallBot::<Notes>::calling("notes", ())).in_state(CallState::Incoming);
    let mut recorded = Stage::new(bot()).in_state(CallState::Incoming);
    recorded.call.about = observed();
    for stage in [&mut calling, &mut recorded] {
        let effects = stage.happens(CallEvent::Incoming);
        let Effect::Call {
            operation: Operation::Reject(reject),
            ..
        } = &effects[0]
        else {
            panic!("not rejected: {effects:?}")
        };
        assert_eq!(reject.reason, Some(RejectReason::Forbidden));
        let late = stage.logic.late_decision(&stage.call);
        assert_eq!(
            late,
            Some(Operation::Reject(reject.clone())),
            "late, it is forbidden as well"
        );
    }
}

#[test]
fn a_recorder_decides_about_invitations_of_its_policy() {
    async fn asked(_: &mut Ringing, notes: &mut Notes, invitation: RecordingInvitation) -> Result<Decision> {
        notes.lines.push(invitation.observed_participant().to_owned());
        Ok(Decision::Answer(Media::hosted().capacity(100)))
    }
    let mut stage = Stage::new(CallBot::<Notes>::calling("notes", ()).recording_asked(asked));
    stage.call.about = observed();
    let effects = stage.happens(CallEvent::Incoming);
    let Effect::Call {
        operation: Operation::Answer(answer),
        ..
    } = &effects[0]
    else {
        panic!("not answered: {effects:?}")
    };
    assert_eq!(answer.participant_capacity, Some(100));
    assert!(stage.stored().contains(r#""lines":["p"]"#), "{}", stage.stored());
}

#[test]
fn what_is_done_when_it_is_late_is_the_bots_word_else_busy() {
    let late = |bot: CallBot<Notes>| {
        let stage = Stage::new(bot);
        stage.logic.late_decision(&stage.call).unwrap().kind()
    };
    assert_eq!(late(bot()), OperationKind::Reject);
    assert_eq!(late(bot().if_late(Decision::answer())), OperationKind::Answer);
    let to_nobody = Decision::Redirect {
        to: Vec::new(),
        ring: None,
    };
    let error = bot().if_late(to_nobody).check().unwrap_err();
    assert!(
        matches!(
            error,
            BotError::LateDecision {
                problem: CallProblem::OutOfRange { .. },
                ..
            }
        ),
        "{error}"
    );
}
