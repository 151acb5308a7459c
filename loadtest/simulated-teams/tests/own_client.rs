//! Trunkline's own verifier and client of the Connector against the simulated Teams: neither was written with the other's
//! types, so that they agree means something.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use support::{BOT, Endpoint, INES, World, config};
use trunkline_simulated_teams::{Fault, FaultTime, Limits, Overlap, StreamView};
use trunkline_teams::{
    cloud::Cloud,
    connector::{Connector, NewConversation, PartKind, Stream},
    identity::{Body, BotIdentity, RefreshSchedule, Refusal, Verifier, VerifierConfig},
    service_url::{ServiceUrl, Trust},
    token::{Certificate, ClientCredentials, ClientCredentialsConfig, Proof, Secret, login_client},
};

fn cloud(world: &World) -> Cloud {
    Cloud {
        connector_metadata: world.teams.metadata_url(),
        token_endpoint: format!("{}/{{tenant}}/oauth2/v2.0/token", world.teams.login_url()),
        ..Cloud::public()
    }
}

fn connector(world: &World, proof: Proof) -> (Connector, ServiceUrl) {
    let bot = world.teams.bots().remove(0);
    let credentials = ClientCredentialsConfig::new(&cloud(world), None, &bot.app_id, proof);
    let tokens = ClientCredentials::new(credentials, login_client().unwrap());
    let base = ServiceUrl::parse(&world.teams.service_url())
        .unwrap()
        .trusted(Trust::AllowList)
        .unwrap();
    (Connector::new(login_client().unwrap(), Some(Arc::new(tokens))), base)
}

fn secret() -> Proof {
    Proof::ClientSecret(Secret::new("a secret for this machine only"))
}

fn message(text: &str) -> Bytes {
    json!({ "type": "message", "text": text }).to_string().into()
}

#[actix_web::test]
async fn the_verifier_takes_every_request_and_follows_a_rotated_key() {
    let mut bot = Endpoint::accepting();
    let world = World::start(config(&bot.url)).await;
    let app_id = world.teams.bots()[0].app_id.clone();
    let identity = BotIdentity {
        name: "pilot".to_owned(),
        app_id,
        ..BotIdentity::default()
    };
    let mut rules = VerifierConfig::new(cloud(&world), vec![identity]);
    rules.refresh = RefreshSchedule {
        unknown_key_interval: Duration::ZERO,
        ..RefreshSchedule::default()
    };
    let verifier = Arc::new(Verifier::new(rules, login_client().unwrap()).unwrap());
    let keeper = Arc::clone(&verifier);
    actix_rt::spawn(async move { keeper.keep_keys_fresh(std::future::pending()).await });
    let mut verdict = async || {
        world.teams.say(INES, &world.chat(), "hello").unwrap();
        let received = bot.next().await;
        let header = received.header("authorization").unwrap().as_bytes();
        let verified = verifier.check([header], SystemTime::now()).await?;
        let text = |pointer: &str| received.activity.pointer(pointer).and_then(Value::as_str);
        let body = Body {
            service_url: text("/serviceUrl"),
            channel_id: text("/channelId"),
            tenant: text("/channelData/tenant/id"),
        };
        verifier.check_body(&verified, &body)
    };
    assert_eq!(verdict().await, Ok(()));
    world.teams.rotate_keys(&["msteams"], Overlap::DropOld).unwrap();
    assert_eq!(verdict().await, Ok(()));
    world.teams.rotate_keys(&["webchat"], Overlap::KeepOld).unwrap();
    let refused = verdict().await;
    assert!(
        matches!(refused, Err(Refusal::EndorsementMissing { .. })),
        "{refused:?}"
    );
}

#[actix_web::test]
async fn the_client_sends_changes_deletes_and_reads_rosters() {
    let world = World::start(config("http://127.0.0.1:1/")).await;
    let (connector, base) = connector(&world, secret());
    let chat = world.chat();
    let id = connector
        .send(&base, &chat, message("draft"))
        .await
        .unwrap()
        .id
        .unwrap();
    connector.update(&base, &chat, &id, message("final")).await.unwrap();
    assert_eq!(world.teams.transcript(&chat).unwrap()[0].text, "final");
    connector.delete(&base, &chat, &id).await.unwrap();
    assert!(world.teams.transcript(&chat).unwrap()[0].deleted);
    connector.typing(&base, &chat).await.unwrap();
    let members = connector.members(&base, &chat, 200, None).await.unwrap();
    assert_eq!((members.members.len(), members.continuation_token), (1, None));
    let channel = world.teams.channel().unwrap();
    let tenant = world
        .teams
        .claims(BOT)
        .unwrap()
        .serviceurl
        .rsplit('/')
        .nth(1)
        .unwrap()
        .to_owned();
    let thread = NewConversation::thread(&tenant, &channel, &message("news")).unwrap();
    let created = connector.create_conversation(&base, &thread).await.unwrap();
    let answered = created.activity_id.unwrap();
    connector
        .reply(&base, &created.id, &answered, message("more"))
        .await
        .unwrap();
    assert_eq!(world.teams.transcript(&created.id).unwrap().len(), 2);
}

#[actix_web::test]
async fn the_client_gets_over_faults_a_lost_token_and_throttling() {
    let world = World::start(config("http://127.0.0.1:1/")).await;
    let (connector, base) = connector(&world, secret());
    for status in [412, 429, 502, 503, 504] {
        let fault = Fault {
            status,
            when: FaultTime::BeforeStore,
            share: 1.0,
            times: Some(1),
            retry_after: None,
        };
        world.teams.set_faults(vec![fault]);
        connector.send(&base, &world.chat(), message("hello")).await.unwrap();
    }
    world.teams.revoke_tokens();
    connector.send(&base, &world.chat(), message("hello")).await.unwrap();
    for _ in 0..6 {
        connector.send(&base, &world.chat(), message("hello")).await.unwrap();
    }
    assert_eq!(world.teams.transcript(&world.chat()).unwrap().len(), 12);
}

#[actix_web::test]
async fn the_client_proves_itself_by_certificate() {
    let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(&pair).unwrap();
    let mut settings = config("http://127.0.0.1:1/");
    settings.bots[0].assertion_keys = vec![pair.public_key_pem()];
    let world = World::start(settings).await;
    let certificate = Certificate::from_pem(&certificate.pem(), &pair.serialize_pem()).unwrap();
    let (connector, base) = connector(&world, Proof::Certificate(Box::new(certificate)));
    connector.send(&base, &world.chat(), message("hello")).await.unwrap();
}

#[actix_web::test]
async fn the_client_streams_an_answer() {
    let world = World::start(config("http://127.0.0.1:1/")).await;
    world.teams.set_limits(Limits::Off);
    let (connector, base) = connector(&world, secret());
    let mut stream = Stream::new();
    for (kind, text) in [
        (PartKind::Informative, "Looking"),
        (PartKind::Text, "A brown"),
        (PartKind::Text, "A brown fox"),
    ] {
        let part = stream.part(kind, text).unwrap();
        if let Some(id) = connector.send(&base, &world.chat(), part).await.unwrap().id {
            stream.started(id);
        }
    }
    connector
        .send(&base, &world.chat(), stream.finish(message("A brown fox.")).unwrap())
        .await
        .unwrap();
    let said = world.teams.transcript(&world.chat()).unwrap();
    assert_eq!(
        (said.len(), said[0].text.as_str(), said[0].stream),
        (1, "A brown fox.", Some(StreamView::Done))
    );
}
