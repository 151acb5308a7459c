//! Who writes the answers: a service outside, and a stand-in that needs no network.

use super::Line;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The service has too much to do.
    #[error("the model is busy")]
    Busy,
}

/// A service that completes a talk, word by word.
pub trait Model: Send + Sync + 'static {
    /// The words of the answer to the last line. The same key is paid for once.
    fn complete(&self, talk: &[Line], key: &str) -> Result<Box<dyn Iterator<Item = String>>, ModelError>;
}

/// Answers from a few sentences of its own: the same question gets the same answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalModel;

const BEGINNINGS: [&str; 4] = [
    "As far as I know,",
    "The handbook says that",
    "In short,",
    "Most people find that",
];
const ENDINGS: [&str; 4] = [
    "is handled by the office on the second floor.",
    "takes about two working days.",
    "needs the consent of your manager.",
    "is described on the intranet.",
];

impl Model for LocalModel {
    fn complete(&self, talk: &[Line], _: &str) -> Result<Box<dyn Iterator<Item = String>>, ModelError> {
        let question = talk.last().map_or("nothing", |line| line.text.as_str());
        let topic = question
            .trim_end_matches(['?', '!', '.'])
            .rsplit(' ')
            .next()
            .unwrap_or(question);
        let chosen = question.bytes().map(usize::from).sum::<usize>();
        let beginning = BEGINNINGS[chosen % BEGINNINGS.len()];
        let ending = ENDINGS[chosen / BEGINNINGS.len() % ENDINGS.len()];
        let answer = format!("{beginning} {topic} {ending}");
        let words: Vec<String> = answer.split_inclusive(' ').map(str::to_owned).collect();
        Ok(Box::new(words.into_iter()))
    }
}
