//! What is recorded of a call on its leg: answers, the call by a policy, and the call because its bot asks for it.

use std::time::Duration;

use serde_json::json;
use trunkline_bot::logic::{
    CallEvent, Directions, Effect, End, HostedOperation, OperationOutcome, Outcome, RecordedFile, RecordingNews,
    RecordingTold,
};
use trunkline_teams::calls::{CommsOperation, OperationStatus, RecordingStatus, Secret};
use trunkline_teams::graph::{Operation, Told, UpdateRecordingStatus};

use super::super::super::event::Event;
use super::super::super::{GraphAnswer, LegAnswer, LegWish};
use super::super::stage::TestBot;
use super::desk::Desk;
use super::leg::attached;
use crate::call::{AnswerEnd, Clip, KeptFile, LegCommand, LegDirection, LegNews};

#[test]
fn an_answer_is_recorded_on_the_leg_and_its_end_says_where_it_lies() {
    let mut desk = Desk::up();
    let record = desk.operation("words", Operation::RecordResponse(Box::default()));
    desk.commits_with(vec![record]);
    let LegWish::Command { number, command, .. } = desk.wish().clone() else {
        panic!()
    };
    assert!(matches!(command, LegCommand::RecordAnswer(_)), "{command:?}");
    desk.host_takes_command();
    assert!(desk.stage.asks.is_empty(), "graph is asked, too");
    let clip = Clip {
        location: "https://media.example/clips/1".to_owned(),
        token: Secret::new("sesame"),
    };
    desk.leg_tells(
        2,
        LegNews::Answered {
            command: number,
            how: AnswerEnd::Silence,
            clip: Some(clip),
        },
    );
    let CallEvent::OperationEnded(end) = desk.told() else {
        panic!()
    };
    let OperationOutcome::Completed(told) = end.outcome else {
        panic!()
    };
    assert_eq!(end.key, "words");
    assert_eq!(
        told.recording_location.as_deref(),
        Some("https://media.example/clips/1")
    );
    assert_eq!(told.recording_access_token.unwrap().expose(), "sesame");
}

pub(super) fn word(status: RecordingStatus) -> Operation {
    Operation::UpdateRecordingStatus(UpdateRecordingStatus {
        status: Some(status),
        client_context: None,
    })
}

fn confirmed() -> GraphAnswer {
    GraphAnswer::Told(Told::Operation(Box::new(CommsOperation {
        id: Some("operation-7".to_owned()),
        status: Some(OperationStatus::Completed),
        ..CommsOperation::default()
    })))
}

#[test]
fn a_call_is_recorded_from_graphs_confirmation_on_and_the_bot_hears_when_both_are_done() {
    let mut desk = Desk::up();
    let recording = desk.operation("word", word(RecordingStatus::Recording));
    desk.commits_with(vec![recording]);
    assert_eq!(desk.asked(), "updateRecordingStatus");
    assert!(
        desk.stage.leg_asks.is_empty(),
        "it is recorded before graph confirmed it"
    );
    desk.graph_says(confirmed());
    assert!(
        desk.events().is_empty(),
        "the bot is told too early: {:?}",
        desk.events()
    );
    let LegWish::Command { command, .. } = desk.wish().clone() else {
        panic!()
    };
    assert!(
        matches!(&command, LegCommand::RecordCall { confirmed_by, .. } if confirmed_by == "operation-7"),
        "{command:?}"
    );
    desk.host_takes_command();
    let CallEvent::OperationEnded(end) = desk.told() else {
        panic!()
    };
    assert!(
        end.key == "word" && matches!(end.outcome, OperationOutcome::Completed(_)),
        "{end:?}"
    );
}

#[test]
fn recording_has_stopped_before_graph_is_told_so() {
    let mut desk = Desk::up();
    let stop = desk.operation("word", word(RecordingStatus::NotRecording));
    desk.commits_with(vec![stop]);
    assert!(desk.stage.asks.is_empty(), "graph is told too early");
    assert_eq!(desk.command().1, LegCommand::StopRecordingCall { of: 0 });
    // The worker dies meanwhile; the leg knows the command.
    desk.next_owner();
    desk.host_says(attached(1));
    assert_eq!(desk.asked(), "updateRecordingStatus");
    desk.graph_says(confirmed());
    let CallEvent::OperationEnded(end) = desk.told() else {
        panic!()
    };
    assert!(matches!(end.outcome, OperationOutcome::Completed(_)), "{end:?}");
}

#[test]
fn what_graph_does_not_confirm_is_not_recorded() {
    let mut desk = Desk::up();
    let recording = desk.operation("word", word(RecordingStatus::Recording));
    desk.commits_with(vec![recording]);
    let running = CommsOperation {
        status: Some(OperationStatus::Running),
        ..CommsOperation::default()
    };
    desk.graph_says(GraphAnswer::Told(Told::Operation(Box::new(running))));
    let CallEvent::OperationEnded(end) = desk.told() else {
        panic!()
    };
    assert!(
        matches!(&end.outcome, OperationOutcome::Refused { code, .. } if code == "TRUNKLINE_NOT_CONFIRMED"),
        "{end:?}"
    );
    assert!(desk.stage.leg_asks.is_empty());
}

