//! The node's thread and the handle to it: sockets, timers and tasks around the node, which decides.

mod clock;
mod handle;
mod metrics;
mod refusal;
mod request;
mod thread;

pub use handle::Cluster;
pub use refusal::{ClusterError, MoveRefused};
