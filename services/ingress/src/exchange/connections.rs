//! The workers that there are connections to: a set that changes, with a look-up by index.

use super::connection::{Connection, Stream};

/// Place of a worker's connection. It is given out again when the connection is gone; the generation that goes with every
/// event tells an old one from its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerIndex(pub(super) usize);

impl WorkerIndex {
    /// The place as a number from 0 on: for tables of whoever owns the sockets.
    pub fn place(self) -> usize {
        self.0
    }
}

#[derive(Debug, Default)]
pub(super) struct Connections {
    slots: Vec<Option<Connection>>,
    free: Vec<usize>,
}

impl Connections {
    pub(super) fn insert(&mut self, connection: Connection) -> WorkerIndex {
        if let Some(place) = self.free.pop() {
            self.slots[place] = Some(connection);
            return WorkerIndex(place);
        }
        self.slots.push(Some(connection));
        WorkerIndex(self.slots.len() - 1)
    }

    pub(super) fn remove(&mut self, worker: WorkerIndex) -> Option<Connection> {
        let removed = self.slots.get_mut(worker.0)?.take();
        if removed.is_some() {
            self.free.push(worker.0);
        }
        removed
    }

    pub(super) fn get(&self, worker: WorkerIndex) -> Option<&Connection> {
        self.slots.get(worker.0)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, worker: WorkerIndex) -> Option<&mut Connection> {
        self.slots.get_mut(worker.0)?.as_mut()
    }

    /// The stream of a worker, if one is open.
    pub(super) fn stream(&mut self, worker: WorkerIndex) -> Option<&mut Stream> {
        self.get_mut(worker)?.stream()
    }

    /// All of them. What is added or removed while they are walked over is not seen.
    pub(super) fn indices(&self) -> Vec<WorkerIndex> {
        self.iter().map(|(worker, _)| worker).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (WorkerIndex, &Connection)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(place, slot)| Some((WorkerIndex(place), slot.as_ref()?)))
    }

    /// The connection to this process run.
    pub(super) fn to(&self, incarnation: u64) -> Option<&Connection> {
        let mut all = self.iter().map(|(_, connection)| connection);
        all.find(|connection| connection.incarnation == Some(incarnation))
    }
}
