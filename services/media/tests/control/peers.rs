//! What a peer does over HTTPS, and what is refused to it.

use std::time::Instant;

use trunkline_proto::media::acknowledgement::What as Ack;
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;
use trunkline_proto::media::{Open, Relay};

use crate::support::PATIENCE;
use crate::world::{SDP, World, run};

#[test]
fn the_peer_restarts_and_hangs_up_over_https() {
    run(async {
        let mut world = World::start(10).await;
        let mut worker = world.worker().await;
        let (leg, mut caller, session) = world.call(&mut worker).await;
        worker.accepts(&leg, What::Relay(Relay { echo: true })).await;

        let fragment = caller.caller.restart();
        let (location, token) = (session.location.as_str(), session.token.as_str());
        assert_eq!(world.patch(location, token, None, fragment.clone()).await.status(), 428);
        assert_eq!(
            world
                .patch(location, token, Some("\"9\""), fragment.clone())
                .await
                .status(),
            412
        );
        assert_eq!(
            world
                .patch(location, "wrong", Some("*"), fragment.clone())
                .await
                .status(),
            401
        );
        assert_eq!(
            world
                .patch(location, token, Some(&session.tag), fragment.clone())
                .await
                .status(),
            204
        );
        let restarted = world.patch(location, token, Some("*"), fragment).await;
        assert_eq!(restarted.status(), 200);
        assert_ne!(restarted.headers()["etag"].to_str().unwrap(), session.tag);
        caller.caller.answered(&restarted.text().await.unwrap());
        caller.rebind();
        caller.nominate();
        caller.say(b"after");
        assert_eq!(caller.hear().payload, b"after");

        let delete = || world.client.delete(format!("{}{location}", world.https));
        assert_eq!(delete().bearer_auth("wrong").send().await.unwrap().status(), 401);
        assert_eq!(delete().bearer_auth(token).send().await.unwrap().status(), 200);
        let ended = worker.event(&leg, |told| matches!(told, Told::Ended(_))).await;
        assert_eq!(ended, Told::Ended("peer_hung_up".to_owned()));
        world.is_left_by(&mut caller).await;
        assert_eq!(delete().bearer_auth(token).send().await.unwrap().status(), 404);
    });
}

#[test]
fn strangers_and_broken_offers_are_refused_by_status() {
    run(async {
        let mut world = World::start(1).await;
        let mut worker = world.worker().await;
        let (_, opened) = worker.open().await;
        let (path, token) = (opened.path.as_str(), opened.token.as_str());
        let offer = world.caller().offer();
        let passive = offer.replace("a=setup:actpass", "a=setup:passive");

        assert_eq!(world.post(path, "wrong", SDP, offer.clone()).await.status(), 401);
        assert_eq!(
            world.post("/legs/unknown", token, SDP, offer.clone()).await.status(),
            401
        );
        assert_eq!(world.post(path, token, "text/plain", offer.clone()).await.status(), 415);
        assert_eq!(world.post(path, token, SDP, "x".repeat(40_000)).await.status(), 413);
        assert_eq!(world.post(path, token, SDP, "hello".to_owned()).await.status(), 400);
        let refused = world.post(path, token, SDP, passive).await;
        assert_eq!(refused.status(), 422);
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
        let problem: serde_json::Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
        assert_eq!(problem["line"], 14);

        let answer = world.post(path, token, SDP, offer.clone()).await;
        assert_eq!(answer.status(), 201);
        assert_eq!(world.post(path, token, SDP, offer).await.status(), 409);
        let get = world.client.get(format!("{}{path}", world.https)).send().await.unwrap();
        // The eleventh request of a second may come first on a fast machine.
        assert!([405, 429].contains(&get.status().as_u16()));
        assert!(
            matches!(worker.does("", What::Open(Open::default())).await.1, Ack::Refused(refused) if refused.reason == 2)
        );

        // Whoever asks too often is told to come again.
        let until = Instant::now() + PATIENCE;
        loop {
            let preflight = world
                .client
                .request(reqwest::Method::OPTIONS, format!("{}{path}", world.https));
            let answer = preflight.header("origin", "https://page.example").send().await.unwrap();
            if answer.status() == 429 {
                assert_eq!(answer.headers()["retry-after"], "1");
                break;
            }
            assert_eq!(answer.headers()["accept-post"], SDP);
            assert_eq!(answer.headers()["access-control-allow-origin"], "https://page.example");
            assert!(Instant::now() < until, "the rate is limited");
        }
    });
}
