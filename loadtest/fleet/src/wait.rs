//! Waiting for a condition, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// What every wait ends at.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again until there is an answer.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {} s for {what}", PATIENCE.as_secs());
        thread::sleep(Duration::from_millis(10));
    }
}
