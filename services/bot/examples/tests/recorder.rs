//! Recorder, in the test kit.

use std::sync::{Arc, Mutex, PoisonError};

use trunkline_bot::test::{self, Crash, Phone};
use trunkline_example_bots::recorder::{self, Entry, Ledger, LedgerError, Recorder, Settings, StopRecording, What};

/// A ledger that the test can look at while the bot owns it.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<Entry>>>);

impl Ledger for Shared {
    fn append(&self, entry: &Entry, _: &str) -> Result<(), LedgerError> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(entry.clone());
        Ok(())
    }
}

impl Shared {
    fn kept(&self) -> Vec<What> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().map(|entry| entry.what.clone()).collect()
    }
}

fn phone() -> (Phone<Recorder>, Shared) {
    let settings = Settings {
        policies: vec!["trading desk".to_owned()],
        capacity: 100,
        ..Settings::default()
    };
    let ledger = Shared::default();
    (
        Phone::with(recorder::with_ledger(settings, Box::new(ledger.clone()))),
        ledger,
    )
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn a_call_of_its_policy_is_recorded_from_graphs_word_to_the_end() {
    let (mut phone, ledger) = phone();
    phone.asks_to_record("Ada", "trading desk");
    assert!(
        phone.transcript().contains("bot says: recording\n"),
        "{}",
        phone.transcript()
    );
    phone
        .crashes(Crash::BeforeCommit)
        .joins("Grace")
        .leaves("Grace")
        .hangs_up();
    assert_eq!(
        ledger.kept(),
        [
            What::Began { present: Vec::new() },
            What::Joined {
                people: names(&["Grace"])
            },
            What::Left {
                people: names(&["Grace"])
            },
            What::Ended {
                result: Some((200, 4521))
            },
        ]
    );
}

#[test]
fn nothing_is_kept_before_graph_has_taken_the_word() {
    let (mut phone, ledger) = phone();
    phone.refuses("updateRecordingStatus", 403, "7504");
    phone.asks_to_record("Ada", "trading desk");
    assert!(
        phone.transcript().ends_with("bot says: failed\n"),
        "{}",
        phone.transcript()
    );
    phone.joins("Grace").hangs_up();
    assert!(ledger.kept().is_empty());
}

#[test]
fn other_policies_and_ordinary_calls_are_refused() {
    let (mut phone, ledger) = phone();
    phone.asks_to_record("Ada", "another");
    assert!(phone.transcript().ends_with("bot rejects the call: forbidden\n"));
    phone.rings();
    assert!(phone.transcript().ends_with("bot rejects the call: forbidden\n"));
    assert!(ledger.kept().is_empty());
}

#[test]
fn a_recording_has_stopped_before_it_is_said() {
    let (mut phone, ledger) = phone();
    phone
        .asks_to_record("Ada", "trading desk")
        .hears(StopRecording)
        .joins("Grace")
        .hangs_up();
    assert_eq!(ledger.kept(), [What::Began { present: Vec::new() }, What::Stopped]);
    assert!(phone.transcript().contains("bot says: notRecording\n"));
}

#[test]
fn the_state_of_the_first_release_can_be_read() {
    let recorder = test::reads::<Recorder>("state/recorder-v1.json");
    assert!(recorder.is_recording);
}
