//! Where the audio of a leg is recorded to.

use std::time::Instant;

use bytes::Bytes;

use super::{LegEvent, Out};
use crate::codecs::Mixing;
use crate::record::Taken;
use crate::record::{Direction, Tap};

/// The taps of a leg: one a direction, and one of both.
#[derive(Debug, Default)]
pub(super) struct Taps {
    received: Option<Tap>,
    sent: Option<Tap>,
    mixed: Option<Mixing>,
}

impl Taps {
    /// A new tap takes the place of the one before, which ends.
    pub(super) fn set(&mut self, tap: Tap) {
        let direction = tap.direction;
        *self.of(direction) = Some(tap);
    }

    /// Another one of both directions takes the place of the one before, which ends.
    pub(super) fn mix(&mut self, mixing: Mixing) {
        self.mixed = Some(mixing);
    }

    /// Ends an operation; `false` if nothing is recorded under it. Without an operation everything ends.
    pub(super) fn stop(&mut self, operation: Option<u64>) -> bool {
        let Some(operation) = operation else {
            self.clear();
            return true;
        };
        let mut is_stopped = self.mixed.take_if(|mixed| mixed.operation == operation).is_some();
        for tap in [&mut self.received, &mut self.sent] {
            is_stopped |= tap.take_if(|tap| tap.operation == operation).is_some();
        }
        is_stopped
    }

    /// The leg has ended, so have its recordings.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Records a packet, if its direction is recorded.
    pub(super) fn take(
        &mut self,
        direction: Direction,
        payload: &Bytes,
        (timestamp, source): (u32, u32),
        now: Instant,
        out: &mut Out,
    ) {
        if let Some(mixed) = &mut self.mixed {
            let operation = mixed.operation;
            let taken = mixed.take(direction, payload.clone(), (timestamp, source), now);
            if tell(taken, operation, Direction::Mixed, out) {
                self.mixed = None;
            }
        }
        let place = self.of(direction);
        let Some(tap) = place else { return };
        let operation = tap.operation;
        let taken = tap.take(payload.clone(), timestamp, source, now);
        if tell(taken, operation, direction, out) {
            *place = None;
        }
    }

    fn of(&mut self, direction: Direction) -> &mut Option<Tap> {
        match direction {
            // An answer has its place in the leg's queue, what is mixed has one of its own.
            Direction::Received | Direction::Answer | Direction::Mixed => &mut self.received,
            Direction::Sent => &mut self.sent,
        }
    }
}

/// Tells of what a recording lacks; `true` when it was given up.
fn tell(taken: Taken, operation: u64, direction: Direction, out: &mut Out) -> bool {
    match taken {
        Taken::Yes | Taken::Dropped => {}
        Taken::AfterGap(packets) => out.event(LegEvent::RecordingGap {
            operation,
            direction,
            packets,
        }),
        Taken::Failed => out.event(LegEvent::RecordingFailed { operation, direction }),
    }
    taken == Taken::Failed
}
