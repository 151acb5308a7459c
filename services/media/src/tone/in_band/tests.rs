#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "sound of tests is short and not too loud"
)]

use std::f64::consts::TAU;

use proptest::prelude::*;

use super::*;
use crate::audio::g711;
use crate::codec::Codec;
use crate::leg::next_fraction;

const ALL: &str = "0123456789*#ABCD";

/// How a telephone plays its keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Telephone {
    /// Samples a second.
    pub(crate) rate: u32,
    /// Level of the low tone in decibels below overload, and how much stronger the high one is.
    pub(crate) level: f64,
    pub(crate) twist: f64,
    /// Both frequencies are off by this factor.
    pub(crate) off: f64,
    pub(crate) tone_ms: f64,
    pub(crate) pause_ms: f64,
}

impl Default for Telephone {
    fn default() -> Self {
        Self {
            rate: RATE,
            level: 16.0,
            twist: 0.0,
            off: 1.0,
            tone_ms: 80.0,
            pause_ms: 80.0,
        }
    }
}

impl Telephone {
    /// Keys with a pause before each and after the last.
    pub(crate) fn presses(&self, keys: &str) -> Vec<i16> {
        let mut samples = self.silence(self.pause_ms);
        for key in keys.chars() {
            samples.extend(self.key(key, self.tone_ms));
            samples.extend(self.silence(self.pause_ms));
        }
        samples
    }

    fn key(&self, key: char, milliseconds: f64) -> Vec<i16> {
        let (low, high) = pair_of(key);
        let amplitude = |level: f64| 32_768.0 * 2f64.sqrt() * 10f64.powf(-level / 20.0);
        let (loud, louder) = (amplitude(self.level), amplitude(self.level - self.twist));
        let wave = |hz: f64, at: f64| (TAU * hz * self.off * at / f64::from(self.rate)).sin();
        let sample = |at: usize| loud * wave(low, at as f64) + louder * wave(high, at as f64);
        (0..self.samples(milliseconds)).map(|at| sample(at) as i16).collect()
    }

    fn silence(&self, milliseconds: f64) -> Vec<i16> {
        vec![0; self.samples(milliseconds)]
    }

    fn samples(&self, milliseconds: f64) -> usize {
        (milliseconds * f64::from(self.rate) / 1_000.0).round() as usize
    }
}

fn pair_of(key: char) -> (f64, f64) {
    let row = PAD.iter().position(|row| row.contains(&key)).unwrap();
    let column = PAD[row].iter().position(|known| *known == key).unwrap();
    (f64::from(LOW[row]), f64::from(HIGH[column]))
}

/// What is heard of sound that comes in frames of 20 ms.
fn heard(samples: &[i16]) -> Vec<KeySound> {
    let mut detector = KeyDetector::default();
    let mut heard = Vec::new();
    for frame in samples.chunks(160) {
        detector.samples(frame, false, |sound| heard.push(sound));
    }
    heard.extend(detector.breaks_off());
    heard
}

/// The keys that were let go, each of which must have begun just before.
pub(crate) fn keys(heard: &[KeySound]) -> String {
    let (pairs, rest) = heard.as_chunks::<2>();
    assert!(rest.is_empty(), "{heard:?}");
    let key = |pair: &[KeySound; 2]| match *pair {
        [KeySound::Began(began), KeySound::Ended { key, .. }] if began == key => key.character(),
        _ => panic!("{heard:?}"),
    };
    pairs.iter().map(key).collect()
}

/// White noise of so many decibels below overload.
fn noise(level: f64, count: usize, seed: &mut u64) -> Vec<i16> {
    // Twelve of them added are as good as normal, and their variance is one.
    let normal = |seed: &mut u64| (0..12).map(|_| next_fraction(seed)).sum::<f64>() - 6.0;
    let deviation = 32_768.0 * 10f64.powf(-level / 20.0);
    (0..count).map(|_| (deviation * normal(seed)) as i16).collect()
}

fn mixed(one: &[i16], other: &[i16]) -> Vec<i16> {
    one.iter()
        .zip(other)
        .map(|(one, other)| one.saturating_add(*other))
        .collect()
}

