//! From packets to what was heard.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rtc::rtp::Packet;
use tokio::sync::watch;

use crate::codec::{Codec, Decoder};
use crate::heard::{Frame, Heard};
use crate::keys::ended_key;
use crate::spectrum::Spectrum;
use crate::{CLOCK_RATE, CallerError};

/// What was heard, for whoever looks and whoever waits.
#[derive(Debug)]
pub(crate) struct Ear {
    heard: Mutex<Heard>,
    /// Counts what came.
    version: watch::Sender<u64>,
}

impl Ear {
    pub(crate) fn new() -> Self {
        Self {
            heard: Mutex::default(),
            version: watch::Sender::new(0),
        }
    }

    pub(crate) fn look(&self) -> MutexGuard<'_, Heard> {
        // Each change is whole, whoever panicked.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn note(&self, note: impl FnOnce(&mut Heard)) {
        note(&mut self.look());
        self.version.send_modify(|version| *version += 1);
    }
}

/// Takes the packets of one stream apart.
pub(crate) struct Decoding {
    decoder: Decoder,
    /// How many steps of 48 kHz are one of the stream's clock.
    scale: u32,
    /// The timestamp of the key that ended last: its end is told three times.
    last_key: Option<u32>,
}

impl Decoding {
    pub(crate) fn new(codec: Codec) -> Result<Self, CallerError> {
        Ok(Self {
            decoder: Decoder::new(codec)?,
            scale: CLOCK_RATE / codec.clock_rate(),
            last_key: None,
        })
    }

    pub(crate) fn audio(&mut self, packet: &Packet, at: Instant, ear: &Ear) {
        match self.decoder.decode(&packet.payload) {
            Ok(samples) => {
                let frame = Frame {
                    at,
                    sequence: packet.header.sequence_number,
                    timestamp: packet.header.timestamp.wrapping_mul(self.scale),
                    marker: packet.header.marker,
                    sound: Spectrum::of(samples),
                };
                ear.note(|heard| heard.push(frame));
            }
            Err(error) => tracing::warn!(%error, "a packet of sound cannot be decoded"),
        }
    }

    pub(crate) fn key(&mut self, packet: &Packet, ear: &Ear) {
        let timestamp = packet.header.timestamp;
        if let Some(key) = ended_key(&packet.payload)
            && self.last_key != Some(timestamp)
        {
            self.last_key = Some(timestamp);
            ear.note(|heard| heard.push_key(key));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Sound;
    use crate::keys::Press;
    use crate::voice::Mouth;

    fn packet(sequence: u16, timestamp: u32, payload: Vec<u8>) -> Packet {
        let mut packet = Packet::default();
        packet.header.sequence_number = sequence;
        packet.header.timestamp = timestamp;
        packet.payload = payload.into();
        packet
    }

    #[test]
    fn a_tone_survives_the_codec() {
        for codec in [Codec::Opus, Codec::Pcmu] {
            let (ear, mut mouth) = (Ear::new(), Mouth::new(codec).unwrap());
            let mut decoding = Decoding::new(codec).unwrap();
            for number in 0..50_u16 {
                let payload = mouth.frame(Sound::Tone(700)).unwrap().payload;
                let packet = packet(number, u32::from(number) * codec.frame_ticks(), payload);
                decoding.audio(&packet, Instant::now(), &ear);
            }
            let heard = ear.look();
            assert_eq!(heard.tones(0), [700]);
            assert_eq!(heard.missing_ms(0), 0);
            assert!(heard.tone(700, 0).as_millis() >= 900, "{:?}", heard.tone(700, 0));
        }
    }

    #[test]
    fn each_key_is_heard_once() {
        let (ear, mut decoding) = (Ear::new(), Decoding::new(Codec::Opus).unwrap());
        let mut number = 0;
        for (timestamp, key) in [(0, '1'), (48_000, '1'), (96_000, '#')] {
            for pressed in Press::new(key, Codec::Opus).unwrap() {
                number += 1;
                decoding.key(&packet(number, timestamp, pressed.payload.to_vec()), &ear);
            }
        }
        assert_eq!(ear.look().keys(), "11#");
    }
}
