//! The codecs that a leg speaks.

/// Milliseconds of audio in a packet that we send.
pub const PACKET_MILLISECONDS: u32 = 20;

/// A codec, as negotiated. Audio is mono whatever the channels of the negotiation say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// RFC 6716, its payload RFC 7587.
    Opus,
    /// G.711 mu-law (RFC 3551 section 4.5.14).
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

impl Codec {
    /// In the order in which we prefer them.
    pub const PREFERRED: [Self; 3] = [Self::Opus, Self::Pcmu, Self::Pcma];

    /// Name, clock rate and channels as `a=rtpmap` writes them.
    pub const fn encoding(self) -> &'static str {
        match self {
            Self::Opus => "opus/48000/2",
            Self::Pcmu => "PCMU/8000",
            Self::Pcma => "PCMA/8000",
        }
    }

    /// The name alone.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The codec of an `a=rtpmap`'s encoding, in any case; one channel may be written or not.
    pub fn of_encoding(encoding: &str) -> Option<Self> {
        let plain = encoding.strip_suffix("/1").unwrap_or(encoding);
        Self::PREFERRED
            .into_iter()
            .find(|codec| codec.encoding().eq_ignore_ascii_case(plain))
    }

    /// The codec that a payload type means without an `a=rtpmap` (RFC 3551 section 6).
    pub const fn of_static_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Self::Pcmu),
            8 => Some(Self::Pcma),
            _ => None,
        }
    }

    /// RTP timestamp units a second.
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Pcmu | Self::Pcma => 8_000,
        }
    }

    /// RTP timestamp units in a packet that we send.
    pub const fn packet_ticks(self) -> u32 {
        self.clock_rate() / 1000 * PACKET_MILLISECONDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_read_in_any_case_and_with_one_channel() {
        assert_eq!(Codec::of_encoding("OPUS/48000/2"), Some(Codec::Opus));
        assert_eq!(Codec::of_encoding("pcmu/8000/1"), Some(Codec::Pcmu));
        assert_eq!(Codec::of_encoding("PCMA/16000"), None);
        assert_eq!(Codec::of_encoding("opus/48000"), None);
    }
}
