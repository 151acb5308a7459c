//! Between 8 and 16 kHz, while it flows: a half-band filter of seven zeros either way.

/// The filter at odd distances from its middle; at even ones it is zero, in the middle one half.
const TAPS: [f32; 4] = [0.6172, -0.1591, 0.0526, -0.0107];
const AROUND: usize = TAPS.len();

/// Makes two samples of each.
#[derive(Debug, Default)]
pub(crate) struct Doubler {
    last: [i16; 2 * AROUND],
}

impl Doubler {
    /// Appends twice as many samples, four of the input later.
    pub(crate) fn push(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        for sample in samples {
            self.last.rotate_left(1);
            self.last[2 * AROUND - 1] = *sample;
            let pair = |index: usize| f32::from(self.last[AROUND - 1 - index]) + f32::from(self.last[AROUND + index]);
            let between = TAPS.iter().enumerate().map(|(index, tap)| tap * pair(index)).sum();
            out.extend([self.last[AROUND - 1], rounded(between)]);
        }
    }
}

/// Makes one sample of two.
#[derive(Debug, Default)]
pub(crate) struct Halver {
    last: [i16; 4 * AROUND],
    is_odd: bool,
}

impl Halver {
    /// Appends half as many samples, seven of the input later.
    pub(crate) fn push(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        const MIDDLE: usize = 2 * AROUND;
        for sample in samples {
            self.last.rotate_left(1);
            self.last[4 * AROUND - 1] = *sample;
            self.is_odd = !self.is_odd;
            if self.is_odd {
                continue;
            }
            let pair = |index: usize| {
                let distance = 2 * index + 1;
                f32::from(self.last[MIDDLE - distance]) + f32::from(self.last[MIDDLE + distance])
            };
            let around: f32 = TAPS.iter().enumerate().map(|(index, tap)| tap * pair(index)).sum();
            out.push(rounded(0.5 * f32::from(self.last[MIDDLE]) + 0.5 * around));
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to what a sample can be")]
fn rounded(sample: f32) -> i16 {
    sample.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;

    fn tone(rate: f32, hertz: f32, count: usize) -> Vec<i16> {
        let sample = |index: usize| (10_000.0 * (TAU * hertz * index as f32 / rate).sin()) as i16;
        (0..count).map(sample).collect()
    }

    fn level(samples: &[i16]) -> f32 {
        let energy: f32 = samples.iter().map(|sample| f32::from(*sample).powi(2)).sum();
        (energy / samples.len() as f32).sqrt()
    }

    #[test]
    fn a_voice_keeps_its_level_either_way() {
        let (mut doubled, mut halved) = (Vec::new(), Vec::new());
        Doubler::default().push(&tone(8_000.0, 1_000.0, 800), &mut doubled);
        Halver::default().push(&tone(16_000.0, 1_000.0, 1_600), &mut halved);
        assert_eq!((doubled.len(), halved.len()), (1_600, 800));
        for samples in [&doubled[32..], &halved[32..]] {
            assert!((level(samples) / 7_071.0 - 1.0).abs() < 0.02, "{}", level(samples));
        }
    }

    #[test]
    fn what_8_khz_cannot_carry_is_gone() {
        let mut halved = Vec::new();
        Halver::default().push(&tone(16_000.0, 6_500.0, 1_600), &mut halved);
        assert!(level(&halved[32..]) < 700.0, "{}", level(&halved[32..]));
    }
}
