//! A store that lost what it had acknowledged, or holds what only a newer version can read.

use std::time::Duration;

use trunkline_proto::routing::Reason;
use trunkline_store::contract::Header;

use super::super::event::{Event, Note, Reply};
use super::super::simulation::store::no_answer;
use super::stage::{Stage, is_accepted, reason};
use crate::outbox::SendResult;
use crate::record::{FORMAT, Record};

#[test]
fn a_store_that_lost_an_accepted_message_gets_it_again_from_its_owner() {
    let mut stage = Stage::usual();
    stage.says(1, "a");
    stage.commits("1");
    let (record, inbox) = (stage.store.record.clone(), stage.store.inbox.clone());
    stage.says(2, "b");
    stage.commits("2");
    let running = stage.says(3, "slow");
    let waiting = stage.says(4, "behind");
    stage.passes(Duration::from_millis(5_100));
    assert!(is_accepted(stage.reply_to(running)) && is_accepted(stage.reply_to(waiting)));
    // A failover to a replica that had neither.
    (stage.store.record, stage.store.inbox) = (record, inbox);
    stage.commits("3");
    let regressed =
        |note: &Note| matches!(note, Note::StoreRegressed { ours, stored } if ours.version > stored.version);
    assert!(stage.notes.iter().any(regressed), "{:?}", stage.notes);
    assert_eq!(stage.store.inbox.len(), 2, "what was promised is durable again");
    for state in ["3", "4"] {
        stage.commits(state);
    }
    assert_eq!(stage.stored_state().as_deref(), Some("4"));
    assert!(stage.store.inbox.is_empty());
}

#[test]
fn a_record_that_is_gone_is_begun_anew_and_named() {
    let mut stage = Stage::usual();
    stage.says(1, "a");
    stage.commits("1");
    stage.store.record = None;
    let ticket = stage.says(2, "b");
    stage.commits("2");
    assert!(stage.notes.iter().any(
        |note| matches!(note, Note::StoreRegressed { ours, stored } if ours.version == 1 && *stored == Header::ABSENT)
    ));
    assert_eq!(stage.runs.last().unwrap().1.state, None);
    stage.commits("3");
    assert!(stage.reply_to(ticket).is_some());
    assert_eq!(stage.stored_state().as_deref(), Some("3"));
}

#[test]
fn an_answer_to_a_reply_that_the_store_lost_is_not_taken_for_one_to_the_reply_that_has_its_place() {
    let mut stage = Stage::usual();
    stage.says(1, "a");
    stage.commits("1");
    let (record, inbox) = (stage.store.record.clone(), stage.store.inbox.clone());
    stage.says(2, "b");
    stage.commits_with_reply("2");
    assert_eq!(stage.sends, [1], "on its way to the Connector");
    // A failover to a replica that had neither the turn nor its reply.
    (stage.store.record, stage.store.inbox) = (record, inbox);
    stage.passes(Duration::from_millis(10));
    stage.says(3, "c");
    stage.commits_with_reply("3");
    stage.commits_with_reply("3");
    assert_eq!(stage.sends, [1], "one at a time");
    let taken = || Event::Sent {
        sequence: 1,
        result: SendResult::Taken {
            id: Some("m1".to_owned()),
            conversation: None,
        },
    };
    stage.tell(taken());
    assert_eq!(
        stage.sends,
        [1, 1],
        "the reply of the last turn has the sequence of the lost one"
    );
    stage.tell(taken());
    stage.passes(Duration::from_millis(100));
    let record = Record::read(stage.store.record.as_ref().unwrap(), None).unwrap().1;
    assert!(record.outbox.is_empty(), "{:?}", record.outbox);
}

/// A conversation whose record a newer version has written since.
fn written_by_next() -> Stage {
    let mut stage = Stage::usual();
    stage.says(1, "a");
    stage.commits("1");
    let mut record = Record::read(stage.store.record.as_ref().unwrap(), None).unwrap().1;
    record.format = FORMAT + 1;
    stage.store.record = Some(record.write(Header { version: 2, turn: 2 }));
    stage.reads_anew();
    stage.runs.clear();
    stage
}

#[test]
fn a_record_that_no_worker_can_read_is_refused_and_named() {
    let mut stage = written_by_next();
    let ticket = stage.says(2, "b");
    assert_eq!(stage.needs_reader, Some(FORMAT + 1));
    assert!(stage.notes.contains(&Note::ReadNowhere { format: FORMAT + 1 }));
    assert_eq!(reason(stage.reply_to(ticket)), Some(Reason::NewerState));
    assert!(stage.runs.is_empty());
}

#[test]
fn who_writes_to_a_conversation_that_another_worker_reads_waits_until_the_shard_goes_there() {
    let mut stage = written_by_next();
    stage.others_read = true;
    let ticket = stage.says(2, "b");
    stage.passes(Duration::from_secs(6));
    assert!(stage.reply_to(ticket).is_none(), "it waits");
    stage.tell(Event::Quiesce);
    assert!(matches!(stage.reply_to(ticket), Some(Reply::Moved(_))));
    assert!(stage.runs.is_empty());
}

#[test]
fn who_waits_for_a_worker_that_reads_the_record_is_told_so_when_time_is_up() {
    let mut stage = written_by_next();
    stage.others_read = true;
    let ticket = stage.says(2, "b");
    stage.passes(Duration::from_secs(30));
    assert_eq!(reason(stage.reply_to(ticket)), Some(Reason::NewerState));
}

#[test]
fn a_store_that_comes_back_without_what_was_uncertain_wedges_nobody() {
    let mut stage = Stage::usual();
    stage.says(1, "slow");
    stage.passes(Duration::from_millis(5_100));
    stage.store_says = Some(no_answer);
    stage.commits("1");
    stage.passes(Duration::from_secs(31));
    stage.store_says = None;
    stage.store.inbox.clear();
    stage.passes(Duration::from_secs(2));
    assert_eq!(stage.runs.len(), 2, "the promised message runs again");
    stage.commits("1");
    assert_eq!(stage.stored_state().as_deref(), Some("1"));
}
