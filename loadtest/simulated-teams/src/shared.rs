//! The state that server, postman and handles share, behind one lock that is never held across an await.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use ahash::AHashMap;
use tokio::sync::{Notify, broadcast, mpsc, watch};

use crate::{
    calls::Calls,
    config::SimulatedTeamsConfig,
    connector::{fault::Faults, limit::Limiter},
    delivery::Job,
    error::SimulatedTeamsError,
    login::{Login, calling::CallingLogin},
    traffic::{Exchange, Traffic},
    world::{World, change::Change},
};

/// Changes that a slow page may be behind before it must load everything anew.
const PAGE_BACKLOG: usize = 1_024;

/// Everything that changes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) limiter: Limiter,
    pub(crate) faults: Faults,
    pub(crate) login: Login,
    pub(crate) calling_login: CallingLogin,
    pub(crate) calls: Calls,
    pub(crate) traffic: Traffic,
}

/// What all parts hold.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: SimulatedTeamsConfig,
    pub(crate) address: SocketAddr,
    /// Where bots reach the Connector, with a slash at the end.
    pub(crate) service_url: String,
    /// Where bots reach Graph, without a slash at the end.
    pub(crate) graph_url: String,
    state: Mutex<State>,
    /// Changes as JSON, for open pages.
    pages: broadcast::Sender<Arc<str>>,
    /// Rises whenever something changed.
    version: watch::Sender<u64>,
    jobs: mpsc::Sender<Job>,
    /// Who waits for a change of one call, by its id.
    call_waiters: Mutex<AHashMap<String, Arc<Notify>>>,
    /// Calls have something to do, or something is due earlier than it was.
    pub(crate) calls_wake: Notify,
}

impl Shared {
    pub(crate) fn new(
        config: SimulatedTeamsConfig,
        address: SocketAddr,
        jobs: mpsc::Sender<Job>,
    ) -> Result<Self, SimulatedTeamsError> {
        let seed = config.seed.unwrap_or_else(rand::random);
        let service_url = format!("http://{address}/{}/{}/", config.region, config.tenant);
        let graph_url = format!("http://{address}/graph/v1.0");
        let state = State {
            world: World::new(&config, service_url.clone(), seed),
            limiter: Limiter::new(config.limits),
            faults: Faults::new(config.faults.clone(), seed),
            login: Login::new(config.issuer.clone())?,
            calling_login: CallingLogin::new(config.calls.issuer.clone(), config.tenant.clone()),
            calls: Calls::new(&config, graph_url.clone(), seed),
            traffic: Traffic::new(config.inspected),
        };
        let (pages, _) = broadcast::channel(PAGE_BACKLOG);
        let (version, _) = watch::channel(0);
        Ok(Self {
            config,
            address,
            service_url,
            graph_url,
            state: Mutex::new(state),
            pages,
            version,
            jobs,
            call_waiters: Mutex::default(),
            calls_wake: Notify::new(),
        })
    }

    /// Works on the state with the time of now (milliseconds since 1970), then tells pages and waiting handles.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut State, u64) -> R) -> R {
        let mut state = lock(&self.state);
        let result = work(&mut state, now());
        let changes = state.world.take_changes();
        if !changes.is_empty() {
            // Inside the lock, so that pages see changes in their order.
            self.publish(&changes);
        }
        result
    }

    /// Works on calls: what is due comes first, what the work made due comes after, and the caller of bots is woken.
    pub(crate) fn with_calls<R>(&self, work: impl FnOnce(&mut Calls, u64) -> R) -> R {
        let (result, must_wake) = self.turn_calls(work);
        if must_wake {
            self.calls_wake.notify_one();
        }
        result
    }

    /// Like [`Shared::with_calls`], for the caller itself: tells whether there is more to do at once.
    pub(crate) fn turn_calls<R>(&self, work: impl FnOnce(&mut Calls, u64) -> R) -> (R, bool) {
        self.with(|state, now| {
            state.calls.advance(now);
            let due = state.calls.next_due();
            let result = work(&mut state.calls, now);
            state.calls.advance(now);
            let is_earlier = match (state.calls.next_due(), due) {
                (Some(next), Some(due)) => next < due,
                (next, None) => next.is_some(),
                (None, Some(_)) => false,
            };
            for call in state.calls.take_changed() {
                self.wake_waiters(&call);
                state.world.show(Change::Call { call });
            }
            (result, is_earlier || state.calls.has_actions())
        })
    }

    /// Keeps an exchange for the inspector.
    pub(crate) fn record(&self, exchange: impl FnOnce() -> Exchange) {
        self.with(|state, _| {
            if state.traffic.is_on() {
                let exchange = state.traffic.keep(exchange());
                state.world.show(Change::Exchange {
                    exchange: Box::new(exchange),
                });
            }
        });
    }

    /// Hands activities to the postman.
    pub(crate) fn deliver(&self, job: Job) -> Result<(), SimulatedTeamsError> {
        self.jobs.try_send(job).map_err(|_| SimulatedTeamsError::NotDelivered)
    }

    /// Changes from now on, as JSON.
    pub(crate) fn watch_pages(&self) -> broadcast::Receiver<Arc<str>> {
        self.pages.subscribe()
    }

    /// A number that rises with each change.
    pub(crate) fn watch_version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Waits until `look` finds something at a call; it looks whenever that call changed.
    pub(crate) async fn find_at_call<T>(&self, id: &str, look: impl Fn() -> Option<T>) -> T {
        let waiter = Arc::clone(lock(&self.call_waiters).entry(id.to_owned()).or_default());
        let found = loop {
            let changed = waiter.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if let Some(found) = look() {
                break found;
            }
            changed.await;
        };
        drop(waiter);
        self.drop_waiters(id);
        found
    }

    fn wake_waiters(&self, id: &str) {
        let mut waiters = lock(&self.call_waiters);
        let Some(waiter) = waiters.get(id) else { return };
        waiter.notify_waiters();
        if Arc::strong_count(waiter) == 1 {
            // All have given up.
            waiters.remove(id);
        }
    }

    fn drop_waiters(&self, id: &str) {
        let mut waiters = lock(&self.call_waiters);
        if waiters.get(id).is_some_and(|waiter| Arc::strong_count(waiter) == 1) {
            waiters.remove(id);
        }
    }

    /// Waits until something is so; it is looked at whenever something changed.
    pub(crate) async fn until(&self, is_so: impl Fn() -> bool) {
        let mut version = self.watch_version();
        loop {
            version.borrow_and_update();
            // The sender lives as long as this.
            if is_so() || version.changed().await.is_err() {
                return;
            }
        }
    }

    fn publish(&self, changes: &[Change]) {
        if self.pages.receiver_count() > 0 {
            for change in changes {
                if let Ok(json) = serde_json::to_string(change) {
                    // Fails only when the last page has just closed.
                    let _ = self.pages.send(json.into());
                }
            }
        }
        self.version.send_modify(|version| *version += 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