#[test]
fn a_recording_that_fails_is_told_to_graph() {
    let policy = json!({ "incomingContext": { "observedParticipantId": "p", "sourceParticipantId": "s" } });
    let mut desk = Desk::up_with(&policy);
    desk.commits();
    desk.leg_tells(2, ended(1, LegDirection::Sent, Err("the disk is full")));
    desk.stage.passes(Duration::from_millis(100));
    assert_eq!(desk.asked(), "updateRecordingStatus");
    assert_eq!(desk.ask().operation, word(RecordingStatus::Failed));
}

#[test]
fn a_leg_that_is_lost_ends_a_recording_by_policy_and_graph_is_told_unless_the_peer_left() {
    let policy = json!({ "incomingContext": { "observedParticipantId": "p", "sourceParticipantId": "s" } });
    for by_peer in [false, true] {
        let mut desk = Desk::up_with(&policy);
        desk.commits();
        let reason = "told to".to_owned();
        desk.leg_tells(2, LegNews::Ended { reason, by_peer });
        desk.stage.passes(Duration::from_millis(100));
        let told = desk.stage.asks.iter().map(|ask| ask.operation.clone());
        let expected = if by_peer {
            vec![]
        } else {
            vec![word(RecordingStatus::Failed)]
        };
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }
}

/// The bot asks for a recording of both directions, or for its end.
impl Desk {
    pub(super) fn hosted_operation(&self, key: &str, operation: HostedOperation) -> Effect {
        Effect::Hosted {
            sequence: self.stage.runs.last().unwrap().1.next_sequence,
            key: key.to_owned(),
            operation,
        }
    }

    /// The command to record was let out and not answered.
    fn asks_to_record() -> Self {
        let mut desk = Self::up();
        let record = desk.hosted_operation("keep", HostedOperation::RecordCall(Directions::Both));
        desk.commits_with(vec![record]);
        desk
    }

    /// The leg records, and the bot was told.
    fn recording() -> Self {
        let mut desk = Self::asks_to_record();
        desk.host_takes_command();
        assert_eq!(desk.news(), [started()]);
        desk.commits();
        desk
    }

    /// What the bot was told of recordings that it has not done yet.
    fn news(&self) -> Vec<RecordingNews> {
        let told = self.events().into_iter().filter_map(|event| match event {
            CallEvent::Recording(told) => Some(*told),
            _ => None,
        });
        told.map(|RecordingTold { key, news }| {
            assert_eq!(key, "keep");
            news
        })
        .collect()
    }
}

const NAME: &str = "tenant/57dab8b1-894c-409a-b240-bd8beae78896/leg-1";

fn started() -> RecordingNews {
    let name = NAME.to_owned();
    RecordingNews::Started { name }
}

fn ended(command: u64, direction: LegDirection, end: Result<(), &str>) -> LegNews {
    let file = KeptFile {
        direction: direction.name().to_owned(),
        file: format!("{NAME}-{}.opus", direction.name()),
        parts: 2,
        sha256: "abc".to_owned(),
    };
    LegNews::RecordingEnded {
        command,
        direction,
        end: end.map(|()| file).map_err(str::to_owned),
    }
}

fn names(news: &[RecordingNews]) -> Vec<String> {
    let [RecordingNews::Finished { files }] = news else {
        panic!("{news:?}")
    };
    files.iter().map(RecordedFile::manifest).collect()
}

#[test]
fn a_call_is_recorded_because_its_bot_asks_for_it_and_the_bot_hears_of_gaps_and_files() {
    let mut desk = Desk::asks_to_record();
    assert_eq!(desk.record().format, 4, "an older build would forget it");
    assert!(desk.stage.asks.is_empty(), "graph is asked, too");
    let LegWish::Command { number, command, .. } = desk.wish().clone() else {
        panic!()
    };
    let expected = LegCommand::RecordCall {
        name: NAME.to_owned(),
        received: true,
        sent: true,
        mixed: false,
        confirmed_by: String::new(),
    };
    assert_eq!((number, command), (1, expected));
    desk.host_takes_command();
    assert_eq!(desk.news(), [started()]);
    desk.commits();
    let gap = LegNews::RecordingGap {
        command: 1,
        direction: LegDirection::Sent,
        packets: 4,
    };
    desk.leg_tells(2, gap);
    let lacks = RecordingNews::Gap {
        direction: "sent".to_owned(),
        packets: 4,
    };
    assert_eq!(desk.news(), [lacks]);
    let stop = desk.hosted_operation("stop", HostedOperation::StopRecordingCall { of: "keep".to_owned() });
    desk.commits_with(vec![stop]);
    assert_eq!(desk.command().1, LegCommand::StopRecordingCall { of: 1 });
    desk.leg_tells(3, ended(1, LegDirection::Sent, Ok(())));
    assert!(desk.news().is_empty(), "one direction goes on");
    desk.leg_tells(4, ended(1, LegDirection::Received, Ok(())));
    let manifests = ["sent", "received"].map(|direction| format!("{NAME}-{direction}.opus.json"));
    assert_eq!(names(&desk.news()), manifests);
    desk.commits();
    assert!(desk.call().kept.is_empty());
}

