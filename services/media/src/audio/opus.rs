//! Opus (RFC 6716) of one channel: samples to packets and back, in Rust. What a peer sends is decoded by code that cannot write
//! where it should not; not for a media thread.

use ropus::{Application, Bitrate, Channels, DecodeMode};

/// Samples a second on both sides, whatever a packet holds.
pub(crate) const RATE: u32 = 48_000;
/// Samples of the longest packet: 120 ms.
const LONGEST: usize = 5_760;
/// The largest packet that is encoded: far above what prompts' bit rates give.
const PACKET_BYTES: usize = 1_000;

/// Of 0 to 10. From 5 on a frame takes 100 us and more, with this one 43 (measured, 16 kHz, 24 kbit/s).
const LIVE_COMPLEXITY: u8 = 4;

/// What the codec says.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CodecError(String);

impl CodecError {
    #[allow(clippy::needless_pass_by_value, reason = "the form that `map_err` takes")]
    fn of(error: impl ToString) -> Self {
        Self(error.to_string())
    }
}

/// Makes packets.
pub(crate) struct Encoder(ropus::Encoder);

impl Encoder {
    /// An encoder of this many bits a second.
    pub(crate) fn new(bits: u32) -> Result<Self, CodecError> {
        Self::at(RATE, bits)
    }

    /// The same of so many samples a second: 8, 12, 16, 24 or 48 thousand.
    pub(crate) fn at(rate: u32, bits: u32) -> Result<Self, CodecError> {
        let builder = ropus::Encoder::builder(rate, Channels::Mono, Application::Audio);
        builder
            .bitrate(Bitrate::Bits(bits))
            .build()
            .map(Self)
            .map_err(CodecError::of)
    }

    /// One that encodes while somebody waits: for less than half of the work, which a voice hardly tells.
    pub(crate) fn live(rate: u32, bits: u32) -> Result<Self, CodecError> {
        let mut encoder = Self::at(rate, bits)?;
        encoder.0.set_complexity(LIVE_COMPLEXITY).map_err(CodecError::of)?;
        Ok(encoder)
    }

    /// The packet of a frame of 2.5 to 60 ms.
    pub(crate) fn encode(&mut self, frame: &[i16]) -> Result<Vec<u8>, CodecError> {
        let mut packet = vec![0; PACKET_BYTES];
        let length = self.0.encode(frame, &mut packet).map_err(CodecError::of)?;
        packet.truncate(length);
        Ok(packet)
    }
}

/// Makes samples of packets, one stream a decoder.
pub(crate) struct Decoder {
    codec: ropus::Decoder,
    buffer: Vec<i16>,
}

impl Decoder {
    pub(crate) fn new() -> Result<Self, CodecError> {
        Self::at(RATE)
    }

    /// The same of so many samples a second: 8, 12, 16, 24 or 48 thousand.
    pub(crate) fn at(rate: u32) -> Result<Self, CodecError> {
        Ok(Self {
            codec: ropus::Decoder::new(rate, Channels::Mono).map_err(CodecError::of)?,
            buffer: vec![0; LONGEST],
        })
    }

    /// The samples of a packet; one of two channels is mixed to one.
    pub(crate) fn decode(&mut self, packet: &[u8]) -> Result<&[i16], CodecError> {
        let count = self
            .codec
            .decode(packet, &mut self.buffer, DecodeMode::Normal)
            .map_err(CodecError::of)?;
        Ok(&self.buffer[..count])
    }

    /// So many samples in place of a packet that is lost: a multiple of 2.5 ms, at most 120 ms.
    pub(crate) fn conceal(&mut self, samples: usize) -> Result<&[i16], CodecError> {
        let place = self.buffer.get_mut(..samples).unwrap_or_default();
        let count = self
            .codec
            .decode(&[], place, DecodeMode::Normal)
            .map_err(CodecError::of)?;
        Ok(&self.buffer[..count])
    }

    /// The same out of the packet after it, which may hold a copy of the last that was lost (RFC 6716 section 2.1.7); what it has
    /// none of is concealed.
    pub(crate) fn recover(&mut self, next: &[u8], samples: usize) -> Result<&[i16], CodecError> {
        let place = self.buffer.get_mut(..samples).unwrap_or_default();
        let count = self
            .codec
            .decode(next, place, DecodeMode::Fec)
            .map_err(CodecError::of)?;
        Ok(&self.buffer[..count])
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_packet_ends_the_decoder(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20)) {
            let mut decoder = Decoder::new().unwrap();
            for packet in packets {
                let _refused_or_noise = decoder.decode(&packet);
            }
            let packet = Encoder::new(24_000).unwrap().encode(&[0; 960]).unwrap();
            prop_assert_eq!(decoder.decode(&packet).unwrap().len(), 960);
        }
    }
}
