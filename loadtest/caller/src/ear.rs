//! From packets to what was heard.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ropus::{Channels, DecodeMode, Decoder};
use rtc::rtp::Packet;
use tokio::sync::watch;

use crate::heard::{Frame, Heard};
use crate::keys::ended_key;
use crate::spectrum::Spectrum;
use crate::{CallerError, SAMPLE_RATE};

/// Samples of the longest packet that Opus allows: 120 ms.
pub(crate) const LONGEST: usize = SAMPLE_RATE as usize * 120 / 1_000;

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
    samples: Vec<i16>,
    /// The timestamp of the key that ended last: its end is told three times.
    last_key: Option<u32>,
}

impl Decoding {
    pub(crate) fn new() -> Result<Self, CallerError> {
        Ok(Self {
            decoder: Decoder::new(SAMPLE_RATE, Channels::Mono).map_err(CallerError::codec)?,
            samples: vec![0; LONGEST],
            last_key: None,
        })
    }

    pub(crate) fn audio(&mut self, packet: &Packet, at: Instant, ear: &Ear) {
        match self
            .decoder
            .decode(&packet.payload, &mut self.samples, DecodeMode::Normal)
        {
            Ok(count) => {
                let frame = Frame {
                    at,
                    sequence: packet.header.sequence_number,
                    timestamp: packet.header.timestamp,
                    marker: packet.header.marker,
                    sound: Spectrum::of(&self.samples[..count]),
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
    use crate::keys::Press;
    use crate::voice::Mouth;
    use crate::{FRAME_TICKS, Sound};

    fn packet(sequence: u16, timestamp: u32, payload: Vec<u8>) -> Packet {
        let mut packet = Packet::default();
        packet.header.sequence_number = sequence;
        packet.header.timestamp = timestamp;
        packet.payload = payload.into();
        packet
    }

    #[test]
    fn a_tone_survives_the_codec() {
        let (ear, mut decoding, mut mouth) = (Ear::new(), Decoding::new().unwrap(), Mouth::new().unwrap());
        for number in 0..50_u16 {
            let payload = mouth.frame(Sound::Tone(700)).unwrap();
            let packet = packet(number, u32::from(number) * FRAME_TICKS, payload);
            decoding.audio(&packet, Instant::now(), &ear);
        }
        let heard = ear.look();
        assert_eq!(heard.tones(0), [700]);
        assert!(heard.tone(700, 0).as_millis() >= 900, "{:?}", heard.tone(700, 0));
    }

    #[test]
    fn each_key_is_heard_once() {
        let (ear, mut decoding) = (Ear::new(), Decoding::new().unwrap());
        let mut number = 0;
        for (timestamp, key) in [(0, '1'), (48_000, '1'), (96_000, '#')] {
            for pressed in Press::new(key).unwrap() {
                number += 1;
                decoding.key(&packet(number, timestamp, pressed.payload.to_vec()), &ear);
            }
        }
        assert_eq!(ear.look().keys(), "11#");
    }
}
