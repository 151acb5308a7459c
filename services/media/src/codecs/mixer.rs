//! A recording of both directions in one file: decoded, put on one clock, added, and encoded while the call goes on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::decoding::{Decoded, Decoding, RATE};
use super::thread::{CodecThread, Given, Held, Input, Job};
use super::{NoCodecs, Seat};
use crate::audio::opus::{CodecError, Encoder};
use crate::codec::Codec;
use crate::record::{Direction, Recorded, Taken, Tap};

/// Samples of a packet that is made.
const FRAME: usize = 320;
/// Bits a second: two voices.
const BITRATE: u32 = 32_000;
/// The mix is so far behind the call: what a jitter buffer may hold, and what a busy thread may be late.
const BEHIND: Duration = Duration::from_millis(240);
/// A direction whose own clock is so far from the time of arrival is put where it arrived: in samples.
const APART: i64 = RATE as i64 / 4;
/// Packets at a time at most: a thread that was stopped for longer leaves a gap.
const AT_ONCE: u32 = 25;
/// What the made packets say where they are from.
const SOURCE: u32 = 1;

/// Where a leg puts what it hears and says. Dropping it ends the recording.
#[derive(Debug)]
pub struct Mixing {
    job: Held,
    /// The operation that began it.
    pub(crate) operation: u64,
    /// Packets of the leg that the codec thread had no time for, and that were not told.
    lost: u32,
    ring: Arc<Ring>,
}

/// What the mixer knows of the recorder's ring, for the leg, which tells it.
#[derive(Debug, Default)]
struct Ring {
    /// Packets that found it full, since this was asked last.
    dropped: AtomicU32,
    /// The recorder gave the recording up.
    is_left: AtomicBool,
}

impl Mixing {
    /// Hands a packet over. Never waits. Gaps are known with what is taken behind them.
    pub(crate) fn take(
        &mut self,
        direction: Direction,
        payload: Bytes,
        (timestamp, source): (u32, u32),
        at: Instant,
    ) -> Taken {
        let packet = Recorded {
            payload,
            timestamp,
            source,
            at,
            dropped_before: 0,
        };
        let given = self.job.try_give(if direction == Direction::Sent {
            Input::Sent(packet)
        } else {
            Input::Heard(packet)
        });
        if given == Given::Lost {
            self.lost = self.lost.saturating_add(1);
            return Taken::Dropped;
        }
        if given == Given::Over || self.ring.is_left.load(Ordering::Relaxed) {
            return Taken::Failed;
        }
        let lost = std::mem::take(&mut self.lost);
        match lost.saturating_add(self.ring.dropped.swap(0, Ordering::Relaxed)) {
            0 => Taken::Yes,
            packets => Taken::AfterGap(packets),
        }
    }
}

#[cfg(test)]
impl Mixing {
    /// As if so many packets had found the recorder's ring full.
    pub(crate) fn lacks(&self, packets: u32) {
        self.ring.taken(Taken::AfterGap(packets));
    }
}

impl Ring {
    fn taken(&self, taken: Taken) {
        match taken {
            Taken::Yes | Taken::Dropped => {}
            Taken::AfterGap(packets) => drop(self.dropped.fetch_add(packets, Ordering::Relaxed)),
            Taken::Failed => self.is_left.store(true, Ordering::Relaxed),
        }
    }
}

/// Mixes a leg of that codec into a recording.
pub(super) fn mix(thread: &CodecThread, seat: Arc<Seat>, codec: Codec, tap: Tap) -> Result<Mixing, NoCodecs> {
    let operation = tap.operation;
    let ring = Arc::new(Ring::default());
    let mixer = Mixer::new(codec, tap, ring.clone(), Instant::now()).map_err(|_| NoCodecs::Broken)?;
    Ok(Mixing {
        job: thread.begin(Box::new(mixer), seat)?,
        operation,
        lost: 0,
        ring,
    })
}

struct Mixer {
    heard: Voice,
    sent: Voice,
    /// The sum of both from the next packet on.
    sum: VecDeque<i32>,
    /// The place of its first sample, counted from the beginning.
    place: i64,
    began: Instant,
    encoder: Encoder,
    tap: Tap,
    ring: Arc<Ring>,
}

/// One direction.
struct Voice {
    decoding: Decoding,
    /// The place of its next sample; `None` before the first.
    next: Option<i64>,
}

impl Voice {
    fn new(codec: Codec) -> Result<Self, CodecError> {
        Ok(Self {
            decoding: Decoding::new(codec, RATE)?,
            next: None,
        })
    }
}

impl Mixer {
    fn new(codec: Codec, tap: Tap, ring: Arc<Ring>, now: Instant) -> Result<Self, CodecError> {
        Ok(Self {
            heard: Voice::new(codec)?,
            sent: Voice::new(codec)?,
            sum: VecDeque::new(),
            place: 0,
            began: now,
            encoder: Encoder::live(RATE, BITRATE)?,
            tap,
            ring,
        })
    }

