//! An activity that kills its process must not go from node to node.

use std::time::Duration;

use serde_json::json;
use trunkline_bot::logic::{Effect, End, Input, Outcome};

use super::super::event::{ArrivalKind, Event, Note, Ticket};
use super::stage::{Stage, is_accepted};

fn is_poisoned(stage: &Stage) -> bool {
    stage.notes.iter().any(|note| matches!(note, Note::Poisoned { .. }))
}

/// Whether the last run is of what a person said.
fn runs_what_was_said(stage: &Stage) -> bool {
    matches!(stage.runs.last(), Some((_, begin)) if matches!(begin.input, Input::Activity(_)))
}

#[test]
fn an_accepted_message_that_kills_its_process_is_parked_after_its_third_run() {
    let mut stage = Stage::usual();
    let ticket = stage.says(1, "poison");
    stage.passes(Duration::from_millis(5_100));
    assert!(is_accepted(stage.reply_to(ticket)));
    stage.says(2, "behind");
    for life in 2..=3 {
        stage.dies();
        assert!(runs_what_was_said(&stage), "it runs again in life {life}");
        assert!(!is_poisoned(&stage));
    }
    stage.dies();
    assert!(is_poisoned(&stage), "{:?}", stage.notes);
    assert!(
        matches!(stage.runs.last().unwrap().1.input, Input::Failed(_)),
        "the bot is told instead"
    );
    stage.commits("told");
    let inspection = stage.inspection();
    assert_eq!((inspection.parked.len(), inspection.inbox.len()), (1, 0));
    assert!(
        inspection.parked[0].reason.contains("processes died"),
        "{:?}",
        inspection.parked
    );
    assert_eq!(stage.store.parked, Some(inspection.parked[0].since_ms));
    assert_eq!(
        stage.store.inbox.len(),
        1,
        "its notes are gone: {:?}",
        stage.store.inbox
    );
    stage.says(3, "next");
    assert!(runs_what_was_said(&stage), "the conversation goes on");
}

#[test]
fn a_delivery_that_was_at_a_worker_that_died_is_durable_before_it_runs_and_parked_after_the_next_death() {
    let mut stage = Stage::usual();
    stage.deaths = 1;
    let ticket = stage.says(1, "poison");
    assert!(is_accepted(stage.reply_to(ticket)), "its caller need not come again");
    assert_eq!(stage.runs.len(), 1);
    assert_eq!(stage.store.inbox.len(), 2, "the entry and the note of its run");
    stage.dies();
    assert!(is_poisoned(&stage));
    stage.deaths = 0;
    let repeat = stage.says(1, "poison");
    assert!(is_accepted(stage.reply_to(repeat)), "a repeat is not run");
}

#[test]
fn a_timer_that_kills_its_process_is_parked_and_the_next_one_comes() {
    let mut stage = Stage::usual();
    stage.sets_timer("poison", Duration::from_secs(60), None);
    stage.passes(Duration::from_secs(60));
    assert!(matches!(&stage.runs.last().unwrap().1.input, Input::Signal { name, .. } if name == "poison"));
    assert!(stage.store.inbox.is_empty(), "a timer in time costs no note");
    for _ in 2..=3 {
        stage.dies();
        assert!(
            matches!(&stage.runs.last().unwrap().1.input, Input::Signal { .. }),
            "{:?}",
            stage.runs
        );
        assert_eq!(stage.store.inbox.len(), 1, "the note of its run");
    }
    stage.dies();
    assert!(is_poisoned(&stage));
    assert!(matches!(stage.runs.last().unwrap().1.input, Input::Failed(_)));
    stage.commits("told");
    let inspection = stage.inspection();
    assert_eq!((inspection.parked.len(), inspection.timers.len()), (1, 0));
}

#[test]
fn what_was_running_at_a_death_and_ends_well_leaves_no_note() {
    let mut stage = Stage::usual();
    stage.says(1, "slow");
    stage.passes(Duration::from_millis(5_100));
    stage.dies();
    assert_eq!(stage.store.inbox.len(), 2, "the entry and the note of its run");
    stage.commits("1");
    assert!(stage.store.inbox.is_empty(), "{:?}", stage.store.inbox);
}

