//! The loop of a media thread.

mod commands;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use tokio::sync::mpsc;

use super::bridge::{Bridge, Crossing};
use super::command::Command;
use super::figures::count;
use super::ports::PortPool;
use super::sockets::{SHARED_BUFFER, bind, for_family};
use super::table::Table;
use super::wheel::Wheel;
use super::{Figures, LegKey, Ports, ThreadConfig};
use crate::dtls::Identity;
use crate::ice::{Credentials, addressed_fragment, plain_address};
use crate::leg::{Bridged, EndReason, Leg, LegEvent, Out, Relay};

pub(super) const WAKER: Token = Token(usize::MAX);
const SHARED: Token = Token(usize::MAX - 1);
/// Datagrams of the shared socket, or of a leg's own, in one turn.
const DATAGRAMS: usize = 256;
const DATAGRAMS_OF_A_LEG: usize = 32;
/// Handshakes may have so much of a turn, and so many of their datagrams may wait.
const HANDSHAKE_TIME: Duration = Duration::from_micros(500);
const HANDSHAKES: usize = 1_024;
/// With more legs the thread does not wait for each datagram: it sleeps to the next slot and drains (measured: a quarter to
/// a third less work, for 0.8 ms more round trip).
const COALESCE_ABOVE: usize = 200;
/// The largest datagram: audio is far below, handshakes are below the MTU.
const DATAGRAM_BYTES: usize = 2_048;

/// A datagram of a handshake that waits for its turn.
type Waiting = (LegKey, SocketAddr, Vec<u8>);

pub(super) struct Worker {
    config: ThreadConfig,
    identity: Arc<Identity>,
    poll: Poll,
    shared: Option<UdpSocket>,
    ports: PortPool,
    commands: Receiver<Command>,
    crossings: Receiver<Crossing>,
    events: mpsc::Sender<(LegKey, LegEvent)>,
    figures: Arc<Figures>,
    table: Table,
    wheel: Wheel,
    handshakes: VecDeque<Waiting>,
    /// Sockets that were readable and are not drained yet.
    readable: VecDeque<Token>,
    out: Out,
}

impl Worker {
    pub(super) fn new(
        config: ThreadConfig,
        identity: Arc<Identity>,
        poll: Poll,
        (commands, crossings): (Receiver<Command>, Receiver<Crossing>),
        events: mpsc::Sender<(LegKey, LegEvent)>,
        figures: Arc<Figures>,
    ) -> io::Result<Self> {
        let (shared, ports) = match &config.ports {
            Ports::Single(port) => {
                let mut socket = bind(config.bind, *port, SHARED_BUFFER)?;
                poll.registry().register(&mut socket, SHARED, Interest::READABLE)?;
                (Some(socket), PortPool::default())
            }
            Ports::Range(range) => (None, PortPool::new(range.clone())),
        };
        let (number, limit) = (config.number, config.legs_limit());
        Ok(Self {
            config,
            identity,
            poll,
            shared,
            ports,
            commands,
            crossings,
            events,
            figures,
            table: Table::new(number, limit),
            wheel: Wheel::new(Instant::now()),
            handshakes: VecDeque::new(),
            readable: VecDeque::new(),
            out: Out::default(),
        })
    }

    pub(super) fn run(mut self) {
        let mut ready = Events::with_capacity(DATAGRAMS);
        let mut due = Vec::new();
        let mut buffer = [0; DATAGRAM_BYTES];
        loop {
            self.wait(&mut ready);
            let woken = Instant::now();
            self.receive(&mut buffer, woken);
            self.serve_due(Instant::now(), &mut due);
            self.take_crossings(Instant::now());
            if !self.take_commands() {
                break;
            }
            self.serve_handshakes();
            self.figures.worked(woken.elapsed());
        }
        for leg in self.table.keys() {
            self.serve(leg, Instant::now(), |leg, now, out| {
                leg.close(EndReason::Closed, now, out);
            });
        }
    }

