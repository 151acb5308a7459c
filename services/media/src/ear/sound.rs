//! What a peer says, as frames of 20 ms: in order, with what was lost concealed for a tenth of a second.

use super::frames::{FramesIn, HeardFrame};
use crate::audio::opus::{CodecError, Decoder};
use crate::audio::{Doubler, g711, level_of};
use crate::codec::Codec;
use crate::record::{Piece, Recorded, Timeline};

/// Samples a second of a frame, and samples of it.
pub(super) const RATE: u32 = 16_000;
pub(super) const FRAME: usize = 320;
/// Packets that a late one is waited for: 60 ms.
const PATIENCE: usize = 3;
/// Frames that are made up in place of lost ones. What lacks longer is left out.
const CONCEALED: u32 = 5;

/// Decodes one leg for a listener.
pub(super) struct Sound {
    codec: Codec,
    opus: Decoder,
    doubler: Doubler,
    order: Timeline,
    pieces: Vec<Piece>,
    /// Samples that are not a whole frame yet.
    pending: Vec<i16>,
    number: u64,
    frames: FramesIn,
}

impl Sound {
    pub(super) fn new(codec: Codec, frames: FramesIn) -> Result<Self, CodecError> {
        Ok(Self {
            codec,
            opus: Decoder::at(RATE)?,
            doubler: Doubler::default(),
            order: Timeline::with_patience(codec, PATIENCE),
            pieces: Vec::new(),
            pending: Vec::new(),
            number: 0,
            frames,
        })
    }

    pub(super) fn hear(&mut self, recorded: &Recorded) {
        let mut pieces = std::mem::take(&mut self.pieces);
        self.order.add(recorded, &mut pieces);
        for piece in pieces.drain(..) {
            match piece {
                Piece::Packet(payload, _) => {
                    self.decode(&payload);
                    self.give(false);
                }
                Piece::Missing(count) => self.miss(count),
            }
        }
        self.pieces = pieces;
    }

    fn decode(&mut self, payload: &[u8]) {
        if self.codec == Codec::Opus {
            // A packet that is no Opus is as good as lost.
            let samples = self.opus.decode(payload).unwrap_or_default();
            self.pending.extend_from_slice(samples);
        } else {
            let samples: Vec<i16> = payload.iter().map(|byte| g711::decoded(self.codec, *byte)).collect();
            self.doubler.push(&samples, &mut self.pending);
        }
    }

    fn miss(&mut self, count: u32) {
        let concealed = count.min(CONCEALED);
        for _ in 0..concealed {
            if self.codec == Codec::Opus {
                let samples = self.opus.conceal(FRAME).unwrap_or_default();
                self.pending.extend_from_slice(samples);
            } else {
                self.doubler.push(&[0; FRAME / 2], &mut self.pending);
            }
            self.give(true);
        }
        self.number += u64::from(count - concealed);
    }

    /// Gives whole frames out.
    fn give(&mut self, is_concealed: bool) {
        while self.pending.len() >= FRAME {
            let samples: Vec<i16> = self.pending.drain(..FRAME).collect();
            self.frames.push(HeardFrame {
                number: self.number,
                level: level_of(samples.iter().copied()),
                is_concealed,
                dropped_before: 0,
                samples,
            });
            self.number += 1;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::{Duration, Instant};

    use bytes::Bytes;

    use super::super::frames::frames;
    use super::*;

    async fn heard(codec: Codec, packets: &[(u32, Bytes)]) -> Vec<(u64, bool, u8)> {
        let (into, _listened, mut out) = frames();
        let mut sound = Sound::new(codec, into).unwrap();
        let start = Instant::now();
        for (place, payload) in packets {
            sound.hear(&Recorded {
                payload: payload.clone(),
                timestamp: place * codec.packet_ticks(),
                source: 1,
                at: start + Duration::from_millis(20) * *place,
                dropped_before: 0,
            });
        }
        drop(sound);
        let mut heard = Vec::new();
        while let Some(frame) = out.next().await {
            assert_eq!(frame.samples.len(), FRAME);
            heard.push((frame.number, frame.is_concealed, frame.level));
        }
        heard
    }

    #[tokio::test]
    async fn packets_become_frames_in_order_and_what_is_lost_is_concealed_for_a_tenth_of_a_second() {
        let loud = Bytes::from(vec![g711::encoded(Codec::Pcmu, i16::MAX / 2); 160]);
        // 2 comes late, 4 is lost, and from 8 to 19 nothing comes.
        let places = [0, 1, 3, 2, 5, 6, 7, 20, 21, 22, 23, 24];
        let packets: Vec<_> = places.iter().map(|place| (*place, loud.clone())).collect();
        let heard = heard(Codec::Pcmu, &packets).await;
        let numbers: Vec<u64> = heard.iter().map(|(number, ..)| *number).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 20, 21, 22, 23, 24]);
        let concealed: Vec<u64> = heard
            .iter()
            .filter(|(_, is_it, _)| *is_it)
            .map(|(number, ..)| *number)
            .collect();
        assert_eq!(concealed, [4, 8, 9, 10, 11, 12]);
        assert!(heard[1].2 < 10 && heard[9].2 > 20, "{heard:?}");
    }

    #[tokio::test]
    async fn opus_becomes_the_same_frames_whatever_comes() {
        let mut encoder = crate::audio::opus::Encoder::new(24_000).unwrap();
        let tone: Vec<i16> = (0..960)
            .map(|index| if index / 40 % 2 == 0 { 9_000 } else { -9_000 })
            .collect();
        let mut packets: Vec<_> = (0..20)
            .map(|place| (place, Bytes::from(encoder.encode(&tone).unwrap())))
            .collect();
        packets[5].1 = Bytes::from_static(&[0xFB, 0]);
        packets.remove(7);
        let heard = heard(Codec::Opus, &packets).await;
        let concealed: Vec<u64> = heard
            .iter()
            .filter(|(_, is_it, _)| *is_it)
            .map(|(number, ..)| *number)
            .collect();
        // What is no Opus is as good as lost.
        assert_eq!((heard.len(), concealed), (20, vec![5, 7]), "{heard:?}");
        assert!(heard[3].2 < 20, "{heard:?}");
    }
}
