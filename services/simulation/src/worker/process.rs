//! A machine, what runs on it, and how that lives and dies.

use std::collections::VecDeque;

use trunkline_cluster::NodeFacts;
use trunkline_cluster::node::{Action, Event, Node};
use trunkline_ingress::exchange::Loss;
use trunkline_proto::routing::PROTOCOLS;
use trunkline_store::key::ShardId;
use trunkline_worker::announcement::Announcement;
use trunkline_worker::conversation::Now;
use trunkline_worker::record::FORMAT;
use trunkline_worker::shard_table::Standing;

use super::leave::Departure;
use super::{At, Shell, Thing};
use crate::ingress::Heard;
use crate::network::Request;
use crate::store::IDENTITY;
use crate::world::{Happening, World};

/// A machine.
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) process: Option<Process>,
    /// Nothing comes from it or gets there by streams before.
    pub(crate) silent_until: u64,
    /// Nothing that it asks of the store gets there before.
    pub(crate) cut_off_until: u64,
    /// The machine itself is away: nobody there refuses a connection or resets one.
    pub(crate) is_dark: bool,
}

/// What runs on it.
pub(crate) struct Process {
    pub(crate) life: u64,
    pub(crate) node: Node,
    pub(crate) shell: Shell,
    pub(super) departure: Departure,
    /// When the node wants to be woken, as far as that is queued.
    wakes_at: u64,
    /// What came last from the node's thread to that of the conversations.
    told_at: u64,
    /// It stands still. What happens is kept, by thread.
    pub(crate) is_paused: bool,
    held: [VecDeque<Thing>; 2],
}

pub(crate) fn address_of(host: usize) -> String {
    format!("host-{host}:7400")
}

impl World {
    pub(crate) fn process(&mut self, at: At) -> Option<&mut Process> {
        let process = self.hosts[at.host].process.as_mut();
        process.filter(|process| process.life == at.life)
    }

    pub(crate) fn at_host(&self, host: usize) -> Option<At> {
        let process = self.hosts[host].process.as_ref()?;
        let life = process.life;
        Some(At { host, life })
    }

    /// Something happens at whatever runs there.
    pub(crate) fn tell_host(&mut self, host: usize, thing: Thing) {
        if let Some(at) = self.at_host(host) {
            self.after(0, Happening::Worker(at, thing));
        }
    }

    /// Starts a process, unless one runs there.
    pub(crate) fn start(&mut self, host: usize) {
        if self.hosts[host].process.is_some() {
            return;
        }
        let facts = NodeFacts {
            name: self.hosts[host].name.clone(),
            address: address_of(host),
            zone: String::new(),
            weight: 1,
            build: "0.1.0".to_owned(),
            speaks: PROTOCOLS,
            reads: FORMAT,
        };
        self.hosts[host].is_dark = false;
        let node = Node::new(facts, IDENTITY, self.next_random(), self.now);
        self.lives += 1;
        let life = self.lives;
        let ahead = self.store.ahead;
        let announced = Announcement::of(&node.view(self.now));
        let shell = Shell::new(life, self.next_random(), ahead, announced, self.surroundings());
        self.hosts[host].process = Some(Process {
            life,
            node,
            shell,
            departure: Departure::No,
            wakes_at: u64::MAX,
            told_at: 0,
            is_paused: false,
            held: [VecDeque::new(), VecDeque::new()],
        });
        let at = At { host, life };
        for (wait, thing) in [
            (0, Thing::Node(Event::Tick)),
            (50, Thing::Look),
            (500, Thing::Sweep),
            (30_000, Thing::ReadClock),
        ] {
            self.after(wait, Happening::Worker(at, thing));
        }
    }

    /// SIGKILL; somebody starts it again after a while.
    pub(crate) fn kill(&mut self, host: usize) {
        let Some(at) = self.at_host(host) else { return };
        self.end_process(at, Loss::Reset);
        let away = 100 + self.below(5_000);
        self.after(away, Happening::Start(host));
    }

    /// The machine is lost with what runs on it, without a word; another takes its place after a while.
    pub(crate) fn lose_machine(&mut self, host: usize) {
        let Some(at) = self.at_host(host) else { return };
        self.hosts[host].process = None;
        self.hosts[host].is_dark = true;
        self.stepping.retain(|(of, _, _), _| *of != at.life);
        let away = 100 + self.below(5_000);
        self.after(away, Happening::Start(host));
    }

    /// Nothing runs there any more, and its streams are gone.
    pub(crate) fn end_process(&mut self, at: At, loss: Loss) {
        let Some(process) = self.process(at) else { return };
        let streams = process.shell.stream_ids();
        self.hosts[at.host].process = None;
        self.stepping.retain(|(of, _, _), _| *of != at.life);
        for stream in streams {
            self.travel(
                at.host,
                stream,
                false,
                Happening::Thread(stream.thread, Heard::Lost(stream, loss)),
            );
        }
    }

