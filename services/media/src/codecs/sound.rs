//! What a peer says, as frames of 20 ms: in order, with what was lost recovered or concealed.

use std::time::Instant;

use super::decoding::{Decoded, Decoding, RATE};
use super::frames::{FramesIn, HeardFrame};
use super::thread::{Input, Job};
use crate::audio::level_of;
use crate::audio::opus::CodecError;
use crate::codec::Codec;

/// Samples of a frame.
pub(super) const FRAME: usize = 320;

/// Decodes one leg for a listener.
pub(super) struct Sound {
    decoding: Decoding,
    whole: Whole,
}

/// Makes whole frames.
struct Whole {
    /// Samples that are not a whole frame yet.
    pending: Vec<i16>,
    number: u64,
    frames: FramesIn,
}

impl Sound {
    pub(super) fn new(codec: Codec, frames: FramesIn) -> Result<Self, CodecError> {
        Ok(Self {
            decoding: Decoding::new(codec, RATE)?,
            whole: Whole {
                pending: Vec::new(),
                number: 0,
                frames,
            },
        })
    }
}

impl Whole {
    fn put(&mut self, decoded: Decoded<'_>) {
        let (samples, is_concealed) = match decoded {
            Decoded::Samples(samples, is_made_up) => (samples, is_made_up),
            Decoded::LeftOut(samples) => {
                self.number += samples / FRAME as u64;
                return;
            }
        };
        self.pending.extend_from_slice(samples);
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

impl Job for Sound {
    fn take(&mut self, input: Input) {
        if let Input::Heard(heard) = input {
            self.decoding.add(&heard, |decoded| self.whole.put(decoded));
        }
    }

    fn tick(&mut self, now: Instant) {
        self.decoding.tick(now, |decoded| self.whole.put(decoded));
    }

    fn renew(&mut self) -> Result<(), CodecError> {
        self.decoding.renew()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use bytes::Bytes;
    use futures_util::FutureExt as _;

    use super::super::frames::frames;
    use super::*;
    use crate::audio::g711;
    use crate::record::Recorded;

    /// Packets that come each 20 ms at their places, if at all; time passes until nothing more is to come.
    fn heard(codec: Codec, packets: &[(u32, Bytes)]) -> Vec<HeardFrame> {
        let (into, _listened, mut out) = frames(Arc::default());
        let mut sound = Sound::new(codec, into).unwrap();
        let start = Instant::now();
        let mut heard = Vec::new();
        let last = packets.iter().map(|(place, _)| *place).max().unwrap_or_default();
        for step in 0..last + 20 {
            let now = start + Duration::from_millis(20) * step;
            for (place, payload) in packets.iter().filter(|(place, _)| *place == step) {
                sound.take(Input::Heard(Recorded {
                    payload: payload.clone(),
                    timestamp: place * codec.packet_ticks(),
                    source: 1,
                    at: now,
                    dropped_before: 0,
                }));
            }
            sound.tick(now);
            while let Some(Some(frame)) = out.next().now_or_never() {
                assert_eq!(frame.samples.len(), FRAME);
                heard.push(frame);
            }
        }
        heard
    }

    fn numbers(heard: &[HeardFrame], is_concealed: bool) -> Vec<u64> {
        let wanted = heard.iter().filter(|frame| frame.is_concealed == is_concealed);
        wanted.map(|frame| frame.number).collect()
    }

    #[test]
    fn packets_become_frames_and_what_is_lost_is_concealed_for_a_tenth_of_a_second() {
        let loud = Bytes::from(vec![g711::encoded(Codec::Pcmu, i16::MAX / 2); 160]);
        // 4 is lost, and from 8 to 19 nothing comes.
        let places = (0..4).chain(5..8).chain(20..25);
        let packets: Vec<_> = places.map(|place| (place, loud.clone())).collect();
        let heard = heard(Codec::Pcmu, &packets);
        assert_eq!(numbers(&heard, false), [0, 1, 2, 3, 5, 6, 7, 20, 21, 22, 23, 24]);
        assert_eq!(numbers(&heard, true), [4, 8, 9, 10, 11, 12, 25, 26, 27, 28, 29]);
        assert!(heard[1].level < 10 && heard[9].level > 20, "{heard:?}");
    }

    #[test]
    fn opus_becomes_the_same_frames_whatever_comes() {
        let mut encoder = crate::audio::opus::Encoder::new(24_000).unwrap();
        let tone: Vec<i16> = (0..960)
            .map(|index| if index / 40 % 2 == 0 { 9_000 } else { -9_000 })
            .collect();
        let mut packets: Vec<_> = (0..20)
            .map(|place| (place, Bytes::from(encoder.encode(&tone).unwrap())))
            .collect();
        packets[5].1 = Bytes::from_static(&[0xFB, 0]);
        packets.remove(7);
        let heard = heard(Codec::Opus, &packets);
        // What is no Opus is as good as lost.
        assert_eq!(numbers(&heard, true), [5, 7, 20, 21, 22, 23, 24], "{heard:?}");
        assert!(heard.len() == 25 && heard[3].level < 20, "{heard:?}");
    }

    /// Something like a voice, whose pitch rises.
    fn voice(frame: u32) -> Vec<i16> {
        let sample = |index: u32| {
            let at = f64::from(frame * 320 + index) / f64::from(RATE);
            let phase = std::f64::consts::TAU * (120.0 * at + 60.0 * at * at);
            let sum: f64 = (1..10)
                .map(|harmonic| (phase * f64::from(harmonic)).sin() / f64::from(harmonic))
                .sum();
            #[expect(clippy::cast_possible_truncation, reason = "below what a sample can be")]
            let sample = (5_000.0 * sum) as i16;
            sample
        };
        (0..320).map(sample).collect()
    }

    #[test]
    fn a_lost_packet_with_a_copy_in_the_next_is_heard_better_than_made_up_sound() {
        let builder = ropus::Encoder::builder(RATE, ropus::Channels::Mono, ropus::Application::Voip);
        let mut encoder = builder
            .bitrate(ropus::Bitrate::Bits(24_000))
            .inband_fec(ropus::InbandFec::Enabled)
            .packet_loss_perc(20)
            .build()
            .unwrap();
        let mut packet = [0; 1_000];
        let mut encode = |place| {
            let length = encoder.encode(&voice(place), &mut packet).unwrap();
            (place, Bytes::copy_from_slice(&packet[..length]))
        };
        let all: Vec<_> = (0..40).map(&mut encode).collect();
        let whole = heard(Codec::Opus, &all);
        let error = |heard: &[HeardFrame], lost: u64| {
            let of = |heard: &[HeardFrame]| heard.iter().find(|frame| frame.number == lost).unwrap().samples.clone();
            let pairs = of(heard).into_iter().zip(of(&whole)).collect::<Vec<_>>();
            pairs
                .iter()
                .map(|(one, other)| (f64::from(*one) - f64::from(*other)).powi(2))
                .sum::<f64>()
        };
        let without = |lost: &[u32]| {
            let kept = all.iter().filter(|(place, _)| !lost.contains(place));
            kept.cloned().collect::<Vec<_>>()
        };
        let (mut recovered, mut concealed) = (0.0, 0.0);
        for lost in [20, 25, 30] {
            let one = heard(Codec::Opus, &without(&[lost]));
            assert_eq!(numbers(&one, true)[0], u64::from(lost));
            recovered += error(&one, u64::from(lost));
            // Of two that are lost the first has no copy.
            let two = heard(Codec::Opus, &without(&[lost, lost + 1]));
            concealed += error(&two, u64::from(lost));
        }
        assert!(2.0 * recovered < concealed, "{recovered:.0} against {concealed:.0}");
    }
}
