//! The node's thread: it carries out the node's actions and publishes what it knows. It decides nothing.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};
use trunkline_store::SharedStore;
use trunkline_store::key::ShardId;

use super::clock::{now_ms, until};
use super::metrics::ClusterMetrics;
use super::refusal::MoveRefused;
use super::request::perform;
use crate::node::{Action, Event, Node};
use crate::order::ShardOrder;
use crate::view::{Health, View};

/// From one view to the next, unless map, membership or health change.
const VIEW_EVERY: u64 = 100;
/// Longest sleep: the timer's clock stands still while the machine sleeps, ours does not.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);
/// Longest wait for the last requests of a node that has left.
const LAST_REQUESTS: Duration = Duration::from_secs(1);

/// What the handle says.
#[derive(Debug)]
pub(super) enum Told {
    Event(Event),
    Move {
        shard: ShardId,
        to: String,
        answer: oneshot::Sender<Result<(), MoveRefused>>,
    },
    Leave(oneshot::Sender<()>),
}

/// What the handles see.
#[derive(Debug)]
pub(super) struct Published {
    valid_until: Arc<AtomicU64>,
    validity: watch::Sender<bool>,
    empty: watch::Sender<bool>,
    view: watch::Sender<Arc<View>>,
    metrics: ClusterMetrics,
    /// State of the node that the view shows, and when it was made.
    shown: (u64, u64),
}

type Watched = (watch::Receiver<bool>, watch::Receiver<bool>, watch::Receiver<Arc<View>>);

impl Published {
    pub(super) fn new(valid_until: Arc<AtomicU64>, view: View, metrics: ClusterMetrics) -> (Self, Watched) {
        let (validity, sees_validity) = watch::channel(false);
        let (empty, sees_empty) = watch::channel(true);
        let (view, sees_view) = watch::channel(Arc::new(view));
        let published = Self {
            valid_until,
            validity,
            empty,
            view,
            metrics,
            shown: (0, 0),
        };
        (published, (sees_validity, sees_empty, sees_view))
    }

    /// Shows what is new. Returns when to come again, 0 for no need.
    fn publish(&mut self, now: u64, node: &Node) -> u64 {
        let valid_until = node.valid_until();
        self.valid_until.store(valid_until, Ordering::Release);
        let is_valid = now < valid_until;
        let turned = self
            .validity
            .send_if_modified(|valid| std::mem::replace(valid, is_valid) != is_valid);
        if turned && !is_valid {
            self.metrics.lease_lost();
        }
        let is_empty = node.holds_nothing();
        self.empty
            .send_if_modified(|empty| std::mem::replace(empty, is_empty) != is_empty);
        let (changes, shown_at) = self.shown;
        let has_news = turned || {
            let view = self.view.borrow();
            view.map.version() != node.map_version() || view.incarnation != node.incarnation()
        };
        if has_news || (changes != node.changes() && now >= shown_at + VIEW_EVERY) {
            self.show(now, node);
        }
        if self.shown.0 == node.changes() {
            0
        } else {
            self.shown.1 + VIEW_EVERY
        }
    }

    fn show(&mut self, now: u64, node: &Node) {
        self.shown = (node.changes(), now);
        let view = node.view(now);
        let before = self.view.borrow().clone();
        tell_changes(&before, &view);
        self.metrics.show(&view, node.tally(), node.leads(now));
        self.view.send_replace(Arc::new(view));
    }
}

/// Log lines for what an operator wants to know.
fn tell_changes(before: &View, now: &View) {
    let incarnation = format_args!("{:016x}", now.incarnation.0).to_string();
    if before.incarnation != now.incarnation {
        tracing::warn!(incarnation, "lost the membership of the cluster, joining anew");
    }
    if before.map.version() != now.map.version() {
        tracing::info!(
            version = now.map.version().0,
            nodes = now.map.nodes().len(),
            shards = now.map.shards_of(now.incarnation).count(),
            "follows a new map"
        );
    }
    if let Some(problem) = &now.unreadable_map
        && before.unreadable_map.is_none()
    {
        tracing::error!(problem, "cannot follow the map");
    }
    if before.health == now.health {
        return;
    }
    match &now.health {
        Health::Valid => tracing::info!(incarnation, "is a member of the cluster"),
        Health::Away => tracing::warn!("the store does not answer beats: nothing begins"),
        Health::StoreLost { problem } => tracing::error!(problem, "STORE_LOST: serves nothing until it is restarted"),
        Health::Joining | Health::Left => {}
    }
}

