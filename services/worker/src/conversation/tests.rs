//! Rules of a turn, one by one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod calls;
mod operator;
mod overload;
mod poison;
mod regressions;
mod settling;
mod stage;
mod timers;

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use trunkline_bot::logic::{Answer, End, Input, KeptStep, StateProblem};
use trunkline_proto::routing::Reason;
use trunkline_store::contract::Header;

use super::event::{ArrivalKind, Event, Note, Reply, StepRefused};
use super::simulation::store::no_answer;
use super::{ConversationSettings, Unreadable};
use crate::outbox::SendResult;
use crate::record::{EntryKind, Record};

use self::stage::{Stage, TestBot, is_accepted, reason};

fn status(reply: Option<&Reply>) -> Option<u32> {
    match reply {
        Some(Reply::Done(answer)) => Some(answer.status),
        _ => None,
    }
}

#[test]
fn a_message_is_answered_only_when_its_commit_is_written() {
    let mut stage = Stage::usual();
    let ticket = stage.says(1, "hi");
    assert_eq!(stage.reply_to(ticket), None);
    stage.commits("1");
    assert_eq!(status(stage.reply_to(ticket)), Some(200));
    assert_eq!(stage.stored_state().as_deref(), Some("1"));
}

#[test]
fn a_repeat_while_the_first_runs_is_attached_and_both_are_answered() {
    let mut stage = Stage::usual();
    let first = stage.says(1, "hi");
    let second = stage.says(1, "hi");
    stage.commits("1");
    assert_eq!(stage.runs.len(), 1);
    assert_eq!(
        (status(stage.reply_to(first)), status(stage.reply_to(second))),
        (Some(200), Some(200))
    );
}

#[test]
fn a_message_over_its_budget_is_accepted_and_its_turn_goes_on() {
    let mut stage = Stage::usual();
    let (ticket, behind) = (stage.says(1, "slow"), stage.says(2, "behind"));
    stage.passes(Duration::from_millis(4_900));
    assert_eq!(stage.reply_to(ticket), None);
    stage.passes(Duration::from_millis(200));
    assert!(is_accepted(stage.reply_to(ticket)) && is_accepted(stage.reply_to(behind)));
    assert_eq!(stage.store.inbox.len(), 2);
    stage.commits("1");
    assert_eq!(
        stage.store.inbox.len(),
        1,
        "the commit of the turn takes its entry away"
    );
    assert_eq!(stage.runs.len(), 2, "what waited behind runs");
}

#[test]
fn a_late_invoke_gets_its_default_answer_which_is_recorded() {
    let mut stage = Stage::new(
        TestBot {
            late: Some("later"),
            ..TestBot::default()
        },
        Unreadable::Park,
    );
    let ticket = stage.invokes(1);
    stage.passes(Duration::from_millis(10_100));
    let Some(Reply::Done(answer)) = stage.reply_to(ticket) else {
        panic!("{:?}", stage.replies)
    };
    assert_eq!(answer.body.as_ref(), b"later");
    assert_eq!(
        stage.store.answers.values().next().map(Bytes::as_ref),
        Some(b"later".as_slice())
    );
    stage.commits("done");
    assert_eq!(
        stage.stored_state().as_deref(),
        Some("done"),
        "its effects are committed all the same"
    );
    let repeat = stage.invokes(1);
    assert_eq!(stage.from_record.last().map(|(seq, _)| *seq), Some(repeat));
}

#[test]
fn a_card_that_comes_after_the_default_answer_replaces_the_message_with_the_button() {
    let mut stage = Stage::new(
        TestBot {
            late: Some("later"),
            ..TestBot::default()
        },
        Unreadable::Park,
    );
    let button = json!({ "type": "invoke", "name": "adaptiveCard/action", "replyToId": "m1" });
    stage.arrives(ArrivalKind::Invoke, 1, button.clone());
    stage.passes(Duration::from_millis(10_100));
    let answer = || Answer {
        status: 200,
        body: Some(Bytes::from_static(b"card")),
    };
    stage.answers_with(answer());
    let record = Record::read(stage.store.record.as_ref().unwrap(), None).unwrap().1;
    let update = &record.outbox[0];
    assert_eq!(
        (update.kind(), update.message_id.as_str(), update.body.as_ref()),
        (EntryKind::Update, "m1", b"card".as_slice())
    );
    assert_eq!(record.next_sequence, update.sequence + 1);
    stage.arrives(ArrivalKind::Invoke, 2, button);
    stage.answers_with(answer());
    let record = Record::read(stage.store.record.as_ref().unwrap(), None).unwrap().1;
    assert_eq!(record.outbox.len(), 1, "an answer in time replaces the card itself");
}

