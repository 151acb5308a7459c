//! The connection between two processes of a cluster: mutual TLS, or plain TCP within one machine.
//!
//! Trust has one source: the cluster's own authority. Whoever proves a certificate of it belongs to the cluster, and the
//! certificate's DNS names say as what: `ingress.DOMAIN`, `worker.DOMAIN`, `operator.DOMAIN`, `media.DOMAIN`. Addresses and host names are
//! not compared, so a certificate need not know where its process will run. Both sides prove and verify, TLS 1.3 only;
//! sessions are never resumed, because a resumed one would not be verified again.
//!
//! The way of a connection: a [`Listener`] accepts, shakes hands beside its accepting and yields a [`Connection`] that knows
//! its [`Peer`]; a [`Connector`] begins one. Both take the [`Identity`] that holds at this moment, so that a changed
//! certificate serves the next connection and no stream is dropped.
//!
//! A [`ServerCertificate`] is for those outside of the cluster: Teams, browsers.
//!
//! What operators are told of it stands in `docs/tls.md` of this crate.

mod certificate;
mod client;
mod connection;
mod error;
mod identity;
mod metrics;
mod pem;
mod refusal;
mod role;
mod server;
mod verify;
mod watch;

pub use certificate::{ServerCertificate, TlsFiles};
pub use client::Connector;
pub use connection::{Connection, Peer};
pub use error::TlsError;
pub use identity::{Identity, IdentityFiles};
pub use metrics::ChannelMetrics;
pub use pem::{PemFile, certified_key, provider};
pub use role::Role;
pub use server::Listener;
pub use watch::Watched;

/// The settings without which nothing leaves this machine, for messages.
pub const SETTINGS: &str = "cluster.tls_ca, cluster.tls_certificate and cluster.tls_key";
