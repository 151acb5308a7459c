//! Sound: what people say, and recordings of it as WAV of 16 kHz, 16 bit, one channel.

use std::{fmt, sync::Arc, time::Duration};

use super::{call::CallKey, media::FetchFailure};

/// Samples in a second.
const RATE: u32 = 16_000;
/// Bytes of a sample.
const SAMPLE: u32 = 2;
/// Bytes before the samples.
const HEADER: usize = 44;

/// Something that a person says: mono samples of 16 bit at 16 kHz.
#[derive(Clone)]
pub struct Speech {
    samples: Arc<[i16]>,
}

impl fmt::Debug for Speech {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Speech({:?})", self.length())
    }
}

impl Speech {
    /// These samples.
    pub fn new(samples: impl Into<Arc<[i16]>>) -> Self {
        Self {
            samples: samples.into(),
        }
    }

    /// A hum of 200 Hz, for callers whose words do not matter.
    pub fn hum(length: Duration) -> Self {
        const PERIOD: i16 = 80;
        let count = usize::try_from(length.as_millis() * u128::from(RATE) / 1_000).unwrap_or(0);
        let triangle = (0..PERIOD).map(|step| (step - PERIOD / 2).abs() * 400 - 8_000);
        Self::new(triangle.cycle().take(count).collect::<Vec<i16>>())
    }

    /// How long it takes.
    pub fn length(&self) -> Duration {
        Duration::from_millis(self.samples.len() as u64 * 1_000 / u64::from(RATE))
    }
}

/// A recording that can be fetched.
#[derive(Debug)]
pub(crate) struct Clip {
    pub(super) call: CallKey,
    /// What the bearer must show.
    pub(crate) token: String,
    length: Duration,
    said: Vec<(Duration, Speech)>,
}

impl Clip {
    /// `said` at these times after the start.
    pub(super) fn new(call: CallKey, length: Duration, said: Vec<(Duration, Speech)>, token: String) -> Self {
        Self {
            call,
            token,
            length,
            said,
        }
    }

    /// The file.
    pub(crate) fn wav(&self) -> Vec<u8> {
        let count = |duration: Duration| usize::try_from(duration.as_millis() * u128::from(RATE) / 1_000).unwrap_or(0);
        let mut samples = vec![0_i16; count(self.length)];
        for (at, speech) in &self.said {
            let place = count(*at).min(samples.len());
            for (sample, said) in samples[place..].iter_mut().zip(speech.samples.iter()) {
                *sample = *said;
            }
        }
        let bytes = u32::try_from(samples.len()).unwrap_or(u32::MAX).saturating_mul(SAMPLE);
        let mut file = Vec::with_capacity(HEADER + samples.len() * 2);
        file.extend_from_slice(b"RIFF");
        file.extend_from_slice(&(bytes + 36).to_le_bytes());
        file.extend_from_slice(b"WAVEfmt ");
        file.extend_from_slice(&16_u32.to_le_bytes());
        for (value, width) in [(1, 2), (1, 2), (RATE, 4), (RATE * SAMPLE, 4), (SAMPLE, 2), (16, 2)] {
            file.extend_from_slice(&value.to_le_bytes()[..width]);
        }
        file.extend_from_slice(b"data");
        file.extend_from_slice(&bytes.to_le_bytes());
        for sample in samples {
            file.extend_from_slice(&sample.to_le_bytes());
        }
        file
    }
}

/// The length of a WAV file; only PCM of one channel, 16 bit and 16 kHz is a prompt (documented).
pub(crate) fn length_of(file: &[u8]) -> Result<Duration, FetchFailure> {
    let word = |at: usize| Some(u32::from_le_bytes(file.get(at..at + 4)?.try_into().ok()?));
    let half = |at: usize| Some(u16::from_le_bytes(file.get(at..at + 2)?.try_into().ok()?));
    if file.get(..4) != Some(b"RIFF") || file.get(8..12) != Some(b"WAVE") {
        return Err(FetchFailure::Format);
    }
    let (mut at, mut is_good) = (12, false);
    while let (Some(name), Some(size)) = (file.get(at..at + 4), word(at + 4)) {
        match name {
            b"fmt " => {
                is_good = (half(at + 8), half(at + 10), word(at + 12), half(at + 22))
                    == (Some(1), Some(1), Some(RATE), Some(16));
            }
            b"data" if is_good => {
                // A writer that streams does not know the size; then all that is there counts.
                let there = u32::try_from(file.len() - at - 8).unwrap_or(u32::MAX);
                let millis = u64::from(size.min(there)) * 1_000 / u64::from(RATE * SAMPLE);
                return Ok(Duration::from_millis(millis));
            }
            b"data" => return Err(FetchFailure::Format),
            _ => {}
        }
        let size = usize::try_from(size).map_err(|_| FetchFailure::Format)?;
        at = at.saturating_add(8 + size + size % 2);
    }
    Err(FetchFailure::Format)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(length: u64, said: Vec<(Duration, Speech)>) -> Clip {
        Clip::new(CallKey(1), Duration::from_millis(length), said, String::new())
    }

    #[test]
    fn a_clip_is_a_prompt_of_its_length() {
        let hum = Speech::hum(Duration::from_millis(300));
        assert_eq!(hum.length(), Duration::from_millis(300));
        let file = clip(2_500, vec![(Duration::from_millis(400), hum)]).wav();
        assert_eq!(file.len(), HEADER + 80_000);
        assert_eq!(length_of(&file), Ok(Duration::from_millis(2_500)));
        let quiet = &file[HEADER..HEADER + 400 * 32];
        assert!(quiet.iter().all(|byte| *byte == 0));
        assert!(file[HEADER + 400 * 32..].iter().any(|byte| *byte != 0));
    }

    #[test]
    fn what_is_said_after_the_end_is_cut_off() {
        let hum = Speech::hum(Duration::from_secs(9));
        let file = clip(1_000, vec![(Duration::from_millis(500), hum)]).wav();
        assert_eq!(length_of(&file), Ok(Duration::from_secs(1)));
    }

    #[test]
    fn other_formats_and_broken_files_are_no_prompts() {
        let good = clip(100, Vec::new()).wav();
        for (at, byte) in [(0, b'X'), (20, 3), (22, 2), (24, 0), (34, 8)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert_eq!(length_of(&bad), Err(FetchFailure::Format), "byte {at}");
        }
        for length in 0..good.len() {
            // Shorter ones may be good, because sizes are not trusted; none may panic.
            let _ = length_of(&good[..length]);
        }
    }
}