#[test]
fn all_keys_are_heard_at_all_levels_and_twists_also_a_little_off() {
    for level in [13.0, 20.0, 28.0, 34.0] {
        for twist in [-8.0, -4.0, 0.0, 4.0] {
            for off in [0.985, 1.0, 1.015] {
                let telephone = Telephone {
                    level,
                    twist,
                    off,
                    tone_ms: 50.0,
                    pause_ms: 50.0,
                    ..Telephone::default()
                };
                assert_eq!(keys(&heard(&telephone.presses(ALL))), ALL, "{telephone:?}");
            }
        }
    }
}

#[test]
fn keys_are_heard_as_g_711_carries_them() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        for (level, twist) in [(10.0, 0.0), (20.0, -6.0), (34.0, 3.0)] {
            let telephone = Telephone {
                level,
                twist,
                ..Telephone::default()
            };
            let carried = telephone.presses(ALL).into_iter();
            let carried: Vec<i16> = carried
                .map(|sample| g711::decoded(codec, g711::encoded(codec, sample)))
                .collect();
            assert_eq!(keys(&heard(&carried)), ALL, "{codec:?} {telephone:?}");
        }
    }
}

#[test]
fn keys_are_heard_in_noise() {
    let mut seed = 1;
    for _ in 0..20 {
        // Both tones are 13 dB below overload, so the noise is 13 dB below them.
        let presses = Telephone::default().presses(ALL);
        let noise = noise(26.0, presses.len(), &mut seed);
        assert_eq!(keys(&heard(&mixed(&presses, &noise))), ALL);
    }
}

#[test]
fn a_key_is_told_with_its_length() {
    let presses = Telephone {
        tone_ms: 200.0,
        ..Telephone::default()
    };
    let heard = heard(&presses.presses("5"));
    let KeySound::Ended { duration, end_seen, .. } = heard[1] else {
        panic!("{heard:?}")
    };
    assert!(end_seen && (170..=200).contains(&duration.as_millis()), "{heard:?}");
}

#[test]
fn a_break_of_10_ms_ends_no_key_and_a_pause_of_40_ms_does() {
    for shift in 0..51 {
        let telephone = Telephone::default();
        let with = |pause: f64| {
            let key = telephone.key('7', 60.0);
            let mut all = vec![telephone.silence(f64::from(shift) / 4.0), key.clone()];
            all.extend([telephone.silence(pause), key, telephone.silence(60.0)]);
            keys(&heard(&all.concat()))
        };
        assert_eq!((with(10.0), with(40.0)), ("7".to_owned(), "77".to_owned()), "{shift}");
    }
}

#[test]
fn what_is_no_key_by_q_24_is_not_heard() {
    let usual = Telephone::default();
    let not = |telephone: Telephone| assert_eq!(keys(&heard(&telephone.presses(ALL))), "", "{telephone:?}");
    // Too short, wherever it begins.
    for pause_ms in [60.0, 63.0, 67.0, 71.0] {
        not(Telephone {
            tone_ms: 20.0,
            pause_ms,
            ..usual
        });
    }
    // Too different, too weak, too far off.
    for twist in [-12.0, 8.0] {
        not(Telephone { twist, ..usual });
    }
    not(Telephone { level: 50.0, ..usual });
    for off in [0.965, 1.035] {
        not(Telephone { off, ..usual });
    }
}

#[test]
fn what_is_made_up_neither_begins_a_key_nor_ends_it() {
    let telephone = Telephone {
        tone_ms: 150.0,
        ..Telephone::default()
    };
    let samples = telephone.presses("1");
    for lost in 0..samples.len() / 160 {
        let mut detector = KeyDetector::default();
        let mut heard = Vec::new();
        for (index, frame) in samples.chunks(160).enumerate() {
            let is_lost = index == lost || index == lost + 1;
            let frame = if is_lost { &[0; 160] } else { frame };
            detector.samples(frame, is_lost, |sound| heard.push(sound));
        }
        heard.extend(detector.breaks_off());
        assert_eq!(keys(&heard), "1", "frames {lost} and the next are lost");
    }
    // Made up as a tone it is none.
    let mut detector = KeyDetector::default();
    detector.samples(&telephone.key('1', 100.0), true, |sound| panic!("{sound:?}"));
    assert_eq!(detector.breaks_off(), None);
}

