//! What a bot listens to.

use trunkline_bot::event::{OperationEnded, StatusUpdated};
use trunkline_bot::logic::{CallEnd, CallEvent, EndedBy};
use trunkline_bot::prelude::*;
use trunkline_teams::calls::Tone as Key;

use crate::gathering::number;
use crate::{Notes, bot};

#[test]
fn turns_run_only_for_what_somebody_listens_to() {
    async fn tone(_: &mut Call, _: &mut Notes, _: Tone) -> Result<Then> {
        Ok(Then::Stay)
    }
    let logic = bot()
        .on(calls::tone().when(|Tone(key)| *key == '1'), tone)
        .build()
        .unwrap();
    let handles = |event| logic.handles_call_event(&event);
    assert!(handles(CallEvent::Incoming));
    assert!(handles(CallEvent::Tone(Key::Tone1)));
    for event in [
        CallEvent::Tone(Key::Tone2),
        CallEvent::Connected,
        CallEvent::Joined(Vec::new()),
        CallEvent::Ended(CallEnd {
            by: EndedBy::Bot,
            result: None,
        }),
    ] {
        assert!(!handles(event.clone()), "{event:?}");
    }
}

#[test]
fn routes_that_nothing_reaches_are_refused() {
    async fn any(_: &mut Call, _: &mut Notes, _: CallEvent) -> Result<Then> {
        Ok(Then::Stay)
    }
    async fn operation(_: &mut Call, _: &mut Notes, _: OperationEnded) -> Result<Then> {
        Ok(Then::Stay)
    }
    async fn status(_: &mut Call, _: &mut Notes, _: StatusUpdated) -> Result<Then> {
        Ok(Then::Stay)
    }
    let error = |bot: CallBot<Notes>| bot.check().unwrap_err().to_string();
    assert!(
        error(
            bot()
                .on(calls::operation_ended(), operation)
                .on(calls::status_updated(), status)
        )
        .contains("status_updated() can never be reached, operation_ended()")
    );
    assert!(error(bot().on(calls::any(), any).on(calls::operation_ended(), operation)).contains("any()"));
    let fine = bot().on(calls::any(), any).on(calls::gathered(), number);
    assert!(fine.check().is_ok(), "gathered keys do not come as an event of Graph");
}
