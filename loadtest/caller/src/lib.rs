//! The reference caller: a person's end of a call that a media host carries, on the `webrtc` crate.
//!
//! It shares no code with the host, so that an error common to both would be seen. It knows how a peer gets in ([`Invitation`],
//! WHIP: RFC 9725), what is sent ([`Sound`], keys by RFC 4733) and what was heard ([`Heard`]); it knows neither bots nor Graph.
//! A [`Caller`] is one call: the connection's state is watched by everything that waits, so whatever waits for a sound that
//! cannot come any more ends with the connection.
//!
//! The way of what is said: [`Sound`], 20 ms of samples, [`Codec`], a packet each 20 ms. The way back: packet, codec, 20 ms of samples,
//! the strongest frequencies in them ([`spectrum`]), a [`Frame`] of [`Heard`]; samples are not kept.
//!
//! Whatever is to go wrong stands in one description, [`Faults`] of [`CallerSettings`]: what the network does to datagrams is done below the
//! library, between its sockets and the system's, so that it notices as little as in a real network. [`storm`] lets many callers come at
//! once.

mod caller;
mod codec;
mod connection;
mod ear;
mod error;
mod faults;
mod file;
mod heard;
mod invitation;
mod keys;
mod network;
mod path;
mod recording;
mod socket;
pub mod spectrum;
mod storm;
mod voice;
mod whip;

pub use caller::{Caller, CallerSettings};
pub use codec::Codec;
pub use error::CallerError;
pub use faults::{Faults, Stop};
pub use file::tone_file;
pub use heard::{Frame, Heard};
pub use invitation::Invitation;
pub use keys::NoSuchKey;
pub use recording::recorded;
pub use spectrum::Spectrum;
pub use storm::storm;
pub use voice::Sound;

/// What one packet holds, in milliseconds.
pub const FRAME_MS: u32 = 20;
/// Samples of a frame at [`SAMPLE_RATE`].
pub(crate) const FRAME_SAMPLES: usize = 320;
/// Samples a second of what is said and heard.
pub const SAMPLE_RATE: u32 = 16_000;
/// The clock of Opus in RTP, whatever it was made from (RFC 7587, section 4.1).
pub(crate) const CLOCK_RATE: u32 = 48_000;
/// Steps of that clock in a frame.
pub(crate) const FRAME_TICKS: u32 = CLOCK_RATE / 1_000 * FRAME_MS;
