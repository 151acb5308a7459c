//! The bot of a simulated call: it answers, plays two prompts, and hangs up. It remembers what it was told.

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use serde_json::json;
use trunkline_bot::logic::{
    Answer, Begin, CallEvent, CallNow, CallsDescription, Description, Effect, End, Input, Logic, Outcome, Port,
    StateProblem, StoredState, TurnError,
};
use trunkline_teams::activity::Activity;
use trunkline_teams::calls::{MediaConfig, MediaInfo, RejectReason};
use trunkline_teams::graph::{self, Operation, PlayPrompt, Reject};

pub(super) struct Silent;

impl Logic for Silent {
    fn describe(&self) -> Description {
        Description {
            name: "test".to_owned(),
            calls: Some(CallsDescription {
                answers: true,
                wants_tones: true,
                wants_speech: true,
                listens: false,
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
        Input::Call(event) => follow(event, rejects, is_hosted),
        other => panic!("{other:?}"),
    };
    told.push(what);
    let effects = asked.into_iter().zip(begin.next_sequence..).map(|(asked, sequence)| {
        let (key, operation, after) = asked;
        Effect::Call {
            sequence,
            key,
            operation,
            after,
            replaces: None,
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

type Asked = (String, Operation, Option<String>);

fn follow(event: &CallEvent, rejects: bool, is_hosted: bool) -> (String, Vec<Asked>) {
    let ask = |key: &str, operation| (key.to_owned(), operation, None);
    match event {
        CallEvent::Incoming if rejects => ("incoming".to_owned(), vec![ask("no", reject())]),
        CallEvent::Incoming => ("incoming".to_owned(), vec![ask("yes", answer(is_hosted))]),
        CallEvent::Connected => ("connected".to_owned(), vec![ask("first", prompt())]),
        CallEvent::OperationEnded(end) => {
            let asked = match end.key.as_str() {
                // A farewell, after which it hangs up.
                "first" => vec![
                    ask("second", prompt()),
                    ("bye".to_owned(), Operation::Delete, Some("second".to_owned())),
                ],
                _ => Vec::new(),
            };
            (format!("{} ended", end.key), asked)
        }
        CallEvent::Tone(tone) => (format!("tone {tone}"), Vec::new()),
        CallEvent::Ended(_) => ("ended".to_owned(), Vec::new()),
        CallEvent::MediaLost(_) => ("media lost".to_owned(), vec![ask("lost", Operation::Delete)]),
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
