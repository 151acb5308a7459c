//! A cluster as its operators meet it: real processes on one machine, killed, stopped, cut off and started again, and a crowd
//! of clients that counts what it noticed.
//!
//! This crate knows how to start the binary and a redis-server ([`process`], [`redis`], [`redis_server`]), where they live
//! ([`network`]), the one address that Graph knows ([`door`]), how links between them break ([`relay`]), and paths of audio
//! ([`weather`]), what clients say ([`crowd`]), what a Connector hears ([`recorder`]), and what both together prove ([`verdict`]; after a failover [`loss`]). It knows no crate of `services`: the
//! binary is a path, and a reply's text is all it sees of a state. Everything here ends with its owner, and no packet leaves
//! the machine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test, or a demonstration, ends where its world fails"
)]
#![allow(clippy::print_stdout, reason = "what is noticed is printed")]

pub mod balancer;
pub mod chance;
pub mod cluster;
pub mod crowd;
pub mod door;
pub mod faults;
pub mod loss;
pub mod message;
pub mod network;
pub mod process;
pub mod recorder;
pub mod redis;
pub mod redis_server;
pub mod relay;
pub mod teams;
pub mod turn;
pub mod verdict;
pub mod wait;
pub mod weather;
pub mod web;
