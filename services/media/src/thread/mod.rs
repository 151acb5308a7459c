//! Media threads: each owns sockets and drives thousands of legs.
//!
//! A plain thread without a runtime. Each turn it waits for a datagram, a command or the next due leg, drains the sockets,
//! serves due legs, takes commands, and gives what is left to handshakes, so that a thousand callers at nine o'clock queue
//! while audio stays on time. It decides nothing about audio: that is [`crate::leg`].
//!
//! Two modes: one UDP port a leg from a range, or one port for all, where a leg is found by the user fragment of a check and
//! by the address that the check nominated. A datagram from anywhere else costs one look-up and leaves nothing behind.

mod bridge;
mod census;
mod command;
mod config;
mod figures;
mod pool;
mod ports;
mod priority;
mod sockets;
mod spread;
mod table;
mod wheel;
mod worker;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use mio::{Poll, Waker};
use tokio::sync::{mpsc, oneshot};

use crate::codec::Codec;
use crate::codecs::{Codecs, Ear, Mixing, Voice};
use crate::dtls::Identity;
use crate::ice::Credentials;
use crate::leg::{EndReason, LegEvent, Play, RecordAnswer, Relay, Statistics};
use crate::record::Tap;
use crate::sdp::Negotiated;
use crate::tone::Key;

use bridge::{Across, Crossing, RING, Ring};
pub use census::Census;
use command::Command;
pub use command::{LegError, OpenError, Opened};
pub use config::{Ports, ThreadConfig};
pub use figures::{Figures, REFUSED};
pub use pool::MediaThreads;
pub use spread::Spread;
pub use table::LegKey;
use worker::{WAKER, Worker};

/// Commands that may wait for a thread. Beyond them a command is refused.
const COMMANDS: usize = 1_024;
/// Events that may wait for whoever follows the legs. Beyond them events are lost, and counted.
const EVENTS: usize = 65_536;

/// A running media thread. Dropping it ends the thread and its legs.
pub struct MediaThread {
    commands: SyncSender<Command>,
    crossings: SyncSender<Crossing>,
    waker: Arc<Waker>,
    figures: Arc<Figures>,
    thread: Option<JoinHandle<()>>,
}

/// Events of a thread's legs.
pub type Events = mpsc::Receiver<(LegKey, LegEvent)>;

impl MediaThread {
    /// Binds what must be bound and starts the thread.
    pub fn start(config: ThreadConfig, identity: Arc<Identity>) -> io::Result<(Self, Events)> {
        let (events, receiver) = mpsc::channel(EVENTS);
        Ok((Self::start_telling(config, identity, events)?, receiver))
    }

    /// The same with events that others tell, too.
    fn start_telling(
        config: ThreadConfig,
        identity: Arc<Identity>,
        events: mpsc::Sender<(LegKey, LegEvent)>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (commands, receiver) = sync_channel(COMMANDS);
        let (crossings, crossing) = sync_channel(RING);
        let (figures, number, is_realtime) = (Arc::new(Figures::default()), config.number, config.is_realtime);
        let worker = Worker::new(config, identity, poll, (receiver, crossing), events, figures.clone())?;
        let thread = std::thread::Builder::new()
            .name(format!("media-{number}"))
            .spawn(move || {
                if is_realtime {
                    priority::go_first(number);
                }
                worker.run();
            })?;
        Ok(Self {
            commands,
            crossings,
            waker,
            figures,
            thread: Some(thread),
        })
    }

    /// A new leg for a peer whose offer was taken.
    pub async fn open(&self, negotiated: Negotiated) -> Result<Opened, OpenError> {
        let (reply, answer) = oneshot::channel();
        let negotiated = Box::new(negotiated);
        self.send(Command::Open { negotiated, reply })
            .map_err(|_| OpenError::Busy)?;
        answer.await.map_err(|_| OpenError::Busy)?
    }

    /// Says where the audio of a leg goes. [`MediaThreads::bridge`] makes bridges.
    pub async fn relay(&self, leg: LegKey, relay: Relay) -> Result<(), LegError> {
        self.ask(|reply| Command::Relay { leg, relay, reply }).await
    }

    async fn codec(&self, leg: LegKey) -> Result<Codec, LegError> {
        self.ask(|reply| Command::Codec { leg, reply }).await
    }

    /// Gives a leg its end of a bridge.
    async fn across(&self, leg: LegKey, across: Across) -> Result<(), LegError> {
        self.ask(|reply| Command::Across { leg, across, reply }).await
    }

    fn ring(&self) -> Ring {
        Ring {
            crossings: self.crossings.clone(),
            waker: self.waker.clone(),
            figures: self.figures.clone(),
        }
    }

    /// New ICE credentials for a peer that restarts.
    pub async fn restart(&self, leg: LegKey, peer_fragment: String) -> Result<Credentials, LegError> {
        self.ask(|reply| Command::Restart {
            leg,
            peer_fragment,
            reply,
        })
        .await
    }

    /// Adds prompts to the queue of a leg.
    pub async fn play(&self, leg: LegKey, play: Play) -> Result<(), LegError> {
        self.ask(|reply| Command::Play { leg, play, reply }).await
    }

