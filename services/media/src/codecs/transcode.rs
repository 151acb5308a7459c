//! One direction of a bridge between two codecs: packets of one to packets of the other.
//!
//! No packet waits here for another one: the far end has a jitter buffer. What is lost stays a gap in the numbers, so that it is
//! concealed there; what comes late is as good as lost. Between Opus and G.711 everything is at 8 kHz, which is all that G.711 has.

use std::sync::Arc;

use bytes::Bytes;

use super::thread::{CodecThread, Held, Input, Job};
use super::{NoCodecs, Seat};
use crate::audio::g711;
use crate::audio::opus::{CodecError, Decoder, Encoder};
use crate::codec::Codec;
use crate::leg::Frame;
use crate::rtp::{low32, ticks_between};

/// Samples a second between the codecs, and samples of a packet that is made.
const RATE: u32 = 8_000;
const FRAME: u32 = 160;
/// Bits a second of Opus: twice what a voice of 4 kHz needs.
const BITRATE: u32 = 24_000;
/// A gap beyond it is a leap of the sender's clock, and no loss: a minute, in samples.
const LEAP: i64 = 60 * RATE as i64;

/// Where packets of the other codec go.
pub type Outlet = Box<dyn Fn(Frame) + Send>;

/// Takes the packets of one leg for another. Dropping it ends that.
#[derive(Debug)]
pub struct Transcoder(Held);

impl Transcoder {
    /// Hands a packet over. Never waits.
    pub fn take(&mut self, frame: Frame) {
        self.0.give(Input::Bridged(frame));
    }
}

pub(super) fn transcode(
    thread: &CodecThread,
    seat: Arc<Seat>,
    from: Codec,
    to: Codec,
    outlet: Outlet,
) -> Result<Transcoder, NoCodecs> {
    let job = Transcoding::new(from, to, outlet).map_err(|_| NoCodecs::Broken)?;
    thread.begin(Box::new(job), seat).map(Transcoder)
}

struct Transcoding {
    from: Codec,
    to: Codec,
    decoder: Option<Decoder>,
    encoder: Option<Encoder>,
    /// The last packet of the sender.
    last: Option<Last>,
    /// Samples that are not a whole packet yet.
    pending: Vec<i16>,
    /// Of the next packet that is made: its number, and its place in samples.
    number: u64,
    place: i64,
    is_first: bool,
    outlet: Outlet,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    source: u32,
    number: u64,
    timestamp: u32,
    samples: i64,
}

impl Transcoding {
    fn new(from: Codec, to: Codec, outlet: Outlet) -> Result<Self, CodecError> {
        Ok(Self {
            from,
            to,
            decoder: (from == Codec::Opus).then(|| Decoder::at(RATE)).transpose()?,
            encoder: (to == Codec::Opus).then(|| Encoder::live(RATE, BITRATE)).transpose()?,
            last: None,
            pending: Vec::new(),
            number: 0,
            place: 0,
            is_first: true,
            outlet,
        })
    }

    fn packet(&mut self, frame: &Frame) {
        if !self.follows(frame) {
            return;
        }
        let before = self.pending.len();
        match &mut self.decoder {
            // A packet that is no Opus is as good as lost: the next one says how much it was.
            Some(decoder) => self
                .pending
                .extend_from_slice(decoder.decode(&frame.payload).unwrap_or_default()),
            None => self
                .pending
                .extend(frame.payload.iter().map(|byte| g711::decoded(self.from, *byte))),
        }
        let samples = i64::try_from(self.pending.len() - before).unwrap_or_default();
        self.last = Some(Last {
            source: frame.source,
            number: frame.number,
            timestamp: frame.timestamp,
            samples,
        });
        while self.pending.len() >= FRAME as usize {
            self.give(frame.source);
        }
    }

    /// Whether a packet goes on from the one before, or begins something; what lacks between them is left out.
    fn follows(&mut self, frame: &Frame) -> bool {
        let Some(last) = self.last.filter(|last| last.source == frame.source) else {
            self.begins();
            return true;
        };
        if frame.number <= last.number {
            return false;
        }
        let step = i64::from(ticks_between(last.timestamp, frame.timestamp)) * i64::from(RATE);
        let gap = step / i64::from(self.from.clock_rate()) - last.samples;
        if gap == 0 {
            return true;
        }
        self.begins();
        if (1..LEAP).contains(&gap) {
            self.place += gap;
            // What was not sent at all is no loss.
            if frame.number > last.number + 1 {
                self.number += u64::try_from(gap).unwrap_or_default() / u64::from(FRAME);
                self.is_first = false;
            }
        }
        true
    }

    /// What is pending does not belong to what comes.
    fn begins(&mut self) {
        self.place += i64::try_from(self.pending.len()).unwrap_or_default();
        self.pending.clear();
        self.is_first = true;
    }