/// A voice: a pitch that glides, trembles and is never quite even, weaker by 6 dB with each octave, through three formants that
/// stand or glide to the next vowel, with the breath 20 dB below it.
fn voice(seconds: usize, seed: &mut u64) -> Vec<i16> {
    let mut samples = Vec::new();
    let (mut phase, mut pulse, mut filters) = (0.0, 0.0, [[0.0; 2]; 3]);
    let mut from = [500.0, 1_500.0, 2_500.0, 150.0];
    for _ in 0..seconds * 5 {
        let mut between = |low: f64, high: f64| low + (high - low) * next_fraction(seed);
        let to = [
            between(300.0, 900.0),
            between(900.0, 2_300.0),
            between(2_300.0, 3_200.0),
            between(90.0, 400.0),
        ];
        let is_steady = between(0.0, 1.0) < 0.5;
        for step in 0..1_600 {
            let part = f64::from(step) / 1_600.0;
            let mut now: [f64; 4] = std::array::from_fn(|index| from[index] + (to[index] - from[index]) * part);
            if is_steady {
                now[..3].copy_from_slice(&to[..3]);
            }
            let trembling = 1.0 + 0.02 * (TAU * 5.5 * samples.len() as f64 / 8_000.0).sin();
            phase += trembling * now[3] / 8_000.0;
            pulse *= 0.9;
            if phase >= 1.0 {
                pulse += 1.0;
                phase = 0.01 * between(-1.0, 1.0);
            }
            let mut sound = pulse;
            for (filter, hz) in filters.iter_mut().zip(now) {
                let radius: f64 = 0.97;
                let next = sound + 2.0 * radius * (TAU * hz / 8_000.0).cos() * filter[0] - radius * radius * filter[1];
                *filter = [next, filter[0]];
                sound = next * 0.1;
            }
            samples.push(sound);
        }
        from = to;
    }
    let energy: f64 = samples.iter().map(|sample| sample * sample).sum();
    let gain = 3_000.0 / (energy / samples.len() as f64).sqrt();
    let voice = samples
        .iter()
        .map(|sample| (gain * sample).clamp(-32_000.0, 32_000.0) as i16);
    let breath = noise(41.0, samples.len(), seed);
    mixed(&voice.collect::<Vec<_>>(), &breath)
}

#[test]
fn nothing_is_heard_in_voices_and_noise() {
    let mut seed = 7;
    for _ in 0..10 {
        let voice = voice(30, &mut seed);
        assert!(crate::audio::level_of(voice.iter().copied()) < 25);
        assert_eq!(keys(&heard(&voice)), "");
        assert_eq!(keys(&heard(&noise(20.0, 240_000, &mut seed))), "");
    }
}

/// A sum of tones that change with time.
fn tones(seconds: f64, amplitude: f64, hertz: impl Fn(f64) -> Vec<f64>) -> Vec<i16> {
    let mut phases = vec![0.0; 16];
    let sample = |at: usize| {
        let hertz = hertz(at as f64 / 8_000.0);
        let each = hertz.iter().zip(&mut phases).map(|(hz, phase)| {
            *phase += TAU * hz / 8_000.0;
            phase.sin()
        });
        (amplitude * each.sum::<f64>()) as i16
    };
    (0..(seconds * 8_000.0) as usize).map(sample).collect()
}

