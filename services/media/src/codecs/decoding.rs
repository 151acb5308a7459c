//! From the packets of one direction to samples: in order, with what was lost recovered or concealed.

use std::time::Instant;

use super::jitter::{JitterBuffer, Piece};
use crate::audio::opus::{CodecError, Decoder};
use crate::audio::{Doubler, g711};
use crate::codec::Codec;
use crate::record::Recorded;

/// Samples a second of what is listened to.
pub(super) const RATE: u32 = 16_000;
/// Samples a second of G.711.
const TELEPHONE_RATE: u32 = 8_000;

/// What is heard next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Decoded<'a> {
    /// These samples; whether they are made up.
    Samples(&'a [i16], bool),
    /// Nothing, for so many samples.
    LeftOut(u64),
}

/// Decodes one direction.
pub(super) struct Decoding {
    codec: Codec,
    rate: u32,
    voice: Voice,
    order: JitterBuffer,
    pieces: Vec<Piece>,
    samples: Vec<i16>,
}

/// What makes samples of payloads.
enum Voice {
    Opus(Box<Decoder>),
    /// G.711 as it is, and at twice its rate.
    Plain,
    Doubled(Doubler),
}

impl Voice {
    fn new(codec: Codec, rate: u32) -> Result<Self, CodecError> {
        Ok(match (codec, rate) {
            (Codec::Opus, _) => Self::Opus(Box::new(Decoder::at(rate)?)),
            (_, TELEPHONE_RATE) => Self::Plain,
            _ => Self::Doubled(Doubler::default()),
        })
    }

    fn g711(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        match self {
            Self::Doubled(doubler) => doubler.push(samples, out),
            Self::Plain | Self::Opus(_) => out.extend_from_slice(samples),
        }
    }
}

impl Decoding {
    /// Of that codec to 8,000 or 16,000 samples a second.
    pub(super) fn new(codec: Codec, rate: u32) -> Result<Self, CodecError> {
        Ok(Self {
            codec,
            rate,
            voice: Voice::new(codec, rate)?,
            order: JitterBuffer::new(codec),
            pieces: Vec::new(),
            samples: Vec::new(),
        })
    }

    /// Goes on with a decoder that has heard nothing.
    pub(super) fn renew(&mut self) -> Result<(), CodecError> {
        self.voice = Voice::new(self.codec, self.rate)?;
        Ok(())
    }

    /// Takes a packet.
    pub(super) fn add(&mut self, packet: &Recorded, heard: impl FnMut(Decoded<'_>)) {
        self.put(|order, pieces| order.add(packet, pieces), heard);
    }

    /// Lets time pass.
    pub(super) fn tick(&mut self, now: Instant, heard: impl FnMut(Decoded<'_>)) {
        self.put(|order, pieces| order.tick(now, pieces), heard);
    }

    fn put(&mut self, pieces: impl FnOnce(&mut JitterBuffer, &mut Vec<Piece>), mut heard: impl FnMut(Decoded<'_>)) {
        let mut waiting = std::mem::take(&mut self.pieces);
        pieces(&mut self.order, &mut waiting);
        for piece in waiting.drain(..) {
            if let Piece::LeftOut(ticks) = piece {
                heard(Decoded::LeftOut(
                    ticks * u64::from(self.rate) / u64::from(self.codec.clock_rate()),
                ));
                continue;
            }
            self.samples.clear();
            let is_made_up = self.decode(&piece);
            heard(Decoded::Samples(&self.samples, is_made_up));
        }
        self.pieces = waiting;
    }

    /// Whether what comes out stands in for what was lost.
    fn decode(&mut self, piece: &Piece) -> bool {
        match piece {
            Piece::Packet(payload, ticks) => {
                let is_sound = self.packet(payload);
                if !is_sound {
                    // A packet that is no Opus is as good as lost.
                    self.make_up(None, *ticks);
                }
                !is_sound
            }
            Piece::Recovered(next, ticks) => {
                self.make_up(Some(next), *ticks);
                true
            }
            Piece::Concealed(ticks) => {
                self.make_up(None, *ticks);
                true
            }
            Piece::LeftOut(_) => false,
        }
    }

    /// `false` for what is no packet of the codec.
    fn packet(&mut self, payload: &[u8]) -> bool {
        if let Voice::Opus(decoder) = &mut self.voice {
            let Ok(samples) = decoder.decode(payload) else {
                return false;
            };
            self.samples.extend_from_slice(samples);
        } else {
            let samples: Vec<i16> = payload.iter().map(|byte| g711::decoded(self.codec, *byte)).collect();
            self.voice.g711(&samples, &mut self.samples);
        }
        true
    }

    /// Sound of that length in place of what was lost, out of the packet after it if there is a copy in it.
    fn make_up(&mut self, next: Option<&[u8]>, ticks: u32) {
        let samples_in = |rate: u32| ticks as usize * rate as usize / self.codec.clock_rate() as usize;
        if let Voice::Opus(decoder) = &mut self.voice {
            let samples = samples_in(self.rate);
            let made_up = match next {
                Some(next) => decoder.recover(next, samples),
                None => decoder.conceal(samples),
            };
            self.samples.extend_from_slice(made_up.unwrap_or_default());
        } else {
            let silence = vec![0; samples_in(TELEPHONE_RATE)];
            self.voice.g711(&silence, &mut self.samples);
        }
    }
}
