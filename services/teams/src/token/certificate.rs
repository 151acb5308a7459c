//! A certificate as proof of an app: it signs an assertion instead of sending a secret.
//!
//! After "Microsoft identity platform application authentication certificate credentials": PS256, the certificate named by
//! the SHA-256 of its DER form.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::secret::DOTS;

/// How long an assertion is valid; Microsoft advises five to ten minutes.
const ASSERTION_LIFE: Duration = Duration::from_secs(10 * 60);

/// A certificate that is registered with an app, and its private key.
#[derive(Clone)]
pub struct Certificate {
    /// base64url of the SHA-256 of the DER form.
    thumbprint: String,
    key: EncodingKey,
}

/// Why a certificate cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No certificate in the file.
    #[error("no `BEGIN CERTIFICATE` section in PEM form")]
    NoCertificate,
    /// No private key in the file.
    #[error("no `BEGIN PRIVATE KEY` or `BEGIN RSA PRIVATE KEY` section in PEM form")]
    NoKey,
    /// The key is protected by a password.
    #[error(
        "the private key is encrypted: store it without password, for instance by `openssl pkey`, readable only by this service"
    )]
    EncryptedKey,
    /// Not an RSA key of 2,048 bits or more.
    #[error("the private key is no RSA key that can sign: 2,048 bits at least")]
    NotRsa,
    /// Key and certificate do not belong together.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: u64,
    iat: u64,
    exp: u64,
}

impl Certificate {
    /// Reads certificate and private key in PEM form; both may stand in one text. The first certificate counts.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, CertificateError> {
        let certificate =
            CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|_| CertificateError::NoCertificate)?;
        let key = read_key(key)?;
        let key_utils = &jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.key_utils;
        let (modulus, _) =
            (key_utils.rsa_pub_components_from_private_key)(key.as_bytes()).map_err(|_| CertificateError::NotRsa)?;
        if modulus.len() < 256 {
            return Err(CertificateError::NotRsa);
        }
        // The certificate holds the modulus as it is: no need to read the rest of it.
        if !certificate.windows(modulus.len()).any(|window| window == modulus) {
            return Err(CertificateError::Mismatch);
        }
        Ok(Self {
            thumbprint: URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate)),
            key,
        })
    }

    /// An assertion for one request to the token endpoint at `audience`.
    pub(super) fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        now: SystemTime,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let claims = Claims {
            aud: audience,
            iss: client_id,
            sub: client_id,
            jti: Uuid::new_v4().to_string(),
            nbf: now.as_secs(),
            iat: now.as_secs(),
            exp: (now + ASSERTION_LIFE).as_secs(),
        };
        let header = Header {
            x5t_s256: Some(self.thumbprint.clone()),
            ..Header::new(Algorithm::PS256)
        };
        jsonwebtoken::encode(&header, &claims, &self.key)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Certificate")
            .field("thumbprint", &self.thumbprint)
            .field("key", &DOTS)
            .finish()
    }
}

fn read_key(text: &str) -> Result<EncodingKey, CertificateError> {
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(CertificateError::EncryptedKey);
    }
    let section = ["PRIVATE KEY", "RSA PRIVATE KEY"]
        .into_iter()
        .find_map(|label| pem_section(text, label));
    let section = section.ok_or(CertificateError::NoKey)?;
    EncodingKey::from_rsa_pem(section.as_bytes()).map_err(|_| CertificateError::NotRsa)
}

/// The section of that label, because the JWT library only reads the first one of a text.
fn pem_section<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let end_line = format!("-----END {label}-----");
    let start = text.find(&format!("-----BEGIN {label}-----"))?;
    let end = text[start..].find(&end_line)?;
    Some(&text[start..start + end + end_line.len()])
}
