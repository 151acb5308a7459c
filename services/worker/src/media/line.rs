//! The stream to one media host: commands and their answers, events and whose they are.

use std::collections::HashMap;
use std::sync::Weak;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use tonic::{Status, Streaming};
use trunkline_cluster::channel::Connector;
use trunkline_proto::media::acknowledgement::What as Ack;
use trunkline_proto::media::command::What;
use trunkline_proto::media::media_client::MediaClient;
use trunkline_proto::media::to_host::Message as ToHostMessage;
use trunkline_proto::media::to_worker::Message as ToWorkerMessage;
use trunkline_proto::media::{Acknowledgement, Command, Hello, PROTOCOL, ToHost, ToWorker};
use trunkline_store::key::{Key, ShardId};

use super::wire;
use crate::call::LegNews;
use crate::conversation::{Event, LegTold};
use crate::shell::context::WorkerParts;
use crate::shell::directory::TellLeg;

/// For a connection with its handshake and the host's welcome.
const CONNECT: Duration = Duration::from_millis(500);
/// HTTP/2 pings a connection that is silent for so long, and gives up after the same time again: a machine that is gone is
/// noticed within 1.2 s.
const KEEP_ALIVE: Duration = Duration::from_millis(600);
/// Commands that may wait for a host.
pub(super) const COMMANDS: usize = 1_024;
/// Numbers of commands that have none of their leg begin here.
const OWN_NUMBERS: u64 = 1 << 63;

/// Whose leg it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) shard: ShardId,
    pub(crate) key: Key,
}

/// What a call hears of its leg.
#[derive(Debug)]
pub(crate) enum LegHeard {
    /// The leg told something.
    Told(LegTold),
    /// The way to the leg of that name broke.
    Broken(String),
}

impl From<LegHeard> for Event {
    fn from(heard: LegHeard) -> Self {
        match heard {
            LegHeard::Told(told) => Self::LegTold(Box::new(told)),
            LegHeard::Broken(leg) => Self::LegBroken(leg),
        }
    }
}

/// The answer to a command and the leg it is about, or why there is none.
pub(super) type Answered = Result<(String, Ack), String>;

/// Something for the line to do.
pub(super) enum Order {
    Ask {
        epoch: u64,
        /// Empty for a leg that is to be opened.
        leg: String,
        /// The number of the command; `None` for opening and attaching.
        number: Option<u64>,
        what: What,
        /// Who hears the leg from now on.
        owner: Option<Owner>,
        reply: oneshot::Sender<Answered>,
    },
    /// Legs of that shard are another worker's.
    Forget(ShardId),
}

/// What a line is made with.
pub(super) struct Setting {
    pub(super) connector: Connector,
    pub(super) address: String,
    /// Name of this worker, for the host's log.
    pub(super) worker: String,
    /// Gone when the worker has ended.
    pub(super) parts: Weak<WorkerParts>,
}

/// Serves orders until the stream ends or nobody gives any more.
pub(super) async fn run(setting: Setting, mut orders: mpsc::Receiver<Order>) {
    let connected = tokio::time::timeout(CONNECT, connect(&setting)).await;
    let connected = connected.unwrap_or_else(|_| Err(format!("{} does not answer", setting.address)));
    let (outgoing, mut incoming) = match connected {
        Ok(connected) => connected,
        Err(reason) => {
            tracing::debug!(address = setting.address, reason, "a media host is not reached");
            orders.close();
            while let Some(order) = orders.recv().await {
                refuse(order, &reason);
            }
            return;
        }
    };
    let mut line = Line {
        setting,
        next_number: OWN_NUMBERS,
        waiting: HashMap::new(),
        legs: HashMap::new(),
    };
    let why = loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => {
                    let Some(command) = line.take(order) else { continue };
                    if outgoing.send(command).await.is_err() {
                        break "the stream ended".to_owned();
                    }
                }
                None => return,
            },
            received = incoming.message() => match received {
                Ok(Some(received)) => line.hear(received),
                Ok(None) => break "the media host ended the stream".to_owned(),
                Err(status) => break status.to_string(),
            },
        }
    };
    orders.close();
    line.breaks(&why);
    while let Some(order) = orders.recv().await {
        refuse(order, &why);
    }
}

fn refuse(order: Order, reason: &str) {
    if let Order::Ask { reply, .. } = order {
        // Whoever asked may have given up.
        let _ = reply.send(Err(reason.to_owned()));
    }
}

/// How a host is reached. The scheme says nothing: the connector decides about TLS.
pub(super) fn endpoint(address: &str) -> Result<Endpoint, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| error.to_string())?;
    Ok(endpoint
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true))
}

type Connected = (mpsc::Sender<ToHost>, Streaming<ToWorker>);

