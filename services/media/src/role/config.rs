//! What a media host is told at its start.

use std::net::SocketAddr;
use std::time::Duration;

use trunkline_cluster::channel::{IdentityFiles, TlsFiles};

use crate::control::HostConfig;

/// What a media host is told at its start.
#[derive(Clone, Debug)]
pub struct MediaConfig {
    /// Its name among the media hosts.
    pub name: String,
    /// Where workers connect.
    pub listen: SocketAddr,
    /// How this process proves itself to workers, and they to it; `None` within one machine.
    pub tls: Option<IdentityFiles>,
    /// Host and port at which workers reach it; `None` for where it listens.
    pub advertise: Option<String>,
    /// The place where it runs; empty for none.
    pub zone: String,
    /// Where peers post their offers.
    pub whip_listen: SocketAddr,
    /// How that is secured.
    pub transport: Transport,
    /// The address by which peers reach it, without a path; `None` for where it listens.
    pub whip_url: Option<String>,
    /// Origins of pages whose scripts may post offers.
    pub origins: Vec<String>,
    /// Longest time for calls to end by themselves after it was told to stop.
    pub drain_deadline: Duration,
    /// Its legs.
    pub host: HostConfig,
}

/// How peers' requests are secured.
#[derive(Clone, Debug)]
pub enum Transport {
    /// TLS 1.2 and 1.3.
    Tls(TlsFiles),
    /// Plain HTTP: only on the own machine, or behind a proxy that ends TLS.
    PlainHttp,
}
