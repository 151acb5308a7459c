//! Another sample rate, by a windowed sinc. Runs once a prompt.

use std::f64::consts::PI;

/// Samples on either side of a point that it is made of.
const HALF_WIDTH: f64 = 16.0;

/// The same audio at another rate.
pub(crate) fn resampled(samples: &[i16], from: u32, to: u32) -> Vec<i16> {
    if from == to {
        return samples.to_vec();
    }
    let step = f64::from(from) / f64::from(to);
    // Below the half of the lower rate nothing folds over.
    let cutoff = (1.0 / step).min(1.0);
    let length = samples.len() as u64 * u64::from(to) / u64::from(from);
    #[expect(
        clippy::cast_precision_loss,
        reason = "prompts have fewer samples than 2 to the 52nd"
    )]
    let position = |index: u64| index as f64 * step;
    (0..length)
        .map(|index| point(samples, position(index), cutoff))
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "positions are those of a slice, samples are clamped"
)]
fn point(samples: &[i16], position: f64, cutoff: f64) -> i16 {
    let nearest = position.floor() as i64;
    let width = (HALF_WIDTH / cutoff).ceil();
    let reach = width as i64;
    let mut sum = 0.0;
    let mut weights = 0.0;
    for index in nearest - reach + 1..=nearest + reach {
        let distance = position - index as f64;
        let window = 0.5 + 0.5 * (PI * distance / width).cos();
        let weight = sinc(distance * cutoff) * window;
        let sample = usize::try_from(index).ok().and_then(|index| samples.get(index));
        sum += weight * f64::from(sample.copied().unwrap_or_default());
        weights += weight;
    }
    (sum / weights).round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

#[cfg(test)]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]
mod tests {
    use super::*;

    fn tone(rate: u32, frequency: f64, seconds: f64) -> Vec<i16> {
        let length = (f64::from(rate) * seconds) as u32;
        let sample = |index: u32| 10_000.0 * (2.0 * PI * frequency * f64::from(index) / f64::from(rate)).sin();
        (0..length).map(|index| sample(index) as i16).collect()
    }

    fn energy(samples: &[i16]) -> f64 {
        samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64
    }

    #[test]
    fn a_tone_keeps_its_shape() {
        for (from, to) in [(8_000, 48_000), (48_000, 8_000), (44_100, 48_000), (16_000, 48_000)] {
            let result = resampled(&tone(from, 440.0, 0.5), from, to);
            let expected = tone(to, 440.0, 0.5);
            let inner = 400..result.len().min(expected.len()) - 400;
            let error: Vec<_> = inner.clone().map(|index| result[index] - expected[index]).collect();
            assert!(energy(&error) < 0.001 * energy(&expected), "{from} to {to}");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_gone() {
        let result = resampled(&tone(48_000, 7_000.0, 0.2), 48_000, 8_000);
        assert!(energy(&result[100..result.len() - 100]) < 1_000.0 * 1_000.0);
    }
}
