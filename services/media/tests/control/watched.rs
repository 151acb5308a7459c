//! What a worker hears of a leg's set-up and of its sound: enough for the story of a call.

use std::time::Duration;

use trunkline_media::control::{Alarm, Step};
use trunkline_media::leg::{Mode, Standing};
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;
use trunkline_proto::media::{Bridge, Close, Open, Relay};

use crate::sound::Sound;
use crate::support::until;
use crate::world::{World, run, speech};

#[test]
fn the_steps_of_a_leg_its_first_packet_and_its_silence_are_told() {
    run(async {
        let mut world = World::start(10).await;
        let mut worker = world.worker().await;
        let (leg, mut caller, _) = world.call_of(&mut worker, Open::default()).await;
        worker.event(&leg, |told| matches!(told, Told::Offered(_))).await;
        worker.event(&leg, |told| matches!(told, Told::Nominated(_))).await;
        let mut clock = tokio::time::interval(Duration::from_millis(20));
        for packet in speech() {
            clock.tick().await;
            caller.say(&packet);
        }
        let came = |told: &Told| matches!(told, Told::FirstPacket(first) if first.received);
        worker.event(&leg, came).await;
        // Then it says nothing more.
        let told = worker.event(&leg, |told| matches!(told, Told::Alarm(_))).await;
        let Told::Alarm(alarm) = told else { panic!() };
        assert_eq!((alarm.kind.as_str(), alarm.over), (Alarm::NoAudioIn.name(), false));
        for packet in speech() {
            clock.tick().await;
            caller.say(&packet);
        }
        let ends = |told: &Told| matches!(told, Told::Alarm(alarm) if alarm.over);
        worker.event(&leg, ends).await;
        let tally = world.host.tally();
        assert_eq!(tally.alarms().next(), Some((Alarm::NoAudioIn, 1)));
        for step in Step::ALL {
            let measured: u64 = tally.setups().of(step).buckets().iter().map(|(_, count)| count).sum();
            assert_eq!(measured, 1, "{}", step.name());
        }
    });
}

/// Waits until legs are counted so, and no others: by their mode once they are connected.
async fn are_counted(world: &World, expected: &[(Mode, u64)]) {
    let count = |is_connected, mode| {
        let standing = Standing { is_connected, mode };
        world.host.threads().sum(|thread| thread.census().count(standing))
    };
    until(async || {
        let modes = Mode::ALL.into_iter().map(|mode| (mode, count(true, mode)));
        let counted: Vec<_> = modes.filter(|(_, count)| *count > 0).collect();
        let connecting: u64 = Mode::ALL.into_iter().map(|mode| count(false, mode)).sum();
        let is_so = counted == expected && connecting == 0;
        let instead = || format!("{counted:?} and {connecting} without keys, not {expected:?}");
        is_so.then_some(()).ok_or_else(instead)
    })
    .await;
}

#[test]
fn a_leg_is_counted_by_what_is_done_with_its_sound() {
    run(async {
        let mut world = World::start(10).await;
        let mut worker = world.worker().await;
        let (one, mut caller, _) = world.call(&mut worker).await;
        let (other, _other_caller, _) = world.call(&mut worker).await;
        are_counted(&world, &[(Mode::Plain, 2)]).await;
        worker.accepts(&one, What::Relay(Relay { echo: true })).await;
        are_counted(&world, &[(Mode::Echo, 1), (Mode::Plain, 1)]).await;
        worker
            .accepts(&one, What::Bridge(Bridge { other: other.clone() }))
            .await;
        are_counted(&world, &[(Mode::Bridge, 2)]).await;
        // Whoever listens counts first, and is counted until the next packet after having gone.
        let sound = Sound::of(&world, &one, 1).await.unwrap();
        are_counted(&world, &[(Mode::Live, 1), (Mode::Bridge, 1)]).await;
        drop(sound);
        let says = async {
            for packet in speech().iter().cycle() {
                caller.say(packet);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = are_counted(&world, &[(Mode::Bridge, 2)]) => {}
            () = says => {}
        }
        worker.accepts(&one, What::Close(Close {})).await;
        are_counted(&world, &[(Mode::Plain, 1)]).await;
        worker.accepts(&other, What::Close(Close {})).await;
        are_counted(&world, &[]).await;
    });
}
