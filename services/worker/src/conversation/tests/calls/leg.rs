//! A call whose sound a media host carries: what happens at each step when the worker or the host dies.

use std::time::Duration;

use serde_json::{Value, json};
use trunkline_bot::logic::{CallEvent, OperationOutcome};
use trunkline_teams::calls::{MediaConfig, Secret, Tone};
use trunkline_teams::graph::{Answer, Operation, Told};

use super::super::super::event::Event;
use super::super::super::{GraphAnswer, LegAnswer, LegAsk, LegTold, LegWish};
use super::super::stage::{Stage, TestBot};
use super::desk::{Desk, ID, call_of};
use super::operations::prompt;
use crate::call::{LegCommand, LegEnd, LegNews, OpenedLeg};

pub(super) fn hosted() -> Operation {
    Operation::Answer(Box::new(Answer {
        media_config: Some(MediaConfig::app_hosted()),
        ..Answer::default()
    }))
}

pub(super) fn opened() -> LegAnswer {
    LegAnswer::Opened(OpenedLeg {
        host: "media-1".to_owned(),
        address: "127.0.0.1:9".to_owned(),
        name: "leg".to_owned(),
        blob: Secret::new("let me in"),
    })
}

pub(super) fn attached(last_command: u64) -> LegAnswer {
    LegAnswer::Attached {
        last_command,
        events_lost: false,
    }
}

impl Desk {
    /// The bot has answered, with a media host of ours.
    pub(super) fn answered_hosted(bot: TestBot) -> Self {
        Self::answered_hosted_of(bot, &json!({}))
    }

    /// The same with more in the notification.
    fn answered_hosted_of(bot: TestBot, more: &Value) -> Self {
        let mut desk = Self::of(Stage::of_call(bot, ID));
        desk.ring(more);
        let answer = desk.operation("answer", hosted());
        desk.commits_with(vec![answer]);
        desk
    }

    /// A leg is open and attached, and Graph has taken the answer.
    fn with_leg(more: &Value) -> Self {
        let mut desk = Self::answered_hosted_of(TestBot::default(), more);
        desk.host_says(opened());
        desk.graph_takes();
        desk.host_says(attached(0));
        desk.commits();
        desk
    }

    /// The call is up, and the bot was told.
    pub(super) fn up() -> Self {
        Self::up_with(&json!({}))
    }

    /// The same with more in the notification.
    pub(super) fn up_with(more: &Value) -> Self {
        let mut desk = Self::with_leg(more);
        desk.hears(json!({ "state": "established" }));
        desk.leg_tells(1, LegNews::Connected);
        assert!(matches!(desk.told(), CallEvent::Connected));
        desk
    }

    /// One that plays a prompt: its command was let out and not answered.
    fn playing() -> Self {
        let mut desk = Self::up();
        let play = desk.operation("hello", prompt());
        desk.commits_with(vec![play]);
        desk
    }

    pub(super) fn wish(&self) -> &LegWish {
        &self.stage.leg_asks.first().expect("no host is asked").wish
    }

