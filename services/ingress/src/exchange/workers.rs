//! Which workers there are: seeds until routes come, then those that the routes name.

use std::time::Instant;

use ahash::AHashMap;
use trunkline_proto::routing::{self as wire, PROTOCOL, PROTOCOLS, RouteNode, Welcome};

use super::connection::{Connection, Standing};
use super::connections::WorkerIndex;
use super::message::{Action, Loss, Mismatch, Outgoing};
use super::{Arc, Exchange};

impl<W> Exchange<W> {
    /// Connects to the configured addresses that there is no connection to.
    pub(super) fn add_seeds(&mut self, now: Instant) {
        for seed in self.seeds.clone() {
            let is_there = self
                .connections
                .iter()
                .any(|(_, connection)| connection.address == seed);
            if !is_there {
                self.connections
                    .insert(Connection::new(now, seed, Standing::Seed, None));
            }
        }
    }

    /// Seeds are kept while no worker of the routes can be reached, and only then.
    pub(super) fn mind_seeds(&mut self, now: Instant) {
        if !self.routes.is_known() {
            return;
        }
        let named = || self.connections.iter().map(|(_, one)| one).filter(|one| one.is_named());
        let is_any_up = named().any(Connection::is_up);
        let is_none_reachable = named().all(Connection::is_unreachable);
        if is_any_up {
            let seeds = self
                .connections
                .iter()
                .filter(|(_, one)| one.standing == Standing::Seed);
            let seeds: Vec<WorkerIndex> = seeds.map(|(worker, _)| worker).collect();
            for seed in seeds {
                self.leave(seed);
            }
        } else if is_none_reachable {
            self.routes.forget_version();
            self.add_seeds(now);
        }
    }

    /// A worker has welcomed the stream.
    pub(super) fn welcomed(&mut self, now: Instant, worker: WorkerIndex, welcome: &Welcome) -> Result<(), Mismatch> {
        let shards = u32::try_from(self.shards.len()).unwrap_or(u32::MAX);
        if !PROTOCOLS.contains(&welcome.protocol) {
            return Err(Mismatch::Protocol {
                ours: PROTOCOL,
                theirs: welcome.protocol,
            });
        }
        if welcome.shards != shards {
            return Err(Mismatch::Shards {
                ours: shards,
                theirs: welcome.shards,
            });
        }
        self.identify(worker, welcome.incarnation);
        let version = self.routes.version();
        let Some(connection) = self.connections.get_mut(worker) else {
            return Ok(());
        };
        connection.go_up(now, welcome.protocol);
        if connection.told_version != version {
            connection.told_version = version;
            self.send(worker, Outgoing::MapVersion(version));
        }
        self.advance_all(now);
        Ok(())
    }

    /// The process that answers at `worker` is this one, which may not be the one that was expected there.
    fn identify(&mut self, worker: WorkerIndex, incarnation: u64) {
        let is_other = |other: WorkerIndex, connection: &Connection| {
            let is_same_process = connection.incarnation == Some(incarnation);
            other != worker && is_same_process && connection.standing != Standing::Leaving
        };
        let mut others = self
            .connections
            .iter()
            .filter(|(other, connection)| is_other(*other, connection));
        let other = others.next().map(|(other, connection)| (other, connection.is_up()));
        drop(others);
        let is_known = self.routes.is_known();
        let Some(connection) = self.connections.get_mut(worker) else {
            return;
        };
        let is_expected = connection.incarnation == Some(incarnation);
        connection.incarnation = Some(incarnation);
        match other {
            // Two seeds lead to one worker: both stay until routes come.
            Some(_) if !is_known => {}
            Some((_, true)) => connection.standing = Standing::Leaving,
            // This way leads to it, the other does not.
            Some((other, false)) => self.replace_connection(other, worker),
            // A process that the routes do not name yet has taken the place of the one that they name.
            None if connection.is_named() && !is_expected => connection.standing = Standing::Seed,
            None => {}
        }
        self.routes.bind(&self.connections);
    }

    /// The connection `worker` is what `other` was, and `other` ends.
    fn replace_connection(&mut self, other: WorkerIndex, worker: WorkerIndex) {
        let previous = self
            .connections
            .get(other)
            .map(|previous| (previous.standing, previous.is_draining));
        if let (Some((standing, is_draining)), Some(connection)) = (previous, self.connections.get_mut(worker)) {
            connection.standing = standing;
            connection.is_draining = is_draining;
        }
        self.drop_connection(other);
    }

    /// Takes a routing table, if it is newer than what is known.
    pub(super) fn adopt(&mut self, now: Instant, table: &wire::Routes) -> Result<(), Mismatch> {
        if table.version <= self.routes.version() {
            return Ok(());
        }
        let changed = self.routes.replace(table)?;
        self.tally.tables += 1;
        self.connect_named(now, &table.nodes);
        self.routes.bind(&self.connections);
        for shard in changed {
            let owner = self.routes.owner(shard);
            self.shards[shard.0 as usize].change_owner(now, owner);
        }
        self.tell_version();
        self.advance_all(now);
        Ok(())
    }

