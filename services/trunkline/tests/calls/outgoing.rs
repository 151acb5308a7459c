//! Calls that the bot begins, asked for in a chat: nobody is rung twice, whoever fails or dies.

use trunkline_fleet::wait::wait_for;
use trunkline_simulated_teams::{CallDirection, CallFault, CallState, CallView, FaultTime};

use crate::kills::slow;
use crate::world::{PERSON, Setting, World, prompt};

/// The calls that the bot began.
fn begun(world: &World) -> Vec<CallView> {
    let all = world.teams().calls().into_iter();
    all.filter(|call| call.direction == CallDirection::Outgoing).collect()
}

/// The person picks up, hears the greeting, and says good-bye. There was one call.
fn take_the_only_call(world: &World) {
    let call = begun(world).remove(0).id;
    world.teams().pick_up(&call, PERSON).unwrap();
    world.greeted(&call);
    world.teams().press_key(&call, "0").unwrap();
    let over = world.over(&call);
    assert_eq!(over.times_played(&prompt("goodbye")), 1, "{over:#?}");
    world.wait_until_quiet();
    assert_eq!(begun(world).len(), 1, "{:#?}", begun(world));
    let audit = world.audit();
    assert_eq!(audit.len(), 1, "{audit:#?}");
    assert_eq!(
        (&audit[0]["record"]["id"], &audit[0]["record"]["isOutgoing"]),
        (&call.into(), &true.into())
    );
}

fn is_ringing(call: &CallView) -> bool {
    call.state == CallState::Establishing && call.ringing.contains(&PERSON)
}

#[test]
fn a_call_of_which_graph_lost_the_answer_is_not_made_again() {
    let mut graph = slow().graph;
    graph.faults = vec![CallFault {
        operation: Some("create".to_owned()),
        status: 500,
        when: FaultTime::AfterStore,
        share: 1.0,
        times: None,
        retry_after: None,
    }];
    let world = World::start(Setting {
        graph,
        ..Setting::default()
    });
    world.say(0, "call");
    wait_for("a ringing person", || {
        begun(&world).iter().any(is_ringing).then_some(())
    });
    take_the_only_call(&world);
}

#[test]
fn a_call_whose_worker_dies_while_it_rings_is_not_made_again() {
    let mut world = World::start(slow());
    world.say(0, "call");
    let call = wait_for("a ringing person", || begun(&world).into_iter().find(is_ringing));
    world.kill_owner(&call.id);
    world.cluster.wait_until_whole();
    take_the_only_call(&world);
}
