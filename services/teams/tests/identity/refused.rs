//! Every way in which a token can fail, by the name of its refusal.

use serde_json::{Value, json};
use trunkline_teams::identity::{Body, Refusal, RefusalCode};

use crate::login_host::{Answer, LoginHost, Running, body};
use crate::signer::{APP_ID, NOW, OTHER_CHANNEL, Signer, TEAMS, at, claims, claims_with};

fn verifier() -> Running {
    let host = LoginHost::start(Answer::Keys(vec![TEAMS.jwk.clone(), OTHER_CHANNEL.jwk.clone()]));
    Running::start(host.config())
}

#[actix_web::test]
async fn a_token_that_breaks_one_rule_is_refused_by_the_name_of_that_rule() {
    use RefusalCode::{Algorithm, Expired, KeyUnknown, Malformed, NotYetValid, UnknownIssuer, WrongAudience};
    let header = |name: &str, value: Value| {
        let mut header = json!({"typ": "JWT", "alg": "RS256", "kid": TEAMS.kid});
        header[name] = value;
        TEAMS.sign_under(&header, &claims())
    };
    let claim = |name: &str, value: Value| TEAMS.sign(&claims_with(name, value));
    let verifier = verifier();
    for (what, token, expected) in [
        ("two parts", "a.b".to_owned(), Malformed),
        ("no JSON", "YQ.YQ.YQ".to_owned(), Malformed),
        ("no algorithm", header("alg", json!("none")), Algorithm),
        ("symmetric algorithm", header("alg", json!("HS256")), Algorithm),
        ("longer hash", header("alg", json!("RS512")), Algorithm),
        ("other padding", header("alg", json!("PS256")), Algorithm),
        ("algorithm in lower case", header("alg", json!("rs256")), Algorithm),
        ("critical extension", header("crit", json!(["b64"])), Malformed),
        ("no key id", header("kid", Value::Null), Malformed),
        ("unknown key", header("kid", json!("made-up")), KeyUnknown),
        ("no issuer", claim("iss", Value::Null), Malformed),
        (
            "government's issuer",
            claim("iss", json!("https://api.botframework.us")),
            UnknownIssuer,
        ),
        (
            "issuer with a slash",
            claim("iss", json!("https://api.botframework.com/")),
            UnknownIssuer,
        ),
        ("no audience", claim("aud", Value::Null), Malformed),
        ("audience list", claim("aud", json!([APP_ID])), Malformed),
        (
            "audience with a scheme",
            claim("aud", json!(format!("api://{APP_ID}"))),
            WrongAudience,
        ),
        (
            "another audience",
            claim("aud", json!("11111111-2222-4333-8444-555555555555")),
            WrongAudience,
        ),
        ("no expiry", claim("exp", Value::Null), Malformed),
        ("expiry as a text", claim("exp", json!("1800003540")), Malformed),
        ("expired", claim("exp", json!(NOW - 301)), Expired),
        ("no beginning", claim("nbf", Value::Null), Malformed),
        ("not yet valid", claim("nbf", json!(NOW + 301)), NotYetValid),
        ("no service URL", claim("serviceurl", Value::Null), Malformed),
    ] {
        let refusal = verifier.accept(&token).await.unwrap_err();
        assert_eq!(refusal.code(), expected, "{what}: {refusal}");
    }
}

#[actix_web::test]
async fn a_key_of_the_same_name_that_is_not_published_signs_in_vain() {
    let impostor = Signer::new("teams-key", &["msteams"]);
    let refusal = verifier().accept(&impostor.sign(&claims())).await.unwrap_err();
    assert_eq!(
        refusal,
        Refusal::BadSignature {
            kid: "teams-key".into()
        }
    );
}

#[actix_web::test]
async fn a_key_for_another_channel_does_not_vouch_for_teams() {
    let refusal = verifier().accept(&OTHER_CHANNEL.sign(&claims())).await.unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.status()),
        (RefusalCode::EndorsementMissing, 403)
    );
}

#[actix_web::test]
async fn a_body_that_names_nothing_is_refused() {
    let verifier = verifier();
    let token = TEAMS.sign(&claims());
    let nowhere = Body {
        service_url: None,
        ..body()
    };
    let refusal = verifier.accept_at(&token, at(NOW), &nowhere).await.unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.status()),
        (RefusalCode::ServiceUrlMismatch, 403)
    );
    let no_channel = Body {
        channel_id: None,
        ..body()
    };
    let refusal = verifier.accept_at(&token, at(NOW), &no_channel).await.unwrap_err();
    assert_eq!(refusal.code(), RefusalCode::EndorsementMissing);
}

#[actix_web::test]
async fn a_refused_token_is_not_remembered_as_a_good_one() {
    let verifier = verifier();
    let early = TEAMS.sign(&claims_with("nbf", json!(NOW + 400)));
    assert!(verifier.accept(&early).await.is_err());
    assert!(verifier.accept(&early).await.is_err());
    assert!(verifier.accept_at(&early, at(NOW + 200), &body()).await.is_ok());
}
