//! Keys of a peer that are heard in two ways, as events and as sound: each is told once, in the order in which they began.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Key, ToneHeard};

/// A key of the one way that begins so long after one of the other way has ended is still the same.
const SAME: Duration = Duration::from_millis(200);
/// Keys that are remembered. Of those that are down there is one a way.
const REMEMBERED: usize = 16;

/// How a key was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// As an event in RTP.
    Event,
    /// In the sound.
    Sound,
}

/// The keys of a leg's peer. Whichever way tells of one first has it; the other way's is not told.
#[derive(Debug, Default)]
pub(crate) struct Presses {
    recent: VecDeque<Press>,
    last_sequence: u64,
}

#[derive(Debug)]
struct Press {
    heard: Heard,
    /// Its number among those that were heard so.
    number: u64,
    key: Key,
    /// Its number among all that were told, if it was.
    told: Option<u64>,
    /// It was heard the other way, too.
    is_paired: bool,
    ended: Option<Instant>,
}

impl Presses {
    /// Takes what was heard in one way, with its number there; gives what is told of it, with its number among all.
    pub(crate) fn hear(&mut self, heard: Heard, what: ToneHeard, now: Instant) -> Option<ToneHeard> {
        match what {
            ToneHeard::Started { key, sequence } => {
                let sequence = self.begin(heard, key, sequence, now)?;
                Some(ToneHeard::Started { key, sequence })
            }
            ToneHeard::Ended {
                key,
                duration,
                sequence,
                end_seen,
            } => {
                let sequence = self.end(heard, key, sequence, now)?;
                Some(ToneHeard::Ended {
                    key,
                    duration,
                    sequence,
                    end_seen,
                })
            }
        }
    }

    fn begin(&mut self, heard: Heard, key: Key, number: u64, now: Instant) -> Option<u64> {
        let is_recent = |ended: Instant| now.saturating_duration_since(ended) <= SAME;
        let is_same = |press: &&mut Press| {
            press.heard != heard && press.key == key && !press.is_paired && press.ended.is_none_or(is_recent)
        };
        let same = self.recent.iter_mut().find(is_same);
        let is_paired = same.is_some();
        if let Some(same) = same {
            same.is_paired = true;
        }
        let told = (!is_paired).then(|| {
            self.last_sequence += 1;
            self.last_sequence
        });
        self.remember(Press {
            heard,
            number,
            key,
            told,
            is_paired,
            ended: None,
        });
        told
    }

    fn end(&mut self, heard: Heard, key: Key, number: u64, now: Instant) -> Option<u64> {
        let is_it = |press: &Press| press.heard == heard && press.number == number;
        if !self.recent.iter().any(is_it) {
            // All of it came at once.
            self.begin(heard, key, number, now);
        }
        let press = self.recent.iter_mut().find(|press| is_it(press))?;
        press.ended = Some(now);
        press.told
    }

    fn remember(&mut self, press: Press) {
        if self.recent.len() >= REMEMBERED
            && let Some(oldest) = self.recent.iter().position(|press| press.ended.is_some())
        {
            self.recent.remove(oldest);
        }
        self.recent.push_back(press);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Keys that are told at their end, with their numbers, of steps: milliseconds, how it was heard, its number there, key, whether
    /// it begins.
    fn told(steps: &[(u64, Heard, u64, char, bool)]) -> Vec<(char, u64)> {
        let start = Instant::now();
        let mut presses = Presses::default();
        let mut told = Vec::new();
        for (at, heard, sequence, key, begins) in steps {
            let key = Key::of_character(*key).unwrap();
            let what = if *begins {
                ToneHeard::Started {
                    key,
                    sequence: *sequence,
                }
            } else {
                ToneHeard::Ended {
                    key,
                    duration: Duration::from_millis(80),
                    sequence: *sequence,
                    end_seen: true,
                }
            };
            let now = start + Duration::from_millis(*at);
            if let Some(ToneHeard::Ended { key, sequence, .. }) = presses.hear(*heard, what, now) {
                told.push((key.character(), sequence));
            }
        }
        told
    }

    use Heard::{Event, Sound};

    #[test]
    fn a_key_that_is_heard_both_ways_is_told_once_whichever_comes_first() {
        for (first, second) in [(Event, Sound), (Sound, Event)] {
            let steps = [
                (0, first, 1, '5', true),
                (40, second, 1, '5', true),
                (80, first, 1, '5', false),
                (120, second, 1, '5', false),
                // The one way is so late that the other has ended.
                (500, first, 2, '5', true),
                (580, first, 2, '5', false),
                (780, second, 2, '5', true),
                (860, second, 2, '5', false),
            ];
            assert_eq!(told(&steps), [('5', 1), ('5', 2)], "{first:?} first");
        }
    }

    #[test]
    fn a_key_that_is_heard_one_way_only_is_told() {
        let steps = [
            (0, Event, 1, '1', true),
            (80, Event, 1, '1', false),
            (300, Sound, 1, '1', true),
            (380, Sound, 1, '1', false),
            // Another one, though the same time.
            (390, Event, 2, '2', true),
            (400, Sound, 2, '3', true),
            (470, Event, 2, '2', false),
            (480, Sound, 2, '3', false),
            // All of it in one packet.
            (900, Event, 3, '4', false),
            (940, Sound, 3, '4', true),
            (980, Sound, 3, '4', false),
        ];
        assert_eq!(told(&steps), [('1', 1), ('1', 2), ('2', 3), ('3', 4), ('4', 5)]);
    }

    #[test]
    fn a_key_that_is_held_while_many_others_are_pressed_is_not_forgotten() {
        let mut steps = vec![(0, Sound, 1, '9', true)];
        for number in 1..40 {
            steps.extend([
                (number * 100, Event, number, '1', true),
                (number * 100 + 50, Event, number, '1', false),
            ]);
        }
        steps.push((5_000, Sound, 1, '9', false));
        assert_eq!(told(&steps).last(), Some(&('9', 1)));
    }

    proptest! {
        /// However fast one presses, and however much later the other way tells of it: each key once, in order.
        #[test]
        fn each_key_is_told_once_and_in_order(
            keys in proptest::collection::vec("[0-3]", 1..20),
            gaps in proptest::collection::vec(40u64..300, 20),
            later in 0u64..150,
            events_first in any::<bool>(),
        ) {
            let (first, second) = if events_first { (Event, Sound) } else { (Sound, Event) };
            let mut steps = Vec::new();
            let mut at = 0;
            for (number, (key, gap)) in (1..).zip(keys.iter().zip(&gaps)) {
                let key = key.chars().next().unwrap();
                for (heard, late) in [(first, 0), (second, later)] {
                    steps.push((at + late, heard, number, key, true));
                    steps.push((at + late + 40, heard, number, key, false));
                }
                at += 40 + gap;
            }
            steps.sort_by_key(|(at, ..)| *at);
            let told: String = told(&steps).iter().map(|(key, _)| *key).collect();
            prop_assert_eq!(told, keys.concat());
        }
    }
}
