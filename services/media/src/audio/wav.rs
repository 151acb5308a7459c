//! WAV files: PCM of 8 and 16 bits, A-law and mu-law, one or two channels.

use super::{FileError, Pcm, g711};
use crate::codec::Codec;

const PCM: u16 = 1;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const EXTENSIBLE: u16 = 0xFFFE;

/// A file of one channel and 16 bits.
pub(crate) fn written_wav(audio: &Pcm) -> Vec<u8> {
    let size = |size: usize| u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
    let data = audio.samples.len() * 2;
    let mut file = b"RIFF".to_vec();
    file.extend_from_slice(&size(data + 36));
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&audio.rate.to_le_bytes());
    file.extend_from_slice(&(audio.rate * 2).to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&size(data));
    file.extend(audio.samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

struct Format {
    tag: u16,
    channels: usize,
    rate: u32,
    bits: u16,
}

/// Reads a file as mono audio: of two channels the mean.
pub(crate) fn read_wav(file: &[u8]) -> Result<Pcm, FileError> {
    let is_wav = file.get(..4) == Some(b"RIFF") && file.get(8..12) == Some(b"WAVE");
    if !is_wav {
        return Err(FileError::Unknown);
    }
    let mut format = None;
    let mut rest = &file[12..];
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        // A file that was cut, or is still written, has less data than its head says.
        let chunk = &after[..length.min(after.len())];
        match &head[..4] {
            b"fmt " => format = Some(read_format(chunk)?),
            b"data" => return samples(&format.ok_or(FileError::Broken("no format before the data"))?, chunk),
            _ => {}
        }
        rest = after.get(length.next_multiple_of(2)..).unwrap_or_default();
    }
    Err(FileError::Broken("no data"))
}

fn read_format(chunk: &[u8]) -> Result<Format, FileError> {
    let word = |at: usize| Some(u16::from_le_bytes(chunk.get(at..at + 2)?.try_into().ok()?));
    let read = || {
        let tag = word(0)?;
        Some(Format {
            tag: if tag == EXTENSIBLE { word(24)? } else { tag },
            channels: usize::from(word(2)?),
            rate: u32::from(word(4)?) | u32::from(word(6)?) << 16,
            bits: word(14)?,
        })
    };
    let format = read().ok_or(FileError::Broken("the format is cut"))?;
    let is_known = matches!((format.tag, format.bits), (PCM, 8 | 16) | (A_LAW | MU_LAW, 8));
    let is_taken = is_known && (1..=2).contains(&format.channels) && (8_000..=96_000).contains(&format.rate);
    if is_taken {
        return Ok(format);
    }
    let Format {
        tag,
        channels,
        rate,
        bits,
    } = format;
    Err(FileError::Unsupported(format!(
        "tag {tag}, {bits} bits, {channels} channels, {rate} Hz"
    )))
}

fn samples(format: &Format, data: &[u8]) -> Result<Pcm, FileError> {
    let one: Vec<i16> = match (format.tag, format.bits) {
        (PCM, 16) => data
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect(),
        (PCM, _) => data.iter().map(|byte| (i16::from(*byte) - 128) << 8).collect(),
        (A_LAW, _) => data.iter().map(|byte| g711::decoded(Codec::Pcma, *byte)).collect(),
        _ => data.iter().map(|byte| g711::decoded(Codec::Pcmu, *byte)).collect(),
    };
    let samples = if format.channels == 1 {
        one
    } else {
        one.chunks_exact(2).map(mean).collect()
    };
    if samples.is_empty() {
        return Err(FileError::Broken("no samples"));
    }
    Ok(Pcm {
        rate: format.rate,
        samples,
    })
}

fn mean(pair: &[i16]) -> i16 {
    let sum: i32 = pair.iter().map(|sample| i32::from(*sample)).sum();
    i16::try_from(sum / 2).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A file of 16-bit PCM.
    pub(crate) fn wav_of(rate: u32, channels: u16, samples: &[i16]) -> Vec<u8> {
        let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0".to_vec();
        file.extend_from_slice(&channels.to_le_bytes());
        file.extend_from_slice(&rate.to_le_bytes());
        file.extend_from_slice(&(rate * 2 * u32::from(channels)).to_le_bytes());
        file.extend_from_slice(&(2 * channels).to_le_bytes());
        file.extend_from_slice(b"\x10\0data");
        file.extend_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
        file.extend_from_slice(&data);
        file
    }

    #[test]
    fn mono_and_stereo_are_read() {
        let mono = read_wav(&wav_of(16_000, 1, &[1, -2, 3])).unwrap();
        assert_eq!(
            mono,
            Pcm {
                rate: 16_000,
                samples: vec![1, -2, 3]
            }
        );
        let stereo = read_wav(&wav_of(48_000, 2, &[10, 20, -10, -30])).unwrap();
        assert_eq!(stereo.samples, [15, -20]);
    }

    #[test]
    fn what_is_written_is_read() {
        let audio = Pcm {
            rate: 16_000,
            samples: vec![1, -2, i16::MAX],
        };
        let file = written_wav(&audio);
        assert_eq!(file.len(), 44 + 6);
        assert_eq!(read_wav(&file).unwrap(), audio);
    }

    #[test]
    fn a_cut_file_is_read_as_far_as_it_goes() {
        let mut file = wav_of(8_000, 1, &[1, 2, 3, 4]);
        file.truncate(file.len() - 3);
        assert_eq!(read_wav(&file).unwrap().samples, [1, 2]);
    }

    #[test]
    fn other_forms_are_refused_by_name() {
        let mut file = wav_of(8_000, 1, &[1]);
        file[34] = 24;
        assert_eq!(
            read_wav(&file).unwrap_err().to_string(),
            "not a form that is read: tag 1, 24 bits, 1 channels, 8000 Hz"
        );
        assert!(matches!(read_wav(b"OggS"), Err(FileError::Unknown)));
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_read_or_refused(at in 0usize..60, with in any::<[u8; 4]>(), cut in 0usize..60) {
            let mut file = wav_of(8_000, 1, &[5; 8]);
            let end = (at + 4).min(file.len());
            if at < end {
                file[at..end].copy_from_slice(&with[..end - at]);
            }
            file.truncate(file.len() - cut.min(file.len()));
            let _ = read_wav(&file);
        }
    }
}