    /// Takes a packet of a direction.
    fn packet(&mut self, packet: &Recorded, is_sent: bool) {
        let here = self.place_of(packet.at);
        let voice = if is_sent { &mut self.sent } else { &mut self.heard };
        let (sum, place) = (&mut self.sum, self.place);
        let next = &mut voice.next;
        voice
            .decoding
            .add(packet, |decoded| add(decoded, next, here, sum, place));
    }

    fn passes(&mut self, now: Instant) {
        let here = self.place_of(now);
        let (sum, place) = (&mut self.sum, self.place);
        for voice in [&mut self.heard, &mut self.sent] {
            let next = &mut voice.next;
            voice.decoding.tick(now, |decoded| add(decoded, next, here, sum, place));
        }
        let ready = now.checked_sub(BEHIND).map_or(0, |until| self.place_of(until));
        self.write_to(ready, now);
    }

    /// Writes what is certain by now.
    fn write_to(&mut self, ready: i64, now: Instant) {
        for _ in 0..AT_ONCE {
            if self.place + FRAME_PLACES > ready {
                return;
            }
            let frame: Vec<i16> = (0..FRAME)
                .map(|_| clamped(self.sum.pop_front().unwrap_or_default()))
                .collect();
            let timestamp = self.place * i64::from(Codec::Opus.clock_rate() / RATE);
            self.place += FRAME_PLACES;
            if let Ok(packet) = self.encoder.encode(&frame) {
                let timestamp = crate::rtp::low32(timestamp.cast_unsigned());
                self.ring.taken(self.tap.take(packet.into(), timestamp, SOURCE, now));
            }
        }
    }

    fn place_of(&self, at: Instant) -> i64 {
        let since = at.saturating_duration_since(self.began).as_micros();
        i64::try_from(since * u128::from(RATE) / 1_000_000).unwrap_or(i64::MAX)
    }
}

const FRAME_PLACES: i64 = 320;

/// Adds what a direction has next to the sum, whose first sample has that place; `here` is the place of this moment.
fn add(decoded: Decoded<'_>, next: &mut Option<i64>, here: i64, sum: &mut VecDeque<i32>, place: i64) {
    let samples = match decoded {
        Decoded::LeftOut(samples) => {
            let samples = i64::try_from(samples).unwrap_or(i64::MAX);
            *next = next.map(|next| next.saturating_add(samples));
            return;
        }
        Decoded::Samples(samples, _) => samples,
    };
    let begin = next.filter(|next| (next - here).abs() <= APART).unwrap_or(here);
    for (index, sample) in (begin - place..).zip(samples) {
        // What comes too late for its place is not heard.
        let Ok(index) = usize::try_from(index) else { continue };
        if index >= sum.len() {
            sum.resize(index + 1, 0);
        }
        sum[index] += i32::from(*sample);
    }
    *next = Some(begin + i64::try_from(samples.len()).unwrap_or_default());
}

fn clamped(sample: i32) -> i16 {
    i16::try_from(sample).unwrap_or(if sample < 0 { i16::MIN } else { i16::MAX })
}

impl Job for Mixer {
    fn take(&mut self, input: Input) {
        match input {
            Input::Heard(packet) => self.packet(&packet, false),
            Input::Sent(packet) => self.packet(&packet, true),
            _ => {}
        }
    }

    fn tick(&mut self, now: Instant) {
        self.passes(now);
    }

    fn renew(&mut self) -> Result<(), CodecError> {
        self.heard.decoding.renew()?;
        self.sent.decoding.renew()?;
        self.encoder = Encoder::live(RATE, BITRATE)?;
        Ok(())
    }
}

