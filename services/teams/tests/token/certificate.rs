//! A certificate as proof.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use serde_json::Value;
use sha2::{Digest, Sha256};
use trunkline_teams::token::{Certificate, CertificateError, Proof, TokenProvider};

use crate::endpoint::{Answer, CLIENT_ID, Endpoint};

struct Pair {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Pair {
    fn rsa() -> Self {
        let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let certificate = CertificateParams::new(vec!["bot.example".into()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        Self { certificate, key }
    }

    fn read(&self) -> Certificate {
        Certificate::from_pem(&self.certificate.pem(), &self.key.serialize_pem()).unwrap()
    }
}

#[actix_web::test]
async fn an_assertion_is_signed_with_ps256_and_names_the_certificate() {
    let pair = Pair::rsa();
    let endpoint = Endpoint::start([Answer::status(500)]);
    let provider = endpoint.provider_with(Proof::Certificate(Box::new(pair.read())));
    provider.token().await.unwrap();
    let forms = endpoint.forms();
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    assert!(
        forms
            .iter()
            .all(|form| form["client_assertion_type"] == kind && !form.contains_key("client_secret"))
    );

    let key = DecodingKey::from_rsa_der(pair.key.public_key_raw());
    let mut validation = Validation::new(Algorithm::PS256);
    validation.set_audience(&[endpoint.address()]);
    let read = |form: &std::collections::HashMap<String, String>| {
        jsonwebtoken::decode::<Value>(&form["client_assertion"], &key, &validation).unwrap()
    };
    let (first, second) = (read(&forms[0]), read(&forms[1]));
    let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(pair.certificate.der()));
    assert_eq!(
        (first.header.x5t_s256, first.header.typ),
        (Some(thumbprint), Some("JWT".into()))
    );
    let claims = first.claims;
    assert_eq!((&claims["iss"], &claims["sub"]), (&CLIENT_ID.into(), &CLIENT_ID.into()));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["nbf"].as_u64().unwrap(), 600);
    assert_ne!(
        claims["jti"], second.claims["jti"],
        "each attempt has an assertion of its own"
    );
}

#[test]
fn certificate_and_key_may_stand_in_one_text_in_any_order() {
    let pair = Pair::rsa();
    let (certificate, key) = (pair.certificate.pem(), pair.key.serialize_pem());
    for text in [
        format!("{certificate}{key}"),
        format!("{key}{certificate}"),
        format!("Bag Attributes\n{key}\n{certificate}"),
    ] {
        assert!(Certificate::from_pem(&text, &text).is_ok(), "{text}");
    }
}

#[test]
fn what_cannot_be_used_is_refused_when_it_is_read() {
    let (one, other) = (Pair::rsa(), Pair::rsa());
    let certificate = one.certificate.pem();
    let curve = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----";
    for (key, expected) in [
        (other.key.serialize_pem(), CertificateError::Mismatch),
        (curve, CertificateError::NotRsa),
        (encrypted.into(), CertificateError::EncryptedKey),
        (certificate.clone(), CertificateError::NoKey),
    ] {
        assert_eq!(Certificate::from_pem(&certificate, &key).unwrap_err(), expected);
    }
    let key = one.key.serialize_pem();
    assert_eq!(
        Certificate::from_pem(&key, &key).unwrap_err(),
        CertificateError::NoCertificate
    );
}

#[test]
fn a_certificate_prints_its_thumbprint_and_no_key() {
    let printed = format!("{:?}", Pair::rsa().read());
    assert!(
        printed.starts_with("Certificate { thumbprint: ") && printed.ends_with("key: \"••••••••\" }"),
        "{printed}"
    );
}
