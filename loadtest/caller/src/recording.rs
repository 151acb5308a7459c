//! What a recording on disk sounds like: Ogg Opus (RFC 7845), read page by page (RFC 3533).

use ropus::{Channels, DecodeMode, Decoder};

use crate::SAMPLE_RATE;
use crate::codec::LONGEST;
use crate::error::CallerError;
use crate::spectrum::Spectrum;

/// Bytes of a page before its table of segments.
const HEADER: usize = 27;
/// A segment of this length goes on in the next one.
const WHOLE: u8 = 255;
/// Packets that hold no sound: the description and the comments.
const NOT_SOUND: usize = 2;

/// The sound of a recording, 20 ms after 20 ms.
///
/// # Errors
/// It is no Ogg file, it breaks off within a page, or a packet is not Opus.
pub fn recorded(file: &[u8]) -> Result<Vec<Spectrum>, CallerError> {
    let mut decoder = Decoder::new(SAMPLE_RATE, Channels::Mono).map_err(CallerError::codec)?;
    let mut samples = [0; LONGEST];
    let mut spectra = Vec::new();
    for packet in packets(file)?.iter().skip(NOT_SOUND) {
        let count = decoder
            .decode(packet, &mut samples, DecodeMode::Normal)
            .map_err(CallerError::codec)?;
        spectra.push(Spectrum::of(&samples[..count]));
    }
    Ok(spectra)
}

fn packets(mut file: &[u8]) -> Result<Vec<Vec<u8>>, CallerError> {
    let (mut packets, mut packet) = (Vec::new(), Vec::new());
    while !file.is_empty() {
        let (table, mut body) = page(file).ok_or(CallerError::NoRecording)?;
        for length in table {
            let (segment, rest) = body
                .split_at_checked(usize::from(*length))
                .ok_or(CallerError::NoRecording)?;
            packet.extend_from_slice(segment);
            body = rest;
            if *length < WHOLE {
                packets.push(std::mem::take(&mut packet));
            }
        }
        file = body;
    }
    Ok(packets)
}

/// The table of segments of the first page, and what follows it.
fn page(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, rest) = file.split_at_checked(HEADER)?;
    if !header.starts_with(b"OggS") {
        return None;
    }
    rest.split_at_checked(usize::from(header[HEADER - 1]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Sound;
    use crate::voice::Mouth;

    fn page_of(packets: &[Vec<u8>]) -> Vec<u8> {
        let mut page = b"OggS".to_vec();
        page.resize(HEADER - 1, 0);
        let table: Vec<u8> = packets
            .iter()
            .flat_map(|packet| {
                let rest = u8::try_from(packet.len() % 255).unwrap();
                std::iter::repeat_n(WHOLE, packet.len() / 255).chain([rest])
            })
            .collect();
        page.push(u8::try_from(table.len()).unwrap());
        page.extend(table);
        page.extend(packets.concat());
        page
    }

    #[test]
    fn the_tone_of_a_recording_is_found() {
        let mut mouth = Mouth::new(crate::Codec::Opus).unwrap();
        let mut file = page_of(&[b"OpusHead".to_vec(), vec![b'x'; 600]]);
        for _ in 0..4 {
            let sounds: Vec<_> = (0..10)
                .map(|_| mouth.frame(Sound::Tone(700)).unwrap().payload)
                .collect();
            file.extend(page_of(&sounds));
        }
        let spectra = recorded(&file).unwrap();
        assert_eq!(spectra.len(), 40);
        assert!(spectra.iter().filter(|spectrum| spectrum.has(700)).count() > 35);
        assert!(recorded(&file[..file.len() - 5]).is_err());
        assert!(recorded(b"RIFF and something more than a header").is_err());
    }
}
