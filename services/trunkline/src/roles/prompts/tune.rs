//! A short tune made of a name, in the only format that Graph plays: WAV, one channel, 16 bit, 16 kHz (documented, "call:
//! playPrompt").

use sha2::{Digest as _, Sha256};

/// Samples a second.
const RATE: u32 = 16_000;
/// Samples of a note: 0.3 s.
const NOTE: u32 = RATE * 3 / 10;
/// Notes of a tune.
const NOTES: usize = 4;
/// Samples over which a note swells and fades, so that it does not click.
const EDGE: u32 = RATE / 100;
/// A third of what 16 bits hold: not loud.
const LOUDNESS: f64 = 10_000.0;
/// Two octaves of five notes, in Hz: any order of them is bearable.
const SCALE: [f64; 10] = [
    261.63, 293.66, 329.63, 392.0, 440.0, 523.25, 587.33, 659.26, 783.99, 880.0,
];

/// The tune of this name, the same each time.
pub(in crate::roles) fn of(name: &str) -> Vec<u8> {
    let digest = Sha256::digest(name);
    let notes = digest
        .iter()
        .take(NOTES)
        .map(|byte| SCALE[usize::from(*byte) % SCALE.len()]);
    let samples: Vec<i16> = notes.flat_map(note).collect();
    wav(&samples)
}

fn note(pitch: f64) -> impl Iterator<Item = i16> {
    (0..NOTE).map(move |place| {
        let edge = f64::from(place.min(NOTE - place).min(EDGE)) / f64::from(EDGE);
        let phase = f64::from(place) / f64::from(RATE) * pitch * std::f64::consts::TAU;
        #[allow(clippy::cast_possible_truncation, reason = "a third of the range at most")]
        let sample = (phase.sin() * edge * LOUDNESS) as i16;
        sample
    })
}

/// RIFF, WAVE, one chunk of format and one of data.
fn wav(samples: &[i16]) -> Vec<u8> {
    const CHANNELS: u16 = 1;
    const BYTES: u16 = 2;
    const PCM: u16 = 1;
    let data = u32::try_from(samples.len() * usize::from(BYTES)).unwrap_or(u32::MAX);
    let mut wav = Vec::with_capacity(44 + samples.len() * usize::from(BYTES));
    wav.extend(b"RIFF");
    wav.extend((36 + data).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    for half in [PCM, CHANNELS] {
        wav.extend(half.to_le_bytes());
    }
    wav.extend(RATE.to_le_bytes());
    wav.extend((RATE * u32::from(CHANNELS * BYTES)).to_le_bytes());
    for half in [CHANNELS * BYTES, 8 * BYTES] {
        wav.extend(half.to_le_bytes());
    }
    wav.extend(b"data");
    wav.extend(data.to_le_bytes());
    wav.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    wav
}

#[cfg(test)]
mod tests {
    use super::{NOTE, NOTES, of};

    #[test]
    fn a_tune_is_a_wav_file_of_one_channel_16_bit_16_khz() {
        let wav = of("reception/welcome.wav");
        let number = |at: usize| u32::from_le_bytes([wav[at], wav[at + 1], wav[at + 2], wav[at + 3]]);
        assert_eq!((&wav[..4], &wav[8..16]), (&b"RIFF"[..], &b"WAVEfmt "[..]));
        assert_eq!(
            (number(4) as usize, number(40) as usize),
            (wav.len() - 8, wav.len() - 44)
        );
        assert_eq!((number(20), number(24), number(28)), (0x0001_0001, 16_000, 32_000));
        assert_eq!(number(32), 0x0010_0002);
        assert_eq!(wav.len() - 44, NOTE as usize * NOTES * 2);
        assert!(wav[44..].iter().any(|byte| *byte != 0), "it can be heard");
    }

    #[test]
    fn each_name_has_its_own_tune_and_always_the_same() {
        assert_eq!(of("menu.wav"), of("menu.wav"));
        assert_ne!(of("menu.wav"), of("goodbye.wav"));
    }
}
