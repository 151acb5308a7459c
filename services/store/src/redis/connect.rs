//! Makes connections and lets none through that leads to an unfit server or to another store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ErrorKind, IntoConnectionInfo as _,
    RedisConnectionInfo, RedisError, TlsCertificates,
};

use super::address::{Deployment, Node, RedisAddress};
use super::config::{ClientCertificate, RedisConfig};
use super::failure::{failed, is_redirect, store_lost};
use super::fitness::{Facts, Keeping};
use super::founding::read_identity;
use super::sentinels::ask_sentinels;
use super::tags::META;
use crate::contract::{Identity, StoreError};

pub(super) const CONNECTING: &str = "connecting to Redis";

/// Commands that may wait for a connection's task before callers wait, too.
const QUEUE: usize = 1_024;
/// Bytes that the connection's task gathers before it waits for the socket: many commits join in one write.
const WRITE_BYTES: usize = 64 * 1024;
/// Longest wait for a sentinel, and for a node of a cluster that is asked who serves what: there are others to ask.
const ASKING: Duration = Duration::from_millis(500);

/// From one look at where the primary is to the next, while an attempt to connect to it is under way.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// How connections are made: to which port, signed in as whom, waiting how long.
#[derive(Clone, Debug)]
pub(super) struct Dialler {
    encrypted: bool,
    certificates: Option<Arc<CertificateFiles>>,
    tcp: TcpSettings,
    login: RedisConnectionInfo,
    settings: AsyncConnectionConfig,
}