#[test]
fn nothing_is_heard_in_sweeps_chords_and_single_tones() {
    // One tone and two at different speeds through all that a telephone carries.
    for speed in [50.0, 200.0, 800.0, 3_000.0] {
        let seconds = 3_000.0 / speed;
        let up = |at: f64| 300.0 + speed * at;
        assert_eq!(keys(&heard(&tones(seconds, 8_000.0, |at| vec![up(at)]))), "");
        assert_eq!(
            keys(&heard(&tones(seconds, 8_000.0, |at| vec![up(at), 2.0 * up(at)]))),
            ""
        );
    }
    for hz in LOW.into_iter().chain(HIGH) {
        assert_eq!(keys(&heard(&tones(1.0, 8_000.0, |_| vec![f64::from(hz)]))), "");
    }
    // Chords of three notes with two overtones each, on all keys of two octaves of a piano.
    for shape in [[0, 4, 7], [0, 3, 7], [0, 5, 9], [0, 3, 6], [0, 4, 8]] {
        for root in 0..36 {
            let note = |step: i32| 130.81 * 2f64.powf(f64::from(root + step) / 12.0);
            let chord = |_| {
                shape
                    .iter()
                    .flat_map(|step| (1..=3).map(|over| note(*step) * f64::from(over)))
                    .collect()
            };
            let sound = tones(0.3, 2_500.0, chord);
            assert_eq!(keys(&heard(&sound)), "", "{shape:?} on {root}");
        }
    }
}

#[test]
fn a_voice_that_has_a_key_s_tones_is_given_away_by_their_harmonics() {
    let (low, high) = pair_of('*');
    let with = |above_low: f64, above_high: f64| {
        let wave = |hz: f64, at: usize| (TAU * hz * at as f64 / 8_000.0).sin();
        let sample = |at| {
            let above = above_low * wave(2.0 * low, at) + above_high * wave(2.0 * high, at);
            (6_000.0 * (wave(low, at) + wave(high, at) + above)) as i16
        };
        let samples: Vec<i16> = (0..800).map(sample).collect();
        keys(&heard(&samples))
    };
    assert_eq!(with(0.05, 0.05), "*");
    // Both tones are still nine tenths of all.
    assert_eq!((with(0.0, 0.25), with(0.55, 0.0)), (String::new(), String::new()));
}

#[test]
fn who_speaks_into_a_key_that_is_held_does_not_end_it() {
    let mut seed = 3;
    let telephone = Telephone::default();
    let mut pressed = telephone.key('6', 1_000.0);
    pressed.extend(telephone.silence(100.0));
    let mut voice: Vec<i16> = voice(1, &mut seed)
        .iter()
        .map(|sample| sample.saturating_mul(3))
        .collect();
    // After a beginning that has to be clear; not in the silence behind it.
    voice[..800].fill(0);
    voice.resize(pressed.len(), 0);
    assert_eq!(keys(&heard(&mixed(&pressed, &voice))), "6");
}

proptest! {
    /// Whatever is pressed, however loud, long and far apart, is heard once and in order.
    #[test]
    fn each_key_is_heard_once_and_in_order(
        pressed in proptest::collection::vec((0usize..16, 40.0..150.0, 40.0..150.0, 10.0..34.0, -7.0..3.5), 1..12),
        shift in 0.0..13.0,
    ) {
        let mut samples = Telephone::default().silence(shift);
        let mut expected = String::new();
        for (key, tone, pause, level, twist) in pressed {
            let key = ALL.chars().nth(key).unwrap();
            let telephone = Telephone { level, twist, ..Telephone::default() };
            samples.extend(telephone.key(key, tone));
            samples.extend(telephone.silence(pause));
            expected.push(key);
        }
        prop_assert_eq!(keys(&heard(&samples)), expected);
    }

    /// Whatever comes, in whatever pieces, beginnings and ends alternate.
    #[test]
    fn whatever_comes_each_beginning_has_its_end(frames in proptest::collection::vec((proptest::collection::vec(any::<i16>(), 0..400), any::<bool>(), any::<bool>()), 0..20)) {
        let mut detector = KeyDetector::default();
        let mut all = Vec::new();
        for (frame, is_made_up, is_key) in frames {
            let frame = if is_key { Telephone::default().key('3', 60.0) } else { frame };
            detector.samples(&frame, is_made_up, |sound| all.push(sound));
        }
        all.extend(detector.breaks_off());
        keys(&all);
    }
}
