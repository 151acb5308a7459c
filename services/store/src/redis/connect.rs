//! Makes connections and lets none through that leads to an unfit server or to another store.

use std::time::Duration;

use rand::RngExt as _;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo as _, TlsCertificates};

use super::config::RedisConfig;
use super::failure::{failed, store_lost};
use super::fitness::{Facts, check_clock, our_clock_ms};
use super::tags::META;
use crate::contract::{Identity, StoreError};
use crate::limits;

const CONNECTING: &str = "connecting to Redis";

/// Commands that may wait for a connection's task before callers wait, too.
const QUEUE: usize = 1_024;
/// Bytes that the connection's task gathers before it waits for the socket: many commits join in one write.
const WRITE_BYTES: usize = 64 * 1024;

/// Where connections lead and how they are made.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    client: Client,
    settings: AsyncConnectionConfig,
}

impl Connector {
    pub(super) fn new(config: &RedisConfig) -> Result<Self, StoreError> {
        let address = config.url.as_str().into_connection_info().map_err(failed(CONNECTING))?;
        if matches!(address.addr(), ConnectionAddr::TcpTls { .. }) {
            // The client asks the process for its cryptography. An error says that somebody has chosen already.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        // Without it, Nagle's algorithm holds a small command back until the one before is acknowledged.
        let tcp = TcpSettings::default().set_nodelay(true);
        #[cfg(target_os = "linux")]
        let tcp = tcp.set_user_timeout(config.response_timeout);
        let address = address.set_tcp_settings(tcp);
        let client = match &config.root_certificates {
            None => Client::open(address),
            Some(certificates) => {
                let certificates = TlsCertificates {
                    client_tls: None,
                    root_cert: Some(certificates.clone()),
                };
                Client::build_with_tls(address, certificates)
            }
        }
        .map_err(failed(CONNECTING))?;
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(config.connect_timeout))
            .set_response_timeout(Some(config.response_timeout))
            .set_pipeline_buffer_size(QUEUE)
            .set_write_backpressure_boundary(WRITE_BYTES);
        Ok(Self { client, settings })
    }

    /// The same way with another longest wait for an answer.
    pub(super) fn with_timeout(&self, response_timeout: Duration) -> Self {
        Self {
            client: self.client.clone(),
            settings: self.settings.clone().set_response_timeout(Some(response_timeout)),
        }
    }

    /// The first connection: checks the clock, too, and makes the store when there is none.
    pub(super) async fn found(&self, shards: u32) -> Result<(MultiplexedConnection, Identity), StoreError> {
        let (mut connection, append_only) = self.fit_connection().await?;
        if !append_only {
            tracing::warn!("Redis keeps no append-only file: a restart of it loses what was acknowledged");
        }
        let (seconds, _): (u64, u64) = redis::cmd("TIME")
            .query_async(&mut connection)
            .await
            .map_err(failed(CONNECTING))?;
        check_clock(seconds * 1_000, our_clock_ms())?;
        let identity = create_or_read(&mut connection, shards).await?;
        limits::same_shards(identity, shards)?;
        Ok((connection, identity))
    }

    /// A later connection: to the store that `identity` names, and to no other.
    pub(super) async fn again(&self, identity: Identity) -> Result<MultiplexedConnection, StoreError> {
        let (mut connection, _) = self.fit_connection().await?;
        let found = redis::cmd("HMGET")
            .arg(META)
            .arg("cluster")
            .arg("shards")
            .query_async(&mut connection)
            .await
            .map_err(failed(CONNECTING))?;
        match read_identity(found)? {
            Some(found) if found == identity => Ok(connection),
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

    /// A connection to a fit server, and whether that server keeps an append-only file.
    async fn fit_connection(&self) -> Result<(MultiplexedConnection, bool), StoreError> {
        let mut connection = self
            .client
            .get_multiplexed_async_connection_with_config(&self.settings)
            .await
            .map_err(failed(CONNECTING))?;
        let info: String = redis::cmd("INFO")
            .query_async(&mut connection)
            .await
            .map_err(failed(CONNECTING))?;
        let facts = Facts::of_info(&info);
        facts.check()?;
        Ok((connection, facts.append_only()))
    }
}

/// Makes the store in one transaction: of several processes that start at once, one names it and all read that name.
async fn create_or_read(connection: &mut MultiplexedConnection, shards: u32) -> Result<Identity, StoreError> {
    let cluster: u64 = rand::rng().random();
    let (found,): ((Option<String>, Option<String>),) = redis::pipe()
        .atomic()
        .hset_nx(META, "cluster", format!("{cluster:016x}"))
        .ignore()
        .hset_nx(META, "shards", shards)
        .ignore()
        .cmd("HMGET")
        .arg(META)
        .arg("cluster")
        .arg("shards")
        .query_async(connection)
        .await
        .map_err(failed(CONNECTING))?;
    read_identity(found)?.ok_or_else(|| StoreError::Corrupt {
        doing: CONNECTING,
        reason: "the store has no identity although it was just written".to_owned(),
    })
}

fn read_identity(found: (Option<String>, Option<String>)) -> Result<Option<Identity>, StoreError> {
    let (cluster, shards) = match found {
        (None, None) => return Ok(None),
        (cluster, shards) => (cluster.unwrap_or_default(), shards.unwrap_or_default()),
    };
    match (u64::from_str_radix(&cluster, 16), shards.parse()) {
        (Ok(cluster), Ok(shards)) => Ok(Some(Identity { cluster, shards })),
        _ => Err(StoreError::Corrupt {
            doing: CONNECTING,
            reason: format!("{META} says cluster `{cluster}`, shards `{shards}`"),
        }),
    }
}
