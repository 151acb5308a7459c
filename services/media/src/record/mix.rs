//! One file of what a leg received and what it sent, made when both are finished: decoded, laid beside each other by the time at
//! which each part began, added, and encoded. About half a per cent of the call's length in CPU.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::file::RecordingFile;
use super::keys::{KeyError, Keys};
use super::seal::{SealError, is_sealed, unseal};
use super::timeline::Piece;
use crate::audio::ogg::{read_opus, samples_of};
use crate::audio::opus::{CodecError, Decoder, Encoder, RATE as OPUS_RATE};
use crate::audio::{Doubler, FileError, read_wav};
use crate::codec::Codec;

/// Samples a second of what is mixed.
const RATE: u32 = 16_000;
/// Samples of 20 ms.
const FRAME: usize = RATE as usize / 50;
/// What G.711 has.
const NARROW: u32 = RATE / 2;
/// Bits a second of a mixed file.
const BITS: u32 = 24_000;
/// Frames between two writes: a second.
const PAGE: u64 = 50;

/// Why there is no mixed file.
#[derive(Debug, thiserror::Error)]
pub(super) enum MixError {
    #[error("{0} cannot be read")]
    Read(PathBuf, #[source] io::Error),
    #[error("{0} cannot be decrypted: there are no keys")]
    NoKeys(PathBuf),
    #[error("{0} cannot be decrypted")]
    Sealed(PathBuf, #[source] SealError),
    #[error("{0} is no recording")]
    Format(PathBuf, #[source] FileError),
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error("the mixed file cannot be encrypted")]
    Key(#[from] KeyError),
    #[error("the mixed file cannot be written")]
    Write(#[source] io::Error),
    /// The process is about to end: the next one makes the file.
    #[error("the mixer is about to end")]
    Ending,
}

/// A part of one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// When its first packet came, in milliseconds since 1970.
    pub(super) began_unix_ms: u64,
    pub(super) path: PathBuf,
}

/// Mixes directions into a file that has its header. Gives how many packets of 20 ms are in it.
///
/// # Errors
/// A part cannot be read, or the file not be written: what there is of it is of no use.
pub(super) fn mix(
    directions: Vec<Vec<Part>>,
    keys: Option<&Keys>,
    file: &mut RecordingFile,
    is_ending: &AtomicBool,
) -> Result<u64, MixError> {
    let began = directions.iter().flatten().map(|part| part.began_unix_ms).min();
    let began = began.unwrap_or_default();
    let mut tracks: Vec<Track<'_>> = directions
        .into_iter()
        .map(|parts| Track::new(parts, began, keys))
        .collect();
    let mut encoder = Encoder::at(RATE, BITS)?;
    let ticks = Codec::Opus.packet_ticks();
    let mut packets = 0;
    loop {
        let (mut mixed, mut goes_on) = ([0; FRAME], false);
        for track in &mut tracks {
            goes_on |= track.add_to(&mut mixed)?;
        }
        if !goes_on {
            break;
        }
        let packet = encoder.encode(&mixed)?;
        file.add(&Piece::Packet(Bytes::from(packet), ticks));
        packets += 1;
        if packets % PAGE == 0 {
            file.write().map_err(MixError::Write)?;
            if is_ending.load(Ordering::Relaxed) {
                return Err(MixError::Ending);
            }
        }
    }
    file.end().map_err(MixError::Write)?;
    Ok(packets)
}

/// A direction, frame by frame: its parts one after the other, each not before it began.
struct Track<'a> {
    parts: VecDeque<Part>,
    keys: Option<&'a Keys>,
    /// The zero of the mixed file.
    began_unix_ms: u64,
    voice: Option<Voice>,
    /// Decoded and not given out.
    samples: VecDeque<i16>,
    /// Frames that were given out.
    frames: u64,
}

impl<'a> Track<'a> {
    fn new(parts: Vec<Part>, began_unix_ms: u64, keys: Option<&'a Keys>) -> Self {
        Self {
            parts: parts.into(),
            keys,
            began_unix_ms,
            voice: None,
            samples: VecDeque::new(),
            frames: 0,
        }
    }

    /// Adds the next 20 ms; `false` when there are no more.
    fn add_to(&mut self, mixed: &mut [i16; FRAME]) -> Result<bool, MixError> {
        while self.samples.len() < FRAME {
            if let Some(voice) = &mut self.voice {
                if !voice.decode_into(&mut self.samples) {
                    self.voice = None;
                }
                continue;
            }
            let Some(part) = self.next_part() else { break };
            self.voice = Some(Voice::of(&part, self.keys)?);
        }
        self.frames += 1;
        let count = self.samples.len().min(FRAME);
        for (place, sample) in mixed.iter_mut().zip(self.samples.drain(..count)) {
            *place = place.saturating_add(sample);
        }
        Ok(count > 0 || self.voice.is_some() || !self.parts.is_empty())
    }

    /// The next part, if it begins before the end of this frame.
    fn next_part(&mut self) -> Option<Part> {
        let ends = (self.frames + 1) * 20;
        let begins = self.parts.front()?.began_unix_ms.saturating_sub(self.began_unix_ms);
        if begins < ends { self.parts.pop_front() } else { None }
    }
}

/// The sound of a part, at [`RATE`].
enum Voice {
    Opus {
        packets: std::vec::IntoIter<Vec<u8>>,
        decoder: Box<Decoder>,
        /// Samples to leave out at the beginning.
        skipped: usize,
    },
    Narrow {
        samples: Vec<i16>,
        done: usize,
        doubler: Doubler,
    },
}

impl Voice {
    fn of(part: &Part, keys: Option<&Keys>) -> Result<Self, MixError> {
        let path = || part.path.clone();
        let mut file = fs::read(&part.path).map_err(|error| MixError::Read(path(), error))?;
        if is_sealed(&file) {
            let keys = keys.ok_or_else(|| MixError::NoKeys(path()))?;
            file = unseal(&file, keys)
                .map_err(|error| MixError::Sealed(path(), error))?
                .bytes;
        }
        let broken = |error| MixError::Format(path(), error);
        if file.starts_with(b"OggS") {
            let opus = match read_opus(&file) {
                Ok(opus) => opus,
                Err(FileError::Broken(_)) => return Ok(Self::silent()),
                Err(error) => return Err(broken(error)),
            };
            return Ok(Self::Opus {
                packets: opus.packets.into_iter(),
                decoder: Box::new(Decoder::at(RATE)?),
                skipped: usize::from(opus.pre_skip) / of_opus(),
            });
        }
        let audio = read_wav(&file).map_err(broken)?;
        if audio.rate != NARROW {
            let unknown = FileError::Unsupported(format!("{} Hz", audio.rate));
            return Err(broken(unknown));
        }
        Ok(Self::Narrow {
            samples: audio.samples,
            done: 0,
            doubler: Doubler::default(),
        })
    }

    /// A part that was cut before its first page has no sound.
    fn silent() -> Self {
        Self::Narrow {
            samples: Vec::new(),
            done: 0,
            doubler: Doubler::default(),
        }
    }

    /// Decodes some more; `false` at the end.
    fn decode_into(&mut self, samples: &mut VecDeque<i16>) -> bool {
        match self {
            Self::Opus {
                packets,
                decoder,
                skipped,
            } => {
                let Some(packet) = packets.next() else { return false };
                let length = samples_of(&packet).unwrap_or_default() as usize / of_opus();
                // What a peer sent that is no Opus is as long as it says, and silent.
                let silence = vec![0; length];
                let decoded = decoder.decode(&packet).unwrap_or(&silence);
                let left_out = (*skipped).min(decoded.len());
                *skipped -= left_out;
                samples.extend(&decoded[left_out..]);
                true
            }
            Self::Narrow {
                samples: all,
                done,
                doubler,
            } => {
                let next = &all[*done..all.len().min(*done + FRAME / 2)];
                *done += next.len();
                let mut doubled = Vec::with_capacity(FRAME);
                doubler.push(next, &mut doubled);
                samples.extend(doubled);
                !next.is_empty()
            }
        }
    }
}

/// Samples of Opus' own clock for one of ours.
const fn of_opus() -> usize {
    (OPUS_RATE / RATE) as usize
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]
mod tests {
    use std::path::Path;

    use trunkline_caller::{Spectrum, recorded};

    use super::*;
    use crate::audio::g711;
    use crate::record::keys::tests::put;

    /// A part of a direction that sounds for so many frames.
    fn part(directory: &Path, codec: Codec, hz: u32, (begins, frames): (u64, u32), keys: Option<&Keys>) -> Part {
        let path = directory.join(format!("{hz}-{begins}"));
        let key = keys.map(|keys| keys.of_tenant("").unwrap());
        let mut file = RecordingFile::begin(fs::File::create(&path).unwrap(), codec, 1, key.as_ref()).unwrap();
        let rate = codec.clock_rate();
        let mut encoder = Encoder::new(24_000).unwrap();
        for frame in 0..frames {
            let sample = |index: u32| {
                let turn = f64::from((frame * rate / 50 + index) * hz % rate) / f64::from(rate);
                ((turn * std::f64::consts::TAU).sin() * 8_000.0) as i16
            };
            let samples: Vec<i16> = (0..rate / 50).map(sample).collect();
            let packet = match codec {
                Codec::Opus => encoder.encode(&samples).unwrap(),
                _ => samples.iter().map(|sample| g711::encoded(codec, *sample)).collect(),
            };
            file.add(&Piece::Packet(packet.into(), codec.packet_ticks()));
        }
        file.end().unwrap();
        Part {
            began_unix_ms: 1_700_000_000_000 + begins,
            path,
        }
    }

    /// What the mixed file sounds like, 20 ms after 20 ms.
    fn mixed(directory: &Path, directions: Vec<Vec<Part>>, keys: Option<&Keys>) -> Vec<Spectrum> {
        let path = directory.join("mixed");
        let mut file = RecordingFile::begin(fs::File::create(&path).unwrap(), Codec::Opus, 1, None).unwrap();
        let packets = mix(directions, keys, &mut file, &AtomicBool::new(false)).unwrap();
        let sounds = recorded(&fs::read(path).unwrap()).unwrap();
        assert_eq!(sounds.len() as u64, packets);
        sounds
    }

    #[test]
    fn what_was_said_at_a_time_stands_at_that_time() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let keys_at = at.join("keys");
        fs::create_dir(&keys_at).unwrap();
        put(&keys_at, "a", 7);
        let keys = Keys::new(keys_at).unwrap();
        // The peer speaks Opus from the beginning and again in a second part; the bot G.711 from 0.5 to 1.5 s, encrypted.
        let received = vec![
            part(at, Codec::Opus, 700, (0, 50), None),
            part(at, Codec::Opus, 950, (2_000, 25), None),
        ];
        let sent = vec![part(at, Codec::Pcma, 1_400, (500, 50), Some(&keys))];
        let sounds = mixed(at, vec![received.clone(), sent.clone()], Some(&keys));
        assert!((124..=128).contains(&sounds.len()), "{} frames", sounds.len());
        let hears = |hz: u16, from: usize, to: usize| sounds[from..to].iter().all(|sound| sound.has(hz));
        let is_without = |hz: u16, from: usize, to: usize| !sounds[from..to].iter().any(|sound| sound.has(hz));
        assert!(hears(700, 3, 47) && is_without(700, 53, sounds.len()));
        assert!(hears(1_400, 28, 72) && is_without(1_400, 0, 23) && is_without(1_400, 78, sounds.len()));
        assert!(hears(950, 103, 122) && is_without(950, 0, 98));
        assert!(sounds[80..97].iter().all(Spectrum::is_silent));

        let mut file = RecordingFile::begin(tempfile::tempfile().unwrap(), Codec::Opus, 1, None).unwrap();
        let refused = mix(vec![received, sent], None, &mut file, &AtomicBool::new(false));
        assert!(matches!(refused, Err(MixError::NoKeys(_))), "{refused:?}");
    }

    #[test]
    fn a_part_that_is_cut_or_holds_noise_takes_nothing_from_the_other_direction() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        let cut = part(at, Codec::Opus, 700, (0, 50), None);
        let bytes = fs::read(&cut.path).unwrap();
        fs::write(&cut.path, &bytes[..120]).unwrap();
        let whole = part(at, Codec::Pcmu, 1_400, (0, 50), None);
        let sounds = mixed(at, vec![vec![cut], vec![whole.clone()]], None);
        assert!(sounds[3..47].iter().all(|sound| sound.has(1_400)));
        fs::write(at.join("noise"), b"noise").unwrap();
        let noise = Part {
            path: at.join("noise"),
            ..whole
        };
        let mut file = RecordingFile::begin(tempfile::tempfile().unwrap(), Codec::Opus, 1, None).unwrap();
        let refused = mix(vec![vec![noise]], None, &mut file, &AtomicBool::new(false));
        assert!(matches!(refused, Err(MixError::Format(..))), "{refused:?}");
    }
}
