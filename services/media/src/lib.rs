//! The audio of calls: legs that end WebRTC, and what a bot can do with them.
//!
//! This crate knows packets, codecs' payloads, files of audio and the machines that WebRTC consists of. It must not know
//! conversations, bots or Graph. The way of the data: a datagram belongs to a leg, the [`leg::Leg`] is a value that
//! takes it with the time and puts datagrams and events out. [`thread::MediaThread`] owns the sockets and drives thousands of legs.
//! Peers reach their legs by [`whip`], workers by [`control`]; [`role`] is the process around all that, which says in the store
//! where it is.
//!
//! Real Teams cannot be a peer: Microsoft's application-hosted media needs its own library on Windows ("Requirements and
//! considerations for application-hosted media bots"). Peers are browsers, gateways and simulated callers.

pub mod audio;
pub mod codec;
pub mod codecs;
pub mod control;
pub mod dtls;
pub mod ice;
pub mod leg;
pub mod patience;
pub mod prompt;
pub mod record;
pub mod role;
pub mod rtp;
pub mod sdp;
pub mod speech;
mod srtp;
pub mod thread;
pub mod tone;
pub mod whip;
