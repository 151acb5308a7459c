//! How loud audio is.

use super::g711;
use crate::codec::Codec;

/// The level of silence: the lowest that RFC 6464 can tell.
pub(crate) const SILENT: u8 = 127;

/// Decibels below overload of samples, 0 to 127, as RFC 6464 counts them: 0 is the loudest.
pub(crate) fn level_of(samples: impl Iterator<Item = i16>) -> u8 {
    let mut count = 0u32;
    let mut energy = 0.0;
    for sample in samples {
        energy += f64::from(sample) * f64::from(sample);
        count += 1;
    }
    if count == 0 || energy <= 0.0 {
        return SILENT;
    }
    let overload = f64::from(i16::MIN) * f64::from(i16::MIN);
    let below = -10.0 * (energy / f64::from(count) / overload).log10();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to what a level can be"
    )]
    let level = below.round().clamp(0.0, f64::from(SILENT)) as u8;
    level
}

/// The same of a payload of G.711.
pub(crate) fn level_of_g711(codec: Codec, payload: &[u8]) -> u8 {
    level_of(payload.iter().map(|byte| g711::decoded(codec, *byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_scale_is_zero_and_nothing_is_127() {
        assert_eq!(level_of([i16::MIN, i16::MAX].into_iter().cycle().take(160)), 0);
        // Half of it is 6 dB less.
        assert_eq!(level_of(std::iter::repeat_n(i16::MIN / 2, 160)), 6);
        assert_eq!(level_of(std::iter::repeat_n(0, 160)), SILENT);
        assert_eq!(level_of(std::iter::empty()), SILENT);
    }

    #[test]
    fn silence_of_g711_is_silent() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let silence = [g711::silence(codec); 160];
            assert!(level_of_g711(codec, &silence) > 70, "{codec:?}");
            assert_eq!(level_of_g711(codec, &[g711::encoded(codec, i16::MIN / 2); 160]), 6);
        }
    }
}
