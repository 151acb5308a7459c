//! Tones that we send (RFC 4733 section 2.5.1): 100 ms, then a pause of 80 ms, in steps of 20 ms.

use std::collections::VecDeque;

use super::Key;

/// Packets of a tone.
const TONE_STEPS: u32 = 5;
/// The last one is sent thrice: its repeats are in the pause.
const REPEATS: u32 = 2;
const PAUSE_STEPS: u32 = 4;
/// Volume in decibels below the reference, as telephones send it.
const VOLUME: u8 = 10;
/// Tones that may wait.
const QUEUE: usize = 128;

/// What a step of 20 ms sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToneStep {
    /// A packet of a tone that began some steps ago.
    Packet { payload: [u8; 4], marker: bool, began: u32 },
    /// Nothing: the pause.
    Pause,
    /// The last pause of an operation is over; nothing was sent.
    Finished { operation: u64 },
}

/// The sending half of a leg's tones.
#[derive(Debug, Default)]
pub(crate) struct ToneSender {
    queue: VecDeque<(u64, Key, bool)>,
    step: u32,
}

impl ToneSender {
    /// Adds tones of an operation; `false` if there is no room.
    pub(crate) fn add(&mut self, operation: u64, keys: &[Key]) -> bool {
        if keys.is_empty() || self.queue.len() + keys.len() > QUEUE {
            return false;
        }
        let last = keys.len() - 1;
        let tones = keys
            .iter()
            .enumerate()
            .map(|(index, key)| (operation, *key, index == last));
        self.queue.extend(tones);
        true
    }

    pub(crate) fn is_sending(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The next step; `None` when there is nothing to send. `ticks` is the length of a step in units of durations.
    pub(crate) fn step(&mut self, ticks: u32) -> Option<ToneStep> {
        let (operation, key, is_last) = *self.queue.front()?;
        let step = self.step;
        self.step += 1;
        if step < TONE_STEPS + REPEATS {
            let is_end = step >= TONE_STEPS - 1;
            let duration = (step + 1).min(TONE_STEPS) * ticks;
            let [high, low] = u16::try_from(duration).unwrap_or(u16::MAX).to_be_bytes();
            return Some(ToneStep::Packet {
                payload: [key.event(), u8::from(is_end) << 7 | VOLUME, high, low],
                marker: step == 0,
                began: step,
            });
        }
        if step < TONE_STEPS + PAUSE_STEPS {
            return Some(ToneStep::Pause);
        }
        self.queue.pop_front();
        self.step = 0;
        if is_last {
            return Some(ToneStep::Finished { operation });
        }
        self.step(ticks)
    }

    /// Operations that are not finished.
    pub(crate) fn take_operations(&mut self) -> Vec<u64> {
        let mut operations: Vec<_> = self.queue.drain(..).map(|(operation, ..)| operation).collect();
        operations.dedup();
        operations
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_sent_as_the_standard_asks() {
        let mut sender = ToneSender::default();
        assert!(sender.add(3, &Key::all_of("5#").unwrap()));
        let mut durations = Vec::new();
        let mut ends = 0;
        let mut pauses = 0;
        let mut markers = 0;
        loop {
            match sender.step(160).expect("not finished") {
                ToneStep::Packet { payload, marker, .. } => {
                    durations.push(u16::from_be_bytes([payload[2], payload[3]]));
                    ends += u32::from(payload[1] >> 7);
                    markers += u32::from(marker);
                }
                ToneStep::Pause => pauses += 1,
                ToneStep::Finished { operation } => {
                    assert_eq!(operation, 3);
                    break;
                }
            }
        }
        assert_eq!(durations[..7], [160, 320, 480, 640, 800, 800, 800]);
        assert_eq!((durations.len(), ends, pauses, markers), (14, 6, 4, 2));
        assert!(!sender.is_sending());
    }

    #[test]
    fn what_is_no_key_is_no_tone() {
        assert_eq!(Key::all_of("12x"), None);
        assert!(!ToneSender::default().add(1, &[]));
    }
}
