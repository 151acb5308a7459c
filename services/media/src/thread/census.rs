//! How the legs of a thread stand. Written by the thread, read by anybody.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::leg::{Mode, Standing};

const MODES: usize = Mode::ALL.len();

/// Legs by how they stand.
#[derive(Debug, Default)]
pub struct Census([AtomicU64; 2 * MODES]);

impl Census {
    /// A leg stands otherwise than before; `None` for one that is not there yet, or not any more.
    pub(super) fn changes(&self, before: Option<Standing>, after: Option<Standing>) {
        if let Some(after) = after {
            self.of(after).fetch_add(1, Ordering::Relaxed);
        }
        if let Some(before) = before {
            self.of(before).fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Legs that stand so.
    pub fn count(&self, standing: Standing) -> u64 {
        self.of(standing).load(Ordering::Relaxed)
    }

    fn of(&self, standing: Standing) -> &AtomicU64 {
        &self.0[usize::from(standing.is_connected) * MODES + standing.mode as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_is_counted_where_it_stands_and_nowhere_else() {
        let census = Census::default();
        let stands = |is_connected, mode| Standing { is_connected, mode };
        let all = || {
            Mode::ALL
                .iter()
                .flat_map(|mode| [stands(false, *mode), stands(true, *mode)])
        };
        let (before, after) = (stands(false, Mode::Plain), stands(true, Mode::Live));
        census.changes(None, Some(before));
        census.changes(None, Some(before));
        census.changes(Some(before), Some(after));
        for standing in all() {
            let expected = u64::from(standing == before) + u64::from(standing == after);
            assert_eq!(census.count(standing), expected, "{standing:?}");
        }
        census.changes(Some(before), None);
        census.changes(Some(after), None);
        assert_eq!(all().map(|standing| census.count(standing)).sum::<u64>(), 0);
    }
}
