//! What must hold when the world has come to rest. What must hold at each commit is checked by the store.

use std::collections::BTreeSet;

use super::bot::{is_told, timer_of};
use super::store::number_in;
use super::world::{ACTIVITIES, CALLERS, KILLER, World};

impl World {
    /// The promises.
    pub(crate) fn check(&self) {
        let seed = self.seed;
        let record = self
            .store
            .primary
            .record()
            .unwrap_or_else(|| panic!("seed {seed}: nothing was stored"));
        let applied = self.store.primary.applied();
        let parked = self.parked();
        self.check_callers(&applied);
        for number in &self.acknowledged {
            let is_expected = !parked.contains(number) && !is_told(*number);
            self.check_once(*number, is_expected, &applied);
        }
        for timer in applied.iter().filter_map(|number| timer_of(*number)) {
            self.check_once(timer, !parked.contains(&timer), &applied);
        }
        assert!(record.outbox.is_empty(), "seed {seed}: the outbox was not emptied");
        assert!(record.timers.is_empty(), "seed {seed}: a timer has not come");
        self.check_replies(&applied);
        self.check_inbox(&parked);
        assert_eq!(
            self.store.primary.wake, None,
            "seed {seed}: something is said to be due"
        );
        assert_eq!(
            self.store.primary.parked.is_some(),
            !parked.is_empty(),
            "seed {seed}: the index of parked work does not fit {parked:?}"
        );
        let is_quiet = self.serving().is_some_and(|owner| owner.core.is_quiet());
        assert!(is_quiet, "seed {seed}: the actor does not come to rest");
        if !self.faults.failovers {
            assert!(
                self.killed <= 3,
                "seed {seed}: activity {KILLER} killed {} processes",
                self.killed
            );
        }
    }

    fn check_callers(&self, applied: &[u64]) {
        let seed = self.seed;
        for caller in 0..CALLERS {
            assert_eq!(
                self.at[&caller], ACTIVITIES,
                "seed {seed}: caller {caller} was not served, state {applied:?}"
            );
            let of_caller: Vec<u64> = applied
                .iter()
                .copied()
                .filter(|number| *number < ACTIVITIES * CALLERS && number % CALLERS == caller)
                .collect();
            // What a failover lost comes back behind what was not lost.
            assert!(
                of_caller.is_sorted() || self.faults.failovers,
                "seed {seed}: order was not kept: {of_caller:?}"
            );
        }
    }

    /// Once, or not at all where the store lost it.
    fn check_once(&self, number: u64, is_expected: bool, applied: &[u64]) {
        let times = applied.iter().filter(|applied| **applied == number).count();
        let may_lack = self.store.lost.contains(&number);
        assert!(
            times == usize::from(is_expected) || (may_lack && times == 0),
            "seed {}: {number} was applied {times} times, state {applied:?}, parked {:?}, lost {:?}",
            self.seed,
            self.parked(),
            self.store.lost
        );
    }

    fn check_replies(&self, applied: &[u64]) {
        let seed = self.seed;
        if self.faults.failovers {
            let sent: BTreeSet<u64> = self.sent.iter().copied().collect();
            assert!(
                applied.iter().all(|number| sent.contains(number)),
                "seed {seed}: replies were lost"
            );
            return;
        }
        let replies = first_of_each(&self.sent);
        let replies: Vec<u64> = replies.into_iter().filter(|number| applied.contains(number)).collect();
        assert_eq!(replies, applied, "seed {seed}: replies were lost or sent out of order");
    }

    /// Only parked work stays, and its steps for whoever runs it again.
    fn check_inbox(&self, parked: &BTreeSet<u64>) {
        let seed = self.seed;
        let inbox = &self.store.primary.inbox;
        let notes: Vec<&String> = inbox.keys().filter(|field| field.starts_with("r:")).collect();
        assert!(notes.is_empty(), "seed {seed}: notes of runs were left: {notes:?}");
        let mut may_be_left = parked.clone();
        // A late copy that came between a failover and the owner's next commit put back what the store had lost; the next
        // load finds it.
        may_be_left.extend(&self.store.lost);
        let left: Vec<_> = self
            .store
            .primary
            .entries()
            .filter(|entry| number_in(entry).is_none_or(|number| !may_be_left.contains(&number)))
            .collect();
        assert!(left.is_empty(), "seed {seed}: the inbox was not emptied: {left:?}");
        let is_expected = |field: &&String| {
            let key = |number: &u64| format!("s:{:016x}:", number + 1);
            may_be_left
                .iter()
                .any(|number| *number >= 1_000 || field.starts_with(&key(number)))
        };
        let steps: Vec<&String> = inbox.keys().filter(|field| field.starts_with("s:")).collect();
        assert!(steps.iter().all(is_expected), "seed {seed}: steps were left: {steps:?}");
    }

    fn parked(&self) -> BTreeSet<u64> {
        let entries = self.store.primary.entries();
        let parked = entries.filter(|entry| entry.is_parked);
        parked.filter_map(|entry| number_in(&entry)).collect()
    }
}

fn first_of_each(sent: &[u64]) -> Vec<u64> {
    let mut seen = BTreeSet::new();
    sent.iter().copied().filter(|number| seen.insert(*number)).collect()
}
