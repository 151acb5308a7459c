//! The signing keys: read, rotated, kept while the host is down.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use trunkline_teams::identity::{RefreshSchedule, Refusal, RefusalCode, VerifierConfig};

use crate::login_host::{Answer, LoginHost, Running, quiet, until, within_time};
use crate::signer::{OTHER_CHANNEL, Signer, TEAMS, claims, claims_with};

fn published(signers: &[&Signer]) -> Answer {
    Answer::Keys(signers.iter().map(|signer| signer.jwk.clone()).collect())
}

/// Reads every few milliseconds, so that a test sees the next read soon.
fn restless(host: &LoginHost) -> Running {
    let soon = Duration::from_millis(5);
    let refresh = RefreshSchedule {
        every: soon,
        first_retry: soon,
        longest_retry: soon,
        ..quiet()
    };
    Running::start(VerifierConfig {
        refresh,
        ..host.config()
    })
}

#[actix_web::test]
async fn requests_that_come_before_the_first_read_wait_for_it() {
    let host = LoginHost::start(published(&[&TEAMS]));
    let held = host.hold_back().await;
    let verifier = Running::start(host.config());
    let token = TEAMS.sign(&claims());
    let requests = join_all((0..200).map(|_| verifier.accept(&token)));
    let release = async {
        until("the document was asked for", || host.reads() == 1).await;
        drop(held);
    };
    let (answers, ()) = within_time(async { tokio::join!(requests, release) }).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(host.reads(), 1);
}

#[actix_web::test]
async fn a_storm_of_unknown_keys_is_one_read() {
    let host = LoginHost::start(published(&[&TEAMS]));
    let verifier = Running::start(host.config());
    verifier.accept(&TEAMS.sign(&claims())).await.unwrap();
    let held = host.hold_back().await;
    let made_up = |number| TEAMS.sign_under(&json!({"alg": "RS256", "kid": format!("made-up {number}")}), &claims());
    let tokens: Vec<String> = (0..200).map(made_up).collect();
    let requests = join_all(tokens.iter().map(|token| verifier.accept(token)));
    let release = async {
        until("the document was asked for again", || host.reads() == 2).await;
        drop(held);
    };
    let (answers, ()) = within_time(async { tokio::join!(requests, release) }).await;
    for answer in answers {
        assert!(
            matches!(answer, Err(Refusal::KeyUnknown { refreshed: true, .. })),
            "{answer:?}"
        );
    }
    assert_eq!(host.reads(), 2, "one at the start, one for the storm");
}

#[actix_web::test]
async fn an_unknown_key_soon_after_a_read_is_refused_without_another() {
    let host = LoginHost::start(published(&[&TEAMS]));
    let config = VerifierConfig {
        refresh: RefreshSchedule::default(),
        ..host.config()
    };
    let verifier = Running::start(config);
    verifier.accept(&TEAMS.sign(&claims())).await.unwrap();
    let refusal = verifier.accept(&OTHER_CHANNEL.sign(&claims())).await.unwrap_err();
    assert_eq!(
        refusal,
        Refusal::KeyUnknown {
            kid: "other-key".into(),
            refreshed: false
        }
    );
    assert_eq!(host.reads(), 1);
}

#[actix_web::test]
async fn a_new_key_works_with_its_first_token() {
    let host = LoginHost::start(published(&[&OTHER_CHANNEL]));
    let verifier = Running::start(host.config());
    assert!(
        verifier.accept(&OTHER_CHANNEL.sign(&claims())).await.is_err(),
        "endorsed for another channel"
    );
    host.set(published(&[&OTHER_CHANNEL, &TEAMS]));
    assert!(verifier.accept(&TEAMS.sign(&claims())).await.is_ok());
    assert_eq!(host.reads(), 2);
}

#[actix_web::test]
async fn a_key_that_left_the_document_takes_its_remembered_tokens_along() {
    let host = LoginHost::start(published(&[&TEAMS, &OTHER_CHANNEL]));
    let verifier = restless(&host);
    let token = TEAMS.sign(&claims());
    verifier.accept(&token).await.unwrap();
    host.set(published(&[&OTHER_CHANNEL]));
    until("the key has left", || verifier.verifier.key_status().keys == 1).await;
    assert_eq!(
        verifier.accept(&token).await.unwrap_err().code(),
        RefusalCode::KeyUnknown
    );
}

#[actix_web::test]
async fn a_key_that_lost_its_endorsement_loses_it_for_remembered_tokens_too() {
    let host = LoginHost::start(published(&[&TEAMS]));
    let verifier = Running::start(host.config());
    let token = TEAMS.sign(&claims());
    verifier.accept(&token).await.unwrap();
    let mut without = TEAMS.jwk.clone();
    without["endorsements"] = json!(["webchat"]);
    host.set(Answer::Keys(vec![without]));
    // An unknown key has the document read again.
    assert!(verifier.accept(&OTHER_CHANNEL.sign(&claims())).await.is_err());
    assert_eq!(
        verifier.accept(&token).await.unwrap_err().code(),
        RefusalCode::EndorsementMissing
    );
}

#[actix_web::test]
async fn the_last_good_keys_serve_while_the_host_is_down_or_talks_nonsense() {
    let host = LoginHost::start(published(&[&TEAMS]));
    let verifier = restless(&host);
    let token = TEAMS.sign(&claims());
    verifier.accept(&token).await.unwrap();
    for answer in [
        Answer::Broken,
        Answer::Page("<html>maintenance</html>"),
        Answer::Keys(Vec::new()),
    ] {
        let what = format!("three failed reads: {answer:?}");
        host.set(published(&[&TEAMS]));
        until("a good read", || verifier.verifier.key_status().failures == 0).await;
        host.set(answer);
        until(&what, || verifier.verifier.key_status().failures >= 3).await;
        assert!(verifier.accept(&token).await.is_ok(), "{what}");
        assert!(verifier.accept(&TEAMS.sign(&json!({"new": true}))).await.is_err());
        assert!(verifier.verifier.key_status().age.is_some());
    }
}

#[actix_web::test]
async fn without_any_keys_the_token_may_be_good_and_the_answer_says_so() {
    let host = LoginHost::start(Answer::Broken);
    let verifier = Running::start(host.config());
    let refusal = verifier.accept(&TEAMS.sign(&claims())).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.status()), (RefusalCode::KeysUnavailable, 503));
    assert!(refusal.retry_after().is_some());
    host.set(published(&[&TEAMS]));
    until("keys are read", || verifier.verifier.key_status().keys == 1).await;
    assert!(verifier.accept(&TEAMS.sign(&claims())).await.is_ok());
}

#[actix_web::test]
async fn the_issuer_of_the_tokens_counts_and_not_the_one_that_the_metadata_names() {
    let host = LoginHost::start(published(&[&TEAMS]));
    let elsewhere = "https://login.example/";
    host.set_issuer(elsewhere);
    let verifier = Running::start(host.config());
    assert!(verifier.accept(&TEAMS.sign(&claims())).await.is_ok());
    let refusal = verifier
        .accept(&TEAMS.sign(&claims_with("iss", json!(elsewhere))))
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), RefusalCode::UnknownIssuer);
}

#[actix_web::test]
async fn the_task_ends_on_shutdown_also_while_it_reads() {
    let host = LoginHost::start(published(&[&TEAMS]));
    let held = host.hold_back().await;
    let verifier = Running::start(host.config());
    until("the document was asked for", || host.reads() == 1).await;
    verifier.stop().await;
    drop(held);
}
