//! Calling bots at the boundary to the worker: what a turn asks for, word by word.

#![allow(clippy::unwrap_used)]

mod deciding;
mod ending;
mod gathering;
mod listening;
mod operations;
mod sound;
mod stage;

use trunkline_bot::logic::{CallAbout, Effect, OperationOutcome};
use trunkline_bot::prelude::*;
use trunkline_teams::calls::IncomingContext;
use trunkline_teams::graph::OperationKind;

fn completed() -> OperationOutcome {
    OperationOutcome::Completed(Box::default())
}

fn operations(effects: &[Effect]) -> Vec<OperationKind> {
    let asked = effects.iter().filter_map(|effect| match effect {
        Effect::Call { operation, .. } => Some(operation.kind()),
        _ => None,
    });
    asked.collect()
}

fn key_of(effect: &Effect) -> &str {
    match effect {
        Effect::Call { key, .. } => key,
        other => panic!("no operation: {other:?}"),
    }
}

#[derive(Default, Debug, Serialize, Deserialize)]
struct Notes {
    prompt: Option<Op<Voice>>,
    lines: Vec<String>,
}

impl State for Notes {}

async fn take(_: &mut Ringing, _: &mut Notes, _: Invitation) -> Result<Decision> {
    Ok(Decision::answer())
}

fn bot() -> CallBot<Notes> {
    CallBot::answering("notes", (), take)
}

fn at(name: &str) -> Prompt {
    Prompt::at(format!("https://bot.example/{name}.wav"))
}

fn observed() -> CallAbout {
    CallAbout {
        incoming_context: Some(IncomingContext {
            observed_participant_id: Some("p".to_owned()),
            ..IncomingContext::default()
        }),
        ..CallAbout::default()
    }
}
