//! The codecs that a caller speaks, as RTP and the offer have them.

use ropus::{Application, Bitrate, Channels, DecodeMode};
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MIME_TYPE_PCMU};
use rtc::rtp_transceiver::rtp_sender::RTCRtpCodec;

use crate::{CallerError, FRAME_MS, SAMPLE_RATE};

/// Bits a second of Opus.
const BITS: u32 = 24_000;
/// The largest packet of 20 ms that is made: far above what that gives.
const LARGEST_PAYLOAD: usize = 1_000;
/// Samples of the longest packet that Opus allows: 120 ms.
pub(crate) const LONGEST: usize = SAMPLE_RATE as usize * 120 / 1_000;

/// A codec; a caller offers one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Codec {
    /// RFC 7587.
    #[default]
    Opus,
    /// G.711 mu-law (RFC 3551 section 4.5.14), as gateways to telephones have it.
    Pcmu,
}

impl Codec {
    /// Its number in our offer.
    pub(crate) const fn payload_type(self) -> u8 {
        match self {
            Self::Opus => 111,
            Self::Pcmu => 0,
        }
    }

    /// Its clock in RTP.
    pub(crate) const fn clock_rate(self) -> u32 {
        match self {
            // Whatever it was made from (RFC 7587, section 4.1).
            Self::Opus => crate::CLOCK_RATE,
            Self::Pcmu => 8_000,
        }
    }

    /// Steps of that clock in a frame.
    pub(crate) const fn frame_ticks(self) -> u32 {
        self.clock_rate() / 1_000 * FRAME_MS
    }

    pub(crate) fn described(self) -> RTCRtpCodec {
        let described = RTCRtpCodec {
            clock_rate: self.clock_rate(),
            ..RTCRtpCodec::default()
        };
        match self {
            // RFC 7587 demands two channels in the description, whatever is sent.
            Self::Opus => RTCRtpCodec {
                mime_type: MIME_TYPE_OPUS.to_owned(),
                channels: 2,
                sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
                ..described
            },
            Self::Pcmu => RTCRtpCodec {
                mime_type: MIME_TYPE_PCMU.to_owned(),
                channels: 1,
                ..described
            },
        }
    }
}

/// Makes payloads of 20 ms at 16 kHz.
pub(crate) enum Encoder {
    Opus(Box<ropus::Encoder>),
    Pcmu,
}

impl Encoder {
    pub(crate) fn new(codec: Codec) -> Result<Self, CallerError> {
        Ok(match codec {
            Codec::Opus => {
                let builder = ropus::Encoder::builder(SAMPLE_RATE, Channels::Mono, Application::Audio);
                let encoder = builder.bitrate(Bitrate::Bits(BITS)).build();
                Self::Opus(Box::new(encoder.map_err(CallerError::codec)?))
            }
            Codec::Pcmu => Self::Pcmu,
        })
    }

    pub(crate) fn encode(&mut self, samples: &[i16]) -> Result<Vec<u8>, CallerError> {
        match self {
            Self::Opus(encoder) => {
                let mut payload = vec![0; LARGEST_PAYLOAD];
                let length = encoder.encode(samples, &mut payload).map_err(CallerError::codec)?;
                payload.truncate(length);
                Ok(payload)
            }
            // What is said lies below 4 kHz, so every other sample has all of it.
            Self::Pcmu => Ok(samples.iter().step_by(2).map(|sample| mu_law(*sample)).collect()),
        }
    }
}

/// Makes samples at 16 kHz of payloads.
pub(crate) enum Decoder {
    Opus(Box<ropus::Decoder>, Vec<i16>),
    Pcmu { samples: Vec<i16>, last: i16 },
}

impl Decoder {
    pub(crate) fn new(codec: Codec) -> Result<Self, CallerError> {
        Ok(match codec {
            Codec::Opus => {
                let decoder = ropus::Decoder::new(SAMPLE_RATE, Channels::Mono).map_err(CallerError::codec)?;
                Self::Opus(Box::new(decoder), vec![0; LONGEST])
            }
            Codec::Pcmu => Self::Pcmu {
                samples: Vec::new(),
                last: 0,
            },
        })
    }

    pub(crate) fn decode(&mut self, payload: &[u8]) -> Result<&[i16], CallerError> {
        match self {
            Self::Opus(decoder, samples) => {
                let count = decoder.decode(payload, samples, DecodeMode::Normal);
                Ok(&samples[..count.map_err(CallerError::codec)?])
            }
            Self::Pcmu { samples, last } => {
                samples.clear();
                for byte in payload {
                    let sample = of_mu_law(*byte);
                    // Half way to it, then it.
                    samples.extend([i16::midpoint(*last, sample), sample]);
                    *last = sample;
                }
                Ok(samples)
            }
        }
    }
}

/// ITU-T G.711, table 2a, by segments: 33 is its bias at 14 bits.
fn mu_law(sample: i16) -> u8 {
    let magnitude = (sample.unsigned_abs() >> 2).min(8_158) + 33;
    // 33 to 8,191: the highest bit is the sixth to the thirteenth.
    let segment = 10 - magnitude.leading_zeros().min(10);
    let step = (magnitude >> (segment + 1)) & 0x0F;
    let sign = if sample < 0 { 0 } else { 0x80 };
    #[allow(clippy::cast_possible_truncation, reason = "seven bits")]
    let code = 0x7F - ((segment as u8) << 4 | step as u8);
    sign | code
}

fn of_mu_law(byte: u8) -> i16 {
    let code = 0x7F - i16::from(byte & 0x7F);
    let (segment, step) = (code >> 4, code & 0x0F);
    let magnitude = (((2 * step + 33) << segment) - 33) * 4;
    if byte & 0x80 == 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mu_law_is_that_of_the_standard() {
        // Decision values and code words of table 2a.
        assert_eq!(
            [mu_law(0), mu_law(-1), mu_law(i16::MAX), mu_law(i16::MIN)],
            [0xFF, 0x7F, 0x80, 0x00]
        );
        assert_eq!(
            [of_mu_law(0xFF), of_mu_law(0x80), of_mu_law(0x00)],
            [0, 32_124, -32_124]
        );
        for byte in 0..=u8::MAX {
            assert_eq!(of_mu_law(mu_law(of_mu_law(byte))), of_mu_law(byte), "{byte:#x}");
        }
    }
}
