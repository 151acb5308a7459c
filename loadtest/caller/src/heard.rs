//! What was heard, frame by frame.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::spectrum::Spectrum;
use crate::{FRAME_MS, FRAME_TICKS};

/// Frames that are kept: a minute.
const KEPT: usize = 3_000;
/// Keys that are kept.
const KEPT_KEYS: usize = 256;

/// A packet of 20 ms that came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// When it came.
    pub at: Instant,
    /// Its number in the stream.
    pub sequence: u16,
    /// When it is to be heard, by the stream's clock of 48 kHz.
    pub timestamp: u32,
    /// Whether it is the first after a pause.
    pub marker: bool,
    /// What it sounds like.
    pub sound: Spectrum,
}

/// The last minute of what was heard.
#[derive(Debug, Default)]
pub struct Heard {
    frames: VecDeque<Frame>,
    /// All frames that ever came.
    count: u64,
    keys: VecDeque<char>,
}

impl Heard {
    pub(crate) fn push(&mut self, frame: Frame) {
        if self.frames.len() == KEPT {
            self.frames.pop_front();
        }
        self.frames.push_back(frame);
        self.count += 1;
    }

    pub(crate) fn push_key(&mut self, key: char) {
        if self.keys.len() == KEPT_KEYS {
            self.keys.pop_front();
        }
        self.keys.push_back(key);
    }

    /// Frames that ever came: a place to look on from.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The frames from a place on, as far as they are kept.
    pub fn since(&self, place: u64) -> impl DoubleEndedIterator<Item = &Frame> {
        let first = self.count - self.frames.len() as u64;
        let skipped = usize::try_from(place.saturating_sub(first)).unwrap_or(usize::MAX);
        self.frames.iter().skip(skipped)
    }

    /// How much of a tone was heard from a place on.
    pub fn tone(&self, hz: u16, place: u64) -> Duration {
        let count = self.since(place).filter(|frame| frame.sound.has(hz)).count();
        Duration::from_millis(u64::from(FRAME_MS)) * u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The frequencies that were heard from a place on, for at least 100 ms each, in their order.
    pub fn tones(&self, place: u64) -> Vec<u16> {
        let mut tones: Vec<(u16, u32)> = Vec::new();
        for frame in self.since(place).filter(|frame| frame.sound.peaks[0].share >= 0.5) {
            let hz = frame.sound.peaks[0].hz;
            match tones.iter_mut().find(|(known, _)| *known == hz) {
                Some((_, count)) => *count += 1,
                None => tones.push((hz, 1)),
            }
        }
        let long_enough = tones.into_iter().filter(|(_, count)| *count >= 100 / FRAME_MS);
        long_enough.map(|(hz, _)| hz).collect()
    }

    /// The longest time between two packets from a place on, pauses of the sender aside.
    pub fn longest_wait(&self, place: u64) -> Duration {
        let pairs = self.since(place).zip(self.since(place).skip(1));
        let waits = pairs.filter(|(_, next)| !next.marker);
        waits.map(|(frame, next)| next.at - frame.at).max().unwrap_or_default()
    }

    /// Milliseconds of sound that are missing from a place on: packets that never came, and jumps of the clock without a pause.
    pub fn missing_ms(&self, place: u64) -> u32 {
        let pairs = self.since(place).zip(self.since(place).skip(1));
        let missing = pairs.map(|(frame, next)| {
            let numbers = ahead(next.sequence.wrapping_sub(frame.sequence));
            let clock = next.timestamp.wrapping_sub(frame.timestamp);
            let clock = if clock > u32::MAX / 2 { 0 } else { clock };
            let lost = u32::from(numbers.saturating_sub(1)) * FRAME_MS;
            let jumped = clock.saturating_sub(FRAME_TICKS) * FRAME_MS / FRAME_TICKS;
            if next.marker { lost } else { lost.max(jumped) }
        });
        missing.sum()
    }

    /// Keys that the bot sent.
    pub fn keys(&self) -> String {
        self.keys.iter().collect()
    }

    /// How long nothing has come, or only silence.
    pub fn silent_for(&self, now: Instant) -> Option<Duration> {
        let loud = self.frames.iter().rfind(|frame| !frame.sound.is_silent())?;
        Some(now.saturating_duration_since(loud.at))
    }
}

/// How far a number is ahead of the one before: one that was overtaken is not.
fn ahead(difference: u16) -> u16 {
    if difference > u16::MAX / 2 { 0 } else { difference }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::sine;

    fn frame(began: Instant, number: u16, hz: u16) -> Frame {
        Frame {
            at: began + Duration::from_millis(20) * u32::from(number),
            sequence: number,
            timestamp: u32::from(number) * FRAME_TICKS,
            marker: false,
            sound: Spectrum::of(&sine(hz, u32::from(number))),
        }
    }

    fn heard(frames: impl IntoIterator<Item = Frame>) -> Heard {
        let mut heard = Heard::default();
        frames.into_iter().for_each(|frame| heard.push(frame));
        heard
    }

    #[test]
    fn tones_are_told_in_their_order_and_short_ones_are_not() {
        let began = Instant::now();
        let hz = |number| match number {
            0..10 => 450,
            10..13 => 2_000,
            _ => 900,
        };
        let heard = heard((0..30).map(|number| frame(began, number, hz(number))));
        assert_eq!(heard.tones(0), [450, 900]);
        assert_eq!(heard.tones(15), [900]);
        assert_eq!(heard.tone(450, 0), Duration::from_millis(200));
        assert_eq!(heard.tone(450, 5), Duration::from_millis(100));
    }

    #[test]
    fn a_lost_packet_is_missing_and_a_pause_of_the_sender_is_not() {
        let began = Instant::now();
        let mut frames: Vec<_> = (0..10).map(|number| frame(began, number, 450)).collect();
        assert_eq!(heard(frames.clone()).missing_ms(0), 0);
        let lost: Vec<_> = frames.iter().copied().filter(|frame| frame.sequence != 4).collect();
        assert_eq!(heard(lost).missing_ms(0), 20);
        for frame in &mut frames[5..] {
            frame.timestamp += 48_000;
            frame.at += Duration::from_secs(1);
        }
        let jumped = heard(frames.clone());
        assert_eq!(jumped.missing_ms(0), 1_000);
        assert_eq!(jumped.longest_wait(0), Duration::from_millis(1_020));
        frames[5].marker = true;
        let paused = heard(frames);
        assert_eq!(paused.missing_ms(0), 0);
        assert_eq!(paused.longest_wait(0), Duration::from_millis(20));
    }

    #[test]
    fn a_minute_is_kept() {
        let began = Instant::now();
        let heard = heard((0..4_000).map(|number| frame(began, number, 450)));
        assert_eq!(heard.count(), 4_000);
        assert_eq!(heard.since(0).count(), KEPT);
        assert_eq!(heard.since(3_990).count(), 10);
    }
}
