//! What the actors of one arbiter share.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};

use actix::Addr;
use tokio::sync::{oneshot, watch};
use trunkline_bot::logic::Logic;
use trunkline_proto::routing::Outcome;
use trunkline_store::SharedStore;
use trunkline_store::key::{ActorKind, ShardId};

use super::calls::CallsUnderWay;
use super::courier::Bases;
use super::directory::Directory;
use super::pace::Paces;
use super::pool::Pool;
use super::watchdog::Pulse;
use crate::clock::Clock;
use crate::config::{AllowsServiceUrl, Executor};
use crate::conversation::{Action, Bots, ConversationSettings, Gates, Now, Reply, ShardBacklog, Ticket};
use crate::media::Lines;
use crate::membership::Membership;
use crate::metrics::WorkerMetrics;
use crate::peer::Peers;
use crate::stream::{Announcement, Ingresses, Outgoing, OutgoingSender, Pressure};

/// Streams have numbers from 1; this one is the process itself, when one actor tells another.
pub(crate) const OWN_STREAM: u64 = 0;

/// What the shell must know of a bot, beside what the core knows.
pub(crate) struct HostedParts {
    pub(crate) index: usize,
    pub(crate) logic: Arc<dyn Logic>,
    pub(crate) connector: trunkline_teams::connector::Connector,
    pub(crate) allows_service_url: AllowsServiceUrl,
    pub(crate) bases: Bases,
    pub(crate) executor: Executor,
    /// Its calls, where it has any.
    pub(crate) calls: Option<CallParts>,
}

/// What the shell must know of a bot's calls.
pub(crate) struct CallParts {
    pub(crate) logic: Arc<dyn Logic>,
    pub(crate) graph: trunkline_teams::graph::Client,
    /// Where Graph sends notifications; the key of a call follows.
    pub(crate) callback: String,
}

impl HostedParts {
    /// The code that runs in an actor of that kind.
    pub(crate) fn logic_of(&self, kind: ActorKind) -> &Arc<dyn Logic> {
        match (&self.calls, kind) {
            (Some(calls), ActorKind::Call) => &calls.logic,
            _ => &self.logic,
        }
    }
}

/// What all threads of a worker share.
pub(crate) struct WorkerParts {
    pub(crate) store: SharedStore,
    pub(crate) clock: Clock,
    pub(crate) membership: Membership,
    /// The other workers.
    pub(crate) peers: Peers,
    /// The media hosts.
    pub(crate) media: Lines,
    /// What all streams say of the cluster.
    pub(crate) announced: watch::Sender<Announcement>,
    /// Who has streams here.
    pub(crate) ingresses: Ingresses,
    /// Turns that have ended.
    pub(crate) turns: AtomicU64,
    pub(crate) bots: Arc<Bots>,
    pub(crate) hosted: HashMap<String, Arc<HostedParts>>,
    pub(crate) settings: Arc<ConversationSettings>,
    pub(crate) metrics: WorkerMetrics,
    pub(crate) pool: Option<Pool>,
    pub(crate) idle: std::time::Duration,
    pub(crate) memory_bytes: usize,
    pub(crate) slow_poll: std::time::Duration,
    /// What the streams' windows are.
    pub(crate) pressure: Pressure,
    /// A commit was slow since this was last looked at.
    pub(crate) slow_commit: AtomicBool,
    /// How many turns run at once that nobody waits for.
    pub(crate) gates: Gates,
    pub(crate) paces: Paces,
    /// One a thread, in the order of their numbers; set once all are started.
    pub(crate) directories: OnceLock<Vec<Addr<Directory>>>,
}

impl WorkerParts {
    /// The time, and whether something may begin.
    pub(crate) fn now(&self) -> Now {
        self.clock.now(self.membership.may_begin())
    }

    /// The directory that has the conversations of a shard.
    pub(crate) fn directory_of(&self, shard: ShardId) -> Option<&Addr<Directory>> {
        let directories = self.directories.get()?;
        directories.get(shard.0 as usize % directories.len().max(1))
    }
}

/// What the actors of one arbiter share.
pub(crate) struct ArbiterContext {
    pub(crate) worker: Arc<WorkerParts>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) directory: OnceCell<Addr<Directory>>,
    /// Bytes that the actors of this arbiter hold.
    pub(crate) bytes: Cell<usize>,
    /// What waits in the inboxes of each shard, as long as a conversation of it is in memory.
    backlogs: RefCell<HashMap<ShardId, Weak<ShardBacklog>>>,
    /// What the gauge of calls shows of this thread.
    pub(crate) calls: CallsUnderWay,
    /// Something may have waited for the lease.
    pub(crate) has_waited: Cell<bool>,
    /// Room for what a conversation asks for, used by one after the other.
    pub(crate) actions: RefCell<Vec<Action>>,
    callers: RefCell<Callers>,
}

#[derive(Default)]
struct Callers {
    streams: HashMap<u64, OutgoingSender>,
    own: HashMap<u64, oneshot::Sender<Reply>>,
    next_own: u64,
}

impl ArbiterContext {
    pub(crate) fn new(worker: Arc<WorkerParts>, pulse: Arc<Pulse>) -> Self {
        Self {
            worker,
            pulse,
            directory: OnceCell::new(),
            bytes: Cell::new(0),
            backlogs: RefCell::default(),
            calls: CallsUnderWay::default(),
            has_waited: Cell::new(false),
            actions: RefCell::default(),
            callers: RefCell::default(),
        }
    }

    /// What waits in the inboxes of a shard. Whatever waits holds its conversation in memory, so an empty one is forgotten.
    pub(crate) fn backlog_of(&self, shard: ShardId) -> Rc<ShardBacklog> {
        let mut backlogs = self.backlogs.borrow_mut();
        let known = backlogs.entry(shard).or_default();
        known.upgrade().unwrap_or_else(|| {
            let backlog = Rc::new(ShardBacklog::default());
            *known = Rc::downgrade(&backlog);
            backlog
        })
    }

    /// Takes a stream's way back.
    pub(crate) fn open_stream(&self, stream: u64, outcomes: OutgoingSender) {
        self.callers.borrow_mut().streams.insert(stream, outcomes);
    }

    /// Forgets a stream.
    pub(crate) fn close_stream(&self, stream: u64) {
        self.callers.borrow_mut().streams.remove(&stream);
    }

    /// A ticket for an actor of ours that waits.
    pub(crate) fn own_ticket(&self, reply: oneshot::Sender<Reply>) -> Ticket {
        let mut callers = self.callers.borrow_mut();
        callers.next_own += 1;
        let seq = callers.next_own;
        callers.own.insert(seq, reply);
        Ticket {
            stream: OWN_STREAM,
            seq,
        }
    }

    /// Tells a caller. One that has gone hears nothing.
    pub(crate) fn reply(&self, ticket: Ticket, reply: Reply) {
        let mut callers = self.callers.borrow_mut();
        if ticket.stream == OWN_STREAM {
            if let Some(waiting) = callers.own.remove(&ticket.seq) {
                let _ = waiting.send(reply);
            }
            return;
        }
        let outcome = Outcome {
            seq: ticket.seq,
            result: Some(reply),
        };
        if let Some(stream) = callers.streams.get(&ticket.stream) {
            let _ = stream.send(Outgoing::Outcome(outcome));
        }
    }
}
