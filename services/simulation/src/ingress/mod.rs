//! The ingresses: each a process of one thread with its exchange, the streams of it, and who waits for what.

mod streams;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use trunkline_ingress::exchange::{Delivery, Exchange, Loss, Request, RequestId, TICK, WorkerIndex};
use trunkline_proto::routing::ToIngress;
use trunkline_worker::conversation::ArrivalKind;

use self::streams::Link;
use crate::broken::Invariant;
use crate::chat::{SHARDS, body_of, kind_of};
use crate::worker::address_of;
use crate::world::{Happening, World};

/// How long a caller is told to wait: what Teams gives, shortened so that deadlines are met.
pub(crate) const BUDGET: u64 = 8_000;

/// A stream: the ingress, its run, and the generation that the stream was asked for with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StreamId {
    pub(crate) thread: usize,
    pub(crate) life: u64,
    pub(crate) generation: u64,
}

/// What happens at an ingress.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Of a run of it.
    Tick(u64),
    Frame(StreamId, Box<ToIngress>),
    Lost(StreamId, Loss),
    /// The caller that waits for this has gone.
    HangUp(u64, u64),
}

/// An ingress.
pub(crate) struct Thread {
    pub(crate) life: u64,
    began: Instant,
    exchange: Exchange<u64>,
    is_paused: bool,
    held: VecDeque<Heard>,
    /// Streams and attempts, by place.
    links: BTreeMap<WorkerIndex, Link>,
    /// Who waits, by number.
    waiting: BTreeMap<u64, Waiter>,
    next: u64,
    /// Deliveries that were sent again, by its earlier runs too.
    pub(crate) resent: u64,
}

/// Somebody who waits for an answer.
pub(crate) struct Waiter {
    pub(crate) number: u64,
    /// `None` for Teams that repeats.
    pub(crate) caller: Option<usize>,
    request: RequestId,
    deadline: u64,
}

impl Thread {
    fn new(seed: u64, life: u64, began: Instant, now: u64) -> Self {
        let seeds = [address_of(0), address_of(1)];
        Self {
            life,
            began,
            exchange: Exchange::new(began + Duration::from_millis(now), SHARDS, &seeds, seed),
            is_paused: false,
            held: VecDeque::new(),
            links: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next: 0,
            resent: 0,
        }
    }

    fn place_of(&self, stream: StreamId) -> Option<WorkerIndex> {
        let mut links = self.links.iter();
        links.find(|(_, link)| link.stream == stream).map(|(place, _)| *place)
    }

    /// Nobody waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// What a delivery is about: the number of the activity and the place of its conversation.
pub(crate) fn head_of(delivery: &Delivery) -> (u64, usize) {
    let (number, chat) = delivery.head.split_at(8);
    let number = u64::from_le_bytes(number.try_into().unwrap());
    (number, usize::from(chat[0]))
}

impl World {
    pub(crate) fn start_ingress(&mut self, thread: usize) {
        self.lives += 1;
        let life = self.lives;
        let resent = self.threads.get(thread).map_or(0, |thread| thread.resent);
        let seed = self.next_random();
        let fresh = Thread {
            resent,
            ..Thread::new(seed, life, self.began, self.now)
        };
        match self.threads.get_mut(thread) {
            Some(place) => *place = fresh,
            None => self.threads.push(fresh),
        }
        self.after(0, Happening::Thread(thread, Heard::Tick(life)));
    }

    /// SIGKILL, and another one at once. Whoever waits sees the connection break.
    pub(crate) fn kill_ingress(&mut self, thread: usize) {
        let links = std::mem::take(&mut self.threads[thread].links);
        for link in links.into_values() {
            let (host, stream) = link.closing();
            self.travel(host, stream, true, Happening::Closed(host, stream));
        }
        let waiting = std::mem::take(&mut self.threads[thread].waiting);
        self.start_ingress(thread);
        for waiter in waiting.into_values() {
            self.not_answered(&waiter);
        }
    }

    /// SIGSTOP for this long.
    pub(crate) fn pause_ingress(&mut self, thread: usize, ms: u64) {
        let it = &mut self.threads[thread];
        if !it.is_paused {
            it.is_paused = true;
            let life = it.life;
            self.after(ms, Happening::ResumeIngress(thread, life));
        }
    }

    pub(crate) fn resume_ingress(&mut self, thread: usize) {
        self.threads[thread].is_paused = false;
        while let Some(heard) = self.threads[thread].held.pop_front() {
            self.at_ingress(thread, heard);
        }
    }

    pub(crate) fn is_up(&self, thread: usize) -> bool {
        !self.threads[thread].is_paused
    }

