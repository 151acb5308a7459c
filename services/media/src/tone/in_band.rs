//! Keys of a telephone in the sound itself (ITU-T Q.23): two tones at once, one of four low and one of four high ones.
//!
//! What is taken for a key is as ITU-T Q.24 asks: 40 ms are enough and 20 are not, the two tones may differ by so much and no
//! more, each stands out of its group, and both together are nearly all that is heard. A voice seldom does that twice in a row,
//! and its second harmonics give it away. A break of 10 ms ends no key, a pause of 40 ms does.

use std::f32::consts::TAU;
use std::time::Duration;

use super::Key;

/// Samples a second.
pub(crate) const RATE: u32 = 8_000;
/// Samples of a block, 12.75 ms: any 40 ms have two whole blocks in them, and 20 ms cannot fill two.
const BLOCK: usize = 102;
const SAMPLES: f32 = 102.0;
const RATE_HERTZ: f32 = 8_000.0;
/// Blocks in a row that begin a key, or end it.
const IN_A_ROW: u32 = 2;

/// Hertz of the rows and columns of the keys.
const LOW: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const PAD: [[char; 4]; 4] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];

/// Mean square of the weakest tone that is heard: 45 dB below overload, 12 below what Q.24 asks of a receiver.
const WEAKEST: f32 = 32_768.0 * 32_768.0 * 3.162e-5;
/// The high tone may be weaker than the low one by 8 dB and stronger by 4, as lines make it; two decibels and one more, as much as a
/// block takes of the stronger one for the weaker.
const WEAKER: f32 = 10.0;
const STRONGER: f32 = 3.16;
/// A tone may be off by so much of its frequency; Q.24 wants 1.5 % taken and 3.5 % refused.
const OFF: f32 = 0.018;
/// Of all that is heard both tones are so much: two blocks that have so much of them have more than 20 ms. A block sees less of a
/// tone that is off, which is known only from two blocks.
const SHARE: f32 = 0.85;
const SEEN_SHARE: f32 = 0.6;
/// So much weaker is the second harmonic of a high tone, 15 dB, and that of a low one, 6 dB: high tones are near it, and where one is
/// nearer than a block can keep apart, in hertz, it is not looked at.
const HIGH_HARMONIC: f32 = 31.6;
const LOW_HARMONIC: f32 = 4.0;
const APART: f32 = 120.0;
/// A key that is down goes on while its tones are no more than 9 dB weaker than they were, and a third of all that is heard: so
/// much of a block is left of them by a break of 10 ms, however it lies.
const FADED: f32 = 8.0;
const STILL_SHARE: f32 = 0.3;

/// What is heard of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySound {
    /// It went down.
    Began(Key),
    /// It was let go.
    Ended {
        /// Which.
        key: Key,
        /// How long it was heard.
        duration: Duration,
        /// What came after it was heard; else nothing came any more.
        end_seen: bool,
    },
}

/// Finds keys in sound that comes in frames of any length.
#[derive(Debug)]
pub(crate) struct KeyDetector {
    block: [f32; BLOCK],
    filled: usize,
    /// Something in the block stands in for what was lost.
    is_doubtful: bool,
    /// What the last block was of which anything is known.
    last: Option<Found>,
    loss: Loss,
    current: Option<Current>,
}

/// What was lost since the last block of which anything is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    None,
    /// Something was, just before.
    Something,
    /// And one more block, in which the decoder found its way again.
    AndMore,
}

#[derive(Debug)]
struct Current {
    key: Key,
    /// How loud its tones were together.
    power: f32,
    /// Blocks from its beginning to where it was heard last, and since then.
    blocks: u32,
    since: u32,
    /// Of these so many were something else.
    others: u32,
}

impl Default for KeyDetector {
    fn default() -> Self {
        Self {
            block: [0.0; BLOCK],
            filled: 0,
            is_doubtful: false,
            last: None,
            loss: Loss::None,
            current: None,
        }
    }
}

