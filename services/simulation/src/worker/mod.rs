//! A worker: a process with a node of the cluster, a directory of conversations, and streams of ingresses.

mod actor;
mod directory;
mod effects;
mod leave;
mod process;
mod shell;
mod streams;

use trunkline_bot::logic::Begin;
use trunkline_cluster::ShardOrder;
use trunkline_cluster::node::Event as NodeEvent;
use trunkline_ingress::exchange::Outgoing;
use trunkline_proto::routing::ToIngress;
use trunkline_store::contract::Token;
use trunkline_store::key::{Key, ShardId};
use trunkline_worker::agenda::{Page, Reading};
use trunkline_worker::announcement::Announcement;
use trunkline_worker::conversation::{Event, Reply, Run, Ticket};
use trunkline_worker::outbox::SendWork;

pub(crate) use self::process::{Host, address_of};
pub(crate) use self::shell::{Shell, Surroundings};
use crate::ingress::StreamId;
use crate::network::Request;

/// One run of a process on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) host: usize,
    /// Rises over all processes of the world.
    pub(crate) life: u64,
}

/// One time in memory of one conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ActorId {
    pub(crate) shard: ShardId,
    pub(crate) key: Key,
    /// Rises within a process.
    pub(crate) number: u64,
}

/// What happens at a worker.
#[derive(Debug)]
pub(crate) enum Thing {
    /// To its node.
    Node(NodeEvent),
    /// The time of its node has come.
    Wake,
    /// The node orders something of the directory.
    Order(ShardOrder),
    /// The node knows another map, or is another member.
    Announce(Box<Announcement>),
    /// An ingress opens a stream, and names its map.
    Connect(StreamId, u64),
    /// What an ingress sends, with the version of the map that it routes by.
    Frame(StreamId, u64, Outgoing),
    /// A stream is gone.
    Closed(StreamId),
    /// There is something to send on a stream.
    Flush(u64),
    /// To a conversation.
    Actor(ActorId, Event),
    ActorTick(ActorId),
    /// A conversation has read a recorded answer.
    AnswerRead(ActorId, Ticket, Reply),
    /// The wake index was read; `None` when the store did not answer.
    Read(Reading, Option<Page>),
    Fenced(ShardId, Token),
    Quiet(ActorId),
    /// Every 50 ms: for what is due.
    Look,
    /// Every 500 ms: for what may leave memory, and for what was held too long.
    Sweep,
    /// The store's clock is read.
    ReadClock,
    ClockRead(u64),
    /// Whether it can go on leaving.
    Departs,
}

impl Thing {
    /// Whether the node's own thread sees it, not that of the conversations.
    fn is_of_node(&self) -> bool {
        matches!(self, Self::Node(_) | Self::Wake)
    }
}

/// What a worker wants of the world.
#[derive(Debug)]
pub(crate) enum Effect {
    Ask(Request),
    /// To its own node.
    Tell(NodeEvent),
    /// To its own thread of conversations.
    Say(Thing),
    Tick(ActorId, u64),
    Run(ActorId, Box<Run>),
    /// A turn waits for its step to be kept, or was told that it is, or is not.
    StepKept(ActorId, u64, bool),
    Drop(ActorId, u64),
    Send(ActorId, Box<SendWork>),
    /// Replies of a turn that has not committed: only a wrong variant sends them.
    SendEarly(ActorId, Vec<u64>),
    /// A caller is told something.
    Reply(Ticket, Reply),
    Frame(StreamId, Box<ToIngress>),
    /// The worker ends a stream, as both agreed to.
    End(StreamId),
    /// Something began without a lease.
    Unleased(String),
}

/// A turn that waits for its step.
#[derive(Debug)]
pub(crate) struct Stepping {
    pub(crate) begin: Begin,
    /// How long it goes on once the step is kept.
    pub(crate) wait: u64,
}