#[test]
fn a_late_invoke_without_a_default_answer_is_refused_and_never_accepted() {
    let mut stage = Stage::usual();
    let (running, waiting) = (stage.invokes(1), stage.invokes(2));
    stage.passes(Duration::from_millis(10_100));
    assert_eq!(reason(stage.reply_to(running)), Some(Reason::Deadline));
    assert_eq!(reason(stage.reply_to(waiting)), Some(Reason::Deadline));
    assert!(stage.store.inbox.is_empty());
}

#[test]
fn a_failed_invoke_gets_the_answer_of_its_kind_and_leaves_no_trace() {
    let mut stage = Stage::usual();
    let ticket = stage.invokes(1);
    stage.fails();
    assert_eq!(status(stage.reply_to(ticket)), Some(500));
    assert_eq!(stage.store.writes, 0);
    stage.invokes(1);
    assert_eq!(stage.runs.len(), 2, "a repeat of a failed invoke runs");
}

#[test]
fn a_failed_message_is_accepted_tried_again_with_back_off_and_parked() {
    let mut stage = Stage::usual();
    let ticket = stage.says(1, "bad");
    stage.fails();
    assert!(is_accepted(stage.reply_to(ticket)));
    assert_eq!(stage.runs.len(), 1, "not at once");
    stage.passes(Duration::from_millis(600));
    assert_eq!(stage.runs.last().unwrap().1.attempt, 2);
    stage.fails();
    stage.passes(Duration::from_millis(2_500));
    assert_eq!(stage.runs.last().unwrap().1.attempt, 3);
    stage.fails();
    assert!(
        stage
            .notes
            .iter()
            .any(|note| matches!(note, Note::Parked { attempts: 3, .. })),
        "{:?}",
        stage.notes
    );
    assert!(
        matches!(stage.runs.last().unwrap().1.input, Input::Failed(_)),
        "the bot is told"
    );
    stage.commits("told");
    assert_eq!(stage.store.inbox.len(), 1, "what was given up stays for the operator");
    stage.says(2, "next");
    assert!(
        matches!(stage.runs.last().unwrap().1.input, Input::Activity(_)),
        "the queue goes on"
    );
}

#[test]
fn a_kept_step_makes_its_message_durable_and_is_there_when_the_turn_runs_again() {
    let mut stage = Stage::usual();
    let ticket = stage.says(1, "pay");
    let run = stage.runs[0].0;
    let step = KeptStep {
        name: "paid".to_owned(),
        result: Bytes::from_static(b"7"),
    };
    stage.tell(Event::KeepStep {
        run,
        step: step.clone(),
    });
    assert_eq!(stage.steps, [Ok(())]);
    assert!(is_accepted(stage.reply_to(ticket)));
    stage.fails();
    stage.passes(Duration::from_secs(1));
    let (_, begin) = stage.runs.last().unwrap();
    assert_eq!(begin.steps, [step]);
    assert_eq!((begin.now, &begin.seed), (stage.runs[0].1.now, &stage.runs[0].1.seed));
    stage.commits("1");
    assert!(
        stage.store.inbox.is_empty(),
        "the commit of the turn takes its steps away"
    );
}

#[test]
fn a_step_that_is_too_large_is_refused_by_name() {
    let mut stage = Stage::usual();
    stage.says(1, "pay");
    let run = stage.runs[0].0;
    let result = Bytes::from(vec![0; trunkline_bot::logic::STEP_BYTES + 1]);
    stage.tell(Event::KeepStep {
        run,
        step: KeptStep {
            name: "huge".to_owned(),
            result,
        },
    });
    assert!(matches!(&stage.steps[..], [Err(StepRefused::Limit(text))] if text.contains("huge")));
}

#[test]
fn steps_of_an_invoke_that_nobody_repeats_are_swept() {
    let mut stage = Stage::usual();
    stage.invokes(1);
    let run = stage.runs[0].0;
    stage.tell(Event::KeepStep {
        run,
        step: KeptStep {
            name: "paid".to_owned(),
            result: Bytes::from_static(b"7"),
        },
    });
    stage.fails();
    assert_eq!(stage.store.inbox.len(), 2, "the step and its mark");
    stage.passes(Duration::from_secs(601));
    assert!(stage.store.inbox.is_empty());
    assert_eq!(stage.store.wake, None);
}

