//! From the packets of one direction to samples at 16 kHz: in order, with what was lost recovered or concealed.

use std::time::Instant;

use super::jitter::{JitterBuffer, Piece};
use crate::audio::opus::{CodecError, Decoder};
use crate::audio::{Doubler, g711};
use crate::codec::Codec;
use crate::record::Recorded;

/// Samples a second.
pub(super) const RATE: u32 = 16_000;

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
    opus: Decoder,
    doubler: Doubler,
    order: JitterBuffer,
    pieces: Vec<Piece>,
    samples: Vec<i16>,
}

impl Decoding {
    pub(super) fn new(codec: Codec) -> Result<Self, CodecError> {
        Ok(Self {
            codec,
            opus: Decoder::at(RATE)?,
            doubler: Doubler::default(),
            order: JitterBuffer::new(codec),
            pieces: Vec::new(),
            samples: Vec::new(),
        })
    }

    /// Goes on with a decoder that has heard nothing.
    pub(super) fn renew(&mut self) -> Result<(), CodecError> {
        self.opus = Decoder::at(RATE)?;
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
                    ticks * u64::from(RATE) / u64::from(self.codec.clock_rate()),
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
        if self.codec == Codec::Opus {
            let Ok(samples) = self.opus.decode(payload) else {
                return false;
            };
            self.samples.extend_from_slice(samples);
        } else {
            let samples: Vec<i16> = payload.iter().map(|byte| g711::decoded(self.codec, *byte)).collect();
            self.doubler.push(&samples, &mut self.samples);
        }
        true
    }

    /// Sound of that length in place of what was lost, out of the packet after it if there is a copy in it.
    fn make_up(&mut self, next: Option<&[u8]>, ticks: u32) {
        let samples = ticks as usize * RATE as usize / self.codec.clock_rate() as usize;
        if self.codec == Codec::Opus {
            let made_up = match next {
                Some(next) => self.opus.recover(next, samples),
                None => self.opus.conceal(samples),
            };
            self.samples.extend_from_slice(made_up.unwrap_or_default());
        } else {
            self.doubler.push(&vec![0; samples / 2], &mut self.samples);
        }
    }
}
