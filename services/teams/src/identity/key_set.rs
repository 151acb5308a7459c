//! The signing keys of an issuer, as its key document (JWKS, RFC 7517) publishes them.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// One public key that may sign tokens.
pub struct SigningKey {
    kid: Box<str>,
    /// Modulus and exponent as published, to recognise an unchanged key.
    material: Box<str>,
    endorsements: Box<[Box<str>]>,
    decoding: DecodingKey,
}

impl SigningKey {
    /// Key id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Whether the issuer vouches with this key for activities of that channel (exact, as in Microsoft's SDKs).
    pub fn is_endorsed_for(&self, channel: &str) -> bool {
        self.endorsements.iter().any(|endorsement| &**endorsement == channel)
    }

    /// Whether the RS256 signature (base64url) over `signed` was made with the private half of this key.
    pub(super) fn has_signed(&self, signed: &str, signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &self.decoding, Algorithm::RS256).unwrap_or(false)
    }

    fn is_same_as(&self, other: &Self) -> bool {
        self.kid == other.kid && self.material == other.material && self.endorsements == other.endorsements
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kid, endorsements, .. } = self;
        formatter
            .debug_struct("SigningKey")
            .field("kid", kid)
            .field("endorsements", endorsements)
            .finish_non_exhaustive()
    }
}

/// The keys of one issuer at one time.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Arc<SigningKey>>,
}

/// Why a key document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// It is not JSON of the expected shape.
    #[error("key document is not a JWKS")]
    Json(#[from] serde_json::Error),
    /// It holds no RSA signing key. Taking it at its word would refuse everybody.
    #[error("key document holds no usable signing key")]
    Empty,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<PublishedKey>,
}

#[derive(Deserialize)]
struct PublishedKey {
    kty: String,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    endorsements: Vec<Box<str>>,
}

impl KeySet {
    /// Reads a key document. Keys of other kinds or for other purposes are left out.
    pub fn parse(document: &[u8]) -> Result<Self, KeySetError> {
        let document: Document = serde_json::from_slice(document)?;
        let keys: Vec<_> = document
            .keys
            .into_iter()
            .filter_map(PublishedKey::into_signing_key)
            .map(Arc::new)
            .collect();
        if keys.is_empty() {
            Err(KeySetError::Empty)
        } else {
            Ok(Self { keys })
        }
    }

    /// The key of that id.
    pub fn find(&self, kid: &str) -> Option<&Arc<SigningKey>> {
        self.keys.iter().find(|key| &*key.kid == kid)
    }

    /// Whether exactly this key is in the set: what one that has left signed is worth nothing any more.
    pub fn holds(&self, key: &Arc<SigningKey>) -> bool {
        self.keys.iter().any(|own| Arc::ptr_eq(own, key))
    }

    /// Every key.
    pub fn keys(&self) -> &[Arc<SigningKey>] {
        &self.keys
    }

    /// Takes over the keys of `previous` that have not changed, so that [`KeySet::holds`] still knows them.
    pub(super) fn after(mut self, previous: &Self) -> Self {
        for key in &mut self.keys {
            if let Some(same) = previous.keys.iter().find(|old| old.is_same_as(key)) {
                *key = Arc::clone(same);
            }
        }
        self
    }
}

impl PublishedKey {
    fn into_signing_key(self) -> Option<SigningKey> {
        if self.kty != "RSA" || self.purpose.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let (modulus, exponent) = (self.n?, self.e?);
        Some(SigningKey {
            kid: self.kid?.into(),
            decoding: DecodingKey::from_rsa_components(&modulus, &exponent).ok()?,
            material: format!("{modulus}.{exponent}").into(),
            endorsements: self.endorsements.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    fn key(kid: &str, modulus: &str) -> Value {
        json!({"kty": "RSA", "use": "sig", "kid": kid, "n": modulus, "e": "AQAB", "endorsements": ["msteams"]})
    }

    fn parse(keys: &[Value]) -> Result<KeySet, KeySetError> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn keys_that_cannot_sign_tokens_are_left_out() {
        let mut encryption = key("encryption", "AAAA");
        encryption["use"] = json!("enc");
        let set = parse(&[encryption, json!({"kty": "EC", "kid": "curve"}), key("good", "AAAA")]).unwrap();
        let kids: Vec<_> = set.keys().iter().map(|key| key.kid()).collect();
        assert_eq!(kids, ["good"]);
    }

    #[test]
    fn a_document_without_a_usable_key_is_an_error_and_not_an_empty_set() {
        assert!(matches!(parse(&[]), Err(KeySetError::Empty)));
        assert!(matches!(KeySet::parse(b"<html>"), Err(KeySetError::Json(_))));
    }

    #[test]
    fn an_unchanged_key_stays_the_same_and_a_changed_one_does_not() {
        let first = parse(&[key("stays", "AAAA"), key("changes", "AAAA"), key("leaves", "AAAA")]).unwrap();
        let second = parse(&[key("stays", "AAAA"), key("changes", "BBBB")])
            .unwrap()
            .after(&first);
        assert!(second.holds(first.find("stays").unwrap()));
        assert!(!second.holds(first.find("changes").unwrap()));
        assert!(!second.holds(first.find("leaves").unwrap()));
    }

    #[test]
    fn endorsements_are_compared_exactly() {
        let set = parse(&[key("k", "AAAA")]).unwrap();
        let key = set.find("k").unwrap();
        assert!(key.is_endorsed_for("msteams"));
        assert!(!key.is_endorsed_for("MSTeams"));
        assert!(!key.is_endorsed_for(""));
    }
}