impl Drop for Mixer {
    fn drop(&mut self) {
        // What waits is the end of the call.
        let rest = i64::try_from(self.sum.len()).unwrap_or_default() + FRAME_PLACES - 1;
        self.write_to(self.place + rest, Instant::now());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::audio::opus::Decoder;
    use crate::audio::{g711, level_of};

    /// How strong a frequency is in 20 ms, of all that is there: 0 to 1.
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    fn share(samples: &[i16], hz: f64) -> f64 {
        let (mut real, mut imaginary, mut energy) = (0.0, 0.0, 0.0);
        for (index, sample) in samples.iter().enumerate() {
            let (sample, angle) = (
                f64::from(*sample),
                std::f64::consts::TAU * hz * index as f64 / f64::from(RATE),
            );
            real += sample * angle.cos();
            imaginary += sample * angle.sin();
            energy += sample * sample;
        }
        2.0 * (real * real + imaginary * imaginary) / (samples.len() as f64 * energy.max(1.0))
    }

    fn tone(hz: f64, frame: u32) -> Bytes {
        let sample = |index: u32| {
            let angle = std::f64::consts::TAU * hz * f64::from(frame * 160 + index) / 8_000.0;
            #[allow(clippy::cast_possible_truncation, reason = "below what a sample can be")]
            let sample = (6_000.0 * angle.sin()) as i16;
            g711::encoded(Codec::Pcmu, sample)
        };
        (0..160).map(sample).collect()
    }

    #[test]
    fn both_directions_are_in_one_file_at_the_time_at_which_they_were_heard() {
        let (tap, ring) = Tap::new(1, Direction::Mixed);
        let start = Instant::now();
        let mut mixer = Mixer::new(Codec::Pcmu, tap, Arc::default(), start).unwrap();
        let mut packets = Vec::new();
        // The peer speaks from 0.2 s on, the leg from 0.6 to 0.8 s; the clocks of both begin anywhere.
        for step in 0..70u32 {
            let now = start + Duration::from_millis(20) * step;
            let packet = |hz, timestamp: u32, source| Recorded {
                payload: tone(hz, step),
                timestamp: timestamp.wrapping_add(step * 160),
                source,
                at: now,
                dropped_before: 0,
            };
            if (10..50).contains(&step) {
                mixer.take(Input::Heard(packet(500.0, 77, 5)));
            }
            if (30..40).contains(&step) {
                mixer.take(Input::Sent(packet(1_000.0, u32::MAX - 300, 6)));
            }
            mixer.tick(now);
            packets.extend(ring.try_iter());
        }
        drop(mixer);
        packets.extend(ring.try_iter());
        let mut decoder = Decoder::at(RATE).unwrap();
        let frames: Vec<Vec<i16>> = packets
            .iter()
            .map(|packet| decoder.decode(&packet.payload).unwrap().to_vec())
            .collect();
        for (packet, place) in packets.iter().zip(0u32..) {
            assert_eq!(packet.timestamp, place * 960);
        }
        let has = |frame: usize, hz| share(&frames[frame], hz) > 0.3;
        assert!(frames.len() >= 55, "{} frames", frames.len());
        assert!(level_of(frames[5].iter().copied()) > 60, "silence before");
        assert!(has(20, 500.0) && !has(20, 1_000.0));
        assert!(has(35, 500.0) && has(35, 1_000.0), "both at once");
        assert!(has(45, 500.0) && !has(45, 1_000.0));
    }

    #[test]
    fn a_loud_sum_is_cut_and_a_stopped_thread_is_a_gap() {
        assert_eq!(
            (clamped(70_000), clamped(-70_000), clamped(-5)),
            (i16::MAX, i16::MIN, -5)
        );
        let (tap, ring) = Tap::new(1, Direction::Mixed);
        let start = Instant::now();
        let mut mixer = Mixer::new(Codec::Opus, tap, Arc::default(), start).unwrap();
        mixer.tick(start + Duration::from_secs(60));
        assert_eq!(ring.try_iter().count(), AT_ONCE as usize);
    }

    #[test]
    fn what_found_the_recorder_s_ring_full_is_known_behind_it_and_so_is_its_end() {
        let (tap, packets) = Tap::new(1, Direction::Mixed);
        let ring = Arc::new(Ring::default());
        let start = Instant::now();
        let mut mixer = Mixer::new(Codec::Pcmu, tap, ring.clone(), start).unwrap();
        let mut steps = (0u32..).map(|step| start + Duration::from_millis(20) * step);
        // A quarter of a second behind the call, and the ring has two seconds.
        for now in steps.by_ref().take(150) {
            mixer.tick(now);
        }
        let dropped = || ring.dropped.load(Ordering::Relaxed);
        assert_eq!((packets.try_iter().count(), dropped()), (100, 0));
        mixer.tick(steps.next().unwrap());
        assert!((35..45).contains(&dropped()), "{} packets", dropped());
        drop(packets);
        mixer.tick(steps.next().unwrap());
        assert!(ring.is_left.load(Ordering::Relaxed));
    }

    #[test]
    fn a_leg_is_told_once_what_its_mix_lacks() {
        let codecs = super::super::Codecs::start(1).unwrap();
        let seat = codecs.seat(&[super::super::Purpose::Mix(Codec::Pcmu)]).unwrap();
        let (tap, _packets) = Tap::new(1, Direction::Mixed);
        let mut mixing = codecs.mix(Codec::Pcmu, seat, tap).unwrap();
        let take = |mixing: &mut Mixing| mixing.take(Direction::Received, tone(500.0, 0), (0, 5), Instant::now());
        assert_eq!(take(&mut mixing), Taken::Yes);
        mixing.lost = 3;
        mixing.lacks(4);
        assert_eq!((take(&mut mixing), take(&mut mixing)), (Taken::AfterGap(7), Taken::Yes));
        mixing.ring.is_left.store(true, Ordering::Relaxed);
        assert_eq!(take(&mut mixing), Taken::Failed);
    }
}