/// Starts the thread.
pub(super) fn start(
    node: Node,
    store: SharedStore,
    hears: mpsc::UnboundedReceiver<Told>,
    orders: Box<dyn Fn(ShardOrder) + Send>,
    published: Published,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shell = Shell {
        node,
        store,
        hears,
        orders,
        published,
        requests: FuturesUnordered::new(),
        moves: BTreeMap::new(),
        next_move: 0,
        leaves: Vec::new(),
        has_left: false,
    };
    std::thread::Builder::new()
        .name("cluster".to_owned())
        .spawn(move || runtime.block_on(shell.run()))?;
    Ok(())
}

struct Shell {
    node: Node,
    store: SharedStore,
    hears: mpsc::UnboundedReceiver<Told>,
    orders: Box<dyn Fn(ShardOrder) + Send>,
    published: Published,
    requests: FuturesUnordered<BoxFuture<'static, Option<Event>>>,
    moves: BTreeMap<u64, oneshot::Sender<Result<(), MoveRefused>>>,
    next_move: u64,
    leaves: Vec<oneshot::Sender<()>>,
    has_left: bool,
}

impl Shell {
    async fn run(mut self) {
        self.happens(Event::Tick);
        while !self.has_left {
            let show_at = self.published.publish(now_ms(), &self.node);
            let sleep = self.sleep(show_at);
            tokio::select! {
                told = self.hears.recv() => match told {
                    Some(told) => self.told(told),
                    // No handle is left: the process ends without leaving.
                    None => break,
                },
                Some(event) = self.requests.next(), if !self.requests.is_empty() => {
                    if let Some(event) = event {
                        self.happens(event);
                    }
                }
                () = tokio::time::sleep(sleep) => self.happens(Event::Tick),
            }
        }
        self.end().await;
    }

    fn sleep(&self, show_at: u64) -> Duration {
        let now = now_ms();
        let mut when = self.node.wake_at(now);
        let valid_until = self.node.valid_until();
        if valid_until > now {
            when = when.min(valid_until);
        }
        if show_at > 0 {
            when = when.min(show_at);
        }
        until(when).min(LONGEST_SLEEP)
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Event(event) => self.happens(event),
            Told::Move { shard, to, answer } => {
                self.next_move += 1;
                let number = self.next_move;
                self.moves.insert(number, answer);
                self.happens(Event::Move { shard, to, number });
            }
            Told::Leave(left) => {
                self.leaves.push(left);
                self.happens(Event::Leave);
            }
        }
    }

    fn happens(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.node.on(now_ms(), event, &mut actions);
        // Before the orders: whoever obeys one asks whether it may begin.
        let valid_until = self.node.valid_until();
        self.published.valid_until.store(valid_until, Ordering::Release);
        for action in actions {
            match action {
                Action::Order(order) => (self.orders)(order),
                Action::Moved { number, answer } => {
                    if let Some(asked) = self.moves.remove(&number) {
                        // Who asked may have gone.
                        let _ = asked.send(answer);
                    }
                }
                Action::Left => self.has_left = true,
                request => {
                    let metrics = self.published.metrics.clone();
                    self.requests.push(perform(Arc::clone(&self.store), request, metrics));
                }
            }
        }
    }

    async fn end(mut self) {
        self.published.valid_until.store(0, Ordering::Release);
        self.published.publish(now_ms(), &self.node);
        self.published.show(now_ms(), &self.node);
        if self.has_left {
            let last = async { while self.requests.next().await.is_some() {} };
            // The others find out by its silence.
            let _ = tokio::time::timeout(LAST_REQUESTS, last).await;
        }
        for left in self.leaves {
            // Who waited may have gone.
            let _ = left.send(());
        }
    }
}
