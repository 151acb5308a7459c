//! Audio outside of packets: files and samples. Nothing here runs on a media thread.

mod decode;
pub(crate) mod g711;
mod level;
pub(crate) mod ogg;
pub(crate) mod opus;
mod rate;
mod resample;
mod wav;

pub(crate) use decode::decoded;
pub(crate) use level::{level_of, level_of_g711};
pub(crate) use rate::{Doubler, Halver};
pub(crate) use resample::resampled;
pub(crate) use wav::{read_wav, written_wav};

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Neither WAV nor Ogg Opus.
    #[error("neither a WAV nor an Ogg Opus file")]
    Unknown,
    /// A part of it is missing or contradicts another.
    #[error("the file is broken: {0}")]
    Broken(&'static str),
    /// A form of the format that is not read.
    #[error("not a form that is read: {0}")]
    Unsupported(String),
    /// Longer than prompts may be.
    #[error("longer than {0} minutes")]
    TooLong(u64),
    /// The codec refused.
    #[error("the codec refused: {0}")]
    Codec(#[from] opus::CodecError),
}

/// Mono audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pcm {
    pub(crate) rate: u32,
    pub(crate) samples: Vec<i16>,
}
