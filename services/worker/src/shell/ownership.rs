//! What a directory does about its shards: orders of the cluster are carried out, the wake index is read and followed, and
//! what waited for the lease goes on.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::{ActorFutureExt as _, AsyncContext as _, Context, Handler, Message};
use trunkline_cluster::ShardOrder;
use trunkline_store::contract::{MapVersion, Token};
use trunkline_store::key::ShardId;
use trunkline_store::{SharedStore, StoreError};

use super::agenda::{Page, Reading};
use super::directory::{Actors, Directory, Entry};
use super::shard_table::Standing;
use crate::conversation::Event;

/// How often a directory looks at the time: for what is due, and for a lease that is back.
pub(super) const LOOK: Duration = Duration::from_millis(50);
/// Conversations that are woken in one look.
const WAKES: usize = 500;
/// Readings of the wake index that are under way at once on a thread.
const READINGS: usize = 32;
/// A time that nothing is stored for.
const FOR_EVER: u64 = 1 << 53;

impl Directory {
    fn serve(&mut self, shard: ShardId, token: Token) {
        // Whoever is still here has an older token.
        self.drop_actors(shard);
        self.context.calls.serve(shard);
        let held = self.shards.serve(shard, token);
        self.agenda.serve(shard, self.context.worker.now().wall_ms);
        for waiting in held {
            self.serve_delivery(waiting);
        }
    }

    /// Lets what runs in the shard end.
    fn quiesce(&mut self, shard: ShardId) {
        let held = self.shards.quiesce(shard);
        self.hand_back(held);
        self.agenda.forget(shard);
        if let Some(mut actors) = self.actors.remove(&shard) {
            actors.retain(|_, entry| {
                let is_at_rest = entry.slot.is_idle.get() && entry.slot.undelivered.get() == 0;
                if is_at_rest || !entry.address.connected() {
                    self.dismiss(entry);
                    return false;
                }
                entry.slot.is_leaving.set(true);
                entry.tell(Event::Quiesce);
                true
            });
            self.actors.insert(shard, actors);
        }
        self.release_if_quiet(shard);
    }

    /// The last of the shard has ended: it may go to another worker.
    fn release_if_quiet(&mut self, shard: ShardId) {
        let is_quiet = self.actors.get(&shard).is_none_or(Actors::is_empty);
        if is_quiet && !matches!(self.shards.standing(shard), Standing::Serving(_) | Standing::Expected) {
            self.actors.remove(&shard);
            self.shards.lose(shard);
            self.context.calls.leave(shard);
            self.context.worker.media.forget(shard);
            self.context.worker.membership.quiesced(shard);
        }
    }

    fn lose(&mut self, shard: ShardId) {
        let held = self.shards.lose(shard);
        self.hand_back(held);
        self.context.worker.media.forget(shard);
        self.agenda.forget(shard);
        self.context.calls.leave(shard);
        self.drop_actors(shard);
    }

    /// Ends the actors of a shard at once: nothing more is written or sent.
    fn drop_actors(&mut self, shard: ShardId) {
        for (_, entry) in self.actors.remove(&shard).into_iter().flatten() {
            entry.tell(Event::Lost);
            self.dismiss(&entry);
        }
    }

    /// An actor that died in a shard that leaves says nothing.
    pub(super) fn look_after_leaving_shards(&mut self) {
        for shard in self.shards.all() {
            if self.shards.standing(shard) != Standing::Quiescing {
                continue;
            }
            if let Some(mut actors) = self.actors.remove(&shard) {
                actors.retain(|_, entry| {
                    let is_alive = entry.address.connected();
                    if !is_alive {
                        self.dismiss(entry);
                    }
                    is_alive
                });
                self.actors.insert(shard, actors);
            }
            self.release_if_quiet(shard);
        }
    }

    /// Wakes what is due, reads the wake index where it is time, and goes on with what waited for the lease.
    pub(super) fn look_at_the_time(&mut self, ctx: &mut Context<Self>) {
        let now = self.context.worker.now();
        if now.may_begin {
            if self.context.has_waited.take() {
                self.go_on();
            }
            for (shard, key) in self.agenda.due(now.wall_ms, WAKES) {
                if !self.is_awake(shard, &key) {
                    self.tell(shard, key, None, Event::Wake);
                }
            }
        }
        for reading in self.agenda.take_readings(now.wall_ms, READINGS - self.readings) {
            self.readings += 1;
            let store = self.context.worker.store.clone();
            let read = wrap_future::<_, Self>(async move { read(store, reading).await });
            ctx.spawn(read.map(move |page, directory, _| directory.was_read(reading, page)));
        }
    }

