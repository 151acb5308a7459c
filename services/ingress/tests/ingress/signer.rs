//! Keys of our own that sign tokens as the Connector's do.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://api.botframework.com";
pub(crate) const APP_ID: &str = "0d6f1b57-2f0e-4d1c-9a55-7b1e33c0a411";
pub(crate) const SECOND_APP_ID: &str = "b7c7d2e0-93a4-4a0e-8d2f-51f3c2a9e6d8";
pub(crate) const TENANT: &str = "3fb0c6de-5a58-4b7c-9d0e-8e2a6f71b9c4";
pub(crate) const SERVICE_URL: &str = "https://smba.trafficmanager.net/emea/3fb0c6de-5a58-4b7c-9d0e-8e2a6f71b9c4/";

/// The clock of the tests, in the middle of the tokens' hour.
pub(crate) const NOW: u64 = 1_800_000_000;

/// A key that may or may not be published.
pub(crate) struct Signer {
    kid: &'static str,
    key: EncodingKey,
    pub(crate) jwk: Value,
}

/// Endorsed for Teams.
pub(crate) static TEAMS: LazyLock<Signer> = LazyLock::new(|| Signer::new("teams-key", &["msteams"]));
/// Endorsed for another channel only.
pub(crate) static OTHER_CHANNEL: LazyLock<Signer> = LazyLock::new(|| Signer::new("other-key", &["webchat"]));
/// Published nowhere.
pub(crate) static UNKNOWN: LazyLock<Signer> = LazyLock::new(|| Signer::new("unknown-key", &["msteams"]));
/// Published nowhere, under the name of one that is.
pub(crate) static IMPOSTOR: LazyLock<Signer> = LazyLock::new(|| Signer::new("teams-key", &["msteams"]));

impl Signer {
    fn new(kid: &'static str, endorsements: &[&str]) -> Self {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
        let key_utils = &jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.key_utils;
        let (modulus, exponent) = (key_utils.rsa_pub_components_from_private_key)(key.as_bytes()).unwrap();
        let (modulus, exponent) = (URL_SAFE_NO_PAD.encode(modulus), URL_SAFE_NO_PAD.encode(exponent));
        let jwk = json!({
            "kty": "RSA", "use": "sig", "kid": kid, "n": modulus, "e": exponent, "endorsements": endorsements,
        });
        Self { kid, key, jwk }
    }

    /// A token with these claims, signed well.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as("RS256", claims)
    }

    /// A token whose header names another algorithm.
    pub(crate) fn sign_as(&self, algorithm: &str, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"typ": "JWT", "alg": algorithm, "kid": self.kid});
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, Algorithm::RS256).unwrap();
        format!("{signed}.{signature}")
    }
}

/// The claims of a genuine token of Teams for [`APP_ID`], an hour long.
pub(crate) fn claims() -> Value {
    json!({"serviceurl": SERVICE_URL, "nbf": NOW - 60, "exp": NOW + 3540, "iss": ISSUER, "aud": APP_ID})
}

/// The same with one claim replaced.
pub(crate) fn claims_with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

/// A genuine token.
pub(crate) fn token() -> String {
    TEAMS.sign(&claims())
}

/// Unix seconds as the clock that is put in.
pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}