    fn wait(&mut self, ready: &mut Events) {
        let has_work = !self.readable.is_empty() || !self.handshakes.is_empty();
        let timeout = if has_work {
            Duration::ZERO
        } else if self.table.len() > COALESCE_ABOVE {
            let until_slot = self.wheel.next_slot().saturating_duration_since(Instant::now());
            std::thread::sleep(until_slot);
            Duration::ZERO
        } else {
            let next = self
                .wheel
                .next_due()
                .map(|at| at.saturating_duration_since(Instant::now()));
            next.unwrap_or(Duration::MAX).min(Duration::from_secs(1))
        };
        // An interrupted wait is a turn without news.
        if self.poll.poll(ready, Some(timeout)).is_err() {
            return;
        }
        for event in ready.iter().filter(|event| event.token() != WAKER) {
            if !self.readable.contains(&event.token()) {
                self.readable.push_back(event.token());
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8], now: Instant) {
        let before = self.figures.received();
        for _ in 0..self.readable.len() {
            let Some(token) = self.readable.pop_front() else { break };
            let limit = if token == SHARED { DATAGRAMS } else { DATAGRAMS_OF_A_LEG };
            let is_drained = !(0..limit).all(|_| self.receive_one(token, buffer, now));
            if !is_drained {
                self.readable.push_back(token);
            }
        }
        if let Ok(taken @ 1..) = u32::try_from(self.figures.received() - before) {
            self.figures.batch.add(f64::from(taken));
        }
    }

    /// Takes one datagram; `false` if there is none.
    fn receive_one(&mut self, token: Token, buffer: &mut [u8], now: Instant) -> bool {
        let owner = if token == SHARED { None } else { self.owner(token) };
        let socket = match owner {
            Some(key) => self.table.get(key).and_then(|entry| entry.socket.as_ref()),
            None => self.shared.as_ref().filter(|_| token == SHARED),
        };
        let Some(Ok((length, from))) = socket.map(|socket| socket.recv_from(buffer)) else {
            return false;
        };
        count(&self.figures.received);
        let datagram = &buffer[..length];
        let from = plain_address(from);
        match owner.or_else(|| self.addressee(from, datagram)) {
            Some(key) => self.datagram(key, from, datagram, now),
            None => count(&self.figures.strangers),
        }
        true
    }

    fn owner(&self, token: Token) -> Option<LegKey> {
        self.table.key_of(u32::try_from(token.0).ok()?)
    }

    /// Whom a datagram of the shared socket is for: a check names its leg, anything else comes from a nominated address.
    fn addressee(&self, from: SocketAddr, datagram: &[u8]) -> Option<LegKey> {
        if datagram.first().is_some_and(|first| *first <= 3) {
            let slot = Credentials::slot_of(addressed_fragment(datagram)?)?;
            return self.table.key_of(slot);
        }
        self.table.at(from)
    }

    fn datagram(&mut self, key: LegKey, from: SocketAddr, datagram: &[u8], now: Instant) {
        let is_handshake = datagram.first().is_some_and(|first| (20..=63).contains(first));
        if !is_handshake {
            self.serve(key, now, |leg, now, out| leg.datagram(from, datagram, now, out));
        } else if self.handshakes.len() < HANDSHAKES {
            self.handshakes.push_back((key, from, datagram.to_vec()));
        } else {
            count(&self.figures.handshakes_dropped);
        }
    }

    fn serve_handshakes(&mut self) {
        let began = Instant::now();
        while began.elapsed() < HANDSHAKE_TIME {
            let Some((key, from, datagram)) = self.handshakes.pop_front() else {
                return;
            };
            let now = Instant::now();
            self.serve(key, now, |leg, now, out| leg.datagram(from, &datagram, now, out));
        }
    }

    fn serve_due(&mut self, now: Instant, due: &mut Vec<(LegKey, u64)>) {
        self.wheel.take_due(now, due);
        if let Some((_, slot)) = due.first() {
            self.figures
                .record_lag(now.saturating_duration_since(self.wheel.time_of(*slot)));
        }
        for (key, slot) in due.drain(..) {
            let Some(entry) = self.table.get(key).filter(|entry| entry.scheduled == Some(slot)) else {
                continue;
            };
            entry.scheduled = None;
            self.serve(key, now, Leg::tick);
            self.end_lost_bridge(key);
        }
    }

    /// Lets a leg do something, and carries what comes out to the network, to whoever follows events, and over the bridge.
    fn serve(&mut self, key: LegKey, now: Instant, act: impl FnOnce(&mut Leg, Instant, &mut Out)) {
        let mut out = std::mem::take(&mut self.out);
        self.serve_one(key, now, &mut out, act);
        if out.has_bridged() {
            let bridged: Vec<Bridged> = out.take_bridged().collect();
            match self.table.get(key).and_then(|entry| entry.bridge.as_mut()) {
                Some(Bridge::Here(other)) => {
                    let other = *other;
                    for bridged in &bridged {
                        self.serve_one(other, now, &mut out, |leg, now, out| leg.forward(bridged, now, out));
                    }
                }
                Some(Bridge::Across(across)) => bridged.into_iter().for_each(|bridged| across.carry(bridged)),
                None => {}
            }
        }
        self.out = out;
    }

    /// An input that makes a leg panic ends this leg only.
    fn serve_one(&mut self, key: LegKey, now: Instant, out: &mut Out, act: impl FnOnce(&mut Leg, Instant, &mut Out)) {
        let Some(entry) = self.table.get(key) else { return };
        let leg = &mut entry.leg;
        let result = catch_unwind(AssertUnwindSafe(|| act(leg, now, out)));
        if result.is_ok() {
            self.carry_out(key, out);
            self.schedule(key, now);
            self.recount(key);
        } else {
            count(&self.figures.panics);
            tracing::error!(leg = key.index, "an input made a leg panic, the leg is ended");
            out.clear();
            self.tell(key, LegEvent::Ended(EndReason::InternalError));
            self.remove(key, now);
        }
        if self.table.get(key).is_some_and(|entry| entry.leg.ended().is_some()) {
            self.remove(key, now);
        }
    }

    fn carry_out(&mut self, key: LegKey, out: &mut Out) {
        let own = self.table.get(key).and_then(|entry| entry.socket.as_ref());
        if let Some(socket) = own.or(self.shared.as_ref()) {
            let is_v6 = self.config.bind.is_ipv6();
            for (to, datagram) in out.datagrams() {
                let counter = match socket.send_to(datagram, for_family(to, is_v6)) {
                    Ok(_) => &self.figures.sent,
                    Err(_) => &self.figures.unsent,
                };
                count(counter);
            }
        }
        for event in out.take_events() {
            if let LegEvent::Nominated { address } | LegEvent::Moved { to: address, .. } = event {
                self.table.set_address(key, address);
            }
            self.tell(key, event);
        }
        out.forget_datagrams();
    }

    fn tell(&self, key: LegKey, event: LegEvent) {
        if self.events.try_send((key, event)).is_err() {
            count(&self.figures.events_lost);
        }
    }

    fn schedule(&mut self, key: LegKey, now: Instant) {
        let Some(entry) = self.table.get(key) else { return };
        let Some(next) = entry.leg.next_tick(now) else { return };
        let is_in_time = entry.scheduled.is_some_and(|slot| slot <= self.wheel.slot_of(next));
        if !is_in_time {
            entry.scheduled = Some(self.wheel.enter(key, next));
        }
    }

    /// Counts a leg as what it is now.
    fn recount(&mut self, key: LegKey) {
        let Some(entry) = self.table.get(key) else { return };
        let standing = Some(entry.leg.standing());
        if entry.counted != standing {
            let before = std::mem::replace(&mut entry.counted, standing);
            self.figures.census.changes(before, standing);
        }
    }

    fn remove(&mut self, key: LegKey, now: Instant) {
        let Some(mut entry) = self.table.remove(key) else {
            return;
        };
        self.figures.census.changes(entry.counted, None);
        self.figures.leg_ended(&entry.leg.statistics(now));
        if let Some(socket) = &mut entry.socket {
            let port = socket.local_addr().map(|address| address.port());
            let _ = self.poll.registry().deregister(socket);
            if let Ok(port) = port {
                self.ports.give_back(port, now);
            }
        }
        if let Some(Bridge::Here(other)) = entry.bridge {
            self.unbridge(other);
        }
        self.figures.legs.store(self.table.len() as u64, Ordering::Relaxed);
    }

    /// Ends the bridge of a leg whose other end, elsewhere, is no more.
    fn end_lost_bridge(&mut self, key: LegKey) {
        let bridge = self.table.get(key).and_then(|entry| entry.bridge.as_ref());
        if matches!(bridge, Some(Bridge::Across(across)) if across.is_over()) {
            self.unbridge(key);
        }
    }

    fn unbridge(&mut self, key: LegKey) {
        if let Some(entry) = self.table.get(key) {
            entry.bridge = None;
            entry.leg.set_relay(Relay::Nothing);
            self.recount(key);
            self.tell(key, LegEvent::BridgeEnded);
        }
    }
}