impl Dialler {
    pub(super) fn new(config: &RedisConfig, address: &RedisAddress) -> Self {
        if address.encrypted {
            // The client asks the process for its cryptography. An error says that somebody has chosen already.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        // Without it, Nagle's algorithm holds a small command back until the one before is acknowledged.
        let tcp = TcpSettings::default().set_nodelay(true);
        #[cfg(target_os = "linux")]
        let tcp = tcp.set_user_timeout(config.response_timeout);
        let login = RedisConnectionInfo::default().set_db(address.database.into());
        Self {
            encrypted: address.encrypted,
            certificates: CertificateFiles::of(config).map(Arc::new),
            tcp,
            login: signed_in(login, address.user.as_deref(), address.password.as_deref()),
            settings: AsyncConnectionConfig::new()
                .set_connection_timeout(Some(config.connect_timeout))
                .set_response_timeout(Some(config.response_timeout))
                .set_pipeline_buffer_size(QUEUE)
                .set_write_backpressure_boundary(WRITE_BYTES),
        }
    }

    /// The same way, waiting for an answer no longer than this.
    pub(super) fn with_timeout(&self, response_timeout: Duration) -> Self {
        Self {
            settings: self.settings.clone().set_response_timeout(Some(response_timeout)),
            ..self.clone()
        }
    }

    /// For questions that another server can answer as well.
    pub(super) fn hasty(&self) -> Self {
        let settings = self.settings.clone();
        Self {
            settings: settings
                .set_connection_timeout(Some(ASKING))
                .set_response_timeout(Some(ASKING)),
            ..self.clone()
        }
    }

    /// To sentinels: hastily, and signed in with their own password or not at all.
    fn to_sentinels(&self, password: Option<&str>) -> Self {
        Self {
            login: signed_in(RedisConnectionInfo::default(), None, password),
            ..self.hasty()
        }
    }

    pub(super) async fn dial(&self, node: &Node) -> Result<MultiplexedConnection, RedisError> {
        let (host, port) = (node.host.clone(), node.port);
        let address = if self.encrypted {
            ConnectionAddr::TcpTls {
                host,
                port,
                insecure: false,
                tls_params: None,
            }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        let address = address
            .into_connection_info()?
            .set_redis_settings(self.login.clone())
            .set_tcp_settings(self.tcp.clone());
        let client = match &self.certificates {
            Some(certificates) if self.encrypted => Client::build_with_tls(address, certificates.read().await?)?,
            _ => Client::open(address)?,
        };
        let connected = client
            .get_multiplexed_async_connection_with_config(&self.settings)
            .await;
        connected.map_err(|error| {
            // A certificate that does not fit its key is about to be renewed: no fault of the address, and not for ever.
            let is_of_files = self.certificates.is_some() && error.kind() == ErrorKind::InvalidClientConfig;
            if is_of_files {
                std::io::Error::other(error).into()
            } else {
                error
            }
        })
    }
}

/// What differs from the machine's own certificates, and from a client without one.
#[derive(Debug)]
struct CertificateFiles {
    client: Option<ClientCertificate>,
    roots: Option<PathBuf>,
}

impl CertificateFiles {
    fn of(config: &RedisConfig) -> Option<Self> {
        let (client, roots) = (config.client_certificate.clone(), config.root_certificates.clone());
        (client.is_some() || roots.is_some()).then_some(Self { client, roots })
    }

    /// As they are now: connections are few, and certificates are renewed while a process runs.
    async fn read(&self) -> Result<TlsCertificates, RedisError> {
        let client_tls = match &self.client {
            None => None,
            Some(own) => Some(ClientTlsConfig {
                client_cert: read(&own.certificate).await?,
                client_key: read(&own.key).await?,
            }),
        };
        let root_cert = match &self.roots {
            None => None,
            Some(roots) => Some(read(roots).await?),
        };
        Ok(TlsCertificates { client_tls, root_cert })
    }
}

async fn read(file: &Path) -> Result<Vec<u8>, RedisError> {
    let unreadable = |error| std::io::Error::other(format!("{} cannot be read: {error}", file.display()));
    Ok(tokio::fs::read(file).await.map_err(unreadable)?)
}

fn signed_in(mut login: RedisConnectionInfo, user: Option<&str>, password: Option<&str>) -> RedisConnectionInfo {
    if let Some(user) = user {
        login = login.set_username(user);
    }
    if let Some(password) = password {
        login = login.set_password(password);
    }
    login
}

/// How the primary is found.
#[derive(Clone, Debug)]
enum Way {
    /// It is this server, and no other can take its place.
    Fixed(Node),
    /// The sentinels know.
    Sentinel {
        sentinels: Arc<[Node]>,
        master: Arc<str>,
        dialler: Box<Dialler>,
    },
    /// It is this node of a cluster, which has `probe`: the name of a key that was made with the store.
    Member { node: Node, probe: Option<Arc<str>> },
}

/// Makes connections to one primary, wherever it is by then.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    way: Way,
    dialler: Dialler,
}

impl Connector {
    /// To the only primary; `None` when the address is of a cluster.
    pub(super) fn to_the_primary(config: &RedisConfig, address: &RedisAddress, dialler: &Dialler) -> Option<Self> {
        let way = match &address.deployment {
            Deployment::Single => Way::Fixed(address.nodes.first()?.clone()),
            Deployment::Sentinel { master } => Way::Sentinel {
                sentinels: address.nodes.as_slice().into(),
                master: master.as_str().into(),
                dialler: Box::new(dialler.to_sentinels(config.sentinel_password.as_deref())),
            },
            Deployment::Cluster => return None,
        };
        Some(Self {
            way,
            dialler: dialler.clone(),
        })
    }

    /// To a node of a cluster.
    pub(super) fn to_member(node: Node, probe: Option<Arc<str>>, dialler: &Dialler) -> Self {
        Self {
            way: Way::Member { node, probe },
            dialler: dialler.clone(),
        }
    }

    /// The same way with another longest wait for an answer.
    pub(super) fn with_timeout(&self, response_timeout: Duration) -> Self {
        Self {
            dialler: self.dialler.with_timeout(response_timeout),
            ..self.clone()
        }
    }