#[test]
fn the_next_owner_does_not_record_twice_and_hears_the_end() {
    let mut desk = Desk::asks_to_record();
    desk.next_owner();
    desk.host_says(attached(1));
    assert!(desk.stage.leg_asks.is_empty(), "it is asked twice");
    assert_eq!(desk.news(), [started()]);
    desk.commits();
    desk.next_owner();
    desk.host_says(attached(1));
    desk.leg_tells(2, ended(1, LegDirection::Sent, Ok(())));
    desk.leg_tells(3, ended(1, LegDirection::Received, Ok(())));
    assert_eq!(names(&desk.news()).len(), 2);
}

#[test]
fn a_recording_that_the_leg_never_saw_is_asked_by_the_next_owner() {
    let mut desk = Desk::asks_to_record();
    desk.next_owner();
    desk.host_says(attached(0));
    assert!(matches!(desk.command(), (1, LegCommand::RecordCall { .. })));
}

#[test]
fn a_recording_that_is_given_up_or_dies_with_its_host_is_told_as_failed_and_graph_hears_nothing() {
    let failed = |news: Vec<RecordingNews>| match news.as_slice() {
        [RecordingNews::Failed { reason, files }] => (reason.clone(), files.len()),
        other => panic!("{other:?}"),
    };
    let mut desk = Desk::recording();
    desk.leg_tells(2, ended(1, LegDirection::Sent, Ok(())));
    desk.leg_tells(3, ended(1, LegDirection::Received, Err("the disk is full")));
    assert_eq!(failed(desk.news()), ("the disk is full".to_owned(), 1));
    desk.commits();
    desk.stage.passes(Duration::from_millis(100));
    assert!(desk.stage.asks.is_empty(), "{:?}", desk.stage.asks);

    let mut desk = Desk::recording();
    desk.stage.tell(Event::LegBroken("leg".to_owned()));
    desk.host_says(LegAnswer::Gone {
        reason: "there is no such leg".to_owned(),
    });
    desk.stage.passes(Duration::from_millis(100));
    assert_eq!(failed(desk.news()), ("there is no such leg".to_owned(), 0));
}

#[test]
fn a_refused_recording_is_told_as_failed() {
    let mut desk = Desk::asks_to_record();
    let LegWish::Command { id, .. } = desk.stage.leg_asks.remove(0).wish else {
        panic!()
    };
    let answer = GraphAnswer::Refused {
        status: 400,
        code: "TRUNKLINE_LEG_REFUSED".to_owned(),
        message: "the leg has no peer yet".to_owned(),
    };
    desk.stage.tell(Event::GraphAnswered { id, answer });
    assert!(
        matches!(desk.news().as_slice(), [RecordingNews::Failed { reason, .. }] if reason == "the leg has no peer yet")
    );
    desk.commits();
    assert!(desk.record().outbox.is_empty() && desk.call().kept.is_empty());
}

#[test]
fn a_recording_that_its_call_ends_is_told_before_that() {
    let mut desk = Desk::recording();
    desk.deleted(json!({ "state": "terminated" }));
    let name = NAME.to_owned();
    assert_eq!(desk.news(), [RecordingNews::CallEnded { name }]);
    desk.commits();
    assert!(matches!(desk.told(), CallEvent::Ended(_)));
}

#[test]
fn without_a_leg_nothing_is_recorded_and_nothing_waits() {
    let mut desk = Desk::connected_with(TestBot::default());
    desk.press("tone1", 1);
    let record = desk.hosted_operation("keep", HostedOperation::RecordCall(Directions::Received));
    let mute = desk.operation("mute", Operation::Mute(trunkline_teams::graph::Mute::default()));
    let Effect::Call { key, operation, .. } = mute else {
        panic!()
    };
    let mute = Effect::Call {
        sequence: sequence_of(&record) + 1,
        key,
        operation,
        after: None,
        replaces: None,
    };
    desk.commits_with(vec![record, mute]);
    assert!(
        matches!(desk.news().as_slice(), [RecordingNews::Failed { reason, .. }] if reason.contains("no media host"))
    );
    assert_eq!(desk.asked(), "mute");
}

fn sequence_of(effect: &Effect) -> u64 {
    match effect {
        Effect::Hosted { sequence, .. } => *sequence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_policy_records_is_recorded_by_its_word_alone() {
    let policy = json!({ "incomingContext": { "observedParticipantId": "p", "sourceParticipantId": "s" } });
    let mut desk = Desk::up_with(&policy);
    let record = desk.hosted_operation("keep", HostedOperation::RecordCall(Directions::Both));
    let run = desk.stage.runs.last().unwrap().0;
    desk.stage.tell(Event::TurnEnded {
        run,
        end: End::Commit(Outcome {
            effects: vec![record],
            ..Outcome::default()
        }),
        streams: Vec::new(),
    });
    assert!(desk.stage.leg_asks.is_empty() && desk.record().outbox.is_empty());
}
