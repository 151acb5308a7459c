//! What a media thread is told to do with its legs.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::mpsc::TryRecvError;
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Interest, Token};
use rand::RngExt;
use tokio::sync::oneshot;

use super::super::LegKey;
use super::super::bridge::{Across, Bridge, Crossing};
use super::super::command::{Command, LegError, OpenError, Opened};
use super::super::sockets::{OWN_BUFFER, bind};
use super::super::table::Entry;
use super::Worker;
use crate::ice::Credentials;
use crate::leg::{Leg, Out, Relay, Setup};
use crate::sdp::Negotiated;

/// Commands in one turn.
const COMMANDS: usize = 64;
/// Packets of bridges with legs elsewhere in one turn.
const CROSSINGS: usize = 1_024;
/// A thread that is later refuses new legs.
const LATE: Duration = Duration::from_millis(20);
/// Ports that are tried for a leg before there is none.
const PORT_TRIES: usize = 16;

impl Worker {
    /// Carries out waiting commands; `false` when the thread is to end.
    pub(super) fn take_commands(&mut self) -> bool {
        for _ in 0..COMMANDS {
            match self.commands.try_recv() {
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Ok(command) => self.command(command, Instant::now()),
                Err(TryRecvError::Empty) => return true,
            }
        }
        true
    }

