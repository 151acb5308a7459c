//! What may go wrong, when it does, and which guards of the product a wrong variant lacks.

use rand::RngExt as _;
use rand::rngs::SmallRng;
use trunkline_cluster::node::Event;
use trunkline_store::key::ShardId;

use crate::chat::SHARDS;
use crate::world::{CALM_AT, Happening, Thing, World};

/// How far the store's clock may be from where it began, in milliseconds.
const CLOCK_STEP: i64 = 4_000;

/// Which kinds of faults are on. A run has some of them, drawn from its seed: what is hidden behind one fault shows without it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// What is asked of the store is late, lost, done twice or without an answer.
    pub(crate) network: bool,
    /// The store goes away or is slow, or one worker is cut off from it.
    pub(crate) store: bool,
    /// Its clock steps.
    pub(crate) clock: bool,
    /// It fails over and lacks the last writes.
    pub(crate) failovers: bool,
    /// Workers die, some with their machines, and come back.
    pub(crate) crashes: bool,
    /// Workers stand still and go on.
    pub(crate) pauses: bool,
    /// Workers drain, leave in order, and are added; shards are moved by hand.
    pub(crate) drains: bool,
    /// Streams break, are slow or fall silent.
    pub(crate) streams: bool,
    /// Ingresses die or stand still; callers hang up.
    pub(crate) ingress: bool,
    /// Turns are slow and fail.
    pub(crate) turns: bool,
    /// The Connector refuses, or takes a message without saying so.
    pub(crate) connector: bool,
    /// An activity kills whoever runs it.
    pub(crate) killer: bool,
}

impl Faults {
    pub(crate) const NONE: Self = Self {
        network: false,
        store: false,
        clock: false,
        failovers: false,
        crashes: false,
        pauses: false,
        drains: false,
        streams: false,
        ingress: false,
        turns: false,
        connector: false,
        killer: false,
    };

    /// Those that make shards change their owners without its knowledge.
    pub(crate) const OF_OWNERS: Self = Self {
        network: true,
        crashes: true,
        pauses: true,
        drains: true,
        streams: true,
        turns: true,
        ..Self::NONE
    };

    /// Some of all that lose nothing that the store acknowledged.
    pub(crate) fn some(random: &mut SmallRng) -> Self {
        let mut draw = || random.random_bool(0.6);
        Self {
            network: draw(),
            store: draw(),
            clock: draw(),
            failovers: false,
            crashes: draw(),
            pauses: draw(),
            drains: draw(),
            streams: draw(),
            ingress: draw(),
            turns: draw(),
            connector: draw(),
            killer: draw() && draw(),
        }
    }

    /// The same, and a store that fails over.
    pub(crate) fn some_and_failovers(random: &mut SmallRng) -> Self {
        // Other runs than those of the same seeds without.
        let _: u64 = random.random();
        Self {
            failovers: true,
            ..Self::some(random)
        }
    }
}

/// What the product guards itself with, and what a wrong variant of it leaves out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guards {
    /// The store compares the token of a commit with the fence.
    pub(crate) fence: bool,
    /// The store compares the header that a commit expects with the stored one.
    pub(crate) header: bool,
    /// A worker acknowledges what it has committed, not what it has received.
    pub(crate) answers_after_commit: bool,
    /// A worker recognises a repeat by the key that the ingress gave it.
    pub(crate) recognises: bool,
    /// A worker sends a reply when its commit is known to be written.
    pub(crate) sends_after_commit: bool,
    /// A worker tells its node that the fence refused it.
    pub(crate) tells_of_fence: bool,
    /// An ingress waits until the old owner of a shard has answered or handed back.
    pub(crate) waits_for_owner: bool,
}

impl Guards {
    pub(crate) const ALL: Self = Self {
        fence: true,
        header: true,
        answers_after_commit: true,
        recognises: true,
        sends_after_commit: true,
        tells_of_fence: true,
        waits_for_owner: true,
    };
}

impl World {
    /// One fault, and the next one later.
    pub(crate) fn fault(&mut self) {
        if self.now >= CALM_AT {
            return;
        }
        let next = self.below(1_000);
        self.after(next, Happening::Fault);
        let host = self.index(self.hosts.len());
        let thread = self.index(self.threads.len());
        let faults = self.faults;
        match self.below(24) {
            0 | 1 if faults.crashes => self.kill(host),
            20 if faults.crashes => self.lose_machine(host),
            21 if faults.store => {
                let ms = 300 + self.below(3_000);
                self.hosts[host].cut_off_until = self.now + ms;
            }
            22 | 23 if faults.drains => self.move_shard(host),
            2 if faults.crashes => {
                let leader = self.leader().unwrap_or(host);
                self.kill(leader);
            }
            3 | 4 if faults.pauses => {
                let longest = if self.below(2) == 0 { 900 } else { 7_000 };
                let ms = 50 + self.below(longest);
                self.pause(host, ms);
            }
            5 | 6 if faults.drains => self.tell_host(host, Thing::Node(Event::Drain(true))),
            7 if faults.drains => self.tell_host(host, Thing::Node(Event::Drain(false))),
            8 if faults.drains => self.stop_in_order(host),
            9 if faults.streams => self.cut(host),
            10 if faults.streams => {
                let ms = self.below(2_500);
                self.hosts[host].silent_until = self.now + ms;
            }
            11 if faults.ingress => self.kill_ingress(thread),
            12 if faults.ingress => {
                let ms = 100 + self.below(3_000);
                self.pause_ingress(thread, ms);
            }
            13 if faults.store => self.store.is_away = true,
            14 if faults.store => self.store.slow = self.below(700),
            15 if faults.clock => {
                self.store.ahead = self.random.random_range(-CLOCK_STEP..CLOCK_STEP);
            }
            16 if faults.failovers => {
                let back = self.index(15);
                self.store.fail_over(back);
                self.tell_story(&format!(
                    "store: fails over to {back} copies ago, lost so far {:?}",
                    self.store.lost
                ));
            }
            _ => {
                self.store.is_away = false;
                self.store.slow = 0;
            }
        }
    }

    /// An operator moves a shard to a host.
    fn move_shard(&mut self, host: usize) {
        let shard = ShardId(u32::try_from(self.below(u64::from(SHARDS))).unwrap());
        let to = self.hosts[host].name.clone();
        if let Some(leader) = self.leader() {
            self.tell_host(leader, Thing::Node(Event::Move { shard, to, number: 0 }));
        }
    }

    /// Nothing fails any more, and whoever was told to go is there again.
    pub(crate) fn calm(&mut self) {
        self.faults = Faults::NONE;
        self.store.is_away = false;
        self.store.slow = 0;
        for host in 0..self.hosts.len() {
            self.resume(host);
            self.hosts[host].silent_until = self.now;
            self.hosts[host].cut_off_until = self.now;
            self.start(host);
            self.tell_host(host, Thing::Node(Event::Drain(false)));
        }
        for thread in 0..self.threads.len() {
            self.resume_ingress(thread);
        }
    }
}