impl KeyDetector {
    /// Takes samples. What is made up in place of lost ones neither begins a key nor ends it.
    pub(crate) fn samples(&mut self, samples: &[i16], is_made_up: bool, mut heard: impl FnMut(KeySound)) {
        for sample in samples {
            self.block[self.filled] = f32::from(*sample);
            self.filled += 1;
            self.is_doubtful |= is_made_up;
            if self.filled == BLOCK {
                self.filled = 0;
                self.whole_block(&mut heard);
            }
        }
    }

    /// Nothing comes any more, or what comes does not follow on what came.
    pub(crate) fn breaks_off(&mut self) -> Option<KeySound> {
        (self.filled, self.is_doubtful) = (0, false);
        (self.last, self.loss) = (None, Loss::None);
        self.end(false)
    }

    fn whole_block(&mut self, heard: &mut impl FnMut(KeySound)) {
        if let Some(current) = &mut self.current {
            current.since += 1;
        }
        let is_doubtful = std::mem::take(&mut self.is_doubtful);
        let found = if is_doubtful { None } else { found(&self.block) };
        self.loss = match self.loss {
            _ if is_doubtful => Loss::Something,
            Loss::Something if found.is_none() => Loss::AndMore,
            loss => return self.known(found, loss != Loss::None, heard),
        };
    }

    fn known(&mut self, found: Option<Found>, after_loss: bool, heard: &mut impl FnMut(KeySound)) {
        self.loss = Loss::None;
        let last = std::mem::replace(&mut self.last, found);
        if let Some(current) = &mut self.current {
            if current.goes_on(found, &self.block) {
                return;
            }
            current.others += 1;
            if current.others < IN_A_ROW {
                return;
            }
            if let Some(ended) = self.end(true) {
                heard(ended);
            }
        }
        if let (Some(last), Some(found)) = (last, found)
            && found.follows(&last, after_loss)
        {
            let key = found.key;
            self.current = Some(Current {
                key,
                power: found.power(),
                blocks: IN_A_ROW,
                since: 0,
                others: 0,
            });
            heard(KeySound::Began(key));
        }
    }

    fn end(&mut self, end_seen: bool) -> Option<KeySound> {
        let current = self.current.take()?;
        let samples = u64::from(current.blocks) * BLOCK as u64;
        Some(KeySound::Ended {
            key: current.key,
            duration: Duration::from_micros(samples * 1_000_000 / u64::from(RATE)),
            end_seen,
        })
    }
}

impl Current {
    /// Whether a block still has the key in it. Once it is down less is enough: a break, or somebody who speaks, ends it only when
    /// it lasts.
    fn goes_on(&mut self, found: Option<Found>, block: &[f32; BLOCK]) -> bool {
        match found {
            Some(found) if found.key == self.key => self.power = self.power.max(found.power()),
            Some(_) => return false,
            None => {
                let power = sum(&waves(block, hertz_of(self.key)));
                if power * FADED < self.power || power < STILL_SHARE * mean_square(block) {
                    return false;
                }
            }
        }
        self.blocks += std::mem::take(&mut self.since);
        self.others = 0;
        true
    }
}

/// A key that a block may have.
#[derive(Debug, Clone, Copy)]
struct Found {
    key: Key,
    tones: [Wave; 2],
    /// Mean square of all that is heard.
    whole: f32,
}

impl Found {
    fn power(&self) -> f32 {
        sum(&self.tones)
    }

    /// Whether the block after another one has the same key, by what both together tell of its tones. Over a loss nobody knows how
    /// they turned.
    fn follows(&self, last: &Self, after_loss: bool) -> bool {
        if after_loss {
            return self.key == last.key && [self, last].iter().any(|found| found.is_key([0.0; 2]));
        }
        let [low, high] = hertz_of(self.key);
        let off = [
            self.tones[0].off_since(last.tones[0], low),
            self.tones[1].off_since(last.tones[1], high),
        ];
        let has_frequencies = off[0].abs() <= OFF * low && off[1].abs() <= OFF * high;
        self.key == last.key && has_frequencies && [self, last].iter().all(|found| found.is_key(off))
    }

    /// Whether both tones, which are off by so many hertz, are a key's.
    fn is_key(&self, off: [f32; 2]) -> bool {
        let [low, high] = [0, 1].map(|tone| self.tones[tone].power() / seen(off[tone]));
        low <= WEAKER * high && high <= STRONGER * low && low + high >= SHARE * self.whole
    }
}

