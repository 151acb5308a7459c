//! Keys of our own that sign tokens as the Connector's do.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://api.botframework.com";
pub(crate) const APP_ID: &str = "5b0a3c1e-7d52-4c0b-9a6f-2f8e4d1c7a90";
pub(crate) const SECOND_APP_ID: &str = "c4e1d2f3-1111-4a4b-8c8d-9e9f0a0b0c0d";
pub(crate) const SERVICE_URL: &str = "https://smba.trafficmanager.net/emea/8a0c2f6e-0000-4bbb-8ccc-1d2e3f405162/";

/// The clock of the tests, in the middle of the tokens' hour.
pub(crate) const NOW: u64 = 1_800_000_000;

/// A key that may or may not be published.
pub(crate) struct Signer {
    pub(crate) kid: &'static str,
    key: EncodingKey,
    pub(crate) jwk: Value,
}

/// Endorsed for Teams.
pub(crate) static TEAMS: LazyLock<Signer> = LazyLock::new(|| Signer::new("teams-key", &["msteams", "webchat"]));
/// Endorsed for another channel only.
pub(crate) static OTHER_CHANNEL: LazyLock<Signer> = LazyLock::new(|| Signer::new("other-key", &["webchat"]));

impl Signer {
    pub(crate) fn new(kid: &'static str, endorsements: &[&str]) -> Self {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
        let key_utils = &jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.key_utils;
        let (modulus, exponent) = (key_utils.rsa_pub_components_from_private_key)(key.as_bytes()).unwrap();
        let (modulus, exponent) = (URL_SAFE_NO_PAD.encode(modulus), URL_SAFE_NO_PAD.encode(exponent));
        let jwk = json!({
            "kty": "RSA", "use": "sig", "kid": kid, "x5t": kid, "n": modulus, "e": exponent, "endorsements": endorsements,
        });
        Self { kid, key, jwk }
    }

    /// A token with these claims, signed well.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_under(&json!({"typ": "JWT", "alg": "RS256", "kid": self.kid}), claims)
    }

    /// A token under another header.
    pub(crate) fn sign_under(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, Algorithm::RS256).unwrap();
        format!("{signed}.{signature}")
    }
}

/// The claims of a genuine token of Teams for [`APP_ID`], an hour long.
pub(crate) fn claims() -> Value {
    json!({"serviceurl": SERVICE_URL, "nbf": NOW - 60, "exp": NOW + 3540, "iss": ISSUER, "aud": APP_ID})
}

/// The same with one claim replaced, or left out for `null`.
pub(crate) fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

/// Unix seconds as the clock that is put in.
pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}
