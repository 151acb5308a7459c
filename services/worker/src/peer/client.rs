//! The other workers as this one reaches them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tonic::transport::{Channel, Endpoint};
use trunkline_cluster::channel::{Connector, Identity};
use trunkline_proto::peer::peer_client::PeerClient;

use super::{PeerMetrics, wire};
use crate::shell::tell::{Heard, Told, Unheard};

/// For a connection with its handshake, as the ingress has it.
const CONNECT: Duration = Duration::from_secs(1);
/// HTTP/2 pings a connection that waits for an answer after this time, and gives up after the same time again.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// Workers that are remembered; a restarted one may have another address.
const CHANNELS: usize = 256;

/// One channel to each worker that was told something. A channel connects when it is used and has no connection, and again
/// after it lost one.
pub(crate) struct Peers {
    connector: Connector,
    /// Where connections live: a bot that blocks its thread must not stall what others tell.
    runtime: Handle,
    channels: Mutex<HashMap<String, Channel>>,
    metrics: PeerMetrics,
}

impl Peers {
    /// Connects with this identity. Needs a runtime around it, which serves the connections.
    pub(crate) fn new(identity: Option<Arc<Identity>>, metrics: PeerMetrics) -> Self {
        Self {
            connector: Connector::new(identity),
            runtime: Handle::current(),
            channels: Mutex::default(),
            metrics,
        }
    }

    /// Tells an actor of a shard that the worker at this address owns.
    pub(crate) async fn tell(&self, address: &str, told: Told) -> Result<Heard, Unheard> {
        self.metrics.sent();
        let heard = self.ask(address, told).await;
        self.metrics.ended(&heard);
        heard
    }

    async fn ask(&self, address: &str, told: Told) -> Result<Heard, Unheard> {
        let unreachable = |problem: &dyn std::error::Error| Unheard::Unreachable {
            address: address.to_owned(),
            problem: problem.to_string(),
        };
        let channel = self.channel(address).map_err(|error| unreachable(&error))?;
        let remaining = told.remaining;
        let mut client = PeerClient::new(channel);
        match tokio::time::timeout(remaining, client.tell(wire::request(told))).await {
            Ok(Ok(reply)) => wire::heard(reply.into_inner()),
            Ok(Err(status)) => Err(unreachable(&status)),
            Err(_) => Err(Unheard::Silent),
        }
    }

    /// What other workers' requests are counted by, too.
    pub(super) fn metrics(&self) -> &PeerMetrics {
        &self.metrics
    }

    fn channel(&self, address: &str) -> Result<Channel, tonic::transport::Error> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(address) {
            return Ok(channel.clone());
        }
        // The scheme says nothing: the connector decides about TLS.
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE);
        let _inside = self.runtime.enter();
        let channel = endpoint.connect_with_connector_lazy(self.connector.clone());
        if channels.len() >= CHANNELS {
            channels.clear();
        }
        channels.insert(address.to_owned(), channel.clone());
        Ok(channel)
    }
}
