//! The file of one direction, as it grows.

use std::fs::File;
use std::io;

use super::keys::WrappingKey;
use super::sink::Sink;
use super::timeline::Piece;
use crate::audio::g711::silence;
use crate::audio::ogg::OpusWriter;
use crate::codec::Codec;

const WAV_HEADER: u64 = 46;

/// A file that is open and has its header.
pub(super) struct RecordingFile {
    sink: Sink,
    codec: Codec,
    form: Form,
    /// Bytes that are to be written at the next chance.
    pending: Vec<u8>,
}

enum Form {
    /// Ogg Opus; the first byte of the last packet, whose kind of frame is used for what is missing.
    Ogg { writer: OpusWriter, last_kind: u8 },
    /// WAV with the bytes of G.711.
    Wav,
}

impl RecordingFile {
    /// The ending of a recording's name.
    pub(super) const fn extension(codec: Codec) -> &'static str {
        match codec {
            Codec::Opus => "opus",
            Codec::Pcmu | Codec::Pcma => "wav",
        }
    }

    /// Writes the header. With a key the file is encrypted.
    pub(super) fn begin(file: File, codec: Codec, serial: u32, key: Option<&WrappingKey>) -> io::Result<Self> {
        let sink = Sink::begin(file, key)?;
        let (form, header) = if codec == Codec::Opus {
            let (writer, pages) = OpusWriter::begin(serial);
            // Until there is a packet: 20 ms of CELT, full band, one frame.
            (
                Form::Ogg {
                    writer,
                    last_kind: 31 << 3,
                },
                pages,
            )
        } else {
            // What is encrypted cannot be written over: its sizes say "to the end of the file".
            let data = if sink.is_plain() { 0 } else { u64::from(u32::MAX) };
            (Form::Wav, wav_header(codec, data))
        };
        let mut recording = Self {
            sink,
            codec,
            form,
            pending: header,
        };
        recording.write()?;
        Ok(recording)
    }

    /// Adds a piece; it is in the file after the next [`Self::write`].
    pub(super) fn add(&mut self, piece: &Piece) {
        match (&mut self.form, piece) {
            (Form::Wav, Piece::Packet(payload, _)) => self.pending.extend_from_slice(payload),
            (Form::Wav, Piece::Missing(count)) => {
                let bytes = *count as usize * self.codec.packet_ticks() as usize;
                self.pending.resize(self.pending.len() + bytes, silence(self.codec));
            }
            (Form::Ogg { writer, last_kind }, Piece::Packet(payload, ticks)) => {
                *last_kind = payload.first().copied().unwrap_or(*last_kind) & 0xFC;
                add_packet(writer, payload, u64::from(*ticks), &mut self.pending);
            }
            // A packet of its first byte alone asks the decoder to conceal (RFC 7845 section 4.1, RFC 6716 section 3.2.1).
            (Form::Ogg { writer, last_kind }, Piece::Missing(count)) => {
                let kind = 31 << 3 | *last_kind & 4;
                for _ in 0..*count {
                    add_packet(writer, &[kind], u64::from(self.codec.packet_ticks()), &mut self.pending);
                }
            }
        }
    }

    /// Writes what was added. After an error it may be tried again: nothing is written twice.
    pub(super) fn write(&mut self) -> io::Result<()> {
        if let Form::Ogg { writer, .. } = &mut self.form {
            writer.flush(&mut self.pending);
        }
        self.sink.write(&mut self.pending)?;
        if matches!(self.form, Form::Wav) && self.sink.is_plain() {
            let data = self.sink.length().saturating_sub(WAV_HEADER);
            self.sink.write_head(&wav_header(self.codec, data))?;
        }
        Ok(())
    }

    /// Makes sure that it survives a loss of power.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.sink.sync()
    }

    /// Ends the file.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.write()?;
        if let Form::Ogg { writer, .. } = &mut self.form {
            writer.end(&mut self.pending);
        }
        self.write()?;
        self.sink.end()
    }
}

fn add_packet(writer: &mut OpusWriter, payload: &[u8], samples: u64, pending: &mut Vec<u8>) {
    if !writer.add(payload, samples) {
        writer.flush(pending);
        writer.add(payload, samples);
    }
}

