//! What is to come in a simulated world, and chance: both from one seed, so that a seed is a history.

use std::collections::BTreeMap;

/// Things to come, each at its time, in the order in which they were planned where that is the same. Times are milliseconds since the
/// world's beginning.
pub(in crate::conversation) struct Schedule<H> {
    pub(in crate::conversation) now: u64,
    planned: u64,
    random: u64,
    to_come: BTreeMap<(u64, u64), H>,
}

impl<H> Schedule<H> {
    pub(in crate::conversation) fn of_seed(seed: u64) -> Self {
        Self {
            now: 0,
            planned: 0,
            random: seed.wrapping_mul(0x2545_F491_4F6C_DD1D) | 1,
            to_come: BTreeMap::new(),
        }
    }

    /// A number by chance, from 0 to before `bound`.
    pub(in crate::conversation) fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound
    }

    /// Something happens after so long.
    pub(in crate::conversation) fn later(&mut self, wait: u64, happening: H) {
        let number = self.next_number();
        self.to_come.insert((self.now + wait, number), happening);
    }

    /// A number that nothing else has.
    pub(in crate::conversation) fn next_number(&mut self) -> u64 {
        self.planned += 1;
        self.planned
    }

    /// Lets time pass to what happens next; `None` if nothing does until `end`.
    pub(in crate::conversation) fn next(&mut self, end: u64) -> Option<H> {
        let ((at, _), happening) = self.to_come.pop_first()?;
        if at > end {
            return None;
        }
        self.now = self.now.max(at);
        Some(happening)
    }
}
