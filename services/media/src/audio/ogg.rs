//! Ogg pages (RFC 3533) with Opus in them (RFC 7845): read for prompts, written for recordings.

use super::FileError;

const HEADER: usize = 27;
const CONTINUED: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;
/// Segments of a page.
const SEGMENTS: usize = 255;
/// Samples of the decoder's beginning that players leave out, at 48 kHz (RFC 7845 section 5.1).
pub(crate) const PRE_SKIP: u16 = 312;

/// The checksum of pages: CRC-32 of polynomial 0x04c11db7, not reflected.
fn checksum(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 ^ TABLE[usize::from((sum >> 24) as u8 ^ byte)])
}

const TABLE: [u32; 256] = table();

#[expect(clippy::cast_possible_truncation, reason = "the index is below 256")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut sum = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            bit += 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
}

/// The Opus packets of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OpusFile {
    pub(crate) channels: u8,
    /// Samples to leave out at the beginning, at 48 kHz.
    pub(crate) pre_skip: u16,
    pub(crate) packets: Vec<Vec<u8>>,
}

/// Reads a file of one Opus stream. What follows a broken page is left out, so that a recording that was cut is read.
pub(crate) fn read_opus(file: &[u8]) -> Result<OpusFile, FileError> {
    if file.get(..4) != Some(b"OggS") {
        return Err(FileError::Unknown);
    }
    let mut packets = packets_of(file).into_iter();
    let head = packets.next().ok_or(FileError::Broken("no page is whole"))?;
    if head.get(..8) != Some(b"OpusHead") || head.len() < 19 {
        return Err(FileError::Unsupported("an Ogg file of another codec".to_owned()));
    }
    if head[18] != 0 {
        return Err(FileError::Unsupported("more than two channels".to_owned()));
    }
    // The second packet is the comments.
    let packets: Vec<_> = packets.skip(1).filter(|packet| !packet.is_empty()).collect();
    if packets.is_empty() {
        return Err(FileError::Broken("no audio"));
    }
    Ok(OpusFile {
        channels: head[9],
        pre_skip: u16::from_le_bytes([head[10], head[11]]),
        packets,
    })
}

fn packets_of(file: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let mut open: Vec<u8> = Vec::new();
    let mut rest = file;
    while let Some(Page {
        flags,
        lacing,
        mut body,
        after,
    }) = page(rest)
    {
        if flags & CONTINUED == 0 {
            open.clear();
        }
        for length in lacing {
            let (segment, others) = body.split_at(usize::from(*length));
            open.extend_from_slice(segment);
            body = others;
            if *length < 255 {
                packets.push(std::mem::take(&mut open));
            }
        }
        rest = after;
    }
    packets
}

/// A page: its flags, the lengths of its segments, its body, and what follows it in the file.
struct Page<'a> {
    flags: u8,
    lacing: &'a [u8],
    body: &'a [u8],
    after: &'a [u8],
}

/// A whole page with a true checksum.
fn page(bytes: &[u8]) -> Option<Page<'_>> {
    let header = bytes.get(..HEADER).filter(|header| header.starts_with(b"OggS\0"))?;
    let segments = usize::from(header[26]);
    let lacing = bytes.get(HEADER..HEADER + segments)?;
    let length: usize = lacing.iter().map(|length| usize::from(*length)).sum();
    let begin = HEADER + segments;
    let body = bytes.get(begin..begin + length)?;
    let mut copy = bytes[..begin + length].to_vec();
    copy[22..26].fill(0);
    let is_true = checksum(&copy).to_le_bytes() == header[22..26];
    is_true.then(|| Page {
        flags: header[5],
        lacing,
        body,
        after: &bytes[begin + length..],
    })
}

/// Writes pages of one Opus stream.
#[derive(Debug)]
pub(crate) struct OpusWriter {
    serial: u32,
    sequence: u32,
    lacing: Vec<u8>,
    body: Vec<u8>,
    /// Samples at 48 kHz up to the end of what the next page holds.
    granule: u64,
}

impl OpusWriter {
    /// Begins a stream; gives its first two pages.
    pub(crate) fn begin(serial: u32) -> (Self, Vec<u8>) {
        let mut writer = Self {
            serial,
            sequence: 0,
            lacing: Vec::new(),
            body: Vec::new(),
            granule: 0,
        };
        let mut head = b"OpusHead\x01\x01".to_vec();
        head.extend_from_slice(&PRE_SKIP.to_le_bytes());
        head.extend_from_slice(&48_000u32.to_le_bytes());
        head.extend_from_slice(&[0, 0, 0]);
        let mut pages = Vec::new();
        writer.push(&head);
        writer.write_page(FIRST, &mut pages);
        writer.push(b"OpusTags\x09\0\0\0trunkline\0\0\0\0");
        writer.write_page(0, &mut pages);
        writer.granule = u64::from(PRE_SKIP);
        (writer, pages)
    }

