//! What the kit offers to a running turn.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{FutureExt, LocalBoxFuture, ready};

use crate::logic::{KeptStep, Partial, Port, PortError, StoredState, UserSnapshot};

/// What happened during one run of a turn, outside its transaction.
#[derive(Debug, Default)]
pub(super) struct During {
    pub(super) kept: Vec<KeptStep>,
    pub(super) sent_now: Vec<(String, Bytes)>,
    pub(super) typing: usize,
    pub(super) partials: Vec<Partial>,
}

pub(super) struct KitPort {
    pub(super) during: Arc<Mutex<During>>,
    pub(super) users: BTreeMap<(String, String), StoredState>,
    /// Partial texts that still get through before the user presses Stop.
    pub(super) stop_after: Option<usize>,
    pub(super) next_id: u64,
}

impl KitPort {
    fn note(&self, change: impl FnOnce(&mut During)) {
        change(&mut self.during.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Port for KitPort {
    fn keep_step(&mut self, step: KeptStep) -> LocalBoxFuture<'_, Result<(), PortError>> {
        self.note(|during| during.kept.push(step));
        ready(Ok(())).boxed_local()
    }

    fn send_now(&mut self, activity: Bytes) -> LocalBoxFuture<'_, Result<String, PortError>> {
        let id = self.next_id.to_string();
        self.next_id += 1;
        self.note(|during| during.sent_now.push((id.clone(), activity)));
        ready(Ok(id)).boxed_local()
    }

    fn typing(&mut self) {
        self.note(|during| during.typing += 1);
    }

    fn partial(&mut self, _: &str, part: Partial) -> Result<(), PortError> {
        if let Some(left) = &mut self.stop_after
            && matches!(part, Partial::Text(_))
        {
            *left = left.checked_sub(1).ok_or(PortError::Stopped)?;
        }
        self.note(|during| during.partials.push(part));
        Ok(())
    }

    fn user<'a>(&'a mut self, person: &'a str, name: &'a str) -> LocalBoxFuture<'a, Result<UserSnapshot, PortError>> {
        let state = self.users.get(&(name.to_owned(), person.to_owned())).cloned();
        ready(Ok(UserSnapshot {
            state,
            pending: Vec::new(),
        }))
        .boxed_local()
    }

    fn blocking(&mut self, work: Box<dyn FnOnce() + Send>) -> LocalBoxFuture<'_, Result<(), PortError>> {
        work();
        ready(Ok(())).boxed_local()
    }

    fn remaining(&self) -> Duration {
        Duration::from_secs(120)
    }
}
