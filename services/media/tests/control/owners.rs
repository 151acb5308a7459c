//! Whose a leg is: a new owner, an old one that is fenced, nobody.

use std::time::Duration;

use trunkline_proto::media::acknowledgement::What as Ack;
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;
use trunkline_proto::media::{Close, Relay};

use crate::world::{World, run};

#[test]
fn a_new_owner_takes_over_and_the_old_one_is_fenced() {
    run(async {
        let mut world = World::start(10).await;
        let mut old = world.worker().await;
        let (leg, mut caller, _) = world.call(&mut old).await;
        old.accepts(&leg, What::Relay(Relay { echo: true })).await;

        let mut new = world.worker().await;
        new.epoch = 2;
        // It hears what it missed: from the beginning of the leg on.
        new.attach(&leg, 0).await;
        new.event(&leg, |told| matches!(told, Told::Connected(_))).await;
        let (_, ack) = old.does(&leg, What::Close(Close {})).await;
        assert_eq!(ack, Ack::Fenced(2));
        // Audio did not notice.
        caller.say(b"x");
        assert_eq!(caller.hear().payload, b"x");
    });
}

#[test]
fn a_leg_whose_worker_dies_goes_on_and_ends_only_if_nobody_comes() {
    run(async {
        let mut world = World::start(10).await;
        let mut worker = world.worker().await;
        let (leg, mut caller, _) = world.call(&mut worker).await;
        worker.accepts(&leg, What::Relay(Relay { echo: true })).await;
        drop(worker);
        // Audio does not notice, and a worker that comes in time keeps the leg.
        for _ in 0..2 {
            caller.say(b"x");
            assert_eq!(caller.hear().payload, b"x");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let mut next = world.worker().await;
        next.epoch = 2;
        next.attach(&leg, 0).await;
        drop(next);

        world.is_left_by(&mut caller).await;
    });
}
