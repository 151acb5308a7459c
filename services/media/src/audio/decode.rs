//! Files of Opus as samples.

use super::ogg::OpusFile;
use super::opus::{Decoder, RATE};
use super::{FileError, Pcm};

/// The samples of a file, which is refused when it is longer than so many minutes.
pub(crate) fn decoded(file: &OpusFile, longest_minutes: u64) -> Result<Pcm, FileError> {
    let mut decoder = Decoder::new()?;
    let mut samples = Vec::new();
    for packet in &file.packets {
        samples.extend_from_slice(decoder.decode(packet)?);
        if samples.len() as u64 > u64::from(RATE) * 60 * longest_minutes {
            return Err(FileError::TooLong(longest_minutes));
        }
    }
    samples.drain(..usize::from(file.pre_skip).min(samples.len()));
    Ok(Pcm { rate: RATE, samples })
}
