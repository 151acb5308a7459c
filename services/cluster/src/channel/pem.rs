//! Certificates and keys in files, each file called by the setting that names it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{Error, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::error::TlsError;

/// A file in PEM form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemFile {
    /// The setting that names it.
    pub setting: &'static str,
    /// Where it lies.
    pub path: PathBuf,
}

impl PemFile {
    /// The file at `path`, which `setting` names.
    pub fn new(setting: &'static str, path: impl Into<PathBuf>) -> Self {
        Self {
            setting,
            path: path.into(),
        }
    }

    pub(super) async fn read(&self) -> Result<Vec<u8>, TlsError> {
        tokio::fs::read(&self.path).await.map_err(|source| TlsError::Read {
            file: self.clone(),
            source,
        })
    }

    /// All certificates of its contents, at least one.
    pub(super) fn certificates(&self, contents: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let found = CertificateDer::pem_slice_iter(contents).collect::<Result<Vec<_>, _>>();
        match found {
            Ok(certificates) if certificates.is_empty() => Err(self.is_no("certificate", Error::NoItemsFound)),
            Ok(certificates) => Ok(certificates),
            Err(source) => Err(self.is_no("certificate", source)),
        }
    }

    fn private_key(&self, contents: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(contents).map_err(|source| self.is_no("private key", source))
    }

    fn is_no(&self, expected: &'static str, source: Error) -> TlsError {
        TlsError::Pem {
            file: self.clone(),
            expected,
            source,
        }
    }
}

impl fmt::Display for PemFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} = {}", self.setting, self.path.display())
    }
}

/// A chain, the own certificate first, with the private key that fits it; both from contents of their files.
///
/// # Errors
/// A file that holds something else, or two that do not belong together.
pub fn certified_key(certificate: (&PemFile, &[u8]), key: (&PemFile, &[u8])) -> Result<CertifiedKey, TlsError> {
    let chain = certificate.0.certificates(certificate.1)?;
    let private_key = key.0.private_key(key.1)?;
    CertifiedKey::from_der(chain, private_key, &provider()).map_err(|source| TlsError::Pair {
        certificate: certificate.0.clone(),
        key: key.0.clone(),
        source: Box::new(source),
    })
}

/// The cryptography of every connection.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
