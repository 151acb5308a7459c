//! G.711 (ITU-T G.711), by its definition: called a few million times when a prompt is made, never for a packet.

use crate::codec::Codec;

const BIAS: i32 = 0x84;
const CLIP: i32 = 32_635;

/// A sample as mu-law or A-law.
pub(crate) fn encoded(codec: Codec, sample: i16) -> u8 {
    if codec == Codec::Pcma {
        a_law(sample)
    } else {
        mu_law(sample)
    }
}

/// The sample that a byte of mu-law or A-law means.
pub(crate) fn decoded(codec: Codec, byte: u8) -> i16 {
    if codec == Codec::Pcma {
        of_a_law(byte)
    } else {
        of_mu_law(byte)
    }
}

/// The byte of silence.
pub(crate) const fn silence(codec: Codec) -> u8 {
    if matches!(codec, Codec::Pcma) { 0xD5 } else { 0xFF }
}

fn mu_law(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(CLIP) + BIAS;
    let exponent = highest_bit(magnitude) - 7;
    let mantissa = (magnitude >> (exponent + 3)) & 0x0F;
    !low_byte(sign | exponent << 4 | mantissa)
}

fn of_mu_law(byte: u8) -> i16 {
    let bits = i32::from(!byte);
    let exponent = (bits >> 4) & 7;
    let magnitude = ((((bits & 0x0F) << 3) + BIAS) << exponent) - BIAS;
    signed(magnitude, bits & 0x80 != 0)
}

fn a_law(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 {
        (0, -(i32::from(sample) + 1))
    } else {
        (0x80, i32::from(sample))
    };
    let exponent = (highest_bit(magnitude.max(1)) - 7).max(0);
    let mantissa = (magnitude >> (if exponent == 0 { 4 } else { exponent + 3 })) & 0x0F;
    low_byte(sign | exponent << 4 | mantissa) ^ 0x55
}

fn of_a_law(byte: u8) -> i16 {
    let bits = i32::from(byte ^ 0x55);
    let exponent = (bits >> 4) & 7;
    let mantissa = (bits & 0x0F) << 4;
    let magnitude = if exponent == 0 {
        mantissa + 8
    } else {
        (mantissa + 0x108) << (exponent - 1)
    };
    signed(magnitude, bits & 0x80 == 0)
}

fn signed(magnitude: i32, is_negative: bool) -> i16 {
    let value = if is_negative { -magnitude } else { magnitude };
    i16::try_from(value).unwrap_or(if is_negative { i16::MIN } else { i16::MAX })
}

fn highest_bit(value: i32) -> i32 {
    value.ilog2().cast_signed()
}

fn low_byte(bits: i32) -> u8 {
    u8::try_from(bits & 0xFF).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_of_the_standard() {
        assert_eq!((encoded(Codec::Pcmu, 0), encoded(Codec::Pcma, 0)), (0xFF, 0xD5));
        assert_eq!(
            (decoded(Codec::Pcmu, 0x80), decoded(Codec::Pcmu, 0x00)),
            (32_124, -32_124)
        );
        assert_eq!(
            (decoded(Codec::Pcma, 0xAA), decoded(Codec::Pcma, 0x2A)),
            (32_256, -32_256)
        );
        assert_eq!(decoded(Codec::Pcma, 0xD5), 8);
    }

    #[test]
    fn every_byte_survives_and_every_sample_stays_near() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            for byte in 0..=u8::MAX {
                let again = encoded(codec, decoded(codec, byte));
                assert_eq!(decoded(codec, again), decoded(codec, byte), "{codec:?} {byte:#x}");
            }
            for sample in (i16::MIN..=i16::MAX).step_by(7) {
                let error = (i32::from(decoded(codec, encoded(codec, sample))) - i32::from(sample)).abs();
                assert!(
                    error <= 16 + i32::from(sample).abs() / 16,
                    "{codec:?} {sample}: {error}"
                );
            }
        }
    }
}