    fn command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Open { negotiated, reply } => answer_to(reply, self.open(*negotiated, now)),
            Command::Relay { leg, relay, reply } => answer_to(reply, self.relay(leg, relay)),
            Command::Bridge { one, other, reply } => answer_to(reply, self.bridge(one, other)),
            Command::Codec { leg, reply } => {
                let entry = self.table.get(leg).ok_or(LegError::Gone);
                answer_to(reply, entry.map(|entry| entry.leg.codec()));
            }
            Command::Across { leg, across, reply } => answer_to(reply, self.across(leg, across)),
            Command::Restart {
                leg,
                peer_fragment,
                reply,
            } => answer_to(reply, self.restart(leg, peer_fragment)),
            Command::Statistics { leg, reply } => {
                let entry = self.table.get(leg).ok_or(LegError::Gone);
                answer_to(reply, entry.map(|entry| entry.leg.statistics(now)));
            }
            Command::Close { leg, reason, reply } => {
                let known = self.table.get(leg).map(|_| ()).ok_or(LegError::Gone);
                self.serve(leg, now, |leg, now, out| leg.close(reason, now, out));
                answer_to(reply, known);
            }
            Command::Play { leg, play, reply } => {
                let result = self.act(leg, now, |leg, _| leg.play(play), LegError::NotPlayed);
                answer_to(reply, result);
            }
            Command::StopPlaying { leg, operation, reply } => {
                let result = self.act(leg, now, |leg, out| leg.stop(operation, out), LegError::NotPlaying);
                answer_to(reply, result);
            }
            Command::SendTones {
                leg,
                operation,
                keys,
                reply,
            } => {
                let result = self.act(leg, now, |leg, _| leg.send_tones(operation, &keys), LegError::NoTones);
                answer_to(reply, result);
            }
            Command::Record { leg, tap, reply } => {
                let result = self.act(leg, now, |leg, _| leg.record(tap), LegError::Gone);
                answer_to(reply, result);
            }
            Command::RecordMixed { leg, mixing, reply } => {
                let result = self.act(leg, now, |leg, _| leg.record_mixed(mixing), LegError::Gone);
                answer_to(reply, result);
            }
            Command::StopRecording { leg, operation, reply } => {
                let refusal = LegError::NotRecording;
                let result = self.act(leg, now, |leg, _| leg.stop_recording(operation), refusal);
                answer_to(reply, result);
            }
            Command::RecordAnswer {
                leg,
                answer,
                barge_in,
                reply,
            } => {
                let record = |leg: &mut Leg, out: &mut Out| leg.record_answer(answer, barge_in, out);
                let result = self.act(leg, now, record, LegError::NotPlayed);
                answer_to(reply, result);
            }
            Command::TellSpeech { leg, is_told, reply } => {
                let tell = |leg: &mut Leg, _: &mut Out| {
                    leg.tell_speech(is_told);
                    true
                };
                answer_to(reply, self.act(leg, now, tell, LegError::Gone));
            }
            Command::HearsSpeech { leg, reply } => {
                let entry = self.table.get(leg).ok_or(LegError::Gone);
                answer_to(reply, entry.map(|entry| entry.leg.hears_speech()));
            }
            Command::SetEar { leg, ear, reply } => {
                let set = |leg: &mut Leg, _: &mut Out| {
                    leg.set_ear(ear);
                    true
                };
                answer_to(reply, self.act(leg, now, set, LegError::Gone));
            }
            Command::SetLive { leg, ear, voice, reply } => {
                let result = self.act(leg, now, |leg, _| leg.set_live(ear, voice), LegError::Gone);
                answer_to(reply, result);
            }
            Command::Speech { leg, change } => self.serve(leg, now, |leg, _, out| leg.speech(change, out)),
            Command::BeContinuous { leg, reply } => {
                let be = |leg: &mut Leg, _: &mut Out| {
                    leg.be_continuous();
                    true
                };
                answer_to(reply, self.act(leg, now, be, LegError::Gone));
            }
            Command::SetKeyEar { leg, ear, reply } => {
                let result = self.act(leg, now, |leg, _| leg.set_key_ear(ear), LegError::Gone);
                answer_to(reply, result);
            }
            Command::KeySound { leg, sound, at } => self.serve(leg, now, |leg, _, out| leg.key_sound(sound, at, out)),
            Command::Stop => {}
        }
    }

    /// Lets a leg do something that it may refuse.
    fn act(
        &mut self,
        key: LegKey,
        now: Instant,
        act: impl FnOnce(&mut Leg, &mut Out) -> bool,
        refusal: LegError,
    ) -> Result<(), LegError> {
        let mut result = Err(LegError::Gone);
        self.serve(key, now, |leg, _, out| {
            result = if act(leg, out) { Ok(()) } else { Err(refusal) };
        });
        result
    }

    fn open(&mut self, negotiated: Negotiated, now: Instant) -> Result<Opened, OpenError> {
        if self.figures.lag() > LATE {
            return Err(OpenError::Busy);
        }
        let key = self.table.vacant().ok_or(OpenError::Full)?;
        let socket = if self.shared.is_some() {
            None
        } else {
            Some(self.bind_own(key, now)?)
        };
        let bound = socket.as_ref().or(self.shared.as_ref());
        let port = bound
            .and_then(|socket| socket.local_addr().ok())
            .ok_or(OpenError::NoPort)?
            .port();
        let mut random = rand::rng();
        let setup = Setup {
            credentials: Credentials::generate(key.index, self.config.host, &mut random),
            negotiated,
            source: random.random(),
            seed: random.random(),
            patience: self.config.patience,
        };
        let opened = Opened {
            leg: key,
            credentials: setup.credentials.clone(),
            source: setup.source,
            candidates: self
                .config
                .advertised
                .iter()
                .map(|ip| SocketAddr::new(*ip, port))
                .collect(),
        };
        let leg = Leg::new(setup, &self.identity, now);
        self.table.insert(key, Entry::new(leg, socket));
        self.recount(key);
        self.schedule(key, now);
        self.figures.legs.store(self.table.len() as u64, Ordering::Relaxed);
        Ok(opened)
    }

    /// Another process may have a port of ours: it rests, and the next is tried.
    fn bind_own(&mut self, key: LegKey, now: Instant) -> Result<UdpSocket, OpenError> {
        for _ in 0..PORT_TRIES.min(self.ports.len()) {
            let port = self.ports.take(now).ok_or(OpenError::NoPort)?;
            let bound = bind(self.config.bind, port, OWN_BUFFER).and_then(|mut socket| {
                let token = Token(key.index as usize);
                self.poll.registry().register(&mut socket, token, Interest::READABLE)?;
                Ok(socket)
            });
            match bound {
                Ok(socket) => return Ok(socket),
                Err(error) => {
                    tracing::warn!(port, %error, "a UDP port of the range cannot be bound");
                    self.ports.give_back(port, now);
                }
            }
        }
        Err(OpenError::NoPort)
    }

    fn relay(&mut self, leg: LegKey, relay: Relay) -> Result<(), LegError> {
        let entry = self.table.get(leg).ok_or(LegError::Gone)?;
        entry.leg.set_relay(relay);
        let bridge = entry.bridge.take();
        self.recount(leg);
        match bridge {
            Some(Bridge::Here(other)) => self.unbridge(other),
            // What is dropped tells the other end.
            Some(Bridge::Across(_)) | None => {}
        }
        Ok(())
    }

    fn across(&mut self, leg: LegKey, across: Across) -> Result<(), LegError> {
        self.relay(leg, Relay::Bridge)?;
        if let Some(entry) = self.table.get(leg) {
            entry.bridge = Some(Bridge::Across(across));
        }
        Ok(())
    }

    /// Takes what legs elsewhere have for legs of this thread.
    pub(super) fn take_crossings(&mut self, now: Instant) {
        for _ in 0..CROSSINGS {
            let Ok(Crossing { to, from, what }) = self.crossings.try_recv() else {
                return;
            };
            let is_bridged = self
                .table
                .get(to)
                .and_then(|entry| entry.bridge.as_ref())
                .is_some_and(|bridge| bridge.other() == from);
            match what {
                Some(bridged) if is_bridged => self.serve(to, now, |leg, now, out| leg.forward(&bridged, now, out)),
                // Of a bridge that is no more.
                Some(_) => {}
                None => self.end_lost_bridge(to),
            }
        }
    }

    fn bridge(&mut self, one: LegKey, other: LegKey) -> Result<(), LegError> {
        if [one, other].iter().any(|key| self.table.get(*key).is_none()) {
            return Err(LegError::Gone);
        }
        for (key, partner) in [(one, other), (other, one)] {
            self.relay(key, Relay::Bridge)?;
            if let Some(entry) = self.table.get(key) {
                entry.bridge = Some(Bridge::Here(partner));
            }
        }
        Ok(())
    }

    fn restart(&mut self, leg: LegKey, peer_fragment: String) -> Result<Credentials, LegError> {
        let host = self.config.host;
        let entry = self.table.get(leg).ok_or(LegError::Gone)?;
        let credentials = Credentials::generate(leg.index, host, &mut rand::rng());
        entry.leg.restart(credentials.clone(), peer_fragment);
        Ok(credentials)
    }
}

/// Who asked may have gone: an answer that nobody takes is dropped.
fn answer_to<T>(reply: oneshot::Sender<T>, answer: T) {
    let _ = reply.send(answer);
}
