//! Prompts that can be recognised.

use std::time::Duration;

use crate::spectrum::sine;
use crate::{FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE};

/// A WAV file that is one tone, in the only format that Graph plays: one channel, 16 bit, 16 kHz (documented, "call:
/// playPrompt"). The length is a multiple of 20 ms; a remainder is left out.
pub fn tone_file(hz: u16, length: Duration) -> Vec<u8> {
    const HEADER: u32 = 36;
    let frames = u32::try_from(length.as_millis()).unwrap_or(u32::MAX) / FRAME_MS;
    let bytes = frames.saturating_mul(2 * SAMPLE_RATE / 1_000 * FRAME_MS);
    let mut file = b"RIFF".to_vec();
    file.extend((HEADER.saturating_add(bytes)).to_le_bytes());
    // PCM, one channel, 16 kHz, 32,000 bytes a second, 2 bytes a sample.
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(SAMPLE_RATE.to_le_bytes());
    file.extend((2 * SAMPLE_RATE).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(bytes.to_le_bytes());
    file.reserve(frames as usize * FRAME_SAMPLES * 2);
    for frame in 0..frames {
        file.extend(sine(hz, frame).iter().flat_map(|sample| sample.to_le_bytes()));
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::Spectrum;

    #[test]
    fn the_file_holds_what_its_header_says() {
        let file = tone_file(450, Duration::from_millis(1_010));
        let number = |at: usize| u32::from_le_bytes([file[at], file[at + 1], file[at + 2], file[at + 3]]);
        assert_eq!(number(40) as usize, file.len() - 44);
        assert_eq!(number(4) as usize, file.len() - 8);
        assert_eq!(file.len() - 44, 32_000);
        let last: Vec<i16> = file[file.len() - 640..]
            .chunks(2)
            .map(|two| i16::from_le_bytes([two[0], two[1]]))
            .collect();
        assert!(Spectrum::of(&last).has(450));
    }
}
