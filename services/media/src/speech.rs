//! Whether somebody speaks: from levels, with hysteresis.
//!
//! Three frames in a row that are loud begin speech; half a second without a loud one ends it. Loud is above -42 dBov, and nine
//! decibels above the noise of the line where that is loud itself. The noise is what the quietest moments have: it is believed at
//! once when it falls, and slowly when it rises, so that a sentence does not become noise.

use std::time::{Duration, Instant};

/// Speech ends so long after its last loud frame.
pub const HANGOVER: Duration = Duration::from_millis(500);
/// Frames in a row that begin speech: 60 ms, which a click has not.
const FRAMES: u8 = 3;
/// Loud at least, in decibels below overload.
const LOUD: u16 = 42;
/// So many decibels above the noise.
const ABOVE_NOISE: u16 = 9;
/// Noise below this level changes nothing, in decibels below overload.
const QUIET: u16 = 60;
/// The noise is kept in sixteenths of a decibel: it rises by one a frame, three decibels a second.
const SIXTEENTHS: u16 = 16;

/// The beginning or the end of speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeechChange {
    /// Whether somebody speaks from now on.
    pub speaks: bool,
    /// When the last loud frame came: the silence after speech counts from there.
    pub loud_at: Instant,
}

/// Decides whether somebody speaks.
#[derive(Debug)]
pub struct SpeechDetector {
    /// Sixteenths of decibels below overload.
    noise: u16,
    loud_frames: u8,
    loud_at: Option<Instant>,
    speaks: bool,
}

impl Default for SpeechDetector {
    fn default() -> Self {
        Self {
            noise: QUIET * SIXTEENTHS,
            loud_frames: 0,
            loud_at: None,
            speaks: false,
        }
    }
}

impl SpeechDetector {
    /// Takes the level of a frame of 20 ms, in decibels below overload.
    pub fn frame(&mut self, level: u8, now: Instant) -> Option<SpeechChange> {
        let level = u16::from(level);
        let threshold = LOUD.min((self.noise / SIXTEENTHS).saturating_sub(ABOVE_NOISE));
        self.learn(level);
        if level > threshold {
            self.loud_frames = 0;
            return self.tick(now);
        }
        self.loud_at = Some(now);
        self.loud_frames = self.loud_frames.saturating_add(1);
        if self.speaks || self.loud_frames < FRAMES {
            return None;
        }
        self.speaks = true;
        Some(SpeechChange {
            speaks: true,
            loud_at: now,
        })
    }

    fn learn(&mut self, level: u16) {
        let level = level.min(QUIET) * SIXTEENTHS;
        // A larger number is quieter.
        self.noise = if level >= self.noise { level } else { self.noise - 1 };
    }

    /// Lets time pass: a peer that is silent may send nothing at all.
    pub fn tick(&mut self, now: Instant) -> Option<SpeechChange> {
        let loud_at = self.loud_at.filter(|_| self.speaks)?;
        if now.saturating_duration_since(loud_at) < HANGOVER {
            return None;
        }
        self.speaks = false;
        Some(SpeechChange { speaks: false, loud_at })
    }

    /// When [`Self::tick`] has something to do.
    pub fn next_tick(&self) -> Option<Instant> {
        self.loud_at.filter(|_| self.speaks).map(|at| at + HANGOVER)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    /// What changes while these levels come, one each 20 ms: milliseconds and whether somebody speaks.
    fn heard(levels: &[u8]) -> Vec<(u128, bool)> {
        let start = Instant::now();
        let mut detector = SpeechDetector::default();
        let mut changes = Vec::new();
        for (index, level) in (0u32..).zip(levels) {
            let now = start + FRAME * index;
            if let Some(change) = detector.frame(*level, now) {
                changes.push(((now - start).as_millis(), change.speaks));
            }
        }
        changes
    }

    fn levels(parts: &[(u8, usize)]) -> Vec<u8> {
        let parts = parts.iter();
        parts
            .flat_map(|(level, count)| std::iter::repeat_n(*level, *count))
            .collect()
    }

    #[test]
    fn speech_begins_with_the_third_frame_and_ends_half_a_second_after_the_last() {
        assert_eq!(
            heard(&levels(&[(70, 10), (25, 50), (70, 100)])),
            [(240, true), (1_680, false)]
        );
    }

    #[test]
    fn a_click_is_no_speech_and_a_breath_does_not_end_it() {
        assert_eq!(heard(&levels(&[(70, 10), (10, 2), (70, 50), (10, 2), (70, 50)])), []);
        assert_eq!(heard(&levels(&[(25, 20), (80, 20), (25, 20)])), [(40, true)]);
    }

    #[test]
    fn a_noisy_line_is_not_somebody_who_speaks_for_ever() {
        // 35 dB below overload is loud at first; after some seconds it is the line's noise, and a voice above it is heard.
        let noisy = heard(&levels(&[(35, 1_000), (20, 50), (35, 100)]));
        let states: Vec<_> = noisy.iter().map(|(_, speaks)| *speaks).collect();
        assert_eq!(states, [true, false, true, false], "{noisy:?}");
    }

    #[test]
    fn a_minute_of_speech_with_its_pauses_stays_speech() {
        // A second of voice, a tenth of a second without.
        let sentence = levels(&[(25, 50), (65, 5)]);
        let talk: Vec<u8> = std::iter::repeat_n(sentence, 60).flatten().collect();
        assert_eq!(heard(&talk), [(40, true)]);
    }

    #[test]
    fn silence_without_packets_ends_speech() {
        let start = Instant::now();
        let mut detector = SpeechDetector::default();
        for index in 0..3 {
            detector.frame(20, start + FRAME * index);
        }
        let loud_at = start + FRAME * 2;
        assert_eq!(detector.next_tick(), Some(loud_at + HANGOVER));
        assert_eq!(detector.tick(loud_at + HANGOVER / 2), None);
        let ended = SpeechChange { speaks: false, loud_at };
        assert_eq!(detector.tick(loud_at + HANGOVER), Some(ended));
        assert_eq!(
            (detector.next_tick(), detector.tick(loud_at + HANGOVER * 2)),
            (None, None)
        );
    }

    proptest! {
        /// Beginning and end alternate, whatever comes.
        #[test]
        fn changes_alternate(levels in proptest::collection::vec(0u8..=127, 0..400)) {
            let changes = heard(&levels);
            for (index, (_, speaks)) in changes.iter().enumerate() {
                prop_assert_eq!(*speaks, index % 2 == 0);
            }
        }
    }
}