    /// Stops an operation of a leg, or all that play or wait.
    pub async fn stop(&self, leg: LegKey, operation: Option<u64>) -> Result<(), LegError> {
        self.ask(|reply| Command::StopPlaying { leg, operation, reply }).await
    }

    /// Sends keys; the end of the last one is told as the end of the operation. Operation 0 is not told.
    pub async fn send_tones(&self, leg: LegKey, operation: u64, keys: Vec<Key>) -> Result<(), LegError> {
        self.ask(|reply| Command::SendTones {
            leg,
            operation,
            keys,
            reply,
        })
        .await
    }

    /// Records one direction of a leg, until the leg or [`Self::stop_recording`] ends it.
    pub async fn record(&self, leg: LegKey, tap: Tap) -> Result<(), LegError> {
        self.ask(|reply| Command::Record { leg, tap, reply }).await
    }

    /// Records both directions of a leg in one file, as [`Self::record`] does one.
    pub async fn record_mixed(&self, leg: LegKey, mixing: Mixing) -> Result<(), LegError> {
        self.ask(|reply| Command::RecordMixed { leg, mixing, reply }).await
    }

    /// Ends the recordings of an operation, or all there are; that they are on disk is told by [`crate::record::Finished`].
    pub async fn stop_recording(&self, leg: LegKey, operation: Option<u64>) -> Result<(), LegError> {
        self.ask(|reply| Command::StopRecording { leg, operation, reply }).await
    }

    /// Records an answer of a leg's peer; its end is told as [`LegEvent::Answered`].
    pub async fn record_answer(&self, leg: LegKey, answer: RecordAnswer, barge_in: bool) -> Result<(), LegError> {
        self.ask(|reply| Command::RecordAnswer {
            leg,
            answer,
            barge_in,
            reply,
        })
        .await
    }

    /// Says whether speech and silence of a leg's peer are told.
    pub async fn tell_speech(&self, leg: LegKey, is_told: bool) -> Result<(), LegError> {
        self.ask(|reply| Command::TellSpeech { leg, is_told, reply }).await
    }

    /// Sees to it that it can be known whether a leg's peer speaks: where Opus comes without levels a codec thread listens.
    pub async fn hear_speech(&self, leg: LegKey, codecs: &Codecs) -> Result<(), LegError> {
        if self.ask(|reply| Command::HearsSpeech { leg, reply }).await? {
            return Ok(());
        }
        let (commands, waker) = (self.commands.clone(), self.waker.clone());
        let listener = move |change| {
            // A thread with a thousand commands waiting is late in everything: speech that it does not hear of is the least of it.
            if commands.try_send(Command::Speech { leg, change }).is_ok() {
                let _ = waker.wake();
            }
        };
        let ear = codecs.listen(Box::new(listener))?;
        self.ask(|reply| Command::SetEar { leg, ear, reply }).await
    }

    /// Sends silence on a leg from now on whenever there is nothing to say.
    pub async fn be_continuous(&self, leg: LegKey) -> Result<(), LegError> {
        self.ask(|reply| Command::BeContinuous { leg, reply }).await
    }

    /// Finds the keys that the peer of a leg of that codec presses in its sound, too, from now on.
    pub async fn hear_keys(&self, leg: LegKey, codec: Codec, codecs: &Codecs) -> Result<(), LegError> {
        let (commands, waker) = (self.commands.clone(), self.waker.clone());
        let listener = move |sound, at| {
            if commands.try_send(Command::KeySound { leg, sound, at }).is_ok() {
                let _ = waker.wake();
            }
        };
        let ear = codecs.hear_keys(codec, Box::new(listener))?;
        self.ask(|reply| Command::SetKeyEar { leg, ear, reply }).await
    }

    /// Lets somebody follow what a leg's peer says, and speak live, if there is a voice.
    pub async fn set_live(&self, leg: LegKey, ear: Ear, voice: Option<Voice>) -> Result<(), LegError> {
        self.ask(|reply| Command::SetLive { leg, ear, voice, reply }).await
    }

    /// A leg in figures.
    pub async fn statistics(&self, leg: LegKey) -> Result<Statistics, LegError> {
        self.ask(|reply| Command::Statistics { leg, reply }).await
    }

    /// Ends a leg. Its last event says so.
    pub async fn close(&self, leg: LegKey, reason: EndReason) -> Result<(), LegError> {
        self.ask(|reply| Command::Close { leg, reason, reply }).await
    }

    /// The thread in figures.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, LegError>>) -> Command,
    ) -> Result<T, LegError> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply))?;
        answer.await.map_err(|_| LegError::Busy)?
    }

    fn send(&self, command: Command) -> Result<(), LegError> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => LegError::Busy,
        })?;
        // A thread that cannot be woken looks at its commands within a second all the same.
        let _ = self.waker.wake();
        Ok(())
    }
}

impl Drop for MediaThread {
    fn drop(&mut self) {
        // The thread takes commands at every turn, so there is room soon.
        let _ = self.commands.send(Command::Stop);
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