    fn give(&mut self, source: u32) {
        let samples: Vec<i16> = self.pending.drain(..FRAME as usize).collect();
        let payload = match &mut self.encoder {
            Some(encoder) => encoder.encode(&samples).map(Bytes::from).ok(),
            None => Some(samples.iter().map(|sample| g711::encoded(self.to, *sample)).collect()),
        };
        let ticks = self.place * i64::from(self.to.clock_rate() / RATE);
        let (number, marker) = (self.number, std::mem::take(&mut self.is_first));
        self.number += 1;
        self.place += i64::from(FRAME);
        if let Some(payload) = payload {
            (self.outlet)(Frame {
                payload,
                timestamp: low32(ticks.cast_unsigned()),
                number,
                marker,
                source,
            });
        }
    }
}

impl Job for Transcoding {
    fn take(&mut self, input: Input) {
        if let Input::Bridged(frame) = input {
            self.packet(&frame);
        }
    }

    fn renew(&mut self) -> Result<(), CodecError> {
        if let Some(decoder) = &mut self.decoder {
            *decoder = Decoder::at(RATE)?;
        }
        if let Some(encoder) = &mut self.encoder {
            *encoder = Encoder::live(RATE, BITRATE)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::audio::level_of;

    fn transcoding(from: Codec, to: Codec) -> (Transcoding, Receiver<Frame>) {
        let (tell, told) = channel();
        let outlet = Box::new(move |frame| tell.send(frame).unwrap());
        (Transcoding::new(from, to, outlet).unwrap(), told)
    }

    /// 20 ms of 500 Hz.
    fn tone() -> Vec<i16> {
        (0..160)
            .map(|index| if index / 8 % 2 == 0 { 8_000 } else { -8_000 })
            .collect()
    }

    fn frame(codec: Codec, place: u32, number: u64, payload: Bytes) -> Frame {
        Frame {
            payload,
            timestamp: (place * codec.packet_ticks()).wrapping_sub(2_000),
            number,
            marker: false,
            source: 7,
        }
    }

    fn payload(codec: Codec, encoder: &mut Encoder) -> Bytes {
        if codec == Codec::Opus {
            encoder.encode(&tone()).unwrap().into()
        } else {
            tone().iter().map(|sample| g711::encoded(codec, *sample)).collect()
        }
    }

    #[test]
    fn each_codec_becomes_each_other_as_loud_as_it_was() {
        for (from, to) in [
            (Codec::Opus, Codec::Pcmu),
            (Codec::Pcma, Codec::Opus),
            (Codec::Pcmu, Codec::Pcma),
        ] {
            let (mut job, told) = transcoding(from, to);
            let mut encoder = Encoder::live(RATE, BITRATE).unwrap();
            for place in 0..30 {
                let payload = payload(from, &mut encoder);
                job.packet(&frame(from, place, u64::from(place) + 5, payload));
            }
            let frames: Vec<_> = told.try_iter().collect();
            assert_eq!(frames.len(), 30, "{from:?} to {to:?}");
            let mut decoder = Decoder::at(RATE).unwrap();
            for (index, pair) in frames.windows(2).enumerate() {
                assert_eq!(pair[1].number, pair[0].number + 1);
                assert_eq!(pair[1].timestamp.wrapping_sub(pair[0].timestamp), to.packet_ticks());
                assert_eq!(pair[0].marker, index == 0);
            }
            let level = frames.iter().map(|frame| {
                if to == Codec::Opus {
                    level_of(decoder.decode(&frame.payload).unwrap().iter().copied())
                } else {
                    level_of(frame.payload.iter().map(|byte| g711::decoded(to, *byte)))
                }
            });
            let last = level.last().unwrap();
            assert!((10..15).contains(&last), "{from:?} to {to:?}: {last}");
        }
    }

    #[test]
    fn what_is_lost_stays_a_gap_what_was_not_sent_is_none_and_nothing_goes_back() {
        let (mut job, told) = transcoding(Codec::Pcmu, Codec::Opus);
        let mut put = |place, number| {
            let payload = Bytes::from(vec![0xFF; 160]);
            job.packet(&frame(Codec::Pcmu, place, number, payload));
            told.try_iter()
                .map(|made| (made.number, made.timestamp / 960, made.marker))
                .collect::<Vec<_>>()
        };
        assert_eq!(put(0, 0), [(0, 0, true)]);
        // Two are lost.
        assert_eq!(put(3, 3), [(3, 3, false)]);
        assert_eq!(put(2, 2), [], "late");
        assert_eq!(put(3, 3), [], "twice");
        // The sender was silent.
        assert_eq!(put(53, 4), [(4, 53, true)]);
        assert_eq!(put(54, 5), [(5, 54, false)]);
        // Its clock leaps.
        assert_eq!(put(400_000, 6), [(6, 55, true)]);
    }

    #[test]
    fn packets_of_any_length_become_packets_of_20_ms() {
        let (mut job, told) = transcoding(Codec::Pcma, Codec::Pcmu);
        for index in 0..6u32 {
            let frame = Frame {
                payload: Bytes::from(vec![0xD5; 240]),
                timestamp: index * 240,
                number: u64::from(index),
                marker: false,
                source: 7,
            };
            job.packet(&frame);
        }
        let lengths: Vec<_> = told.try_iter().map(|frame| frame.payload.len()).collect();
        assert_eq!(lengths, [160; 9]);
    }
}