/// WAV of format tag 6 or 7 (RFC 2361), with so many bytes of data.
fn wav_header(codec: Codec, data: u64) -> Vec<u8> {
    let size = |size: u64| u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
    let tag: u16 = if codec == Codec::Pcma { 6 } else { 7 };
    let rate = codec.clock_rate().to_le_bytes();
    let mut header = b"RIFF".to_vec();
    header.extend_from_slice(&size(data + WAV_HEADER - 8));
    header.extend_from_slice(b"WAVEfmt \x12\0\0\0");
    header.extend_from_slice(&tag.to_le_bytes());
    header.extend_from_slice(&[1, 0]);
    header.extend_from_slice(&rate);
    header.extend_from_slice(&rate);
    header.extend_from_slice(&[1, 0, 8, 0, 0, 0]);
    header.extend_from_slice(b"data");
    header.extend_from_slice(&size(data));
    header
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::audio::ogg::read_opus;
    use crate::audio::{g711, read_wav};
    use crate::record::Keys;
    use crate::record::keys::tests::put;
    use crate::record::seal::unseal;

    fn recorded(codec: Codec, seconds: u8) -> (tempfile::NamedTempFile, Vec<u64>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut recording = RecordingFile::begin(file.reopen().unwrap(), codec, 1, None).unwrap();
        let mut lengths = Vec::new();
        for second in 0..seconds {
            for _ in 0..50 {
                let payload = if codec == Codec::Opus {
                    vec![0x78, second]
                } else {
                    vec![second; 160]
                };
                recording.add(&Piece::Packet(Bytes::from(payload), codec.packet_ticks()));
            }
            recording.write().unwrap();
            lengths.push(recording.sink.length());
        }
        (file, lengths)
    }

    #[test]
    fn a_file_that_is_cut_anywhere_lacks_at_most_a_second() {
        for codec in [Codec::Opus, Codec::Pcma] {
            let (file, lengths) = recorded(codec, 8);
            let whole = std::fs::read(file.path()).unwrap();
            let first = usize::try_from(lengths[0]).unwrap();
            for cut in (first..=whole.len()).step_by(13) {
                let seconds = lengths.iter().filter(|length| **length <= cut as u64).count();
                let packets = match codec {
                    Codec::Opus => read_opus(&whole[..cut]).unwrap().packets.len(),
                    _ => read_wav(&whole[..cut]).unwrap().samples.len() / 160,
                };
                assert!(
                    packets >= seconds * 50,
                    "{codec:?} cut to {cut}: {packets} packets of {seconds} s"
                );
            }
        }
    }

    #[test]
    fn an_encrypted_file_is_read_when_it_is_opened_cut_or_whole() {
        let directory = tempfile::tempdir().unwrap();
        put(directory.path(), "one", 1);
        let keys = Keys::new(directory.path().to_owned()).unwrap();
        for codec in [Codec::Opus, Codec::Pcma] {
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut recording =
                RecordingFile::begin(file.reopen().unwrap(), codec, 1, Some(&keys.of_tenant("").unwrap())).unwrap();
            for count in 0..100 {
                let payload = if codec == Codec::Opus {
                    vec![0x78, 1]
                } else {
                    vec![0xAA; 160]
                };
                recording.add(&Piece::Packet(Bytes::from(payload), codec.packet_ticks()));
                if count % 50 == 49 {
                    recording.write().unwrap();
                }
            }
            let packets = |is_whole: bool| {
                let opened = unseal(&std::fs::read(file.path()).unwrap(), &keys).unwrap();
                assert_eq!(opened.is_whole, is_whole);
                match codec {
                    Codec::Opus => read_opus(&opened.bytes).unwrap().packets.len(),
                    _ => read_wav(&opened.bytes).unwrap().samples.len() / 160,
                }
            };
            assert_eq!(packets(false), 100);
            recording.end().unwrap();
            assert_eq!(packets(true), 100);
        }
    }

    #[test]
    fn what_is_missing_is_silence_in_its_place() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut recording = RecordingFile::begin(file.reopen().unwrap(), Codec::Pcmu, 1, None).unwrap();
        for piece in [
            Piece::Packet(Bytes::from(vec![0; 160]), 160),
            Piece::Missing(3),
            Piece::Packet(Bytes::from(vec![0; 160]), 160),
        ] {
            recording.add(&piece);
        }
        recording.end().unwrap();
        let samples = read_wav(&std::fs::read(file.path()).unwrap()).unwrap().samples;
        let loud = g711::decoded(Codec::Pcmu, 0);
        assert_eq!(
            (samples.len(), samples[159], samples[160], samples[640]),
            (800, loud, 0, loud)
        );

        let file = tempfile::NamedTempFile::new().unwrap();
        let mut recording = RecordingFile::begin(file.reopen().unwrap(), Codec::Opus, 1, None).unwrap();
        recording.add(&Piece::Missing(600));
        recording.end().unwrap();
        let packets = read_opus(&std::fs::read(file.path()).unwrap()).unwrap().packets;
        assert_eq!(packets.len(), 600);
        assert!(packets.iter().all(|packet| packet.len() == 1));
    }
}
