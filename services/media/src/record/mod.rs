//! Recordings: what a leg received and what it sent, one file each, without transcoding.
//!
//! A [`Tap`] on the media thread hands packets over a bounded ring of two seconds; the [`Recorder`]'s thread puts them in order
//! and writes them. A full ring drops recording, never media, and says so. Files are readable whenever they are cut: Opus as an
//! Ogg page a second, each with its checksum, G.711 as WAV whose sizes are rewritten every second.
//!
//! A recording has a part an hour, each with a manifest that names the one before by its hash; old ones are deleted.
//!
//! Not built: encryption, upload, mixed files, and the rule that Graph confirmed the recording status. Nothing in
//! this build records a call.

mod file;
mod manifest;
mod place;
mod recorder;
mod retention;
mod tap;
mod timeline;

pub use manifest::Manifest;
pub use recorder::{Finished, Recorder, RecorderConfig, RecordingError};
pub(crate) use tap::Taken;
pub use tap::{Direction, Tap};
