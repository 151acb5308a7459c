//! What must hold when the world has come to rest.

use std::collections::BTreeSet;

use super::bot::{is_told, numbers_of};
use super::world::{ACTIVITIES, CALLERS, World};
use crate::record::{Accepted, Record};

impl World {
    /// The promises.
    pub(crate) fn check(&self) {
        let seed = self.seed;
        let record = self
            .store
            .record
            .as_ref()
            .map(|stored| Record::read(stored, None).unwrap().1);
        let record = record.unwrap_or_else(|| panic!("seed {seed}: nothing was stored"));
        let applied = numbers_of(record.state.as_ref().map(|state| &state.bytes));
        let parked: BTreeSet<u64> = self.parked();
        for caller in 0..CALLERS {
            assert_eq!(
                self.at[&caller], ACTIVITIES,
                "seed {seed}: caller {caller} was not served, state {applied:?}"
            );
            let of_caller: Vec<u64> = applied
                .iter()
                .copied()
                .filter(|number| number % CALLERS == caller)
                .collect();
            assert!(of_caller.is_sorted(), "seed {seed}: order was not kept: {of_caller:?}");
        }
        for number in &self.acknowledged {
            let times = applied.iter().filter(|applied| *applied == number).count();
            let expected = usize::from(!parked.contains(number) && !is_told(*number));
            assert_eq!(
                times, expected,
                "seed {seed}: activity {number} was applied {times} times, state {applied:?}, parked {parked:?}"
            );
        }
        assert!(record.outbox.is_empty(), "seed {seed}: the outbox was not emptied");
        let first_sends = first_of_each(&self.sent);
        let expected: Vec<u64> = first_sends
            .iter()
            .copied()
            .filter(|number| applied.contains(number))
            .collect();
        assert_eq!(expected, applied, "seed {seed}: replies were lost or sent out of order");
        // Steps of a parked turn stay for whoever runs it again.
        let is_of_parked = |field: &str| {
            parked
                .iter()
                .any(|number| field.starts_with(&format!("s:{:016x}:", number + 1)))
        };
        let left: Vec<&String> = self.store.inbox.keys().filter(|field| !is_of_parked(field)).collect();
        assert_eq!(
            left.len(),
            parked.len(),
            "seed {seed}: the inbox was not emptied: {left:?}, parked {parked:?}"
        );
        assert_eq!(self.store.wake, None, "seed {seed}: something is said to be due");
        assert!(self.core.is_quiet(), "seed {seed}: the actor does not come to rest");
    }

    fn parked(&self) -> BTreeSet<u64> {
        let entries = self.store.inbox.iter().filter(|(field, _)| !field.starts_with("s:"));
        let parked = entries
            .map(|(_, bytes)| Accepted::read(bytes).unwrap())
            .filter(|entry| entry.is_parked);
        parked.map(|entry| entry.repeat_key.unwrap() - 1).collect()
    }
}

fn first_of_each(sent: &[u64]) -> Vec<u64> {
    let mut seen = BTreeSet::new();
    sent.iter().copied().filter(|number| seen.insert(*number)).collect()
}