    fn was_read(&mut self, reading: Reading, page: Result<Page, StoreError>) {
        self.readings -= 1;
        let now = self.context.worker.now().wall_ms;
        let is_in_use = self.actors.get(&reading.shard).is_some_and(|actors| !actors.is_empty());
        match page {
            Ok(page) => self.agenda.read(reading, page, is_in_use, now),
            Err(error) => {
                let worker = &self.context.worker;
                if let Some(left_out) = worker.paces.wake_index.due(worker.now().steady_ms) {
                    tracing::warn!(shard = %reading.shard, %error, left_out, "the wake index was not read");
                }
                self.agenda.failed(reading.shard, now);
            }
        }
    }

    /// The lease is back: whoever may have waited for it looks again.
    fn go_on(&self) {
        let all = self.actors.values().flat_map(|actors| actors.values());
        for entry in all.filter(|entry| !entry.slot.is_idle.get()) {
            entry.tell(Event::Tick);
        }
    }
}

/// One page of a shard's wake index.
async fn read(store: SharedStore, reading: Reading) -> Result<Page, StoreError> {
    let entries = store.due(reading.shard, reading.until_ms, reading.entries).await?;
    let mut next = None;
    if entries.is_empty() {
        next = store.due(reading.shard, FOR_EVER, 1).await?.first().map(|(_, at)| *at);
    }
    Ok(Page { entries, next })
}

/// What the cluster wants of a shard.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Order(pub(crate) ShardOrder);

impl Handler<Order> for Directory {
    type Result = ();

    fn handle(&mut self, order: Order, _: &mut Self::Context) {
        match order.0 {
            ShardOrder::Expect { shard } => self.shards.expect(shard),
            ShardOrder::Serve { shard, token } => self.serve(shard, token),
            ShardOrder::Quiesce { shard } => self.quiesce(shard),
            ShardOrder::Lose { shard } => self.lose(shard),
        }
    }
}

/// This process knows a map of this version now, and the orders that follow from it have come.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct MapKnown(pub(crate) MapVersion);

impl Handler<MapKnown> for Directory {
    type Result = ();

    fn handle(&mut self, known: MapKnown, _: &mut Self::Context) {
        let held = self.shards.learn(known.0);
        self.hand_back(held);
    }
}

/// Nothing of an actor whose shard leaves is under way any more.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Quiet {
    pub(crate) shard: ShardId,
    pub(crate) key: trunkline_store::key::Key,
}

impl Handler<Quiet> for Directory {
    type Result = ();

    fn handle(&mut self, quiet: Quiet, _: &mut Self::Context) {
        let Some(actors) = self.actors.get_mut(&quiet.shard) else {
            return;
        };
        let is_quiet = |entry: &Entry| {
            let slot = &entry.slot;
            slot.is_leaving.get() && slot.is_quiet.get() && slot.undelivered.get() == 0
        };
        if !actors.get(&quiet.key).is_some_and(is_quiet) {
            return;
        }
        if let Some(entry) = actors.remove(&quiet.key) {
            self.dismiss(&entry);
        }
        self.release_if_quiet(quiet.shard);
    }
}

/// The fence of a shard refused this token.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Fenced {
    pub(crate) shard: ShardId,
    pub(crate) token: Token,
}

impl Handler<Fenced> for Directory {
    type Result = ();

    fn handle(&mut self, fenced: Fenced, _: &mut Self::Context) {
        let Fenced { shard, token } = fenced;
        let is_ours = match self.shards.standing(shard) {
            Standing::Serving(ours) => ours == token,
            Standing::Quiescing => true,
            Standing::NotOurs | Standing::Expected => false,
        };
        if is_ours {
            self.context.worker.metrics.shards_lost.inc();
            tracing::warn!(%shard, "another process took a shard; its conversations stop here");
            self.lose(shard);
            self.context.worker.membership.fenced(shard, token);
        }
    }
}

/// Begin nothing more: the process leaves, and nobody takes its shards over while it runs.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct QuiesceAll;

impl Handler<QuiesceAll> for Directory {
    type Result = ();

    fn handle(&mut self, _: QuiesceAll, _: &mut Self::Context) {
        for shard in self.shards.all() {
            self.quiesce(shard);
        }
    }
}

/// Whether nothing is under way.
#[derive(Message)]
#[rtype(result = "bool")]
pub(crate) struct IsQuiet;

impl Handler<IsQuiet> for Directory {
    type Result = bool;

    fn handle(&mut self, _: IsQuiet, _: &mut Self::Context) -> bool {
        self.actors.values().all(Actors::is_empty)
    }
}
