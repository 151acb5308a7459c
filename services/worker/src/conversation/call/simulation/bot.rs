//! The bot of a simulated call: it answers, plays two prompts, and hangs up. When its media host is lost it looks for another one, plays a
//! last prompt there, and hangs up. It remembers what it was told.

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use serde_json::json;
use trunkline_bot::logic::{
    Answer, Begin, CallEvent, CallNow, CallsDescription, Description, Effect, End, HostedOperation, Input, Logic,
    OperationOutcome, Outcome, Port, StateProblem, StoredState, TurnError,
};
use trunkline_teams::activity::Activity;
use trunkline_teams::calls::{MediaConfig, MediaInfo, RejectReason};
use trunkline_teams::graph::{self, Operation, PlayPrompt, Reject};

use crate::record::Asks;

pub(super) struct Silent;

impl Logic for Silent {
    fn describe(&self) -> Description {
        Description {
            name: "test".to_owned(),
            calls: Some(CallsDescription {
                answers: true,
                wants_tones: true,
                wants_speech: true,
                ..CallsDescription::default()
            }),
            ..Description::default()
        }
    }

    fn route_of(&self, _: &Activity) -> Option<usize> {
        None
    }

    fn run(&self, _: Begin, _: Box<dyn Port>) -> LocalBoxFuture<'_, End> {
        unreachable!("the world plays the turns")
    }

    fn late_answer(&self, _: &Activity) -> Option<Answer> {
        None
    }

    fn late_decision(&self, _: &CallNow) -> Option<Operation> {
        Some(reject())
    }

    fn handles_call_event(&self, _: &CallEvent) -> bool {
        true
    }

    fn failed_answer(&self, _: &Activity) -> Answer {
        unreachable!("no invoke comes")
    }

    fn apply_user_changes(&self, _: &str, _: Option<StoredState>, _: &[Bytes]) -> Result<StoredState, StateProblem> {
        unreachable!("no person is asked for")
    }
}

fn reject() -> Operation {
    Operation::Reject(Reject {
        reason: Some(RejectReason::Busy),
        callback_uri: None,
    })
}

/// How a turn ends: what happened is remembered, and what follows is asked for.
pub(super) fn end_of(begin: &Begin, rejects: bool, is_hosted: bool) -> End {
    let mut told = told_in(begin.state.as_ref().map(|state| &state.bytes));
    let (what, asked) = match &begin.input {
        Input::Signal { name, .. } => (name.clone(), Vec::new()),
        Input::Failed(_) => ("failed".to_owned(), Vec::new()),
        Input::Call(event) => {
            let is_second_loss = told.iter().any(|what| what == LOST);
            follow(event, rejects, is_hosted, is_second_loss)
        }
        other => panic!("{other:?}"),
    };
    told.push(what);
    let effects = asked.into_iter().zip(begin.next_sequence..).map(|(asked, sequence)| {
        let (key, asks, after) = asked;
        match asks {
            Asks::Graph(operation) => Effect::Call {
                sequence,
                key,
                operation,
                after,
                replaces: None,
            },
            Asks::Host(operation) => Effect::Hosted {
                sequence,
                key,
                operation,
            },
        }
    });
    End::Commit(Outcome {
        state: Some(StoredState {
            version: 1,
            bytes: json!(told).to_string().into(),
        }),
        effects: effects.collect(),
        answer: None,
    })
}

pub(super) fn failed() -> End {
    End::Failed(TurnError {
        message: "told to".to_owned(),
        retry_after: None,
        is_final: false,
    })
}

pub(super) fn told_in(state: Option<&Bytes>) -> Vec<String> {
    state
        .map(|state| serde_json::from_slice(state).unwrap())
        .unwrap_or_default()
}

/// What the bot remembers of the first loss of its media host, and of another one that it found.
const LOST: &str = "media lost";
pub(super) const FOUND: &str = "again ended well";

type Asked = (String, Asks, Option<String>);

fn follow(event: &CallEvent, rejects: bool, is_hosted: bool, is_second_loss: bool) -> (String, Vec<Asked>) {
    let ask = |key: &str, operation| (key.to_owned(), Asks::Graph(operation), None);
    // A farewell, after which it hangs up.
    let farewell = |key: &str| {
        let bye = (
            format!("bye after {key}"),
            Asks::Graph(Operation::Delete),
            Some(key.to_owned()),
        );
        vec![ask(key, prompt()), bye]
    };
    match event {
        CallEvent::Incoming if rejects => ("incoming".to_owned(), vec![ask("no", reject())]),
        CallEvent::Incoming => ("incoming".to_owned(), vec![ask("yes", answer(is_hosted))]),
        CallEvent::Connected => ("connected".to_owned(), vec![ask("first", prompt())]),
        CallEvent::OperationEnded(end) => {
            let is_well = matches!(end.outcome, OperationOutcome::Completed(_));
            match end.key.as_str() {
                "first" if !is_hosted => ("first ended".to_owned(), farewell("second")),
                // What its media host does not say any more, the next one will.
                "first" if is_well => ("first ended".to_owned(), vec![ask("second", prompt())]),
                "second" if is_hosted && is_well => ("second ended".to_owned(), vec![ask("bye", Operation::Delete)]),
                "again" if is_well => (FOUND.to_owned(), farewell("third")),
                "again" => ("again ended".to_owned(), vec![ask("lost", Operation::Delete)]),
                key => (format!("{key} ended"), Vec::new()),
            }
        }
        CallEvent::Tone(tone) => (format!("tone {tone}"), Vec::new()),
        CallEvent::Ended(_) => ("ended".to_owned(), Vec::new()),
        CallEvent::MediaLost(_) if is_second_loss => {
            (format!("{LOST} again"), vec![ask("lost again", Operation::Delete)])
        }
        CallEvent::MediaLost(_) => {
            let again = ("again".to_owned(), Asks::Host(HostedOperation::Reopen), None);
            (LOST.to_owned(), vec![again])
        }
        CallEvent::InDoubt => ("in doubt".to_owned(), Vec::new()),
        other => panic!("{other:?}"),
    }
}

fn answer(is_hosted: bool) -> Operation {
    Operation::Answer(Box::new(graph::Answer {
        media_config: is_hosted.then(MediaConfig::app_hosted),
        ..graph::Answer::default()
    }))
}

fn prompt() -> Operation {
    Operation::PlayPrompt(Box::new(PlayPrompt::one(MediaInfo::new(
        "https://bot.example/a.wav",
        "a",
    ))))
}
