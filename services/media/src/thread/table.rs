//! The legs of a thread, found by number and by address.

use std::collections::HashMap;
use std::net::SocketAddr;

use mio::net::UdpSocket;

use super::bridge::Bridge;
use crate::leg::{Leg, Standing};

/// Names a leg of a host's threads; a leg that took the place of an ended one has another generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegKey {
    /// The thread.
    pub thread: u8,
    /// The slot, which is also in the user fragment.
    pub index: u32,
    /// How often the slot was used before.
    pub generation: u32,
}

/// A leg and what the thread keeps for it.
pub(super) struct Entry {
    pub(super) leg: Leg,
    /// In port-range mode its own socket.
    pub(super) socket: Option<UdpSocket>,
    /// The slot of the wheel that holds its true entry.
    pub(super) scheduled: Option<u64>,
    /// The leg that gets its audio.
    pub(super) bridge: Option<Bridge>,
    /// As what it is counted.
    pub(super) counted: Option<Standing>,
    /// The address that it is found by, and the one before.
    addresses: [Option<SocketAddr>; 2],
}

impl Entry {
    pub(super) fn new(leg: Leg, socket: Option<UdpSocket>) -> Self {
        Self {
            leg,
            socket,
            scheduled: None,
            bridge: None,
            counted: None,
            addresses: [None; 2],
        }
    }
}

#[derive(Default)]
struct Slot {
    generation: u32,
    entry: Option<Box<Entry>>,
}

/// All legs of a thread.
pub(super) struct Table {
    thread: u8,
    slots: Vec<Slot>,
    free: Vec<u32>,
    limit: usize,
    by_address: HashMap<SocketAddr, u32, ahash::RandomState>,
}

impl Table {
    pub(super) fn new(thread: u8, limit: usize) -> Self {
        Self {
            thread,
            slots: Vec::new(),
            free: Vec::new(),
            limit,
            by_address: HashMap::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The key that the next leg will have; `None` if there is no room.
    pub(super) fn vacant(&mut self) -> Option<LegKey> {
        if self.free.is_empty() {
            let index = u32::try_from(self.slots.len())
                .ok()
                .filter(|_| self.slots.len() < self.limit)?;
            self.slots.push(Slot::default());
            self.free.push(index);
        }
        let index = *self.free.last()?;
        let generation = self.slots[index as usize].generation;
        Some(LegKey {
            thread: self.thread,
            index,
            generation,
        })
    }

    /// Puts a leg where [`Self::vacant`] said.
    pub(super) fn insert(&mut self, key: LegKey, entry: Entry) {
        self.free.retain(|index| *index != key.index);
        self.slots[key.index as usize].entry = Some(Box::new(entry));
    }

    pub(super) fn get(&mut self, key: LegKey) -> Option<&mut Entry> {
        let slot = self.slots.get_mut(key.index as usize)?;
        slot.entry.as_deref_mut().filter(|_| slot.generation == key.generation)
    }

    pub(super) fn key_of(&self, index: u32) -> Option<LegKey> {
        let slot = self.slots.get(index as usize)?;
        slot.entry.is_some().then_some(LegKey {
            thread: self.thread,
            index,
            generation: slot.generation,
        })
    }

    /// The leg that an address was nominated for.
    pub(super) fn at(&self, address: SocketAddr) -> Option<LegKey> {
        self.key_of(*self.by_address.get(&address)?)
    }

    /// A leg is found by a new address; for a while by the one before, too.
    pub(super) fn set_address(&mut self, key: LegKey, address: SocketAddr) {
        let Some(entry) = self.get(key) else { return };
        let forgotten = entry.addresses[1];
        entry.addresses = [Some(address), entry.addresses[0]];
        self.by_address.insert(address, key.index);
        self.forget(forgotten.filter(|forgotten| *forgotten != address), key.index);
    }

    /// Takes a leg out.
    pub(super) fn remove(&mut self, key: LegKey) -> Option<Box<Entry>> {
        self.get(key)?;
        let slot = &mut self.slots[key.index as usize];
        let entry = slot.entry.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        // Oldest first, so that a slot rests as long as it can.
        self.free.insert(0, key.index);
        for address in entry.addresses {
            self.forget(address, key.index);
        }
        Some(entry)
    }

    fn forget(&mut self, address: Option<SocketAddr>, index: u32) {
        let Some(address) = address else { return };
        let still_used = self.slots[index as usize]
            .entry
            .as_ref()
            .is_some_and(|entry| entry.addresses.contains(&Some(address)));
        if !still_used && self.by_address.get(&address) == Some(&index) {
            self.by_address.remove(&address);
        }
    }

    pub(super) fn keys(&self) -> Vec<LegKey> {
        let indexes = 0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        indexes.filter_map(|index| self.key_of(index)).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::leg::tests::Call;

    fn inserted(table: &mut Table) -> LegKey {
        let key = table.vacant().expect("room");
        table.insert(key, Entry::new(Call::new().leg, None));
        key
    }

    #[test]
    fn a_leg_that_took_the_place_of_another_is_not_that_other() {
        let mut table = Table::new(0, 1);
        let first = inserted(&mut table);
        assert_eq!(table.vacant(), None);
        table.remove(first).expect("the leg");
        let second = inserted(&mut table);
        assert_eq!((first.index, second.generation), (second.index, first.generation + 1));
        assert!(table.get(first).is_none() && table.get(second).is_some());
        assert!(table.remove(first).is_none());
    }

    #[test]
    fn a_leg_is_found_by_its_last_two_addresses_and_leaves_none() {
        let mut table = Table::new(0, 2);
        let (one, other) = (inserted(&mut table), inserted(&mut table));
        let address = |port| SocketAddr::from(([192, 0, 2, 1], port));
        for port in 1..=3 {
            table.set_address(one, address(port));
        }
        assert_eq!(table.at(address(1)), None);
        assert_eq!((table.at(address(2)), table.at(address(3))), (Some(one), Some(one)));
        // Another leg's peer gets the address: it is that leg's, also when the first ends.
        table.set_address(other, address(3));
        table.remove(one);
        assert_eq!((table.at(address(2)), table.at(address(3))), (None, Some(other)));
        table.remove(other);
        assert!(table.by_address.is_empty());
        assert_eq!(table.len(), 0);
    }
}