    /// A connection to the store that `identity` names, and to no other.
    pub(super) async fn again(&self, identity: Identity) -> Result<MultiplexedConnection, StoreError> {
        let (mut connection, _) = self.fit_connection().await?;
        let found = redis::cmd("HMGET")
            .arg(META)
            .arg("cluster")
            .arg("shards")
            .query_async(&mut connection)
            .await;
        let found = match found {
            // Another member of the cluster holds it.
            Err(error) if self.is_member() && is_redirect(&error) => return self.probed(connection).await,
            found => read_identity(found.map_err(failed(CONNECTING))?)?,
        };
        match found {
            Some(found) if found == identity => self.probed(connection).await,
            Some(found) => Err(store_lost(&format!(
                "Redis holds the store {:016x}, this process serves {:016x}",
                found.cluster, identity.cluster
            ))),
            None => Err(store_lost(&format!(
                "Redis came back without the store {:016x}",
                identity.cluster
            ))),
        }
    }

    fn is_member(&self) -> bool {
        matches!(self.way, Way::Member { .. })
    }

    /// Refuses a member that came back empty: it lacks a key that was made with the store.
    async fn probed(&self, mut connection: MultiplexedConnection) -> Result<MultiplexedConnection, StoreError> {
        let Way::Member {
            node,
            probe: Some(probe),
        } = &self.way
        else {
            return Ok(connection);
        };
        let found: Result<Option<String>, RedisError> =
            redis::cmd("GET").arg(probe.as_ref()).query_async(&mut connection).await;
        match found {
            Ok(None) => Err(store_lost(&format!("{node} came back without its part of the store"))),
            Err(error) if !is_redirect(&error) => Err(failed(CONNECTING)(error)),
            Ok(Some(_)) | Err(_) => Ok(connection),
        }
    }

    /// A connection to a fit server, and what keeps that server's writes.
    pub(super) async fn fit_connection(&self) -> Result<(MultiplexedConnection, Keeping), StoreError> {
        match &self.way {
            Way::Fixed(node) | Way::Member { node, .. } => self.fit_connection_to(node).await,
            Way::Sentinel {
                sentinels,
                master,
                dialler,
            } => {
                let node = ask_sentinels(sentinels, master, dialler).await?;
                // A primary that died with its host refuses nobody: without a second look the attempt would outlive the failover
                // by its whole time, and this process would be taken for dead when the others are back.
                tokio::select! {
                    made = self.fit_connection_to(&node) => made,
                    successor = successor_of(&node, sentinels, master, dialler) => Err(StoreError::Unavailable {
                        doing: CONNECTING,
                        reason: format!("{successor} has taken the place of {node}"),
                    }),
                }
            }
        }
    }

    async fn fit_connection_to(&self, node: &Node) -> Result<(MultiplexedConnection, Keeping), StoreError> {
        let mut connection = self.dialler.dial(node).await.map_err(failed(CONNECTING))?;
        let info: String = redis::cmd("INFO")
            .query_async(&mut connection)
            .await
            .map_err(failed(CONNECTING))?;
        let facts = Facts::of_info(&info);
        facts.check(self.is_member())?;
        if facts.is_primary() {
            return Ok((connection, facts.keeping()));
        }
        Err(match self.way {
            Way::Fixed(_) => StoreError::Unfit {
                problem: format!("{node} is a replica"),
                remedy: "name the primary: a replica lags behind and takes no writes; or let redis+sentinel:// find it"
                    .to_owned(),
            },
            // Not yet, or not any more: the next look will tell.
            Way::Sentinel { .. } | Way::Member { .. } => StoreError::Unavailable {
                doing: CONNECTING,
                reason: format!("{node} is a replica at the moment"),
            },
        })
    }
}

/// The primary that has taken the place of `node`, once the sentinels name one.
async fn successor_of(node: &Node, sentinels: &[Node], master: &str, dialler: &Dialler) -> Node {
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        match ask_sentinels(sentinels, master, dialler).await {
            Ok(primary) if primary != *node => return primary,
            // The attempt goes on.
            Ok(_) | Err(_) => {}
        }
    }
}