#[test]
fn a_stop_word_drops_the_turn_of_its_speaker_and_runs_next() {
    let mut stage = Stage::usual();
    let (stopped, behind) = (stage.says(1, "long story"), stage.says(2, "behind"));
    let first = stage.runs[0].0;
    stage.says(3, " STOP ");
    assert_eq!(stage.dropped, [first]);
    assert_eq!(status(stage.reply_to(stopped)), Some(200));
    let Input::Activity(activity) = &stage.runs.last().unwrap().1.input else {
        panic!("a turn runs")
    };
    assert_eq!(activity.text.as_deref(), Some(" STOP "));
    assert_eq!(stage.reply_to(behind), None);
    assert_eq!(
        stage.stored_state(),
        None,
        "nothing of the stopped turn is kept but its key"
    );
}

#[test]
fn the_same_doing_by_the_same_person_within_the_window_is_a_repeat() {
    let mut stage = Stage::new(
        TestBot {
            once_per: Some(Duration::from_secs(30)),
            ..TestBot::default()
        },
        Unreadable::Park,
    );
    stage.invokes(1);
    stage.commits("1");
    stage.invokes(2);
    assert_eq!((stage.runs.len(), stage.from_record.len()), (1, 1));
    stage.passes(Duration::from_secs(31));
    stage.invokes(3);
    assert_eq!(stage.runs.len(), 2, "after the window it is meant");
}

#[test]
fn a_lost_fence_moves_every_caller_and_commits_nothing_more() {
    let mut stage = Stage::usual();
    let (running, waiting) = (stage.says(1, "hi"), stage.says(2, "ho"));
    stage.store.fence = None;
    stage.commits("1");
    assert!(stage.is_lost);
    assert!(matches!(stage.reply_to(running), Some(Reply::Moved(_))));
    assert!(matches!(stage.reply_to(waiting), Some(Reply::Moved(_))));
    let later = stage.says(3, "hu");
    assert!(matches!(stage.reply_to(later), Some(Reply::Moved(_))));
}

#[test]
fn a_store_that_lost_writes_is_noticed_and_the_turn_runs_on_what_is_there() {
    let mut stage = Stage::usual();
    stage.says(1, "a");
    stage.commits("1");
    let lost = stage.store.record.clone();
    stage.says(2, "b");
    stage.commits("2");
    stage.store.record = lost;
    let ticket = stage.says(3, "c");
    stage.commits("3");
    assert!(
        stage.notes.iter().any(
            |note| matches!(note, Note::StoreRegressed { ours, stored } if (ours.version, stored.version) == (2, 1))
        ),
        "{:?}",
        stage.notes
    );
    let (_, begin) = stage.runs.last().unwrap();
    assert_eq!(begin.state.as_ref().unwrap().bytes.as_ref(), b"1");
    stage.commits("4");
    assert_eq!(status(stage.reply_to(ticket)), Some(200));
}

#[test]
fn a_commit_without_an_answer_is_repeated_until_the_caller_stops_waiting() {
    let mut stage = Stage::usual();
    let ticket = stage.says(1, "hi");
    stage.store_says = Some(no_answer);
    stage.commits("1");
    stage.passes(Duration::from_secs(5));
    assert_eq!(stage.reply_to(ticket), None);
    stage.passes(Duration::from_secs(9));
    assert_eq!(reason(stage.reply_to(ticket)), Some(Reason::StoreUnavailable));
    stage.store_says = None;
    stage.passes(Duration::from_secs(1));
    stage.says(1, "hi");
    assert_eq!(stage.runs.len(), 2, "it is read again, and the repeat decides");
}

#[test]
fn a_commit_whose_answer_was_lost_is_known_when_it_is_repeated() {
    let mut stage = Stage::usual();
    let ticket = stage.says(1, "hi");
    stage.store_says = Some(no_answer);
    stage.commits("1");
    stage.store_says = None;
    stage.passes(Duration::from_millis(500));
    assert_eq!(status(stage.reply_to(ticket)), Some(200));
    assert_eq!(stage.store.writes, 1);
}

#[test]
fn state_that_is_newer_refuses_the_turn_and_changes_nothing() {
    let mut stage = Stage::usual();
    let ticket = stage.says(1, "hi");
    stage.ends(End::State(StateProblem::Newer { stored: 2, known: 1 }));
    assert_eq!(reason(stage.reply_to(ticket)), Some(Reason::NewerState));
    assert_eq!(stage.store.writes, 0);
}

