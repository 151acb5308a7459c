//! Assistant, in the test kit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use trunkline_bot::test::{self, Chat, Crash};
use trunkline_example_bots::assistant::{self, Line, LocalModel, Model, ModelError, Talk};

/// A model that counts how often it is paid and is busy at first, if asked to be.
struct Counted {
    paid: Arc<AtomicU32>,
    busy: u32,
}

impl Model for Counted {
    fn complete(&self, talk: &[Line], key: &str) -> Result<Box<dyn Iterator<Item = String>>, ModelError> {
        if self.paid.fetch_add(1, Ordering::SeqCst) < self.busy {
            return Err(ModelError::Busy);
        }
        LocalModel.complete(talk, key)
    }
}

fn chat(busy: u32) -> (Chat<Talk>, Arc<AtomicU32>) {
    let paid = Arc::new(AtomicU32::new(0));
    let model = Counted {
        paid: Arc::clone(&paid),
        busy,
    };
    (Chat::with(assistant::with_model(Box::new(model))), paid)
}

#[test]
fn the_answer_is_streamed_labelled_and_remembered() {
    let (mut chat, _) = chat(0);
    chat.says("How do I get a badge?");
    let state = chat.state();
    assert_eq!(state.lines.len(), 2);
    assert_eq!(state.lines[1].text, chat.last());
    let sent = chat.last_activity().cloned().unwrap_or_default();
    assert_eq!(sent["entities"][0]["additionalType"][0], "AIGeneratedContent");
    assert!(chat.transcript().contains("bot is busy: Reading the handbook"));
}

#[test]
fn a_crash_after_the_answer_was_written_does_not_pay_for_it_again() {
    let (mut chat, paid) = chat(0);
    chat.crashes(Crash::BeforeCommit).says("How do I get a badge?");
    assert_eq!(paid.load(Ordering::SeqCst), 1);
    assert_eq!(chat.screen().len(), 1);
}

#[test]
fn a_busy_model_is_asked_again() {
    let (mut chat, paid) = chat(2);
    chat.says("How do I get a badge?");
    assert_eq!(paid.load(Ordering::SeqCst), 3);
    assert_eq!(chat.failure(), None);
}

#[test]
fn stop_ends_the_turn_quietly() {
    let (mut chat, _) = chat(0);
    chat.presses_stop_after(2).says("How do I get a badge?");
    assert_eq!(chat.screen(), Vec::<String>::new());
    assert_eq!(chat.state(), Talk::default());
}

#[test]
fn only_the_last_lines_are_remembered() {
    let (mut chat, _) = chat(0);
    for number in 0..15 {
        chat.says(&format!("question {number}"));
    }
    assert_eq!(chat.state().lines.len(), assistant::REMEMBERED);
    chat.says("forget");
    assert_eq!(chat.state(), Talk::default());
}

#[test]
fn the_state_of_the_first_release_can_be_read() {
    let talk: Talk = test::reads("state/talk-v1.json");
    assert_eq!(talk.lines.len(), 2);
}
