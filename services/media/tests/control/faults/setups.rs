//! Set-ups that go wrong, and many at once.

use std::time::Duration;

use trunkline_caller::{CallerError, Faults, Sound, Stop, storm};
use trunkline_media::patience::Patience;
use trunkline_proto::media::Relay;
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;

use super::VOICE_HZ;
use super::stage::{SHORT, Stage, from, hears_itself};
use crate::world::run;

/// Callers of a storm: two from each address, as a host answers ten requests a second of each.
const STORM: u8 = 40;

impl Stage {
    /// Requests of peers that were answered so.
    fn answered(&self, status: u16) -> u64 {
        let requests = self.world.host.tally().requests();
        let count = |(known, count)| (known == status).then_some(count);
        requests.into_iter().find_map(count).unwrap_or_default()
    }
}

#[test]
fn a_caller_without_a_handshake_is_given_up_while_it_still_checks() {
    run(async {
        let mut stage = Stage::start(21_240..=21_249, SHORT).await;
        let (leg, invitation) = stage.open().await;
        let faults = Faults {
            stops: Some(Stop::BeforeHandshake),
            ..Faults::default()
        };
        let mut settings = stage.settings(faults);
        settings.patience = Duration::from_secs(5);
        let late = tokio::spawn(async move { trunkline_caller::Caller::connect(&invitation, &settings).await.err() });
        stage
            .worker
            .event(&leg, |told| matches!(told, Told::Nominated(_)))
            .await;
        assert_eq!(stage.end_of(&leg).await, "handshake_failed");
        let late = late.await.unwrap().unwrap();
        assert!(
            matches!(late, CallerError::Late { .. } | CallerError::Ended { .. }),
            "{late}"
        );
        stage.is_as_before().await;
    });
}

#[test]
fn a_wrong_token_is_refused_spends_nothing_and_its_leg_ends_in_time() {
    run(async {
        let mut stage = Stage::start(21_250..=21_259, SHORT).await;
        let wrong = Faults {
            wrong_token: true,
            ..Faults::default()
        };
        let (nobodys, invitation) = stage.open().await;
        let refused = stage.dial(&invitation, wrong).await.err().unwrap();
        assert!(matches!(refused, CallerError::Refused { status: 401, .. }), "{refused}");
        assert_eq!(stage.end_of(&nobodys).await, "orphaned");

        let (leg, invitation) = stage.open().await;
        assert!(stage.dial(&invitation, wrong).await.is_err());
        assert_eq!(stage.answered(401), 2);
        let caller = stage.dial(&invitation, Faults::default()).await.unwrap();
        assert_eq!(caller.hang_up().await.unwrap(), 200);
        assert_eq!(stage.end_of(&leg).await, "peer_hung_up");
        drop(caller);
        stage.is_as_before().await;
    });
}

#[test]
fn of_an_offer_that_is_posted_again_and_again_one_is_taken() {
    run(async {
        let mut stage = Stage::start(21_260..=21_269, SHORT).await;
        let impatient = Faults {
            repeats: 4,
            ..Faults::default()
        };
        let created = stage.answered(201);
        let (leg, caller) = stage.call(impatient).await;
        assert_eq!((stage.answered(201) - created, stage.answered(409)), (1, 4));
        caller.say(Sound::Tone(VOICE_HZ));
        hears_itself(&caller, VOICE_HZ, 0).await;
        assert_eq!(caller.hang_up().await.unwrap(), 200);
        assert_eq!(stage.end_of(&leg).await, "peer_hung_up");
        drop(caller);
        stage.is_as_before().await;
    });
}

#[test]
fn a_storm_of_set_ups_lets_everybody_in() {
    run(async {
        let mut stage = Stage::start(21_400..=21_499, Patience::default()).await;
        let (mut legs, mut comers) = (Vec::new(), Vec::new());
        for number in 0..STORM {
            let (leg, invitation) = stage.open().await;
            legs.push(leg);
            comers.push((invitation, from(2 + number / 2, stage.settings(Faults::default()))));
        }
        let mut callers = Vec::new();
        for come in storm(comers).await {
            callers.push(come.unwrap());
        }
        assert_eq!(stage.world.host.legs(), usize::from(STORM) + 1);
        let (leg, last) = (legs.last().unwrap(), callers.last().unwrap());
        stage.worker.accepts(leg, What::Relay(Relay { echo: true })).await;
        last.say(Sound::Tone(VOICE_HZ));
        hears_itself(last, VOICE_HZ, 0).await;

        for (leg, caller) in legs.iter().zip(callers) {
            assert_eq!(caller.hang_up().await.unwrap(), 200);
            assert_eq!(stage.end_of(leg).await, "peer_hung_up");
        }
        stage.is_as_before().await;
    });
}
