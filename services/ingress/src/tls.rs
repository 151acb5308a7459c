//! The certificate of the endpoint, taken into use again whenever its files change.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use prometheus_client::metrics::counter::Counter;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_128;

use crate::config::TlsFiles;
use crate::error::TlsError;

/// The certificate in use.
#[derive(Debug)]
pub(crate) struct Certificate {
    files: TlsFiles,
    in_use: ArcSwap<CertifiedKey>,
}

/// What the files held: both are compared, because a renewal may write them one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fingerprint(u128, u128);

impl Certificate {
    /// Reads the files for the first time.
    pub(crate) async fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let (_, certified) = read(&files).await?;
        Ok(Arc::new(Self {
            files,
            in_use: ArcSwap::from_pointee(certified?),
        }))
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

    /// Looks at the files until `stop`. A pair that cannot be used leaves the old one in use.
    ///
    /// Contents are compared, not times: a mounted secret is replaced by renaming links, and time stamps of containers lie.
    pub(crate) async fn keep_fresh(&self, stop: CancellationToken, reloads: Counter, failures: Counter) {
        let mut seen = None;
        let mut unreadable = false;
        loop {
            match read(&self.files).await {
                Ok((fingerprint, certified)) => {
                    unreadable = false;
                    if seen.replace(fingerprint).is_some_and(|before| before != fingerprint) {
                        self.take(certified, &reloads, &failures);
                    }
                }
                Err(error) if !unreadable => {
                    unreadable = true;
                    failures.inc();
                    report(&error);
                }
                Err(_) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.files.reload_interval) => {}
            }
        }
    }

    fn take(&self, certified: Result<CertifiedKey, TlsError>, reloads: &Counter, failures: &Counter) {
        match certified {
            Ok(certified) => {
                self.in_use.store(Arc::new(certified));
                reloads.inc();
                tracing::info!(certificate = %self.files.certificate.display(), "changed certificate taken into use");
            }
            Err(error) => {
                failures.inc();
                report(&error);
            }
        }
    }
}

fn report(error: &TlsError) {
    let reason = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::error!(%error, reason, "changed certificate cannot be used, the old one stays in use");
}

#[derive(Debug)]
struct Resolver(Arc<Certificate>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.in_use.load_full())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Reads both files; the inner result says whether they can be used.
async fn read(files: &TlsFiles) -> Result<(Fingerprint, Result<CertifiedKey, TlsError>), TlsError> {
    let chain = read_file(&files.certificate).await?;
    let key = read_file(&files.key).await?;
    Ok((
        Fingerprint(xxh3_128(&chain), xxh3_128(&key)),
        certified(files, &chain, &key),
    ))
}

async fn read_file(path: &Path) -> Result<Vec<u8>, TlsError> {
    tokio::fs::read(path).await.map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

fn certified(files: &TlsFiles, chain: &[u8], key: &[u8]) -> Result<CertifiedKey, TlsError> {
    let not_pem = |path: &Path, expected| {
        let path = path.to_owned();
        move |source| TlsError::Pem { path, expected, source }
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(not_pem(&files.certificate, "certificate"))?;
    if chain.is_empty() {
        return Err(not_pem(&files.certificate, "certificate")(
            rustls::pki_types::pem::Error::NoItemsFound,
        ));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(not_pem(&files.key, "private key"))?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|source| TlsError::Pair {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        source,
    })
}
