//! What a worker hears of a leg's set-up and of its sound: enough for the story of a call.

use std::time::Duration;

use trunkline_media::control::{Alarm, Step};
use trunkline_proto::media::Open;
use trunkline_proto::media::event::What as Told;

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
