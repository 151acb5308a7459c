//! Recordings of answers that are fetched: by whom, and until when.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};

use super::host::{IDENTIFIER, TOKEN, random_text};
use crate::audio::ogg::read_opus;
use crate::audio::{FileError, Pcm, decoded, read_wav, resampled, written_wav};
use crate::record::{ANSWERS_KEPT, Keys, SealError, is_sealed, unseal};

/// The rate of what is fetched: what Graph gives for its own recordings.
const RATE: u32 = 16_000;
/// Minutes of an answer.
pub(super) const LONGEST_MINUTES: u64 = 10;
/// Recordings that can be fetched at a time. Beyond them the one that expires first cannot any more.
const CLIPS: usize = 10_000;

/// Where a recording is fetched. The token is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Clip {
    /// A path of the host's HTTPS address.
    pub path: String,
    /// The bearer token.
    pub token: String,
}

impl std::fmt::Debug for Clip {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Clip({})", self.path)
    }
}

/// Why a recording cannot be given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClipError {
    #[error("the recording of an answer cannot be read")]
    Read(#[from] std::io::Error),
    #[error("the recording of an answer cannot be decrypted: there are no keys")]
    NoKeys,
    #[error("the recording of an answer cannot be decrypted")]
    Seal(#[from] SealError),
    #[error("the recording of an answer is no audio")]
    Audio(#[from] FileError),
}

struct Kept {
    token: [u8; 32],
    file: PathBuf,
    until: Instant,
}

/// What can be fetched.
#[derive(Default)]
pub(super) struct Clips(Mutex<HashMap<String, Kept>>);

impl Clips {
    /// A recording can be fetched from now on.
    pub(super) fn add(&self, file: PathBuf, now: Instant) -> Clip {
        let (name, token) = (random_text(IDENTIFIER), random_text(TOKEN));
        let mut clips = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        clips.retain(|_, kept| kept.until > now);
        if clips.len() >= CLIPS
            && let Some(oldest) = clips
                .iter()
                .min_by_key(|(_, kept)| kept.until)
                .map(|(name, _)| name.clone())
        {
            clips.remove(&oldest);
        }
        let kept = Kept {
            token: hash(&token),
            file,
            until: now + ANSWERS_KEPT,
        };
        clips.insert(name.clone(), kept);
        Clip {
            path: format!("/clips/{name}"),
            token,
        }
    }

    /// The file of a recording, for whoever has its token.
    pub(super) fn file(&self, name: &str, bearer: &str, now: Instant) -> Option<PathBuf> {
        let clips = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = clips.get(name).filter(|kept| kept.until > now)?;
        verify_slices_are_equal(&kept.token, &hash(bearer)).ok()?;
        Some(kept.file.clone())
    }
}

fn hash(token: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

/// The recording in a file as WAV of one channel, 16 bit, 16 kHz. Takes milliseconds for each second of audio: for a thread that may
/// block.
pub(crate) fn wav_of(file: &Path, keys: Option<&Keys>) -> Result<Vec<u8>, ClipError> {
    let mut bytes = std::fs::read(file)?;
    if is_sealed(&bytes) {
        bytes = unseal(&bytes, keys.ok_or(ClipError::NoKeys)?)?.bytes;
    }
    let audio = match read_opus(&bytes) {
        Ok(opus) => decoded(&opus, 2 * LONGEST_MINUTES)?,
        Err(FileError::Unknown) => read_wav(&bytes)?,
        Err(error) => return Err(error.into()),
    };
    let samples = resampled(&audio.samples, audio.rate, RATE);
    Ok(written_wav(&Pcm { rate: RATE, samples }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clip_is_for_whoever_has_its_token_and_not_for_ever() {
        let (clips, now) = (Clips::default(), Instant::now());
        let clip = clips.add(PathBuf::from("a.opus"), now);
        let name = clip.path.strip_prefix("/clips/").unwrap().to_owned();
        assert_eq!(clips.file(&name, &clip.token, now), Some(PathBuf::from("a.opus")));
        assert_eq!(clips.file(&name, "guess", now), None);
        assert_eq!(clips.file("other", &clip.token, now), None);
        assert_eq!(clips.file(&name, &clip.token, now + ANSWERS_KEPT), None);
        assert!(!format!("{clip:?}").contains(&clip.token));
    }

    #[test]
    fn those_that_can_be_fetched_are_bounded() {
        let (clips, now) = (Clips::default(), Instant::now());
        let first = clips.add(PathBuf::from("first"), now);
        for count in 1..=CLIPS {
            clips.add(PathBuf::from("more"), now + Duration::from_millis(count as u64));
        }
        let name = first.path.strip_prefix("/clips/").unwrap();
        assert_eq!(clips.file(name, &first.token, now), None);
        assert_eq!(clips.0.lock().unwrap().len(), CLIPS);
    }
}
