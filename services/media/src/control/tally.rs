//! What happened to the legs of a host since its start, in numbers. Written by anybody, read at each scrape.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Alarm, Happening, Seen, Setups};
use crate::codec::PACKET_MILLISECONDS;
use crate::leg::{EndReason, LegEvent};

/// Counters.
#[derive(Debug, Default)]
pub struct Tally {
    ended: [AtomicU64; EndReason::ALL.len()],
    moved: AtomicU64,
    fenced: AtomicU64,
    recordings_failed: AtomicU64,
    gap_packets: AtomicU64,
    answers: AtomicU64,
    alarms: [AtomicU64; Alarm::ALL.len()],
    setups: Setups,
    /// By HTTP status: a server has few.
    requests: Mutex<BTreeMap<u16, u64>>,
}

impl Tally {
    pub(super) fn happened(&self, event: &Happening) {
        let counter = match event {
            Happening::Leg(LegEvent::Ended(reason)) => {
                let place = EndReason::ALL.iter().position(|known| known == reason);
                place.map(|place| (&self.ended[place], 1))
            }
            Happening::Leg(LegEvent::Moved { .. }) => Some((&self.moved, 1)),
            Happening::Leg(LegEvent::RecordingGap { packets, .. }) => Some((&self.gap_packets, u64::from(*packets))),
            Happening::RecordingEnded { result: Err(_), .. } => Some((&self.recordings_failed, 1)),
            Happening::Answered { .. } => Some((&self.answers, 1)),
            Happening::Seen(Seen::Alarm(alarm, true)) => Some((&self.alarms[*alarm as usize], 1)),
            _ => None,
        };
        if let Some((counter, by)) = counter {
            counter.fetch_add(by, Ordering::Relaxed);
        }
    }

    pub(super) fn fenced_one(&self) {
        self.fenced.fetch_add(1, Ordering::Relaxed);
    }

    /// A request of a peer was answered with this status.
    pub(crate) fn requested(&self, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry(status).or_default() += 1;
    }

    /// Legs that ended, by reason; each reason is there.
    pub fn ended(&self) -> impl Iterator<Item = (EndReason, u64)> {
        let counts = self.ended.iter().map(|count| count.load(Ordering::Relaxed));
        EndReason::ALL.into_iter().zip(counts)
    }

    /// Times that a peer's address changed.
    pub fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Commands of owners that were no more.
    pub fn fenced(&self) -> u64 {
        self.fenced.load(Ordering::Relaxed)
    }

    /// Directions of recordings that were given up.
    pub fn recordings_failed(&self) -> u64 {
        self.recordings_failed.load(Ordering::Relaxed)
    }

    /// Sound that is missing in recordings because the recorder was slow.
    pub fn recording_gaps(&self) -> Duration {
        let packets = self.gap_packets.load(Ordering::Relaxed);
        Duration::from_millis(packets.saturating_mul(u64::from(PACKET_MILLISECONDS)))
    }

    /// Answers whose recording ended, kept or not.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Alarms that were raised, by kind; each kind is there.
    pub fn alarms(&self) -> impl Iterator<Item = (Alarm, u64)> {
        let counts = self.alarms.iter().map(|count| count.load(Ordering::Relaxed));
        Alarm::ALL.into_iter().zip(counts)
    }

    /// How long set-ups took.
    pub fn setups(&self) -> &Setups {
        &self.setups
    }

    /// Packets that are missing in recordings because the recorder was slow.
    pub fn gap_packets(&self) -> u64 {
        self.gap_packets.load(Ordering::Relaxed)
    }

    /// Requests that were refused because of their token.
    pub fn unauthorised(&self) -> u64 {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.get(&401).copied().unwrap_or_default()
    }

    /// Requests of peers by status.
    pub fn requests(&self) -> Vec<(u16, u64)> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().map(|(status, count)| (*status, *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_is_counted_under_its_name() {
        let tally = Tally::default();
        tally.happened(&Happening::Leg(LegEvent::Ended(EndReason::PeerHungUp)));
        tally.happened(&Happening::Leg(LegEvent::Connected));
        tally.happened(&Happening::RecordingEnded {
            operation: 1,
            direction: "sent",
            result: Err("the disk is full".to_owned()),
        });
        tally.requested(201);
        tally.requested(201);
        let ended: Vec<_> = tally.ended().filter(|(_, count)| *count > 0).collect();
        assert_eq!(ended, [(EndReason::PeerHungUp, 1)]);
        assert_eq!(tally.ended().count(), EndReason::ALL.len());
        assert_eq!(
            (tally.recordings_failed(), tally.moved(), tally.requests()),
            (1, 0, vec![(201, 2)])
        );
    }
}
