//! Why certificates and keys cannot be used.

use std::io;

use rustls::pki_types;
use rustls::server::VerifierBuilderError;

use super::pem::PemFile;

/// Why certificates and keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{file} cannot be read")]
    Read {
        /// The file.
        file: PemFile,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{file} holds no {expected} in PEM form")]
    Pem {
        /// The file.
        file: PemFile,
        /// What should be in it.
        expected: &'static str,
        /// What is wrong with it.
        #[source]
        source: pki_types::pem::Error,
    },
    /// Certificate and key do not fit each other, or are of a kind that is not supported.
    #[error("{certificate} and {key} cannot be used together")]
    Pair {
        /// File of the certificate.
        certificate: PemFile,
        /// File of the key.
        key: PemFile,
        /// What is wrong with them.
        #[source]
        source: Box<rustls::Error>,
    },
    /// A certificate of the authority cannot be one.
    #[error("{file} holds a certificate that cannot be an authority's")]
    Authority {
        /// The file.
        file: PemFile,
        /// What is wrong with it.
        #[source]
        source: Box<rustls::Error>,
    },
    /// The other processes would refuse the certificate of this one.
    #[error("{certificate} would be refused: it must be issued by an authority of cluster.tls_ca and name {name}")]
    Own {
        /// File of the certificate.
        certificate: PemFile,
        /// The name of this process' role.
        name: String,
        /// What is wrong with it.
        #[source]
        source: Box<rustls::Error>,
    },
    /// No names can stand below the domain.
    #[error("cluster.tls_domain = {domain:?} is no domain; write one such as \"trunkline.internal\"")]
    Domain {
        /// What was configured.
        domain: String,
    },
    /// The authorities cannot be verified against.
    #[error("certificates cannot be verified")]
    Verifier(#[from] VerifierBuilderError),
    /// The cryptography of this build does not offer the versions.
    #[error("the versions of TLS are not available")]
    Versions(#[source] rustls::Error),
}
