//! The node's thread and the handle to it.

mod refusal;

pub use refusal::{ClusterError, MoveRefused};