    /// SIGSTOP for this long.
    pub(crate) fn pause(&mut self, host: usize, ms: u64) {
        let Some(at) = self.at_host(host) else { return };
        if let Some(process) = self.process(at).filter(|process| !process.is_paused) {
            process.is_paused = true;
            self.after(ms, Happening::Resume(at));
        }
    }

    /// Whatever runs there goes on, if it stood still: each thread with what it finds, in order, one thread before the other as
    /// it happens.
    pub(crate) fn resume(&mut self, host: usize) {
        let Some(at) = self.at_host(host) else { return };
        if let Some(process) = self.process(at) {
            process.is_paused = false;
        }
        loop {
            let first = self.index(2);
            let Some(process) = self.process(at) else { return };
            let Some(thing) = process.held[first]
                .pop_front()
                .or_else(|| process.held[1 - first].pop_front())
            else {
                return;
            };
            self.at_worker(at, thing);
        }
    }

    /// Something happens at a process, or waits until it goes on.
    pub(crate) fn meet(&mut self, at: At, thing: Thing) {
        let Some(process) = self.process(at) else { return };
        if process.is_paused {
            let thread = usize::from(!thing.is_of_node());
            process.held[thread].push_back(thing);
        } else {
            self.at_worker(at, thing);
        }
    }

    /// The clocks of a process.
    pub(crate) fn clocks(&mut self, at: At) -> Now {
        let (now, clock) = (self.now, crate::store::EPOCH + self.now);
        let process = self.process(at);
        Now {
            steady_ms: now,
            wall_ms: process
                .as_ref()
                .map_or(clock, |it| clock.saturating_add_signed(it.shell.ahead)),
            may_begin: process.is_some_and(|process| now < process.node.valid_until()),
        }
    }

    /// To a node, and what it does about it.
    pub(super) fn tell_node(&mut self, at: At, event: Event) {
        let now = self.now;
        let Some(process) = self.process(at) else { return };
        let mut actions = Vec::new();
        process.node.on(now, event, &mut actions);
        for action in actions {
            match action {
                Action::Order(order) => self.tell_conversations(at, Thing::Order(order)),
                Action::Left => self.has_left(at),
                Action::Moved { .. } => {}
                Action::Probe { node, address } => self.probe(at, node, &address),
                request => self.ask(at, Request::Node(request)),
            }
        }
        let Some(process) = self.process(at) else { return };
        let (node, announced) = (&process.node, &process.shell.said);
        if announced.version != node.map_version().0 || announced.incarnation != node.incarnation() {
            let announcement = Announcement::of(&node.view(now));
            process.shell.said = announcement.clone();
            self.tell_conversations(at, Thing::Announce(Box::new(announcement)));
        }
        self.wake_node(at);
    }

    fn wake_node(&mut self, at: At) {
        let now = self.now;
        let Some(process) = self.process(at) else { return };
        let when = process.node.wake_at(now);
        if when == u64::MAX {
            return;
        }
        let when = when.max(now + 1);
        if when < process.wakes_at {
            process.wakes_at = when;
            self.after(when - now, Happening::Worker(at, Thing::Wake));
        }
    }

    pub(super) fn node_woke(&mut self, at: At) {
        let now = self.now;
        let Some(process) = self.process(at) else { return };
        if process.wakes_at <= now {
            process.wakes_at = u64::MAX;
        }
        self.tell_node(at, Event::Tick);
    }

    /// From the node's thread to that of the conversations: a moment later, in order.
    pub(super) fn tell_conversations(&mut self, at: At, thing: Thing) {
        let latency = self.below(2);
        let now = self.now;
        let Some(process) = self.process(at) else { return };
        process.told_at = process.told_at.max(now + latency);
        let wait = process.told_at - now;
        self.after(wait, Happening::Worker(at, thing));
    }

    /// Processes that may begin something in a shard.
    pub(crate) fn servers(&self, shard: ShardId) -> Vec<usize> {
        let serves = |host: &Host| {
            host.process.as_ref().is_some_and(|process| {
                let serves = matches!(process.shell.table.standing(shard), Standing::Serving(_));
                !process.is_paused && self.now < process.node.valid_until() && serves
            })
        };
        let hosts = self.hosts.iter().enumerate();
        hosts
            .filter(|(_, host)| serves(host))
            .map(|(number, _)| number)
            .collect()
    }

    /// The host of the process that leads.
    pub(crate) fn leader(&self) -> Option<usize> {
        let leads = |host: &Host| {
            host.process
                .as_ref()
                .is_some_and(|process| process.node.leads(self.now))
        };
        self.hosts.iter().position(leads)
    }
}
