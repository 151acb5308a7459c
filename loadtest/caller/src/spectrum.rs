//! Which frequencies are in 20 ms of sound.

use std::f32::consts::TAU;

use crate::{FRAME_SAMPLES, SAMPLE_RATE};

/// Hz between two frequencies that 20 ms can tell apart: whole multiples of it lie in one frame without remainder.
pub const STEP: u16 = 50;
/// The lowest and the highest frequency that is looked for: what a telephone carries.
pub const RANGE: std::ops::RangeInclusive<u16> = 200..=3_400;
/// Frequencies that are kept: more voices at a time are not told apart.
const PEAKS: usize = 3;
/// Below it, 20 ms are silence.
const SILENCE_DBOV: f32 = -60.0;
/// The level of nothing.
const LOWEST_DBOV: i16 = -127;

/// A frequency, and its share of the energy of its frame.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Peak {
    /// A multiple of [`STEP`]; 0 for none.
    pub hz: u16,
    /// 0 to 1.
    pub share: f32,
}

/// What 20 ms sound like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spectrum {
    /// The level: 0 is the loudest square wave, -127 is nothing (RFC 6464 counts so, without the sign).
    pub dbov: f32,
    /// The strongest frequencies, the strongest first.
    pub peaks: [Peak; PEAKS],
}

impl Spectrum {
    /// Of a frame of 20 ms at 16 kHz. A frame of another length is taken for its sounds as well, only less exactly.
    #[allow(clippy::cast_precision_loss, reason = "samples and counts are small")]
    pub fn of(samples: &[i16]) -> Self {
        let energy = energy(samples);
        let count = samples.len().max(1) as f32;
        let mut spectrum = Self {
            dbov: dbov(samples),
            peaks: [Peak::default(); PEAKS],
        };
        if spectrum.is_silent() {
            return spectrum;
        }
        let mut shares: Vec<Peak> = RANGE
            .step_by(usize::from(STEP))
            // A sine wave of one frequency has all of its energy there: share 1.
            .map(|hz| Peak {
                hz,
                share: 2.0 * energy_at(samples, hz) / (count * energy),
            })
            .collect();
        for peak in &mut spectrum.peaks {
            let strongest = shares.iter().copied().max_by(|a, b| a.share.total_cmp(&b.share));
            *peak = strongest.unwrap_or_default();
            // What is beside a frequency is its own shadow.
            let near = peak.hz.saturating_sub(STEP)..=peak.hz + STEP;
            shares.retain(|other| !near.contains(&other.hz));
        }
        spectrum
    }

    /// Whether next to nothing is heard.
    pub fn is_silent(&self) -> bool {
        self.dbov < SILENCE_DBOV
    }

    /// Whether a tone of this frequency is in it: a fifth of the energy or more, so that two or three voices can sound together.
    pub fn has(&self, hz: u16) -> bool {
        self.peaks
            .iter()
            .any(|peak| peak.hz.abs_diff(hz) <= STEP / 2 && peak.share >= 0.2)
    }
}

fn energy(samples: &[i16]) -> f32 {
    samples.iter().map(|sample| f32::from(*sample).powi(2)).sum()
}

#[allow(clippy::cast_precision_loss, reason = "counts are small")]
fn dbov(samples: &[i16]) -> f32 {
    let power = energy(samples) / samples.len().max(1) as f32 / f32::from(i16::MAX).powi(2);
    (10.0 * power.max(1e-13).log10()).max(f32::from(LOWEST_DBOV))
}

/// How loud samples are, as RFC 6464 tells it: decibels below overload, from 0 to 127 for nothing.
pub(crate) fn level(samples: &[i16]) -> u8 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 127")]
    let level = (-dbov(samples)).round().clamp(0.0, 127.0) as u8;
    level
}

/// The squared magnitude at one frequency (Goertzel).
fn energy_at(samples: &[i16], hz: u16) -> f32 {
    #[allow(clippy::cast_precision_loss, reason = "16,000 is exact")]
    let turn = 2.0 * (TAU * f32::from(hz) / SAMPLE_RATE as f32).cos();
    let (mut last, mut before) = (0.0_f32, 0.0_f32);
    for sample in samples {
        let now = f32::from(*sample) + turn * last - before;
        before = last;
        last = now;
    }
    last.powi(2) + before.powi(2) - turn * last * before
}

/// 20 ms of a sine wave, a third of full scale; `frame` counts them, so that one goes on where the other ends.
pub(crate) fn sine(hz: u16, frame: u32) -> [i16; FRAME_SAMPLES] {
    let step = f64::from(hz) * std::f64::consts::TAU / f64::from(SAMPLE_RATE);
    std::array::from_fn(|index| {
        #[allow(clippy::cast_precision_loss, reason = "at most 320")]
        let at = f64::from(frame) * FRAME_SAMPLES as f64 + index as f64;
        #[allow(clippy::cast_possible_truncation, reason = "within 11,000")]
        let sample = ((at * step).sin() * 11_000.0) as i16;
        sample
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tone_is_found_at_its_frequency_alone() {
        for hz in [200, 450, 1_000, 3_400] {
            let spectrum = Spectrum::of(&sine(hz, 7));
            assert_eq!(spectrum.peaks[0].hz, hz);
            assert!(spectrum.peaks[0].share > 0.95, "{spectrum:?}");
            assert!(spectrum.has(hz) && !spectrum.has(hz - 100) && !spectrum.has(hz + 100));
        }
    }

    #[test]
    fn two_voices_are_both_heard() {
        let (one, other) = (sine(600, 0), sine(1_500, 0));
        let mixed: Vec<i16> = one.iter().zip(other).map(|(one, other)| one / 2 + other / 2).collect();
        let spectrum = Spectrum::of(&mixed);
        assert!(spectrum.has(600) && spectrum.has(1_500), "{spectrum:?}");
        assert!(!spectrum.has(1_000));
    }

    #[test]
    fn levels_are_those_of_rfc_6464() {
        assert_eq!(level(&[0; FRAME_SAMPLES]), 127);
        assert_eq!(level(&[i16::MAX; FRAME_SAMPLES]), 0);
        // A third of full scale are 9.5 dB, and a sine wave has 3 dB less than a square wave.
        assert!((12..=13).contains(&level(&sine(700, 3))));
    }

    #[test]
    fn silence_and_noise_have_no_tone() {
        assert!(Spectrum::of(&[0; FRAME_SAMPLES]).is_silent());
        let mut seed = 1_u32;
        let noise: Vec<i16> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            i16::from_ne_bytes([seed.to_be_bytes()[0], seed.to_be_bytes()[1]]) / 4
        })
        .take(FRAME_SAMPLES)
        .collect();
        let spectrum = Spectrum::of(&noise);
        assert!(!spectrum.is_silent());
        assert!(spectrum.peaks[0].share < 0.2, "{spectrum:?}");
    }
}
