//! The streams to all media hosts, and what calls ask of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tonic::transport::Channel;
use trunkline_cluster::channel::{Connector, Identity};
use trunkline_proto::media as proto;
use trunkline_proto::media::command::What;
use trunkline_store::key::{ShardId, Triple};

use super::choice::Choice;
use super::line::{self, Answered, COMMANDS, Order, Owner, Setting};
use super::sound::{self, LegSound};
use super::wire;
use crate::call::LegCommand;
use crate::conversation::{GraphAnswer, LegAnswer, LegPlace};
use crate::shell::context::WorkerParts;

/// A host that has not opened a leg after so long is not waited for: the leg, if there is one, ends by itself.
const OPEN: Duration = Duration::from_millis(500);
/// A host that has not answered to attaching or closing after so long counts as silent.
const ANSWER: Duration = Duration::from_millis(600);

/// One stream to each media host that was asked something.
pub(crate) struct Lines {
    connector: Connector,
    /// Where streams live: a bot that blocks its thread must not stall what others hear.
    runtime: Handle,
    /// Name of this worker, for the hosts' logs, and its zone.
    worker: String,
    zone: String,
    /// By the host's address.
    streams: Mutex<HashMap<String, mpsc::Sender<Order>>>,
    /// Connections for sound, by the host's address.
    sounds: Mutex<HashMap<String, Channel>>,
}

impl Lines {
    /// Connects with this identity. Needs a runtime around it, which serves the streams.
    pub(crate) fn new(identity: Option<Arc<Identity>>, worker: String, zone: String) -> Self {
        Self {
            connector: Connector::to_media_hosts(identity),
            runtime: Handle::current(),
            worker,
            zone,
            streams: Mutex::default(),
            sounds: Mutex::default(),
        }
    }

    /// Opens a leg at one of the hosts of the store's book: at that of this name, if it has room.
    pub(crate) async fn open(
        &self,
        parts: &Arc<WorkerParts>,
        epoch: u64,
        open: proto::Open,
        near: Option<&str>,
        within: Duration,
    ) -> LegAnswer {
        let until = Instant::now() + within;
        let entries = match tokio::time::timeout_at(until, parts.store.media().media_hosts()).await {
            Ok(Ok(entries)) => entries,
            Ok(Err(error)) => return no_host(format!("the media hosts are not known: {error}")),
            Err(_) => return no_host("the media hosts are not known: the store does not answer".to_owned()),
        };
        let mut choice = Choice::of(entries, &self.zone, open.live).beginning_at(near);
        let mut reason = choice.why_nobody();
        while let Some(candidate) = choice.next(|below| rand::random_range(0..below)) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let what = What::Open(open.clone());
            let place = LegPlace {
                host: candidate.name.clone(),
                address: candidate.host.address.clone(),
                name: String::new(),
            };
            let answered = self.ask(parts, &place, epoch, None, what, None, left.min(OPEN)).await;
            let opened = answered.and_then(|(leg, ack)| wire::opened(&candidate, leg, ack));
            match opened {
                Ok(opened) => return LegAnswer::Opened(opened),
                Err(why) => reason = format!("{} does not take the leg: {why}", candidate.name),
            }
        }
        no_host(reason)
    }

    /// Hears a leg from now on, for the call of that key.
    pub(crate) async fn attach(
        &self,
        parts: &Arc<WorkerParts>,
        leg: &LegPlace,
        epoch: u64,
        last_event: u64,
        owner: Owner,
    ) -> LegAnswer {
        let what = What::Attach(proto::Attach { last_event });
        match self.ask(parts, leg, epoch, None, what, Some(owner), ANSWER).await {
            Ok((_, ack)) => wire::attached(ack),
            Err(reason) => LegAnswer::Unreachable { reason },
        }
    }

    /// Has a command carried out, which may be told again as long as nobody knows what came of it.
    pub(crate) async fn command(
        &self,
        parts: &Arc<WorkerParts>,
        leg: &LegPlace,
        epoch: u64,
        number: u64,
        command: LegCommand,
        within: Duration,
    ) -> GraphAnswer {
        let what = wire::command(command);
        match self.ask(parts, leg, epoch, Some(number), what, None, within).await {
            Ok((_, ack)) => wire::carried_out(ack),
            Err(reason) => GraphAnswer::Doubt { reason },
        }
    }

    /// The sound of a leg, for its call; ready when the leg has a peer.
    pub(crate) async fn follow(
        &self,
        parts: &Arc<WorkerParts>,
        leg: &LegPlace,
        epoch: u64,
        call: Triple,
    ) -> Result<LegSound, String> {
        let channel = self.sound_channel(&leg.address)?;
        sound::follow(channel, leg, epoch, call, parts).await
    }

    /// The connection for sound to a host, made when it is first used.
    fn sound_channel(&self, address: &str) -> Result<Channel, String> {
        let mut channels = self.sounds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(address) {
            return Ok(channel.clone());
        }
        let endpoint = line::endpoint(address)?;
        let channel = endpoint.connect_with_connector_lazy(self.connector.clone());
        channels.insert(address.to_owned(), channel.clone());
        Ok(channel)
    }

    /// Ends a leg.
    pub(crate) async fn close(&self, parts: &Arc<WorkerParts>, leg: &LegPlace, epoch: u64, number: u64) -> LegAnswer {
        let what = What::Close(proto::Close {});
        match self.ask(parts, leg, epoch, Some(number), what, None, ANSWER).await {
            Ok((_, ack)) => wire::closed(&ack),
            Err(reason) => LegAnswer::Unreachable { reason },
        }
    }

    /// Legs of that shard are another worker's: what they tell is not heard here.
    pub(crate) fn forget(&self, shard: ShardId) {
        let lines = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines.values() {
            // A line that is too full for it tells a directory that does not serve the shard, which drops it.
            let _ = line.try_send(Order::Forget(shard));
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one command")]
    async fn ask(
        &self,
        parts: &Arc<WorkerParts>,
        leg: &LegPlace,
        epoch: u64,
        number: Option<u64>,
        what: What,
        owner: Option<Owner>,
        within: Duration,
    ) -> Answered {
        let (reply, answer) = oneshot::channel();
        let order = Order::Ask {
            epoch,
            leg: leg.name.clone(),
            number,
            what,
            owner,
            reply,
        };
        let line = self.line(parts, &leg.address);
        if line.try_send(order).is_err() {
            return Err(format!("the stream to {} is full or has ended", leg.address));
        }
        match tokio::time::timeout(within, answer).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) => Err(format!("the stream to {} has ended", leg.address)),
            Err(_) => Err(format!("{} does not answer", leg.address)),
        }
    }

    /// The stream to a host, begun if there is none.
    fn line(&self, parts: &Arc<WorkerParts>, address: &str) -> mpsc::Sender<Order> {
        let mut lines = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|_, line| !line.is_closed());
        if let Some(line) = lines.get(address) {
            return line.clone();
        }
        let (line, orders) = mpsc::channel(COMMANDS);
        let setting = Setting {
            connector: self.connector.clone(),
            address: address.to_owned(),
            worker: self.worker.clone(),
            parts: Arc::downgrade(parts),
        };
        self.runtime.spawn(line::run(setting, orders));
        lines.insert(address.to_owned(), line.clone());
        line
    }
}

fn no_host(reason: String) -> LegAnswer {
    LegAnswer::NoHost { reason }
}
