//! SIGKILL for the worker of a call in each of its states: the call goes on with the next owner, nothing that was finished is
//! played again, and nothing hangs.

use std::time::Duration;

use trunkline_simulated_teams::{Between, CallDelays, CallSettings, CallState, CallView, PromptState, Speech};

use crate::world::{Hosted, PERSON, Setting, World, prompt};

/// Long enough for a worker to be killed in it and another to have taken over.
const LONG: Duration = Duration::from_secs(4);

/// A Graph whose calls take their time.
pub(crate) fn slow() -> Setting {
    Setting {
        graph: CallSettings {
            prompt_length: LONG,
            delays: CallDelays {
                establishing: Between::always(Duration::from_millis(1_500)),
                established: Between::always(Duration::from_millis(1_500)),
                termination: Between::always(LONG),
                ..CallDelays::default()
            },
            ..CallSettings::default()
        },
        ..Setting::default()
    }
}

/// A call whose caller has heard the greeting.
fn greeted() -> (World, String) {
    let world = World::start(slow());
    let call = world.ring();
    world.greeted(&call);
    (world, call)
}

fn has_asked(view: &CallView, operation: &str) -> bool {
    view.requested()
        .iter()
        .any(|(asked, status)| *asked == operation && *status < 300)
}

/// Kills the worker of a call that is like this, and makes sure that it still was when its worker was dead.
fn kill_while(world: &mut World, call: &str, what: &str, is_so: impl Fn(&CallView) -> bool) {
    world.when(call, what, &is_so);
    world.kill_owner(call);
    let at_death = world.teams().call(call).unwrap();
    assert!(
        is_so(&at_death),
        "{what} was over before the worker died: {at_death:#?}"
    );
}

/// Nothing was asked twice that Graph had taken, and the greeting was heard once.
fn assert_once(view: &CallView) {
    for operation in ["answer", "recordResponse", "transfer"] {
        let taken = view
            .requested()
            .iter()
            .filter(|(asked, status)| *asked == operation && *status < 300)
            .count();
        assert!(taken <= 1, "{operation} was asked {taken} times: {view:#?}");
    }
    let mut prompts: Vec<&str> = view.prompts.iter().map(|prompt| prompt.uri.as_str()).collect();
    let asked = prompts.len();
    prompts.sort_unstable();
    prompts.dedup();
    assert_eq!(prompts.len(), asked, "a prompt was asked for twice: {view:#?}");
}

/// The call is over, stands once in the log, and nothing of it is left.
fn assert_settled(world: &World, call: &str) -> CallView {
    let over = world.over(call);
    assert_once(&over);
    world.wait_until_quiet();
    let entries = world
        .audit()
        .iter()
        .filter(|entry| entry["record"]["id"] == call)
        .count();
    assert_eq!(entries, 1, "entries in the log of ended calls");
    over
}

#[test]
fn a_ringing_call_is_answered_by_the_next_owner() {
    let mut world = World::start(Setting {
        bot: Hosted::Hotline {
            think: Duration::from_secs(3),
        },
        ..slow()
    });
    let call = world.ring();
    kill_while(&mut world, &call, "ringing", |view| {
        view.notified().contains(&"created incoming") && view.state == CallState::Incoming
    });
    let answered = world.greeted(&call);
    assert!(
        answered.answered_after.unwrap() < Duration::from_secs(12),
        "{answered:#?}"
    );
    world.teams().hang_up(&call).unwrap();
    assert_settled(&world, &call);
}

#[test]
fn a_call_that_was_answered_is_greeted_by_the_next_owner() {
    let mut world = World::start(slow());
    let call = world.ring();
    kill_while(&mut world, &call, "answering", |view| {
        has_asked(view, "answer") && view.state <= CallState::Establishing
    });
    world.greeted(&call);
    world.teams().hang_up(&call).unwrap();
    assert_settled(&world, &call);
}

#[test]
fn a_prompt_that_plays_is_not_played_again() {
    let mut world = World::start(slow());
    let call = world.ring();
    let plays = |view: &CallView| view.prompts.iter().any(|prompt| prompt.state == PromptState::Playing);
    kill_while(&mut world, &call, "a prompt", plays);
    world.greeted(&call);
    world.teams().press_key(&call, "0").unwrap();
    let over = assert_settled(&world, &call);
    assert_eq!(over.times_played(&prompt("greeting")), 1, "{over:#?}");
    assert_eq!(over.times_played(&prompt("goodbye")), 1, "{over:#?}");
}

#[test]
fn a_recording_ends_at_the_next_owner() {
    let (mut world, call) = greeted();
    world.teams().press_key(&call, "2").unwrap();
    world.when(&call, "recording", |view| has_asked(view, "recordResponse"));
    world.teams().speak(&call, Speech::hum(LONG)).unwrap();
    kill_while(&mut world, &call, "recording", |view| {
        let has_ended = |what: &&str| what.starts_with("deleted recordOperation");
        !view.notified().iter().any(has_ended)
    });
    let over = assert_settled(&world, &call);
    assert_eq!(over.times_played(&prompt("thanks")), 1, "{over:#?}");
}

fn killed_while_transferring() -> (World, String) {
    let (mut world, call) = greeted();
    world.teams().press_key(&call, "1").unwrap();
    kill_while(&mut world, &call, "transferring", |view| view.ringing.contains(&PERSON));
    world.cluster.wait_until_whole();
    (world, call)
}

#[test]
fn a_transfer_is_completed_under_the_next_owner() {
    let (world, call) = killed_while_transferring();
    world.teams().pick_up(&call, PERSON).unwrap();
    let over = assert_settled(&world, &call);
    assert!(over.transferred_to.is_some(), "{over:#?}");
}

#[test]
fn a_transfer_that_fails_comes_back_to_the_next_owner() {
    let (world, call) = killed_while_transferring();
    world.teams().decline(&call, PERSON).unwrap();
    let over = assert_settled(&world, &call);
    assert_eq!(over.times_played(&prompt("nobody")), 1, "{over:#?}");
}

#[test]
fn a_call_that_ends_is_ended_once_and_written_down_by_the_next_owner() {
    let (mut world, call) = greeted();
    world.teams().press_key(&call, "0").unwrap();
    kill_while(&mut world, &call, "ending", |view| {
        has_asked(view, "delete") && view.state == CallState::Terminating
    });
    assert_settled(&world, &call);
}
