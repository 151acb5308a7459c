//! Assistant: a streamed answer; the model is paid once unless the process dies in the middle of it.

mod model;

use trunkline_bot::prelude::*;

pub use model::{LocalModel, Model, ModelError};

/// What a conversation with the assistant remembers.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talk {
    /// What was said, oldest first; at most [`REMEMBERED`] lines.
    pub lines: Vec<Line>,
}

impl State for Talk {}

/// How many lines are remembered: the model reads them all each time.
pub const REMEMBERED: usize = 20;

/// One line of the talk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The assistant said it, not the person.
    pub by_bot: bool,
    /// What was said.
    pub text: String,
}

/// What the assistant works with.
pub struct App {
    /// Who writes the answers.
    pub model: Box<dyn Model>,
}

/// The bot, with a model that needs no network.
pub fn bot() -> Bot<Talk, App> {
    with_model(Box::new(LocalModel))
}

/// The bot, with a model of somebody else.
pub fn with_model(model: Box<dyn Model>) -> Bot<Talk, App> {
    Bot::with("assistant", App { model })
        .stop_words(["stop"])
        .on(text("stop"), stop)
        .on(text("forget"), forget)
        .on(message(), ask)
}

async fn ask(turn: &mut Turn<App>, talk: &mut Talk, question: Message) -> Result {
    talk.remember(false, question.text());
    let lines = &talk.lines;
    let write = async |out: &mut Stream<'_>, key: StepKey| {
        out.note("Reading the handbook")?;
        for word in turn.app.model.complete(lines, key.as_str())? {
            out.push(&word)?;
        }
        Ok(out.written().ai_generated().feedback())
    };
    let answer = turn.stream("answer", write).await?;
    talk.remember(true, answer.body());
    Ok(())
}

async fn stop(turn: &mut Turn<App>, _: &mut Talk, _: Message) -> Result {
    turn.reply("Stopped.");
    Ok(())
}

async fn forget(turn: &mut Turn<App>, talk: &mut Talk, _: Message) -> Result {
    talk.lines.clear();
    turn.reply("Forgotten.");
    Ok(())
}

impl Talk {
    fn remember(&mut self, by_bot: bool, text: &str) {
        self.lines.push(Line {
            by_bot,
            text: text.to_owned(),
        });
        let surplus = self.lines.len().saturating_sub(REMEMBERED);
        self.lines.drain(..surplus);
    }
}