#[test]
fn an_owner_that_leaves_did_not_die_of_what_it_hands_over() {
    let mut stage = Stage::usual();
    stage.says(1, "slow");
    stage.passes(Duration::from_millis(5_100));
    for _ in 0..5 {
        stage.dies();
        assert!(runs_what_was_said(&stage) && !is_poisoned(&stage));
        stage.tell(Event::Quiesce);
        stage.passes(Duration::from_secs(2));
        assert_eq!(stage.store.inbox.len(), 1, "only the entry: {:?}", stage.store.inbox);
    }
}

#[test]
fn what_may_have_killed_a_process_runs_alone() {
    let mut stage = Stage::usual();
    stage.says(1, "slow");
    stage.passes(Duration::from_millis(5_100));
    stage.dies();
    stage.dies();
    assert_eq!((stage.runs.len(), stage.holding.gates.alone.inside()), (1, 1));
    stage.commits("1");
    assert_eq!(stage.holding.gates.alone.inside(), 0);
}

#[test]
fn a_message_that_ran_and_failed_is_not_taken_for_a_killer() {
    let mut stage = Stage::usual();
    stage.says(1, "bad");
    stage.fails();
    stage.dies();
    stage.passes(Duration::from_secs(1));
    stage.fails();
    assert!(
        stage.store.inbox.keys().all(|field| !field.starts_with("r:")),
        "while it waits it is not running: {:?}",
        stage.store.inbox
    );
}

#[test]
fn an_invoke_runs_again_after_a_death_and_is_never_kept() {
    let mut stage = Stage::usual();
    stage.deaths = 1;
    stage.arrives(
        ArrivalKind::Invoke,
        1,
        json!({ "type": "invoke", "name": "adaptiveCard/action" }),
    );
    assert_eq!((stage.runs.len(), stage.store.inbox.len()), (1, 0));
}

impl Stage {
    /// A turn sets a timer.
    pub(super) fn sets_timer(&mut self, name: &str, wait: Duration, every: Option<Duration>) {
        self.says(1_000, "set");
        let at = std::time::UNIX_EPOCH + Duration::from_millis(self.wall()) + wait;
        let timer = Effect::SetTimer {
            name: name.to_owned(),
            key: String::new(),
            at,
            every,
            payload: bytes::Bytes::new(),
        };
        self.ends(End::Commit(Outcome {
            effects: vec![timer],
            ..Outcome::default()
        }));
    }
}

#[test]
fn what_is_given_up_before_it_ran_waits_for_the_commit_that_is_on_its_way() {
    let mut stage = Stage::usual();
    stage.says(1, "poison");
    stage.passes(Duration::from_millis(5_100));
    stage.dies();
    stage.dies();
    // A late copy of a commit has put back the note of a turn that is done: the next owner removes it at once.
    let mut notes = stage.store.inbox.iter().filter(|(field, _)| field.starts_with("r:"));
    let note = notes.next().map(|(_, note)| note.clone()).unwrap();
    stage.store.inbox.insert("r:00000000000000ff".to_owned(), note);
    stage.holds_commits = true;
    stage.dies();
    assert_eq!(stage.held.len(), 1, "one commit at a time");
    stage.lets_commits_go();
    assert!(is_poisoned(&stage));
    assert_eq!(stage.inspection().parked.len(), 1);
    let conflict = |note: &Note| matches!(note, Note::CommitConflict { .. });
    assert!(!stage.notes.iter().any(conflict), "{:?}", stage.notes);
    let notes: Vec<_> = stage
        .store
        .inbox
        .keys()
        .filter(|field| field.starts_with("r:"))
        .collect();
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn a_caller_that_goes_before_its_delivery_is_durable_holds_nobody_up() {
    let mut stage = Stage::usual();
    stage.says(1, "a");
    stage.holds_commits = true;
    stage.commits("1");
    // It was with a worker that died, so it would be made durable before it runs.
    stage.deaths = 1;
    let seq = stage.says(2, "b");
    stage.tell(Event::Cancelled(Ticket { stream: 1, seq }));
    stage.deaths = 0;
    stage.says(3, "c");
    stage.lets_commits_go();
    assert_eq!(stage.runs.len(), 2, "the one behind it runs");
    stage.commits("3");
    assert_eq!(stage.stored_state().as_deref(), Some("3"));
    stage.passes(Duration::from_millis(100));
    assert!(stage.is_idle());
}
