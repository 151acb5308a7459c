//! The certificate of a server for the outside, taken into use again whenever its files change.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio_util::sync::CancellationToken;

use super::error::TlsError;
use super::pem::{PemFile, certified_key, provider};
use super::watch::Watched;

/// Where a server's certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, own certificate first, in PEM form.
    pub certificate: PathBuf,
    /// Its private key in PEM form.
    pub key: PathBuf,
    /// How often the files are looked at.
    pub reload_interval: Duration,
}

impl TlsFiles {
    /// Files that are looked at every 5 s.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            reload_interval: Duration::from_secs(5),
        }
    }
}

/// A certificate that strangers see: not the cluster's own, which [`super::Identity`] is made of.
#[derive(Debug)]
pub struct ServerCertificate(Watched<CertifiedKey, 2>);

impl ServerCertificate {
    /// Reads the files for the first time. The settings are those that name the certificate and its key.
    ///
    /// # Errors
    /// Files that cannot be used, with their settings.
    pub async fn load(files: TlsFiles, settings: [&'static str; 2]) -> Result<Arc<Self>, TlsError> {
        let [certificate, key] = settings;
        let certificate = PemFile::new(certificate, files.certificate);
        let key = PemFile::new(key, files.key);
        let both = [certificate.clone(), key.clone()];
        let watched = Watched::load(both, files.reload_interval, move |[chain, private_key]| {
            certified_key((&certificate, chain), (&key, private_key))
        });
        Ok(Arc::new(Self(watched.await?)))
    }

    /// TLS 1.2 and 1.3 with this certificate, whatever name the client asks for: Teams is not documented to send one.
    ///
    /// # Errors
    /// The cryptography offers neither version.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(TlsError::Versions)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver(Arc::clone(self))));
        Ok(config)
    }

    /// Takes changed files into use, until `stop`.
    pub async fn keep_fresh(&self, stop: CancellationToken, reloads: Counter, failures: Counter) {
        self.0.keep_fresh(stop, reloads, failures).await;
    }
}

#[derive(Debug)]
struct Resolver(Arc<ServerCertificate>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.0.current())
    }
}
