//! The header of an RTP packet, read in place (RFC 3550 section 5.1, RFC 8285).

/// Bytes of a header without contributing sources and extensions: what we write.
pub(crate) const HEADER_BYTES: usize = 12;
const VERSION: u8 = 2;
/// One-byte form of header extensions.
const ONE_BYTE_FORM: u16 = 0xBEDE;

/// A header, and where the payload lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) payload_type: u8,
    pub(crate) marker: bool,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) source: u32,
    /// Where the payload begins.
    pub(crate) begin: usize,
    /// Where it ends: without padding.
    pub(crate) end: usize,
    /// Where extensions of the one-byte form lie, if there are any.
    extensions: (usize, usize),
}

impl Header {
    /// Reads the header of a decrypted packet.
    pub(crate) fn read(packet: &[u8]) -> Option<Self> {
        let first = *packet.first()?;
        if first >> 6 != VERSION {
            return None;
        }
        let second = *packet.get(1)?;
        let mut begin = HEADER_BYTES + 4 * usize::from(first & 0x0F);
        let mut extensions = (0, 0);
        if first & 0x10 != 0 {
            let form = word(packet, begin)?;
            let length = 4 * usize::from(word(packet, begin + 2)?);
            begin += 4;
            if form == ONE_BYTE_FORM {
                extensions = (begin, begin + length);
            }
            begin += length;
        }
        let padding = if first & 0x20 == 0 {
            0
        } else {
            usize::from(*packet.last()?)
        };
        let end = packet.len().checked_sub(padding).filter(|end| *end >= begin)?;
        Some(Self {
            payload_type: second & 0x7F,
            marker: second & 0x80 != 0,
            sequence: word(packet, 2)?,
            timestamp: double_word(packet, 4)?,
            source: double_word(packet, 8)?,
            begin,
            end,
            extensions,
        })
    }

    /// The level of a header extension of RFC 6464 with this number: decibels below overload, 0 to 127.
    pub(crate) fn audio_level(&self, packet: &[u8], number: u8) -> Option<u8> {
        let mut bytes = packet.get(self.extensions.0..self.extensions.1)?;
        while let Some((&first, rest)) = bytes.split_first() {
            // A zero byte is padding.
            if first == 0 {
                bytes = rest;
                continue;
            }
            let length = usize::from(first & 0x0F) + 1;
            if first >> 4 == number {
                return rest.first().map(|level| level & 0x7F);
            }
            bytes = rest.get(length..)?;
        }
        None
    }
}

/// Appends the header of a packet of ours.
pub(crate) fn write_header(
    bytes: &mut Vec<u8>,
    payload_type: u8,
    marker: bool,
    sequence: u16,
    timestamp: u32,
    source: u32,
) {
    bytes.push(VERSION << 6);
    bytes.push(payload_type | u8::from(marker) << 7);
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.extend_from_slice(&timestamp.to_be_bytes());
    bytes.extend_from_slice(&source.to_be_bytes());
}

/// Whether a packet of the RTP port is RTCP (RFC 5761 section 4).
pub(crate) fn is_control(packet: &[u8]) -> bool {
    packet.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

/// The source that an RTP packet claims.
pub(crate) fn source_of(packet: &[u8]) -> Option<u32> {
    double_word(packet, 8)
}

/// The source that an RTCP packet claims.
pub(crate) fn source_of_control(packet: &[u8]) -> Option<u32> {
    double_word(packet, 4)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

fn double_word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_written_header_is_read() {
        let mut packet = Vec::new();
        write_header(&mut packet, 111, true, 7, 960, 42);
        packet.extend_from_slice(b"payload");
        let header = Header::read(&packet).expect("a header");
        assert_eq!((header.payload_type, header.marker), (111, true));
        assert_eq!((header.sequence, header.timestamp, header.source), (7, 960, 42));
        assert_eq!(&packet[header.begin..header.end], b"payload");
        assert_eq!(source_of(&packet), Some(42));
        assert!(!is_control(&packet));
    }

    #[test]
    fn extensions_sources_and_padding_are_passed_over() {
        // One contributing source, an extension with padding, a level of 30 in extension 1, two bytes of padding.
        let mut packet = vec![0xB1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 1, 1, 1, 1];
        packet.extend_from_slice(&[0xBE, 0xDE, 0, 2, 0, 0x41, b'a', b'b', 0x10, 0x9E, 0, 0]);
        packet.extend_from_slice(&[b'x', b'y', 0, 2]);
        let header = Header::read(&packet).expect("a header");
        assert_eq!(&packet[header.begin..header.end], b"xy");
        assert_eq!(header.audio_level(&packet, 1), Some(30));
        assert_eq!(header.audio_level(&packet, 2), None);
    }

    proptest! {
        #[test]
        fn noise_is_read_or_refused(noise in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(header) = Header::read(&noise) {
                prop_assert!(header.begin <= header.end && header.end <= noise.len());
                let _ = header.audio_level(&noise, 1);
            }
        }
    }
}
