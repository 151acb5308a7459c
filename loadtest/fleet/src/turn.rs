//! Whose turn it is on this machine: a cluster is several processes under load, and more of them than there are cores starve
//! each other until deadlines that a user would bear are missed.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The turns of this process: as many at a time as the machine has cores.
static TURNS: Turns = Turns::new();

/// The right to run one cluster; given back when it is dropped.
#[derive(Debug)]
#[must_use = "a turn that is dropped at once is over"]
pub struct Turn(&'static Turns);

impl Turn {
    /// Waits until fewer clusters run in this process than the machine has cores, in the order of asking.
    pub fn take() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        TURNS.take(cores);
        Self(&TURNS)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

#[derive(Debug)]
struct Turns {
    line: Mutex<Line>,
    moved: Condvar,
}

/// Who runs, and who waits.
#[derive(Debug)]
struct Line {
    running: usize,
    next: u64,
    waiting: VecDeque<u64>,
}

impl Turns {
    const fn new() -> Self {
        Self {
            line: Mutex::new(Line {
                running: 0,
                next: 0,
                waiting: VecDeque::new(),
            }),
            moved: Condvar::new(),
        }
    }

    fn take(&self, at_once: usize) {
        let mut line = self.line();
        let mine = line.next;
        line.next += 1;
        line.waiting.push_back(mine);
        while line.running >= at_once || line.waiting.front() != Some(&mine) {
            line = self.moved.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
        line.waiting.pop_front();
        line.running += 1;
        drop(line);
        // With several turns free, the next in the line may go, too.
        self.moved.notify_all();
    }

    fn give_back(&self) {
        self.line().running -= 1;
        self.moved.notify_all();
    }

    /// A test that failed is no reason for the others.
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_more_run_at_once_than_may_and_all_have_their_turn() {
        let turns = Turns::new();
        let (running, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        turns.take(3);
                        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                        turns.give_back();
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 3);
        assert_eq!(done.into_inner(), 16 * 50);
    }
}
