//! The certificate of the endpoint, taken into use again whenever its files change.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio_util::sync::CancellationToken;
use trunkline_cluster::channel::{PemFile, TlsError, Watched, certified_key, provider};

use crate::config::TlsFiles;

/// The certificate in use.
#[derive(Debug)]
pub(crate) struct Certificate(Watched<CertifiedKey, 2>);

impl Certificate {
    /// Reads the files for the first time.
    pub(crate) async fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let certificate = PemFile::new("ingress.tls_certificate", files.certificate);
        let key = PemFile::new("ingress.tls_key", files.key);
        let both = [certificate.clone(), key.clone()];
        let watched = Watched::load(both, files.reload_interval, move |[chain, private_key]| {
            certified_key((&certificate, chain), (&key, private_key))
        });
        Ok(Arc::new(Self(watched.await?)))
    }

    /// TLS 1.2 and 1.3 with this certificate, whatever name the client asks for: Teams is not documented to send one.
    pub(crate) fn server_config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(TlsError::Versions)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver(Arc::clone(self))));
        Ok(config)
    }

    /// Takes changed files into use, until `stop`.
    pub(crate) async fn keep_fresh(&self, stop: CancellationToken, reloads: Counter, failures: Counter) {
        self.0.keep_fresh(stop, reloads, failures).await;
    }
}

#[derive(Debug)]
struct Resolver(Arc<Certificate>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.0.current())
    }
}
