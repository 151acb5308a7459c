//! What is accepted, for whom, and what of it is remembered.

use serde_json::json;
use trunkline_teams::identity::{Body, RefusalCode, Verifier, VerifierConfig, VerifierConfigError};

use crate::login_host::{Answer, LoginHost, Running, body};
use crate::signer::{APP_ID, NOW, SECOND_APP_ID, SERVICE_URL, TEAMS, at, claims, claims_with};

fn host() -> LoginHost {
    LoginHost::start(Answer::Keys(vec![TEAMS.jwk.clone()]))
}

#[actix_web::test]
async fn a_genuine_token_says_whom_it_is_for_and_where_answers_go() {
    let host = host();
    let verified = Running::start(host.config())
        .accept(&TEAMS.sign(&claims()))
        .await
        .unwrap();
    assert!(verified.is_verified());
    assert_eq!(
        (verified.bot_index(), verified.bot(), verified.app_id()),
        (0, "echo", APP_ID)
    );
    assert_eq!(
        (verified.service_url(), verified.kid()),
        (Some(SERVICE_URL), Some("teams-key"))
    );
    assert_eq!(verified.expires(), Some(at(NOW + 3540)));
}

#[actix_web::test]
async fn the_audience_chooses_the_bot_in_any_case() {
    let host = host();
    let verifier = Running::start(host.config());
    let token = TEAMS.sign(&claims_with("aud", json!(SECOND_APP_ID.to_uppercase())));
    assert_eq!(verifier.accept(&token).await.unwrap().bot(), "second");
}

#[actix_web::test]
async fn a_remembered_token_is_still_compared_with_each_body() {
    let host = host();
    let verifier = Running::start(host.config());
    let token = TEAMS.sign(&claims());
    verifier.accept(&token).await.unwrap();
    let elsewhere = Body {
        service_url: Some("https://evil.example/"),
        ..body()
    };
    let refusal = verifier.accept_at(&token, at(NOW), &elsewhere).await.unwrap_err();
    assert_eq!(refusal.code(), RefusalCode::ServiceUrlMismatch);
    let other_channel = Body {
        channel_id: Some("directline"),
        ..body()
    };
    let refusal = verifier.accept_at(&token, at(NOW), &other_channel).await.unwrap_err();
    assert_eq!(refusal.code(), RefusalCode::EndorsementMissing);
    assert!(verifier.accept(&token).await.is_ok());
}

#[actix_web::test]
async fn a_remembered_token_expires_as_any_other() {
    let host = host();
    let verifier = Running::start(host.config());
    let token = TEAMS.sign(&claims());
    verifier.accept(&token).await.unwrap();
    let end = NOW + 3540;
    assert!(verifier.accept_at(&token, at(end + 300), &body()).await.is_ok());
    let refusal = verifier.accept_at(&token, at(end + 301), &body()).await.unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "expired 301 s ago by our clock, 1 s more than the skew allows"
    );
    let refusal = verifier.accept_at(&token, at(NOW - 3600), &body()).await.unwrap_err();
    assert_eq!(refusal.to_string(), "valid only in 3540 s by our clock");
}

#[actix_web::test]
async fn only_listed_tenants_may_talk_to_a_bot_that_lists_them() {
    let host = host();
    let mut config = host.config();
    config.bots[0].allowed_tenants = vec!["8A0C2F6E-0000-4BBB-8CCC-1D2E3F405162".into()];
    let verifier = Running::start(config);
    let token = TEAMS.sign(&claims());
    assert!(verifier.accept(&token).await.is_ok());
    for tenant in [None, Some(""), Some("00000000-0000-4000-8000-000000000000")] {
        let refusal = verifier
            .accept_at(&token, at(NOW), &Body { tenant, ..body() })
            .await
            .unwrap_err();
        assert_eq!(refusal.code(), RefusalCode::TenantNotAllowed, "{tenant:?}");
    }
}

#[actix_web::test]
async fn an_operator_can_demand_more_endorsements() {
    let host = host();
    let demanding = |endorsement: &str| VerifierConfig {
        required_endorsements: vec![endorsement.into()],
        ..host.config()
    };
    let token = TEAMS.sign(&claims());
    assert!(Running::start(demanding("webchat")).accept(&token).await.is_ok());
    let refusal = Running::start(demanding("company")).accept(&token).await.unwrap_err();
    assert_eq!(refusal.to_string(), "key teams-key is not endorsed for company");
}

#[actix_web::test]
async fn only_a_bot_with_the_flag_takes_requests_without_a_token() {
    let host = host();
    let mut config = host.config();
    config.bots[1].accepts_unauthenticated = true;
    let open = Running::start(config).verifier;
    let verified = open.check([], at(NOW)).await.unwrap();
    assert!(!verified.is_verified());
    assert_eq!(
        (verified.bot(), verified.bot_index(), verified.service_url()),
        ("second", 1, None)
    );
    let local = Body {
        service_url: Some("http://127.0.0.1:56150"),
        channel_id: Some("emulator"),
        tenant: None,
    };
    assert_eq!(open.check_body(&verified, &local), Ok(()));
    // A token that does come must hold.
    let refusal = open.check([&b"Bearer a.b.c"[..]], at(NOW)).await.unwrap_err();
    assert_eq!(refusal.code(), RefusalCode::Malformed);
    assert!(Running::start(host.config()).verifier.check([], at(NOW)).await.is_err());
}

#[actix_web::test]
async fn bots_that_tokens_cannot_tell_apart_are_refused_at_the_start() {
    let host = host();
    let refused = |change: fn(&mut VerifierConfig)| {
        let mut config = host.config();
        change(&mut config);
        Verifier::new(config, reqwest::Client::new()).unwrap_err()
    };
    let (first, second) = (String::from("echo"), String::from("second"));
    assert_eq!(
        refused(|config| config.bots[1].app_id = APP_ID.to_uppercase()),
        VerifierConfigError::SameAppId {
            first: first.clone(),
            second: second.clone()
        }
    );
    assert_eq!(
        refused(|config| config
            .bots
            .iter_mut()
            .for_each(|bot| bot.accepts_unauthenticated = true)),
        VerifierConfigError::SeveralUnauthenticated {
            first: first.clone(),
            second
        }
    );
    assert_eq!(
        refused(|config| config.bots[0].app_id = "echo".into()),
        VerifierConfigError::AppId {
            bot: first,
            app_id: "echo".into()
        }
    );
}
