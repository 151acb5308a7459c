//! Whether this process wants work.

use std::sync::{Arc, Mutex, PoisonError};

/// What a part of the process says of itself: `Ok`, or why it wants no work now.
type Check = Box<dyn Fn() -> Result<(), String> + Send>;

/// Readiness of a process. Clones share it.
///
/// Liveness is not here: a process that answers at all is alive, and restarting one whose store is away helps nobody.
#[derive(Clone, Default)]
pub struct Health {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_started: bool,
    is_stopping: bool,
    checks: Vec<(&'static str, Check)>,
}

impl Health {
    /// Asks this part at every look.
    pub fn watch(&self, part: &'static str, check: impl Fn() -> Result<(), String> + Send + 'static) {
        self.lock().checks.push((part, Box::new(check)));
    }

    /// All parts have started.
    pub fn started(&self) {
        self.lock().is_started = true;
    }

    /// The process is about to end: send it nothing more.
    pub fn stopping(&self) {
        self.lock().is_stopping = true;
    }

    /// Every reason not to send work here; none when the process is ready.
    pub fn reasons(&self) -> Vec<String> {
        let state = self.lock();
        if state.is_stopping {
            return vec!["stopping".to_owned()];
        }
        if !state.is_started {
            return vec!["starting".to_owned()];
        }
        state
            .checks
            .iter()
            .filter_map(|(part, check)| check().err().map(|reason| format!("{part}: {reason}")))
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Health")
            .field("reasons", &self.reasons())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Health;

    #[test]
    fn a_process_is_ready_between_start_and_stop_while_all_parts_are() {
        let health = Health::default();
        assert_eq!(health.reasons(), ["starting"]);
        health.started();
        assert!(health.reasons().is_empty());
        health.watch("store", || Err("does not answer".to_owned()));
        assert_eq!(health.reasons(), ["store: does not answer"]);
        health.stopping();
        assert_eq!(health.reasons(), ["stopping"]);
    }
}
