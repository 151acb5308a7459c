//! A call whose media host is lost looks for another one: what happens at each step when the worker dies, or nobody helps.

use std::time::Duration;

use serde_json::json;
use trunkline_bot::logic::{CallEvent, Effect, HostedOperation, OperationEnd, OperationOutcome};
use trunkline_teams::calls::{RecordingStatus, Secret};
use trunkline_teams::graph::Operation;

use super::super::super::event::Event;
use super::super::super::{GraphAnswer, LegAnswer, LegTold, LegWish};
use super::super::stage::TestBot;
use super::desk::Desk;
use super::leg::{attached, opened};
use super::operations::prompt;
use super::recording::word;
use crate::call::{LegCommand, LegNews, OpenedLeg};

const KEY: &str = "again";

fn opened_elsewhere() -> LegAnswer {
    LegAnswer::Opened(OpenedLeg {
        host: "media-2".to_owned(),
        address: "127.0.0.1:10".to_owned(),
        name: "leg elsewhere".to_owned(),
        blob: Secret::new("over here"),
    })
}

fn nobody() -> LegAnswer {
    LegAnswer::NoHost {
        reason: "there is none".to_owned(),
    }
}

/// Effects of one turn, in order.
fn numbered(mut effects: Vec<Effect>) -> Vec<Effect> {
    for (place, effect) in effects.iter_mut().enumerate() {
        if let Effect::Call { sequence, .. } | Effect::Hosted { sequence, .. } = effect {
            *sequence += place as u64;
        }
    }
    effects
}

impl Desk {
    /// The bot was told that its media host is gone.
    fn lost_its_host(bot: TestBot) -> Self {
        let mut desk = Self::answered_hosted(bot);
        desk.host_says(opened());
        desk.graph_takes();
        desk.host_says(attached(0));
        desk.commits();
        desk.hears(json!({ "state": "established" }));
        desk.leg_tells(1, LegNews::Connected);
        assert!(matches!(desk.told(), CallEvent::Connected));
        desk.commits();
        desk.stage.tell(Event::LegBroken("leg".to_owned()));
        desk.host_says(LegAnswer::Gone {
            reason: "there is no such leg".to_owned(),
        });
        assert!(matches!(desk.told(), CallEvent::MediaLost(_)));
        desk
    }

    /// And wants another one, and a prompt there.
    fn reopening() -> Self {
        Self::reopening_of(TestBot::default())
    }

    fn reopening_of(bot: TestBot) -> Self {
        let mut desk = Self::lost_its_host(bot);
        let again = desk.reopens(KEY);
        let play = desk.operation("hello", prompt());
        desk.commits_with(numbered(vec![again, play]));
        desk
    }

    fn reopens(&self, key: &str) -> Effect {
        self.hosted_operation(key, HostedOperation::Reopen)
    }

    /// Graph was asked to tell the peer, of that leg.
    fn tells_peer(&self) -> String {
        let Operation::Answer(answer) = &self.ask().operation else {
            panic!("{:?}", self.ask())
        };
        let blob = answer.media_config.as_ref().and_then(|config| config.blob.as_ref());
        blob.expect("no leg is told").expose().to_owned()
    }

    fn leg_elsewhere_tells(&mut self, number: u64, news: LegNews) {
        let leg = "leg elsewhere".to_owned();
        let told = LegTold { leg, number, news };
        self.stage.tell(Event::LegTold(Box::new(told)));
    }