    /// Connects to every node of the table, and to nobody else.
    fn connect_named(&mut self, now: Instant, nodes: &[RouteNode]) {
        let mut missing: AHashMap<u64, &RouteNode> = nodes.iter().map(|node| (node.incarnation, node)).collect();
        let mut existing = self.connections.indices();
        // Of two ways to one process the one that works is kept.
        existing.sort_by_key(|worker| !self.connections.get(*worker).is_some_and(Connection::is_up));
        for worker in existing {
            let Some(connection) = self.connections.get_mut(worker) else {
                continue;
            };
            match connection
                .incarnation
                .and_then(|incarnation| missing.remove(&incarnation))
            {
                Some(node) => {
                    connection.standing = Standing::Named;
                    connection.is_draining = node.draining;
                    if *connection.address != *node.address {
                        connection.address = Arc::from(node.address.as_str());
                    }
                }
                None => self.leave(worker),
            }
        }
        for node in nodes {
            if missing.remove(&node.incarnation).is_some() {
                let address = Arc::from(node.address.as_str());
                let mut connection = Connection::new(now, address, Standing::Named, Some(node.incarnation));
                connection.is_draining = node.draining;
                let worker = self.connections.insert(connection);
                self.tick_connection(now, worker);
            }
        }
    }

    /// Tells every worker which version counts here, so that it sends what is newer and nothing else.
    fn tell_version(&mut self) {
        let version = self.routes.version();
        for worker in self.connections.indices() {
            if let Some(connection) = self.connections.get_mut(worker)
                && connection.is_up()
                && connection.told_version != version
            {
                connection.told_version = version;
                self.send(worker, Outgoing::MapVersion(version));
            }
        }
    }

    /// A worker that speaks of a newer map has not sent it: an empty frame reminds it of ours, once for each version.
    pub(super) fn ask_for_newer(&mut self, worker: WorkerIndex, theirs: u64) {
        let ours = self.routes.version();
        if let Some(stream) = self.connections.stream(worker)
            && theirs > ours.max(stream.asked_for)
        {
            stream.asked_for = theirs;
            self.send(worker, Outgoing::MapVersion(ours));
        }
    }

    /// The stream of `worker` is gone, or could not be opened.
    pub(super) fn take_down(&mut self, now: Instant, worker: WorkerIndex, loss: Loss) {
        let has_stalled = self.has_stalled(now);
        let Some(connection) = self.connections.get_mut(worker) else {
            return;
        };
        let incarnation = connection.incarnation;
        let suspect = incarnation.filter(|_| connection.is_suspect_after(loss, has_stalled));
        let broken = connection.go_down(now, loss, &mut self.random);
        // The first attempt after a stream that lasted is made at once.
        self.tick_connection(now, worker);
        if let Some(suspect) = suspect {
            self.report(worker, suspect);
        }
        if let Some(stream) = broken {
            self.forget_starving(worker, &stream.starving);
            self.hand_all_back(stream, loss, incarnation);
            self.advance_all(now);
        }
    }

    /// Tells the other workers that a process may have died: one of them is the leader, or knows it.
    fn report(&mut self, worker: WorkerIndex, suspect: u64) {
        let others = self
            .connections
            .iter()
            .filter(|(other, connection)| *other != worker && connection.is_up());
        let others: Vec<WorkerIndex> = others.map(|(other, _)| other).collect();
        self.tally.suspects += u64::from(!others.is_empty());
        for other in others {
            self.send(other, Outgoing::Suspect(suspect));
        }
    }

    /// Ends a connection as soon as nothing is outstanding there.
    fn leave(&mut self, worker: WorkerIndex) {
        if let Some(connection) = self.connections.get_mut(worker) {
            connection.standing = Standing::Leaving;
            if connection.is_idle() {
                self.drop_connection(worker);
            }
        }
    }

    /// Ends a connection where nothing is outstanding.
    pub(super) fn drop_connection(&mut self, worker: WorkerIndex) {
        let Some(mut connection) = self.connections.remove(worker) else {
            return;
        };
        if let Some(stream) = connection.stream() {
            let starving = std::mem::take(&mut stream.starving);
            self.forget_starving(worker, &starving);
        }
        self.actions.push_back(Action::Close { worker });
    }

    fn forget_starving<'a>(
        &mut self,
        worker: WorkerIndex,
        starving: impl IntoIterator<Item = &'a trunkline_store::ShardId>,
    ) {
        for shard in starving {
            let order = &mut self.shards[shard.0 as usize];
            if order.starving_at == Some(worker) {
                order.starving_at = None;
            }
        }
    }
}
