//! More than a conversation, or a cluster, can take: what fits is kept, the rest is refused at once, and everything is as
//! before when the load has gone.

use std::time::Duration;

use trunkline_fleet::crowd::{Crowd, Habits};

use crate::world::{World, plan};

#[test]
fn a_flood_in_one_conversation_loses_nothing_and_the_others_are_served() {
    let world = World::start("one flooded conversation", plan(2, 1));
    // Two hundred devices that never pause: the conversation's queue and inbox fill.
    let flood = Crowd::talk(
        &world.cluster.surroundings,
        Habits {
            people: 1,
            devices: 200,
            patience: Duration::from_secs(15),
            attempts: 1_000,
            few_attempts: 1_000,
            ..Habits::default()
        },
    );
    std::thread::sleep(Duration::from_secs(10));
    let talks = flood.judge("one flooded conversation", &world.cluster.recorder);
    let refused = talks
        .iter()
        .flat_map(|talk| &talk.said)
        .map(|said| said.failures.len())
        .sum::<usize>();
    println!("  refused attempts: {refused}");
    let crowd = world.crowd();
    crowd.goes_on(&world.cluster.recorder);
    crowd.judge("after the flood", &world.cluster.recorder);
}