async fn connect(setting: &Setting) -> Result<Connected, String> {
    let failed = |error: &dyn std::error::Error| {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
    };
    let endpoint = endpoint(&setting.address)?;
    let channel = endpoint.connect_with_connector(setting.connector.clone()).await;
    let channel = channel.map_err(|error| failed(&error))?;
    let (outgoing, stream) = mpsc::channel(COMMANDS);
    let hello = ToHostMessage::Hello(Hello {
        protocol: PROTOCOL,
        worker: setting.worker.clone(),
    });
    let _ = outgoing.try_send(ToHost { message: Some(hello) });
    let legs = MediaClient::new(channel).legs(ReceiverStream::new(stream)).await;
    let mut incoming = legs.map_err(|status| failed(&status))?.into_inner();
    let first: Result<Option<ToWorker>, Status> = incoming.message().await;
    match first.map_err(|status| failed(&status))?.and_then(|first| first.message) {
        Some(ToWorkerMessage::Welcome(_)) => Ok((outgoing, incoming)),
        _ => Err(format!("{} is no media host", setting.address)),
    }
}

struct Line {
    setting: Setting,
    next_number: u64,
    /// By leg and number of the command; of legs that are opened the name is not known yet.
    waiting: HashMap<(String, u64), oneshot::Sender<Answered>>,
    legs: HashMap<String, Attached>,
}

/// A leg that is attached here, or will be.
struct Attached {
    owner: Owner,
    /// Attaching is under way, by that number: what the leg tells now may overtake what it told before.
    attaching: Option<u64>,
    held: Vec<LegTold>,
}

impl Line {
    fn take(&mut self, order: Order) -> Option<ToHost> {
        let (epoch, leg, number, what, owner, reply) = match order {
            Order::Ask {
                epoch,
                leg,
                number,
                what,
                owner,
                reply,
            } => (epoch, leg, number, what, owner, reply),
            Order::Forget(shard) => {
                self.legs.retain(|_, attached| attached.owner.shard != shard);
                return None;
            }
        };
        let number = number.unwrap_or_else(|| {
            self.next_number += 1;
            self.next_number
        });
        if let Some(owner) = owner {
            let attached = Attached {
                owner,
                attaching: Some(number),
                held: Vec::new(),
            };
            self.legs.insert(leg.clone(), attached);
        }
        self.waiting.retain(|_, reply| !reply.is_closed());
        self.waiting.insert((leg.clone(), number), reply);
        let command = Command {
            operation: number,
            epoch,
            leg,
            what: Some(what),
        };
        Some(ToHost {
            message: Some(ToHostMessage::Command(command)),
        })
    }

    fn hear(&mut self, received: ToWorker) {
        match received.message {
            Some(ToWorkerMessage::Acknowledgement(acknowledgement)) => self.answered(acknowledgement),
            Some(ToWorkerMessage::Event(event)) => {
                if let Some(told) = wire::told(event) {
                    self.told(told);
                }
            }
            // A second welcome says nothing, and what a newer host says is not understood.
            Some(ToWorkerMessage::Welcome(_)) | None => {}
        }
    }

    fn answered(&mut self, acknowledgement: Acknowledgement) {
        let Acknowledgement { operation, leg, what } = acknowledgement;
        let Some(what) = what else { return };
        // A leg that was opened was asked for without its name.
        let asked = match what {
            Ack::Opened(_) => String::new(),
            _ => leg.clone(),
        };
        let is_attached = matches!(what, Ack::Attached(_));
        if let Some(reply) = self.waiting.remove(&(asked, operation)) {
            // Whoever asked may have given up.
            let _ = reply.send(Ok((leg.clone(), what)));
        }
        let Some(attached) = self.legs.get_mut(&leg).filter(|it| it.attaching == Some(operation)) else {
            return;
        };
        attached.attaching = None;
        let mut held = std::mem::take(&mut attached.held);
        if !is_attached {
            self.legs.remove(&leg);
            return;
        }
        held.sort_by_key(|told| told.number);
        held.dedup_by_key(|told| told.number);
        for told in held {
            self.told(told);
        }
    }

    fn told(&mut self, told: LegTold) {
        let Some(attached) = self.legs.get_mut(&told.leg) else {
            return;
        };
        if attached.attaching.is_some() {
            attached.held.push(told);
            return;
        }
        let owner = attached.owner;
        if matches!(told.news, LegNews::Ended { .. }) {
            self.legs.remove(&told.leg);
        }
        self.tell(owner, LegHeard::Told(told));
    }

    /// The stream is over: perhaps the legs are not.
    fn breaks(&mut self, why: &str) {
        let legs = std::mem::take(&mut self.legs);
        if !legs.is_empty() {
            let (address, count) = (&self.setting.address, legs.len());
            tracing::warn!(address, legs = count, why, "the stream to a media host broke");
        }
        for (_, reply) in self.waiting.drain() {
            let _ = reply.send(Err(why.to_owned()));
        }
        for (leg, attached) in legs {
            self.tell(attached.owner, LegHeard::Broken(leg));
        }
    }

    fn tell(&self, owner: Owner, heard: LegHeard) {
        let parts = self.setting.parts.upgrade();
        if let Some(directory) = parts.as_ref().and_then(|parts| parts.directory_of(owner.shard)) {
            directory.do_send(TellLeg { owner, heard });
        }
    }
}