    pub(super) fn command(&mut self) -> (u64, LegCommand) {
        match self.stage.leg_asks.remove(0).wish {
            LegWish::Command { number, command, .. } => (number, command),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn host_says(&mut self, answer: LegAnswer) {
        self.stage.leg_asks.remove(0);
        self.stage.tell(Event::LegAnswered(answer));
    }

    pub(super) fn host_takes_command(&mut self) {
        let LegAsk { wish, .. } = self.stage.leg_asks.remove(0);
        let LegWish::Command { id, .. } = wish else { panic!() };
        let answer = GraphAnswer::Told(Told::Nothing);
        self.stage.tell(Event::GraphAnswered { id, answer });
    }

    pub(super) fn leg_tells(&mut self, number: u64, news: LegNews) {
        let told = LegTold {
            leg: "leg".to_owned(),
            number,
            news,
        };
        self.stage.tell(Event::LegTold(Box::new(told)));
    }

    /// The next owner has read the call, and Graph says that it stands.
    pub(super) fn next_owner(&mut self) {
        self.stage.asks.clear();
        self.stage.leg_asks.clear();
        self.stage.dies();
        let told = call_of(json!({ "state": "established" }));
        if !self.stage.asks.is_empty() && self.asked() == "get" {
            self.graph_says(GraphAnswer::Told(Told::Call(told)));
        }
    }

    pub(super) fn lost(&self) -> Option<String> {
        self.events().into_iter().find_map(|event| match event {
            CallEvent::MediaLost(why) => Some(why),
            _ => None,
        })
    }
}

#[test]
fn the_answer_leaves_with_the_leg_once_both_are_written() {
    let mut desk = Desk::answered_hosted(TestBot::default());
    assert!(desk.stage.asks.is_empty(), "graph is asked before there is a leg");
    assert!(matches!(desk.wish(), LegWish::Open { .. }));
    desk.host_says(opened());
    let record = desk.record();
    assert_eq!(record.format, 3, "a build that does not know legs would ask graph");
    assert_eq!(desk.call().leg.unwrap().name, "leg", "the leg is not stored");
    let Operation::Answer(answer) = desk.ask().operation.clone() else {
        panic!()
    };
    let blob = answer.media_config.unwrap().blob.unwrap();
    assert_eq!(blob.expose(), "let me in");
    desk.graph_takes();
    desk.stage.passes(Duration::from_millis(100));
    assert_eq!(desk.call().leg_blob(), None, "the secret stays in the record");
}

#[test]
fn a_worker_that_dies_before_the_leg_is_written_opens_another_one() {
    let mut desk = Desk::answered_hosted(TestBot::default());
    desk.next_owner();
    assert!(matches!(desk.wish(), LegWish::Open { .. }));
}

#[test]
fn a_worker_that_dies_before_graph_answered_gives_the_same_leg_again() {
    let mut desk = Desk::answered_hosted(TestBot::default());
    desk.host_says(opened());
    desk.next_owner();
    assert!(matches!(desk.wish(), LegWish::Attach { last_event: 0, .. }));
    let asks = std::mem::take(&mut desk.stage.asks);
    let answer = asks.iter().find_map(|ask| match &ask.operation {
        Operation::Answer(answer) => answer.media_config.clone(),
        _ => None,
    });
    assert_eq!(answer.unwrap().blob.unwrap().expose(), "let me in");
}

#[test]
fn without_a_host_the_call_is_rejected_as_busy_and_the_bot_hears_why() {
    let mut desk = Desk::answered_hosted(TestBot::default());
    desk.host_says(LegAnswer::NoHost {
        reason: "there is none".to_owned(),
    });
    assert_eq!(desk.asked(), "reject");
    let CallEvent::OperationEnded(end) = desk.told() else {
        panic!()
    };
    let OperationOutcome::Refused { code, .. } = end.outcome else {
        panic!()
    };
    assert_eq!(code, "TRUNKLINE_NO_MEDIA_HOST");
}

#[test]
fn keys_and_prompts_go_over_the_leg_and_not_over_graph() {
    let mut desk = Desk::playing();
    assert!(desk.stage.asks.is_empty(), "{:?}", desk.stage.asks);
    assert_eq!(desk.stage.leg_asks[0].epoch, desk.stage.holding.token.epoch.0);
    let LegWish::Command { number, command, .. } = desk.wish().clone() else {
        panic!()
    };
    assert_eq!((number, command), (1, LegCommand::Play(vec!["a.wav".to_owned()])));
    desk.host_takes_command();
    desk.leg_tells(2, LegNews::Tone(Tone::from_key('5').unwrap()));
    assert!(matches!(desk.told(), CallEvent::Tone(tone) if tone.key() == Some('5')));
    desk.commits();
    let how = LegEnd::Done;
    desk.leg_tells(3, LegNews::Finished { command: 1, how });
    let CallEvent::OperationEnded(end) = desk.told() else {
        panic!()
    };
    assert!(end.key == "hello" && matches!(end.outcome, OperationOutcome::Completed(_)));
}

#[test]
fn a_bot_that_wants_to_know_is_told_when_somebody_speaks() {
    let mut desk = Desk::answered_hosted(TestBot::default());
    assert!(matches!(
        desk.wish(),
        LegWish::Open {
            tells_speech: true,
            of_policy: false,
            ..
        }
    ));
    desk.host_says(opened());
    let mut desk = Desk::up();
    desk.commits();
    desk.leg_tells(2, LegNews::Speech(true));
    assert!(matches!(desk.told(), CallEvent::Speech(true)));
    desk.commits();
    desk.leg_tells(3, LegNews::Speech(false));
    assert!(matches!(desk.told(), CallEvent::Speech(false)));
}

#[test]
fn a_prompt_that_the_leg_has_is_not_asked_again_and_its_end_is_heard() {
    let mut desk = Desk::playing();
    desk.next_owner();
    assert!(matches!(desk.wish(), LegWish::Attach { last_event: 1, .. }));
    desk.host_says(attached(1));
    assert!(desk.stage.leg_asks.is_empty(), "the prompt is asked twice");
    let how = LegEnd::Done;
    desk.leg_tells(2, LegNews::Finished { command: 1, how });
    assert!(matches!(desk.told(), CallEvent::OperationEnded(_)));
}

#[test]
fn a_prompt_that_the_leg_never_saw_is_asked_by_the_next_owner() {
    let mut desk = Desk::playing();
    desk.next_owner();
    desk.host_says(attached(0));
    assert_eq!(desk.command(), (1, LegCommand::Play(vec!["a.wav".to_owned()])));
}

#[test]
fn what_the_leg_told_is_heard_once_by_whichever_owner() {
    let mut desk = Desk::up();
    desk.commits();
    desk.leg_tells(2, LegNews::Tone(Tone::Pound));
    desk.commits();
    desk.next_owner();
    desk.host_says(attached(0));
    desk.leg_tells(2, LegNews::Tone(Tone::Pound));
    assert!(desk.events().is_empty(), "{:?}", desk.events());
    desk.leg_tells(3, LegNews::Tone(Tone::Star));
    assert!(matches!(desk.told(), CallEvent::Tone(Tone::Star)));
}

#[test]
fn a_way_that_breaks_is_no_end() {
    let mut desk = Desk::playing();
    desk.stage.leg_asks.clear();
    desk.stage.tell(Event::LegBroken("leg".to_owned()));
    desk.host_says(LegAnswer::Unreachable {
        reason: "told to".to_owned(),
    });
    desk.stage.passes(Duration::from_millis(150));
    assert!(matches!(desk.wish(), LegWish::Attach { .. }));
    desk.host_says(attached(1));
    assert_eq!(desk.lost(), None);
}

#[test]
fn a_host_that_dies_ends_what_it_played_and_the_bot_decides() {
    let mut desk = Desk::playing();
    desk.host_takes_command();
    desk.stage.tell(Event::LegBroken("leg".to_owned()));
    let began = desk.stage.wall();
    while !desk.stage.leg_asks.is_empty() {
        desk.host_says(LegAnswer::Unreachable {
            reason: "connection refused".to_owned(),
        });
        desk.stage.passes(Duration::from_millis(100));
    }
    assert!(desk.stage.wall() - began <= 1_000, "it takes too long");
    let CallEvent::OperationEnded(end) = desk.told() else {
        panic!()
    };
    assert!(matches!(end.outcome, OperationOutcome::Failed(_)), "{end:?}");
    desk.commits();
    assert_eq!(desk.lost().as_deref(), Some("connection refused"));
    let again = desk.operation("again", prompt());
    desk.commits_with(vec![again]);
    desk.stage.passes(Duration::from_millis(100));
    let CallEvent::OperationEnded(end) = desk.told() else {
        panic!()
    };
    assert!(
        matches!(end.outcome, OperationOutcome::Refused { status: 503, .. }),
        "{end:?}"
    );
    assert!(desk.stage.asks.is_empty() && desk.stage.leg_asks.is_empty());
}

#[test]
fn a_bot_is_warned_before_its_media_host_ends() {
    let mut desk = Desk::up();
    desk.commits();
    desk.leg_tells(2, LegNews::HostEnds(60_000));
    assert!(matches!(desk.told(), CallEvent::MediaEnds(60_000)));
    desk.commits();
    let timeline = desk.call().timeline;
    assert!(
        timeline.iter().any(|moment| moment.what.contains("ends in 60000 ms")),
        "{timeline:?}"
    );
}

#[test]
fn a_bot_that_does_not_listen_to_it_hangs_up() {
    let deaf = TestBot {
        is_deaf: true,
        ..TestBot::default()
    };
    let mut desk = Desk::answered_hosted(deaf);
    desk.host_says(opened());
    desk.graph_takes();
    desk.host_says(LegAnswer::Gone {
        reason: "there is no such leg".to_owned(),
    });
    desk.stage.passes(Duration::from_millis(100));
    assert_eq!(desk.asked(), "delete");
}

#[test]
fn the_leg_is_closed_when_the_call_is_over() {
    let mut desk = Desk::up();
    desk.commits();
    desk.deleted(json!({ "state": "terminated" }));
    assert!(matches!(desk.wish(), LegWish::Close { .. }));
    desk.host_says(LegAnswer::Closed);
    desk.commits();
    desk.rests();
}