    /// Adds a packet of so many samples at 48 kHz; `false` if the page has no room and must be written before.
    pub(crate) fn add(&mut self, packet: &[u8], samples: u64) -> bool {
        if self.lacing.len() + packet.len() / 255 + 1 > SEGMENTS {
            return false;
        }
        self.push(packet);
        self.granule += samples;
        true
    }

    fn push(&mut self, packet: &[u8]) {
        self.lacing.extend(std::iter::repeat_n(255, packet.len() / 255));
        self.lacing.push(u8::try_from(packet.len() % 255).unwrap_or_default());
        self.body.extend_from_slice(packet);
    }

    /// Appends a page of what was added, if anything was.
    pub(crate) fn flush(&mut self, file: &mut Vec<u8>) {
        if !self.lacing.is_empty() {
            self.write_page(0, file);
        }
    }

    /// Appends the page that ends the stream.
    pub(crate) fn end(&mut self, file: &mut Vec<u8>) {
        self.write_page(LAST, file);
    }

    fn write_page(&mut self, flags: u8, file: &mut Vec<u8>) {
        let begin = file.len();
        file.extend_from_slice(b"OggS\0");
        file.push(flags);
        file.extend_from_slice(&self.granule.to_le_bytes());
        file.extend_from_slice(&self.serial.to_le_bytes());
        file.extend_from_slice(&self.sequence.to_le_bytes());
        file.extend_from_slice(&[0; 4]);
        file.push(u8::try_from(self.lacing.len()).unwrap_or(u8::MAX));
        file.append(&mut self.lacing);
        file.append(&mut self.body);
        let sum = checksum(&file[begin..]);
        file[begin + 22..begin + 26].copy_from_slice(&sum.to_le_bytes());
        self.sequence += 1;
    }
}

/// Samples of an Opus packet at 48 kHz, by its first byte and the count of its frames (RFC 6716 section 3.1).
pub(crate) fn samples_of(packet: &[u8]) -> Option<u32> {
    let first = *packet.first()?;
    let configuration = first >> 3;
    let frame = match configuration {
        0..=11 => [480, 960, 1_920, 2_880][usize::from(configuration % 4)],
        12..=15 => [480, 960][usize::from(configuration % 2)],
        _ => [120, 240, 480, 960][usize::from(configuration % 4)],
    };
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3F),
    };
    Some(frame * frames)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file_of(packets: &[Vec<u8>], packets_a_page: usize) -> Vec<u8> {
        let (mut writer, mut file) = OpusWriter::begin(7);
        for chunk in packets.chunks(packets_a_page) {
            for packet in chunk {
                assert!(writer.add(packet, 960));
            }
            writer.flush(&mut file);
        }
        writer.end(&mut file);
        file
    }

    #[test]
    fn what_is_written_is_read() {
        let packets: Vec<_> = (0..100usize).map(|length| vec![0x78; length * 6 + 1]).collect();
        let read = read_opus(&file_of(&packets, 10)).unwrap();
        assert_eq!(read.packets, packets);
        assert_eq!((read.channels, read.pre_skip), (1, PRE_SKIP));
    }

    #[test]
    fn a_file_that_is_cut_anywhere_opens_and_lacks_at_most_a_page() {
        let packets: Vec<_> = (0..200u8).map(|count| vec![0x78, count, 3]).collect();
        let file = file_of(&packets, 50);
        let heads = file_of(&[], 50).len();
        for length in heads..=file.len() {
            let count = packets_of(&file[..length]).len().saturating_sub(2);
            let whole = 50 * ((length - heads + 28) / (27 + 50 + 150)).min(4);
            assert!(count + 50 >= whole, "cut to {length}: {count} of {whole}");
        }
    }

    #[test]
    fn a_known_checksum() {
        // The first page of a file that libogg wrote would do; here the check value of the polynomial (CRC-32/MPEG-2 without
        // its first value): "123456789".
        assert_eq!(checksum(b"123456789"), 0x89A1_897F);
    }

    #[test]
    fn durations_are_those_of_the_first_byte() {
        assert_eq!(samples_of(&[0x78]), Some(960));
        assert_eq!(samples_of(&[0x79]), Some(1_920));
        assert_eq!(samples_of(&[0x03, 0x03]), Some(1_440));
        assert_eq!(samples_of(&[]), None);
    }

    proptest! {
        #[test]
        fn a_damaged_file_is_read_or_refused(at in 0usize..400, with in any::<u8>()) {
            let mut file = file_of(&vec![vec![0x78, 1, 2]; 20], 5);
            let at = at % file.len();
            file[at] = with;
            let _ = read_opus(&file);
        }
    }
}