/// How much a block sees of a tone that is off by so many hertz.
fn seen(off: f32) -> f32 {
    let half_turns = TAU / 2.0 * off * SAMPLES / RATE_HERTZ;
    if half_turns.abs() < 0.01 {
        1.0
    } else {
        (half_turns.sin() / half_turns).powi(2)
    }
}

/// What a block may have by itself.
fn found(block: &[f32; BLOCK]) -> Option<Found> {
    let whole = mean_square(block);
    if whole < 2.0 * WEAKEST {
        return None;
    }
    let (row, low_tone) = loudest(waves(block, LOW))?;
    let (column, high_tone) = loudest(waves(block, HIGH))?;
    let (low, high) = (low_tone.power(), high_tone.power());
    if low.min(high) < WEAKEST || low + high < SEEN_SHARE * whole {
        return None;
    }
    let [of_low, of_high] = waves(block, [2.0 * LOW[row], 2.0 * HIGH[column]]).map(Wave::power);
    let is_apart = (2.0 * LOW[row] - HIGH[column]).abs() > APART;
    let is_voice = is_apart && of_low * LOW_HARMONIC > low || of_high * HIGH_HARMONIC > high;
    let key = Key::of_character(PAD[row][column]).filter(|_| !is_voice)?;
    let tones = [low_tone, high_tone];
    Some(Found { key, tones, whole })
}

/// The loudest tone of a group.
fn loudest(tones: [Wave; 4]) -> Option<(usize, Wave)> {
    let tones = tones.into_iter().enumerate();
    tones.max_by(|one, other| one.1.power().total_cmp(&other.1.power()))
}

/// Hertz of the tones of a key.
fn hertz_of(key: Key) -> [f32; 2] {
    let character = key.character();
    let place = |row: &[char; 4]| row.iter().position(|known| *known == character);
    let mut places = PAD
        .iter()
        .zip(LOW)
        .filter_map(|(row, low)| Some([low, HIGH[place(row)?]]));
    places.next().unwrap_or_default()
}

/// How a frequency sounds in a block: its length is the root of half of its mean square, its angle the one of its last sample.
#[derive(Debug, Clone, Copy)]
struct Wave {
    real: f32,
    imaginary: f32,
}

impl Wave {
    /// Mean square of the tone.
    fn power(self) -> f32 {
        2.0 * (self.real * self.real + self.imaginary * self.imaginary)
    }

    /// By how many hertz the tone is off this frequency, as it turned since the block before; as good as half a turn, 39 Hz.
    fn off_since(self, before: Self, hertz: f32) -> f32 {
        let turned = self.angle() - before.angle() - angle_of(hertz) * SAMPLES;
        let turns = turned / TAU;
        (turns - turns.round()) * RATE_HERTZ / SAMPLES
    }

    fn angle(self) -> f32 {
        self.imaginary.atan2(self.real)
    }
}

fn sum(tones: &[Wave]) -> f32 {
    tones.iter().map(|tone| tone.power()).sum()
}

/// By how much a frequency turns from one sample to the next.
fn angle_of(hertz: f32) -> f32 {
    TAU * hertz / RATE_HERTZ
}

/// How these frequencies sound in a block (Goertzel).
fn waves<const N: usize>(block: &[f32; BLOCK], hertz: [f32; N]) -> [Wave; N] {
    let angles = hertz.map(angle_of);
    let factors = angles.map(|angle| 2.0 * angle.cos());
    let (mut last, mut before) = ([0.0; N], [0.0; N]);
    for sample in block {
        for tone in 0..N {
            let next = sample + factors[tone] * last[tone] - before[tone];
            (before[tone], last[tone]) = (last[tone], next);
        }
    }
    std::array::from_fn(|tone| Wave {
        real: (last[tone] - before[tone] * factors[tone] / 2.0) / SAMPLES,
        imaginary: before[tone] * angles[tone].sin() / SAMPLES,
    })
}

fn mean_square(block: &[f32; BLOCK]) -> f32 {
    block.iter().map(|sample| sample * sample).sum::<f32>() / SAMPLES
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests;