    fn operation_ended(&self) -> OperationEnd {
        match self.told() {
            CallEvent::OperationEnded(end) => *end,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn another_host_is_found_the_peer_is_told_and_what_the_bot_plays_waits_for_it() {
    let mut desk = Desk::reopening();
    assert_eq!(desk.record().format, 5, "an older build would reject the call");
    assert!(desk.stage.asks.is_empty(), "graph is asked before there is a leg");
    let LegWish::Open { within_ms, .. } = desk.wish() else {
        panic!("{:?}", desk.wish())
    };
    assert!(*within_ms >= 1_000, "the time to answer is long over: {within_ms}");
    desk.host_says(opened_elsewhere());
    assert_eq!(desk.tells_peer(), "over here");
    desk.graph_takes();
    desk.host_says(attached(0));
    assert!(desk.stage.leg_asks.is_empty(), "a leg without a peer refuses it");
    desk.leg_tells(9, LegNews::Connected);
    assert!(desk.events().is_empty(), "the lost leg is heard");
    desk.leg_elsewhere_tells(1, LegNews::Connected);
    let end = desk.operation_ended();
    assert!(
        end.key == KEY && matches!(end.outcome, OperationOutcome::Completed(_)),
        "{end:?}"
    );
    desk.commits();
    assert_eq!(desk.command(), (1, LegCommand::Play(vec!["a.wav".to_owned()])));
    assert_eq!(desk.call().leg_blob(), None, "the secret stays in the record");
}

#[test]
fn the_next_owner_goes_on_wherever_the_last_one_died() {
    // Before a host was asked, and before its answer was written.
    let mut desk = Desk::reopening();
    desk.next_owner();
    assert!(matches!(desk.wish(), LegWish::Open { .. }));
    desk.host_says(opened_elsewhere());
    assert_eq!(desk.tells_peer(), "over here");
    // Before Graph answered.
    desk.next_owner();
    assert!(matches!(desk.wish(), LegWish::Attach { last_event: 0, .. }));
    let is_told = |operation: &Operation| matches!(operation, Operation::Answer(_));
    assert!(desk.stage.asks.iter().any(|ask| is_told(&ask.operation)));
    // And after it.
    while !desk.stage.asks.is_empty() {
        desk.graph_takes();
    }
    desk.stage.passes(Duration::from_millis(100));
    desk.next_owner();
    assert!(
        !desk.stage.asks.iter().any(|ask| is_told(&ask.operation)),
        "the peer is told twice"
    );
    desk.host_says(attached(0));
    desk.leg_elsewhere_tells(1, LegNews::Connected);
    assert_eq!(desk.operation_ended().key, KEY);
}

#[test]
fn without_another_host_the_call_is_not_rejected_and_its_bot_decides() {
    let mut desk = Desk::reopening();
    desk.host_says(nobody());
    let OperationOutcome::Refused { code, .. } = desk.operation_ended().outcome else {
        panic!()
    };
    assert_eq!(code, "TRUNKLINE_NO_MEDIA_HOST");
    desk.commits();
    assert_eq!(desk.operation_ended().key, "hello", "the prompt waits for ever");
    assert!(desk.stage.asks.is_empty() && desk.stage.leg_asks.is_empty());
    // It may try once more.
    let again = desk.reopens("once more");
    desk.commits_with(vec![again]);
    assert!(matches!(desk.wish(), LegWish::Open { .. }));
}

#[test]
fn a_graph_that_does_not_take_it_ends_it_and_what_was_let_out_to_the_leg() {
    let mut desk = Desk::reopening();
    desk.host_says(opened_elsewhere());
    desk.graph_says(GraphAnswer::Refused {
        status: 400,
        code: "8585".to_owned(),
        message: "the action is not valid".to_owned(),
    });
    assert_eq!(desk.operation_ended().key, KEY);
    desk.commits();
    assert_eq!(desk.operation_ended().key, "hello");
    desk.commits();
    assert!(desk.call().is_leg_gone() && desk.call().leg_blob().is_none());
    assert!(desk.record().outbox.is_empty());
}

#[test]
fn a_peer_that_does_not_come_is_not_waited_for_for_ever() {
    let mut desk = Desk::reopening();
    desk.host_says(opened_elsewhere());
    desk.graph_takes();
    desk.host_says(attached(0));
    desk.stage.passes(Duration::from_secs(46));
    let end = desk.operation_ended();
    assert!(
        end.key == KEY && matches!(end.outcome, OperationOutcome::Unknown),
        "{end:?}"
    );
}

#[test]
fn a_second_loss_before_the_peer_came_ends_it_and_is_told() {
    let mut desk = Desk::reopening();
    desk.host_says(opened_elsewhere());
    desk.graph_takes();
    desk.host_says(LegAnswer::Gone {
        reason: "there is no such leg".to_owned(),
    });
    assert_eq!(desk.operation_ended().key, KEY);
    desk.commits();
    assert_eq!(desk.operation_ended().key, "hello");
    desk.commits();
    assert!(matches!(desk.told(), CallEvent::MediaLost(_)));
}

#[test]
fn a_call_that_has_its_sound_or_finds_it_already_is_not_reopened() {
    let mut desk = Desk::up();
    let again = desk.reopens(KEY);
    desk.commits_with(vec![again]);
    let OperationOutcome::Refused { code, .. } = desk.operation_ended().outcome else {
        panic!()
    };
    assert_eq!(code, "TRUNKLINE_MEDIA_THERE");
    assert!(desk.call().is_leg_open(), "the sound is cut off");
    let mut desk = Desk::lost_its_host(TestBot::default());
    let twice = vec![desk.reopens(KEY), desk.reopens("twice")];
    desk.commits_with(numbered(twice));
    assert_eq!(desk.operation_ended().key, "twice");
    assert!(matches!(desk.wish(), LegWish::Open { .. }), "the first is forgotten");
}

#[test]
fn nobody_is_told_that_the_call_is_recorded_before_it_can_be() {
    let mut desk = Desk::lost_its_host(TestBot::default());
    let word = desk.operation("word", word(RecordingStatus::Recording));
    let again = desk.reopens(KEY);
    desk.commits_with(numbered(vec![again, word]));
    desk.host_says(opened_elsewhere());
    assert_eq!(desk.tells_peer(), "over here");
    desk.graph_takes();
    desk.host_says(attached(0));
    desk.stage.passes(Duration::from_millis(100));
    assert!(desk.stage.asks.is_empty(), "{:?}", desk.stage.asks);
    desk.leg_elsewhere_tells(1, LegNews::Connected);
    assert_eq!(desk.operation_ended().key, KEY);
    desk.commits();
    assert_eq!(desk.asked(), "updateRecordingStatus");
    assert!(
        desk.stage.leg_asks.is_empty(),
        "it is recorded before graph confirmed it"
    );
}