    /// Something happens at an ingress, or waits until it goes on.
    pub(crate) fn hears(&mut self, thread: usize, heard: Heard) {
        if self.threads[thread].is_paused {
            self.threads[thread].held.push_back(heard);
        } else {
            self.at_ingress(thread, heard);
        }
    }

    fn at_ingress(&mut self, thread: usize, heard: Heard) {
        if self.tells && !matches!(heard, Heard::Tick(_)) {
            self.tell_story(&format!("ingress-{thread} {heard:?}"));
        }
        let life = self.threads[thread].life;
        match heard {
            Heard::Tick(of) if of == life => {
                let pace = u64::try_from(TICK.as_millis()).unwrap();
                self.after(pace, Happening::Thread(thread, Heard::Tick(life)));
                self.at_exchange(thread, Exchange::tick);
                self.check_deadlines(thread);
            }
            Heard::Frame(stream, frame) => self.frame(thread, stream, *frame),
            Heard::Lost(stream, loss) => {
                if let Some(place) = self.threads[thread].place_of(stream) {
                    self.threads[thread].links.remove(&place);
                    let generation = stream.generation;
                    self.at_exchange(thread, |exchange, now| exchange.lost(now, place, generation, loss));
                }
            }
            Heard::HangUp(of, waiter) if of == life => {
                if let Some(gone) = self.threads[thread].waiting.remove(&waiter) {
                    self.at_exchange(thread, |exchange, now| exchange.cancel(now, gone.request));
                    self.not_answered(&gone);
                }
            }
            Heard::Tick(_) | Heard::HangUp(..) => {}
        }
    }

    fn frame(&mut self, thread: usize, stream: StreamId, frame: ToIngress) {
        let Some(place) = self.threads[thread].place_of(stream) else {
            return;
        };
        if let Some(link) = self.threads[thread].links.get_mut(&place) {
            for outcome in &frame.outcome {
                link.outstanding.remove(&outcome.seq);
            }
        }
        let routes = frame.routes.clone();
        let result = self.at_exchange(thread, |exchange, now| {
            exchange.frame(now, place, stream.generation, frame)
        });
        if let Err(mismatch) = result {
            self.breaks(
                Invariant::Manners,
                format!("an ingress and a worker of one build: {mismatch}"),
            );
        }
        if let Some(routes) = routes.filter(|_| !self.common.guards.waits_for_owner) {
            self.believe_the_map(thread, &routes);
        }
    }

    /// A caller sends an activity, or Teams repeats one.
    pub(crate) fn submit(&mut self, thread: usize, number: u64, chat: usize, caller: Option<usize>) {
        let shard = self.common.chats[chat].shard;
        let deadline = self.now + BUDGET;
        let mut head = number.to_le_bytes().to_vec();
        head.push(u8::try_from(chat).unwrap());
        let it = &mut self.threads[thread];
        it.next += 1;
        let waiter = it.next;
        let request = Request {
            shard,
            deadline: it.began + Duration::from_millis(deadline),
            head: head.into(),
            activity: body_of(number),
            is_deferrable: kind_of(number) == ArrivalKind::Message,
            notified_at: None,
        };
        let at = it.began + Duration::from_millis(self.now);
        let request = it.exchange.submit(at, request, waiter);
        let waiting = Waiter {
            number,
            caller,
            request,
            deadline,
        };
        it.waiting.insert(waiter, waiting);
        if self.tells {
            self.tell_story(&format!(
                "ingress-{thread} takes {number} of chat {chat} in shard {shard}, waiter {waiter}"
            ));
        }
        self.at_exchange(thread, |_, _| ());
        if self.faults.ingress && self.below(12) == 0 {
            let life = self.threads[thread].life;
            let patience = self.below(4_000);
            self.after(patience, Happening::Thread(thread, Heard::HangUp(life, waiter)));
        }
    }

    /// Lets something happen to an exchange, and does what it says.
    fn at_exchange<T>(&mut self, thread: usize, happen: impl FnOnce(&mut Exchange<u64>, Instant) -> T) -> T {
        let it = &mut self.threads[thread];
        let now = it.began + Duration::from_millis(self.now);
        let result = happen(&mut it.exchange, now);
        while let Some(action) = self.threads[thread].exchange.next_action() {
            self.perform(thread, action);
        }
        let it = &mut self.threads[thread];
        it.resent += it.exchange.take_tally().resends;
        result
    }

    /// After a tick nobody waits beyond the deadline.
    fn check_deadlines(&mut self, thread: usize) {
        let now = self.now;
        let late = self.threads[thread]
            .waiting
            .values()
            .find(|waiter| waiter.deadline <= now);
        if let Some(number) = late.map(|waiter| waiter.number) {
            self.breaks(
                Invariant::Manners,
                format!("{number} is not answered although its caller's time is over"),
            );
        }
    }
}