#[test]
fn unreadable_state_is_set_aside_where_the_operator_says_so() {
    let mut stage = Stage::new(TestBot::default(), Unreadable::Reset);
    stage.says(1, "a");
    stage.commits("old");
    stage.says(2, "b");
    stage.ends(End::State(StateProblem::Unreadable {
        stored: 1,
        reason: "gibberish".to_owned(),
    }));
    assert_eq!(
        stage.runs.last().unwrap().1.state,
        None,
        "the turn runs again, on nothing"
    );
    stage.commits("new");
    let record = Record::read(stage.store.record.as_ref().unwrap(), None).unwrap().1;
    assert_eq!(record.set_aside.unwrap().state.unwrap().bytes.as_ref(), b"old");
    assert_eq!(record.state.unwrap().bytes.as_ref(), b"new");
}

#[test]
fn no_turn_begins_for_a_caller_that_hardly_waits_any_more() {
    let mut stage = Stage::usual();
    stage.invokes(1);
    stage.says(2, "hi");
    let settings = ConversationSettings::default();
    assert_eq!(settings.least_remaining, Duration::from_millis(300));
    stage.store_says = Some(no_answer);
    stage.commits("1");
    stage.passes(Duration::from_secs(13));
    assert_eq!(stage.runs.len(), 1, "nothing begins while the store is away");
    assert!(
        stage.replies.iter().all(|(_, reply)| reason(Some(reply)).is_some()),
        "{:?}",
        stage.replies
    );
}

#[test]
fn a_shard_that_leaves_accepts_what_runs_and_hands_back_what_waits() {
    let mut stage = Stage::usual();
    let (running, waiting) = (stage.says(1, "long"), stage.says(2, "behind"));
    stage.tell(Event::Quiesce);
    assert!(matches!(stage.reply_to(waiting), Some(Reply::Moved(_))));
    assert!(!stage.core.is_quiet());
    stage.passes(Duration::from_millis(1_600));
    assert!(is_accepted(stage.reply_to(running)));
    assert!(stage.core.is_quiet());
    assert_eq!((stage.store.inbox.len(), stage.store.wake.is_some()), (1, true));
}

#[test]
fn without_a_lease_nothing_begins_what_runs_is_committed_and_all_goes_on_when_it_is_back() {
    let mut stage = Stage::usual();
    let (running, waiting) = (stage.says(1, "hi"), stage.says(2, "hi"));
    stage.may_begin = false;
    stage.commits_with_reply("1");
    assert_eq!(status(stage.reply_to(running)), Some(200));
    stage.passes(Duration::from_secs(2));
    assert_eq!((stage.runs.len(), stage.sends.len()), (1, 0), "nothing begins");
    stage.passes(Duration::from_secs(4));
    assert!(is_accepted(stage.reply_to(waiting)), "its budget ends all the same");
    stage.may_begin = true;
    stage.tell(Event::Tick);
    assert_eq!((stage.runs.len(), stage.sends.len()), (2, 1));
}

#[test]
fn a_send_that_was_withheld_goes_out_when_the_lease_is_back_and_was_no_try() {
    let mut stage = Stage::usual();
    stage.says(1, "hi");
    stage.commits_with_reply("1");
    let sequence = *stage.sends.last().unwrap();
    stage.may_begin = false;
    stage.tell(Event::Sent {
        sequence,
        result: SendResult::Withheld,
    });
    stage.passes(Duration::from_secs(700));
    assert_eq!(stage.sends.len(), 1);
    stage.may_begin = true;
    stage.tell(Event::Tick);
    assert_eq!(stage.sends.len(), 2, "at once, without a back-off");
    let reason = "no".to_owned();
    stage.tell(Event::Sent {
        sequence,
        result: SendResult::Again {
            after_ms: None,
            in_doubt: false,
            reason,
        },
    });
    assert!(
        !stage.notes.iter().any(|note| matches!(note, Note::SendGivenUp { .. })),
        "{:?}",
        stage.notes
    );
}

#[test]
fn the_header_of_each_record_is_another() {
    let mut stage = Stage::usual();
    let mut headers = std::collections::HashSet::new();
    for key in 1..=20 {
        stage.says(key, "hi");
        stage.commits("1");
        headers.insert(Header::of_record(stage.store.record.as_ref().unwrap()).unwrap().turn);
    }
    assert_eq!(headers.len(), 20);
}
