//! The directory of a worker: what the product's does with orders, deliveries and the time, on one thread.

use std::collections::{BTreeMap, HashMap};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use trunkline_proto::routing::Moved;
use trunkline_store::key::{Key, ShardId};
use trunkline_worker::agenda::Agenda;
use trunkline_worker::announcement::Announcement;
use trunkline_worker::conversation::{
    Bots, Conversation, ConversationSettings, Event, Gates, Holding, Now, Reply, ShardBacklog, Ticket,
};
use trunkline_worker::credits::Pressure;
use trunkline_worker::shard_table::ShardTable;

use super::actor::Actor;
use super::streams::Stream;
use super::{ActorId, Effect};
use crate::chat::Chat;
use crate::faults::Guards;

/// A delivery that waits for its shard.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(super) ticket: Ticket,
    pub(super) number: u64,
    pub(super) chat: usize,
    pub(super) remaining_ms: u64,
    pub(super) is_shed: bool,
    pub(super) deaths: u32,
    pub(super) arrived_at: u64,
    /// In the order of arrival.
    pub(super) place: u64,
}

/// What all processes of a world have in common.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) chats: Rc<[Chat]>,
    pub(crate) bots: Arc<Bots>,
    pub(crate) settings: Arc<ConversationSettings>,
    pub(crate) guards: Guards,
}

/// The thread of conversations of a process.
pub(crate) struct Shell {
    pub(crate) table: ShardTable<Waiting>,
    pub(super) actors: BTreeMap<ShardId, BTreeMap<Key, Actor>>,
    pub(super) agenda: Agenda,
    pub(super) readings: usize,
    pub(super) streams: BTreeMap<u64, Stream>,
    pub(super) announced: Announcement,
    /// What the node has announced, which may be on its way.
    pub(crate) said: Announcement,
    pub(super) pressure: Pressure,
    /// What the store's clock is ahead of the world's, as it was read last.
    pub(crate) ahead: i64,
    /// Something may have waited for the lease.
    pub(super) has_waited: bool,
    pub(super) common: Surroundings,
    gates: Gates,
    backlogs: HashMap<ShardId, Weak<ShardBacklog>>,
    seed: u64,
    numbers: u64,
}

impl Shell {
    pub(crate) fn new(life: u64, seed: u64, ahead: i64, announced: Announcement, common: Surroundings) -> Self {
        Self {
            table: ShardTable::default(),
            actors: BTreeMap::new(),
            agenda: Agenda::default(),
            readings: 0,
            streams: BTreeMap::new(),
            said: announced.clone(),
            announced,
            pressure: Pressure::default(),
            ahead,
            has_waited: false,
            common,
            gates: Gates::default(),
            backlogs: HashMap::new(),
            seed: seed ^ life,
            numbers: 0,
        }
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Tells a conversation something, taken into memory first if it is not there. `false` when its shard is not served here.
    pub(super) fn tell(&mut self, chat: usize, event: Event, now: Now, out: &mut Vec<Effect>) -> bool {
        let (shard, key) = (self.common.chats[chat].shard, self.common.chats[chat].key);
        let Some(token) = self.table.token(shard) else {
            return false;
        };
        if !self.is_awake(shard, &key) {
            let triple = self.common.chats[chat].triple.clone();
            let holding = Holding {
                shard,
                token,
                backlog: self.backlog_of(shard),
                gates: self.gates.clone(),
            };
            let number = self.next_number();
            let id = ActorId { shard, key, number };
            let seed = self.seed.wrapping_add(number << 32);
            let (settings, bots) = (self.common.settings.clone(), self.common.bots.clone());
            let core = Conversation::new(key, holding, Some(triple), settings, bots, seed);
            self.actors
                .entry(shard)
                .or_default()
                .insert(key, Actor::new(core, id, now));
            self.agenda.activated(shard, now.wall_ms);
        }
        if let Some(actor) = self.actors.get(&shard).and_then(|actors| actors.get(&key)) {
            self.feed(actor.id, event, now, out);
        }
        true
    }

    pub(super) fn is_awake(&self, shard: ShardId, key: &Key) -> bool {
        self.actors.get(&shard).is_some_and(|actors| actors.contains_key(key))
    }

    /// To a conversation that is in memory since then.
    pub(super) fn feed(&mut self, id: ActorId, event: Event, now: Now, out: &mut Vec<Effect>) {
        self.has_waited |= !now.may_begin;
        let guards = self.common.guards;
        if let Some(actor) = self.actor(id) {
            actor.feed(event, now, guards, out);
        }
    }

    pub(super) fn actor(&mut self, id: ActorId) -> Option<&mut Actor> {
        let actor = self.actors.get_mut(&id.shard)?.get_mut(&id.key)?;
        (actor.id == id).then_some(actor)
    }

    fn backlog_of(&mut self, shard: ShardId) -> Rc<ShardBacklog> {
        let known = self.backlogs.entry(shard).or_default();
        known.upgrade().unwrap_or_else(|| {
            let backlog = Rc::new(ShardBacklog::default());
            *known = Rc::downgrade(&backlog);
            backlog
        })
    }

    /// Another worker has, or will have, the shard of these.
    pub(super) fn hand_back(deliveries: impl IntoIterator<Item = Waiting>, out: &mut Vec<Effect>) {
        for waiting in deliveries {
            out.push(Effect::Reply(waiting.ticket, Reply::Moved(Moved {})));
        }
    }

    /// Whether nothing is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.actors.values().all(BTreeMap::is_empty)
    }

    /// Whether everything in memory is at rest.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.actors
            .values()
            .flat_map(BTreeMap::values)
            .all(|actor| actor.is_quiet)
    }
}
