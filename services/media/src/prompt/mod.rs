//! Prompts: audio files made into packets once, shared by all legs that play them.

mod library;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::audio::ogg::{OpusFile, read_opus, samples_of};
use crate::audio::opus::Encoder;
use crate::audio::{FileError, Pcm, decoded, g711, read_wav, resampled};
use crate::codec::{Codec, PACKET_MILLISECONDS};

pub use library::{Library, PromptError, StandIn};

/// Minutes of a prompt.
pub const LONGEST_MINUTES: u64 = 30;
/// Bits a second of encoded prompts.
const BITRATE: u32 = 24_000;
/// The rate at which a beep is made, and how high it is.
const BEEP_RATE: u32 = 8_000;
const BEEP_HERTZ: f64 = 1_000.0;

/// An audio file as packets of 20 ms of one codec.
#[derive(Debug, PartialEq, Eq)]
pub struct Prompt {
    codec: Codec,
    bytes: Bytes,
    ends: Vec<u32>,
}

impl Prompt {
    /// Makes packets of a WAV or Ogg Opus file. Takes milliseconds for each second of audio: not for a media thread.
    pub fn of_file(file: &[u8], codec: Codec) -> Result<Arc<Self>, FileError> {
        let prompt = match read_opus(file) {
            Ok(opus) if codec == Codec::Opus && is_ready(&opus) => Self::of_packets(codec, &opus.packets),
            Ok(opus) => Self::of_audio(&decoded(&opus, LONGEST_MINUTES)?, codec)?,
            Err(FileError::Unknown) => Self::of_audio(&read_wav(file)?, codec)?,
            Err(error) => return Err(error),
        };
        Ok(Arc::new(prompt))
    }

    fn of_audio(audio: &Pcm, codec: Codec) -> Result<Self, FileError> {
        if audio.samples.len() as u64 > u64::from(audio.rate) * 60 * LONGEST_MINUTES {
            return Err(FileError::TooLong(LONGEST_MINUTES));
        }
        let mut samples = resampled(&audio.samples, audio.rate, codec.clock_rate());
        // The last packet is filled up with silence.
        samples.resize(samples.len().next_multiple_of(codec.packet_ticks() as usize), 0);
        let frames = samples.chunks_exact(codec.packet_ticks() as usize);
        let packets: Vec<Vec<u8>> = if codec == Codec::Opus {
            let mut encoder = Encoder::new(BITRATE)?;
            frames.map(|frame| encoder.encode(frame)).collect::<Result<_, _>>()?
        } else {
            let encoded = |frame: &[i16]| frame.iter().map(|sample| g711::encoded(codec, *sample)).collect();
            frames.map(encoded).collect()
        };
        Ok(Self::of_packets(codec, &packets))
    }

    fn of_packets(codec: Codec, packets: &[Vec<u8>]) -> Self {
        let mut bytes = Vec::with_capacity(packets.iter().map(Vec::len).sum());
        let mut ends = Vec::with_capacity(packets.len());
        for packet in packets {
            bytes.extend_from_slice(packet);
            ends.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        }
        Self {
            codec,
            bytes: bytes.into(),
            ends,
        }
    }

    /// The codec of its packets.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// How many packets it has: a fiftieth of a second each.
    pub fn packets(&self) -> usize {
        self.ends.len()
    }

    /// Milliseconds of audio.
    pub fn milliseconds(&self) -> u64 {
        self.ends.len() as u64 * u64::from(PACKET_MILLISECONDS)
    }

    /// The payload of a packet. No copy: it shares the prompt's block.
    pub(crate) fn packet(&self, index: usize) -> Option<Bytes> {
        let end = *self.ends.get(index)? as usize;
        let begin = index.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        Some(self.bytes.slice(Range { start: begin, end }))
    }

    /// A beep of a fifth of a second, for the ear: now you.
    pub fn beep(codec: Codec) -> Result<Arc<Self>, FileError> {
        let samples = (0..BEEP_RATE / 5).map(|index| {
            let turn = f64::from(index) * BEEP_HERTZ / f64::from(BEEP_RATE) * std::f64::consts::TAU;
            #[expect(clippy::cast_possible_truncation, reason = "a quarter of the range at most")]
            let sample = (turn.sin() * f64::from(i16::MAX / 4)) as i16;
            sample
        });
        let beep = Pcm {
            rate: BEEP_RATE,
            samples: samples.collect(),
        };
        Self::of_audio(&beep, codec).map(Arc::new)
    }

    fn size(&self) -> usize {
        self.bytes.len() + self.ends.len() * size_of::<u32>() + size_of::<Self>()
    }
}

/// Whether a file can be sent as it is: packets of 20 ms, mono.
fn is_ready(file: &OpusFile) -> bool {
    let is_mono = |packet: &[u8]| packet.first().is_some_and(|first| first & 4 == 0);
    let is_20_ms = |packet: &[u8]| samples_of(packet) == Some(Codec::Opus.packet_ticks());
    file.packets.iter().all(|packet| is_mono(packet) && is_20_ms(packet))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss)]
pub(crate) mod tests;
