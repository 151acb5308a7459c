//! Recordings: what a leg received and what it sent, one file each, without transcoding.
//!
//! A [`Tap`] on the media thread hands packets over a bounded ring of two seconds; the [`Recorder`]'s thread puts them in order
//! and writes them. A full ring drops recording, never media, and says so. Files are readable whenever they are cut: Opus as an
//! Ogg page a second, each with its checksum, G.711 as WAV whose sizes are rewritten every second.
//!
//! A recording has a part an hour, each with a manifest that names the one before by its hash; old ones are deleted. With keys
//! files are encrypted ([`unseal`] opens them); for each finished part a command may be run, or it is put to a server.

mod figures;
mod file;
mod hook;
mod keys;
#[cfg(test)]
mod killed;
mod manifest;
mod mix;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod mixed;
mod mixer;
mod place;
mod recorder;
mod recording;
mod retention;
mod seal;
mod sink;
mod tap;
mod timeline;
mod upload;
#[cfg(test)]
mod uploaded;

pub use figures::RecorderFigures;
pub use keys::{KeyError, Keys};
pub use manifest::Manifest;
pub(crate) use recorder::ANSWERS_KEPT;
pub use recorder::{Begun, Finished, HandOn, Recorder, RecorderConfig, RecorderError, RecordingError, Subject};
pub use seal::{SealError, Unsealed, is_sealed, unseal};
pub use tap::{Direction, Tap};
pub(crate) use tap::{Recorded, Taken};
pub use upload::{UploadConfig, UploadToken};
