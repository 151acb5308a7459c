//! RSA keys that sign tokens, with their public half as it is published.

use std::fmt;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::error::SimulatedTeamsError;

/// An RSA key of 2,048 bits.
pub(crate) struct SigningKey {
    id: String,
    secret: EncodingKey,
    public: Value,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Makes a new key and a certificate for it, as the published document carries one.
    pub(crate) fn generate() -> Result<Self, SimulatedTeamsError> {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
        let certificate = CertificateParams::new(Vec::new())?.self_signed(&pair)?;
        let secret = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes())?;
        let id = URL_SAFE_NO_PAD.encode(&Sha256::digest(certificate.der())[..20]);
        let numbers = serde_json::to_value(Jwk::from_encoding_key(&secret, Algorithm::RS256)?)?;
        let public = json!({
            "kty": "RSA", "use": "sig", "kid": id, "x5t": id, "n": numbers["n"], "e": numbers["e"],
            "x5c": [STANDARD.encode(certificate.der())],
        });
        Ok(Self { id, secret, public })
    }

    /// The key as the published document shows it.
    pub(crate) fn public(&self) -> &Value {
        &self.public
    }

    /// Signs with RS256.
    pub(crate) fn sign<C: Serialize>(&self, claims: &C) -> Result<String, SimulatedTeamsError> {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.id.clone());
        header.x5t = Some(self.id.clone());
        Ok(jsonwebtoken::encode(&header, claims, &self.secret)?)
    }
}
