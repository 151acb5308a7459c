//! What a process proves and whom it trusts, as the files say at this moment.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier as _;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, Error, RootCertStore, ServerConfig};
use tokio_util::sync::CancellationToken;

use super::error::TlsError;
use super::metrics::ChannelMetrics;
use super::pem::{PemFile, certified_key, provider};
use super::role::{Role, RoleNames};
use super::verify::MemberVerifier;
use super::watch::Watched;

/// The only protocol between our processes (RFC 7301, "HTTP/2 over TLS").
const HTTP2: &[u8] = b"h2";

/// Where the certificates of a process lie. All files are PEM and are read again when they change.
#[derive(Clone, Debug)]
pub struct IdentityFiles {
    /// Certificates of the cluster's own authority; two while it is being replaced.
    pub authority: PathBuf,
    /// The chain of this process, its own certificate first. It serves as server and as client.
    pub certificate: PathBuf,
    /// The private key of that certificate.
    pub key: PathBuf,
    /// Domain of the names of roles.
    pub domain: String,
    /// How often the files are looked at.
    pub reload_interval: Duration,
}

impl IdentityFiles {
    /// Files that are looked at every 5 s.
    pub fn new(
        authority: impl Into<PathBuf>,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
        domain: impl Into<String>,
    ) -> Self {
        Self {
            authority: authority.into(),
            certificate: certificate.into(),
            key: key.into(),
            domain: domain.into(),
            reload_interval: Duration::from_secs(5),
        }
    }
}

/// What a process proves and whom it trusts, as its files say at this moment.
pub struct Identity {
    role: Role,
    names: RoleNames,
    configs: Watched<Configs, 3>,
    metrics: ChannelMetrics,
}

/// Both sides of a handshake.
struct Configs {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

/// The files that an identity is made of, in this order.
struct Files {
    authority: PemFile,
    certificate: PemFile,
    key: PemFile,
}

impl Identity {
    /// Reads the files and judges the own certificate as the others will: a process that nobody would let in does not start.
    ///
    /// # Errors
    /// Files that cannot be used, with their settings.
    pub async fn load(files: IdentityFiles, role: Role, registry: &mut Registry) -> Result<Arc<Self>, TlsError> {
        let names = RoleNames::below(&files.domain)?;
        let interval = files.reload_interval;
        let files = Files {
            authority: PemFile::new("cluster.tls_ca", files.authority),
            certificate: PemFile::new("cluster.tls_certificate", files.certificate),
            key: PemFile::new("cluster.tls_key", files.key),
        };
        let metrics = ChannelMetrics::register(registry, role);
        let all = [files.authority.clone(), files.certificate.clone(), files.key.clone()];
        let (expires, of_roles) = (metrics.expires.clone(), names.clone());
        let configs = Watched::load(all, interval, move |contents| {
            let (configs, expiry) = files.configs(contents, &of_roles, role)?;
            expires.set(expiry);
            Ok(configs)
        });
        Ok(Arc::new(Self {
            role,
            names,
            configs: configs.await?,
            metrics,
        }))
    }

    /// Takes changed files into use, until `stop`.
    pub async fn keep_fresh(&self, stop: CancellationToken) {
        let (reloads, failures) = (self.metrics.reloads.clone(), self.metrics.failures.clone());
        self.configs.keep_fresh(stop, reloads, failures).await;
    }

    pub(super) fn client(&self) -> Arc<ClientConfig> {
        self.configs.current().client.clone()
    }

    pub(super) fn server(&self) -> Arc<ServerConfig> {
        self.configs.current().server.clone()
    }

    /// Whom a client demands that connects to a process of this role.
    pub(super) fn server_name(&self, role: Role) -> ServerName<'static> {
        self.names.of(role).clone()
    }

    /// The roles that a verified certificate names.
    pub(super) fn roles_of(&self, certificate: &CertificateDer<'_>) -> Result<Vec<Role>, Error> {
        self.names.roles_of(certificate)
    }

    pub(super) fn metrics(&self) -> &ChannelMetrics {
        &self.metrics
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Identity")
            .field("role", &self.role)
            .field("files", &self.configs)
            .finish_non_exhaustive()
    }
}

impl Files {
    /// Both sides of a handshake, and when the own certificate expires (Unix time, seconds).
    fn configs(
        &self,
        [authority, certificate, key]: &[Vec<u8>; 3],
        names: &RoleNames,
        role: Role,
    ) -> Result<(Configs, i64), TlsError> {
        let authorities = Arc::new(self.authorities(authority)?);
        let own = certified_key((&self.certificate, certificate), (&self.key, key))?;
        let members = Arc::new(MemberVerifier::new(authorities.clone(), names.clone())?);
        let servers = WebPkiServerVerifier::builder_with_provider(authorities, provider()).build()?;
        let expires = judge(&own, names, role, &members, &servers).map_err(|source| TlsError::Own {
            certificate: self.certificate.clone(),
            name: names.of(role).to_str().into_owned(),
            source: Box::new(source),
        })?;
        let own = Arc::new(SingleCertAndKey::from(own));
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(TlsError::Versions)?
            .with_client_cert_verifier(members)
            .with_cert_resolver(own.clone());
        server.alpn_protocols = vec![HTTP2.to_vec()];
        // A resumed session is not verified again, and streams live long enough not to need one.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        let mut client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(TlsError::Versions)?
            .with_webpki_verifier(servers)
            .with_client_cert_resolver(own);
        client.alpn_protocols = vec![HTTP2.to_vec()];
        client.resumption = Resumption::disabled();
        let configs = Configs {
            client: Arc::new(client),
            server: Arc::new(server),
        };
        Ok((configs, expires))
    }

    fn authorities(&self, contents: &[u8]) -> Result<RootCertStore, TlsError> {
        let mut store = RootCertStore::empty();
        for certificate in self.authority.certificates(contents)? {
            store.add(certificate).map_err(|source| TlsError::Authority {
                file: self.authority.clone(),
                source: Box::new(source),
            })?;
        }
        Ok(store)
    }
}

/// Judges the own certificate as the others will, and returns when it expires.
fn judge(
    own: &CertifiedKey,
    names: &RoleNames,
    role: Role,
    members: &MemberVerifier,
    servers: &WebPkiServerVerifier,
) -> Result<i64, Error> {
    let bad = |_| Error::InvalidCertificate(rustls::CertificateError::BadEncoding);
    let (end_entity, intermediates) = own.cert.split_first().ok_or(Error::NoCertificatesPresented)?;
    let now = UnixTime::now();
    rustls::client::verify_server_name(&end_entity.try_into()?, names.of(role))?;
    members.verify_client_cert(end_entity, intermediates, now)?;
    if role.listens() {
        servers.verify_server_cert(end_entity, intermediates, names.of(role), &[], now)?;
    }
    let (_, parsed) = x509_parser::parse_x509_certificate(end_entity).map_err(bad)?;
    Ok(parsed.validity().not_after.timestamp())
}
