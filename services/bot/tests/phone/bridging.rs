//! Two calls of a bot that hear each other.

use trunkline_bot::calls::CallLeg;
use trunkline_bot::event::{BridgeEnded, OperationEnded};
use trunkline_bot::prelude::*;
use trunkline_bot::test::Phone;

#[derive(Default, Serialize, Deserialize)]
struct Desk {
    lines: Vec<String>,
}

impl State for Desk {}

fn other() -> CallLeg {
    CallLeg {
        host: "media-1".to_owned(),
        leg: "other".to_owned(),
    }
}

async fn hosted(_: &mut Ringing, _: &mut Desk, _: Invitation) -> Result<Decision> {
    Ok(Decision::Answer(Media::hosted().near(&other())))
}

async fn by_graph(_: &mut Ringing, _: &mut Desk, _: Invitation) -> Result<Decision> {
    Ok(Decision::answer())
}

async fn bridge(call: &mut Call, desk: &mut Desk, _: Connected) -> Result<Then> {
    desk.lines.push(format!("a leg: {}", call.leg().is_some()));
    call.bridge(&other());
    Ok(Then::Stay)
}

async fn unbridge(call: &mut Call, _: &mut Desk, _: Tone) -> Result<Then> {
    call.unbridge();
    Ok(Then::Stay)
}

async fn done(_: &mut Call, desk: &mut Desk, ended: OperationEnded) -> Result<Then> {
    desk.lines.push(format!("done: {}", ended.done.is_ok()));
    Ok(Then::Stay)
}

async fn over(_: &mut Call, desk: &mut Desk, _: BridgeEnded) -> Result<Then> {
    desk.lines.push("over".to_owned());
    Ok(Then::Stay)
}

fn phone(bot: CallBot<Desk>) -> Phone<Desk> {
    Phone::with(
        bot.on(calls::connected(), bridge)
            .on(calls::tone(), unbridge)
            .on(calls::operation_ended(), done)
            .on(calls::bridge_ended(), over),
    )
}

#[test]
fn a_bot_bridges_a_call_with_another_and_hears_of_its_end() {
    let mut phone = phone(CallBot::answering("desk", (), hosted));
    phone.rings().bridge_ends().keys("0");
    assert_eq!(phone.state().lines, ["a leg: true", "done: true", "over", "done: true"]);
}

#[test]
fn a_call_whose_sound_graph_carries_is_not_bridged() {
    let mut phone = phone(CallBot::answering("desk", (), by_graph));
    phone.rings();
    assert_eq!(phone.state().lines, ["a leg: false", "done: false"]);
}
