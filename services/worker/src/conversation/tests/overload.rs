//! What a worker does with more than it can run: the inbox takes it, within its bounds.

use std::time::Duration;

use trunkline_proto::routing::Reason;

use super::super::simulation::store::no_answer;
use super::super::{ConversationSettings, SHARD_AGE_MS, SHARD_ENTRIES};
use super::stage::{Stage, is_accepted, reason, text_of};

#[test]
fn a_shed_message_is_durable_and_answered_before_its_turn_begins() {
    let mut stage = Stage::usual();
    stage.is_shedding = true;
    stage.store_says = Some(no_answer);
    let ticket = stage.says(1, "later");
    assert!(
        stage.runs.is_empty() && stage.reply_to(ticket).is_none(),
        "nothing before it is durable"
    );
    stage.store_says = None;
    stage.passes(Duration::from_millis(200));
    assert!(is_accepted(stage.reply_to(ticket)));
    assert_eq!((stage.store.inbox.len(), stage.runs.len()), (1, 1));
    stage.commits("1");
    assert!(stage.store.inbox.is_empty());
}

#[test]
fn what_is_shed_while_a_commit_is_under_way_is_durable_with_one_more() {
    let mut stage = Stage::usual();
    stage.says(1, "running");
    stage.is_shedding = true;
    stage.store_says = Some(no_answer);
    let tickets: Vec<u64> = (2..=900).map(|key| stage.says(key, "later")).collect();
    stage.store_says = None;
    let before = stage.store.writes;
    stage.passes(Duration::from_secs(1));
    assert!(
        tickets.iter().all(|ticket| is_accepted(stage.reply_to(*ticket))),
        "{:?}",
        stage.notes.last()
    );
    assert_eq!(stage.store.writes - before, 2, "the first alone, all others together");
}

#[test]
fn shed_messages_run_in_order_and_each_leaves_the_backlog_when_it_begins() {
    let mut stage = Stage::usual();
    stage.says(1, "running");
    stage.is_shedding = true;
    for key in 2..=4 {
        stage.says(key, &format!("number {key}"));
    }
    assert_eq!(stage.holding.backlog.entries(), 3);
    for key in 2..=4 {
        stage.commits("1");
        assert_eq!(text_of(&stage.runs.last().unwrap().1), format!("number {key}"));
        assert_eq!(stage.holding.backlog.entries(), 4 - usize::try_from(key).unwrap());
    }
}

#[test]
fn a_full_inbox_refuses_at_once_and_says_when_to_come_again() {
    let mut stage = Stage::usual();
    stage.says(1, "running");
    stage.is_shedding = true;
    let most = ConversationSettings::default().inbox_entries;
    for key in 0..most {
        stage.says(10 + key as u64, "later");
    }
    let ticket = stage.says(9, "too much");
    assert_eq!(reason(stage.reply_to(ticket)), Some(Reason::Overloaded));
    assert_eq!(stage.store.inbox.len(), most);
    stage.commits("1");
    stage.commits("2");
    let ticket = stage.says(8, "fits again");
    assert!(is_accepted(stage.reply_to(ticket)));
}

#[test]
fn a_shard_whose_inboxes_are_full_or_old_refuses_at_once() {
    let mut stage = Stage::usual();
    stage.is_shedding = true;
    let others: Vec<_> = (0..SHARD_ENTRIES).map(|_| stage.counts_another()).collect();
    let ticket = stage.says(1, "too much");
    assert_eq!(reason(stage.reply_to(ticket)), Some(Reason::Overloaded));
    drop(others);
    let old = stage.counts_another();
    stage.passes(Duration::from_millis(SHARD_AGE_MS + 1_000));
    let ticket = stage.says(2, "too late");
    assert_eq!(reason(stage.reply_to(ticket)), Some(Reason::Overloaded));
    drop(old);
    let ticket = stage.says(3, "fits");
    assert!(is_accepted(stage.reply_to(ticket)));
}

#[test]
fn turns_of_a_backlog_wait_at_the_gate_and_those_with_callers_do_not() {
    let mut stage = Stage::usual();
    let inside: Vec<_> = std::iter::from_fn(|| stage.holding.gates.background.enter()).collect();
    stage.is_shedding = true;
    stage.says(1, "later");
    stage.passes(Duration::from_secs(1));
    assert!(stage.runs.is_empty(), "the gate is full");
    drop(inside);
    stage.passes(Duration::from_secs(1));
    assert_eq!(stage.runs.len(), 1);
    stage.commits("1");
    let inside: Vec<_> = std::iter::from_fn(|| stage.holding.gates.background.enter()).collect();
    stage.is_shedding = false;
    stage.says(2, "now");
    assert_eq!(text_of(&stage.runs.last().unwrap().1), "now");
    drop(inside);
}

#[test]
fn an_inbox_of_a_thousand_is_taken_over_and_done_in_order() {
    let mut stage = Stage::usual();
    stage.says(1, "running");
    stage.is_shedding = true;
    for key in 2..=1_000 {
        stage.says(key, &key.to_string());
    }
    stage.commits("1");
    stage.dies();
    for key in 2..=1_000 {
        stage.passes(Duration::from_millis(1));
        assert_eq!(text_of(&stage.runs.last().unwrap().1), key.to_string());
        stage.commits("1");
    }
    assert!(stage.store.inbox.is_empty(), "{:?}", stage.store.inbox.keys().next());
    assert_eq!(stage.store.wake, None);
}
