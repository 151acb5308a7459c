//! A thread that notices when a thread of conversations does not answer: a bot that blocks stalls all its neighbours.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::context::WorkerParts;
use super::directory::Ping;

/// How often threads are asked.
const EVERY: Duration = Duration::from_millis(250);
/// No bot is running.
const NOBODY: usize = usize::MAX;

/// What one thread of conversations shows of itself.
#[derive(Debug)]
pub(crate) struct Pulse {
    began: Instant,
    answered_ms: AtomicU64,
    /// The bot whose turn is being polled, and its route.
    bot: AtomicUsize,
    route: AtomicUsize,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            answered_ms: AtomicU64::new(0),
            bot: AtomicUsize::new(NOBODY),
            route: AtomicUsize::new(NOBODY),
        }
    }

    /// A turn is polled from here on.
    pub(crate) fn enter(&self, (bot, route): (usize, Option<usize>)) {
        self.route.store(route.unwrap_or(NOBODY), Ordering::Relaxed);
        self.bot.store(bot, Ordering::Relaxed);
    }

    /// The poll came back.
    pub(crate) fn leave(&self) {
        self.bot.store(NOBODY, Ordering::Relaxed);
    }

    /// The thread answered.
    pub(crate) fn answer(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.answered_ms.store(now, Ordering::Relaxed);
    }

    fn silence(&self) -> Duration {
        let answered = Duration::from_millis(self.answered_ms.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(answered)
    }
}

/// When the watchdog speaks up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) stall_after: Duration,
    pub(crate) abort_after: Option<Duration>,
}

/// Starts the thread; it ends with the worker.
pub(crate) fn start(
    worker: &Arc<WorkerParts>,
    pulses: Vec<Arc<Pulse>>,
    limits: Limits,
    ended: CancellationToken,
) -> std::io::Result<()> {
    // The watchdog keeps nothing alive: a worker that has left frees its store at once.
    let worker = Arc::downgrade(worker);
    let watch = move || {
        let mut stalled = vec![false; pulses.len()];
        while !ended.is_cancelled() {
            std::thread::sleep(EVERY);
            let Some(worker) = worker.upgrade() else { return };
            let before = stalled.clone();
            for (number, pulse) in pulses.iter().enumerate() {
                look_at(&worker, number, pulse, limits, &mut stalled);
            }
            if stalled != before {
                let number = stalled.iter().filter(|is_stalled| **is_stalled).count();
                worker.membership.stalled(u32::try_from(number).unwrap_or(u32::MAX));
            }
        }
    };
    std::thread::Builder::new().name("watchdog".to_owned()).spawn(watch)?;
    Ok(())
}

fn look_at(worker: &WorkerParts, number: usize, pulse: &Pulse, limits: Limits, stalled: &mut [bool]) {
    let silence = pulse.silence();
    let silent_ms = u64::try_from(silence.as_millis()).unwrap_or(u64::MAX);
    let is_stalled = silence >= limits.stall_after;
    if let Some(was_stalled) = stalled.get_mut(number) {
        if is_stalled && !*was_stalled {
            worker.metrics.stalls.inc();
            let (bot, route) = handler(worker, pulse);
            tracing::error!(
                thread = number,
                silent_ms,
                bot,
                route,
                "a thread of conversations does not answer: a handler blocks it"
            );
        }
        if !is_stalled && *was_stalled {
            tracing::info!(thread = number, "a thread of conversations answers again");
        }
        *was_stalled = is_stalled;
    }
    if limits.abort_after.is_some_and(|limit| silence >= limit) {
        let (bot, route) = handler(worker, pulse);
        tracing::error!(
            thread = number,
            silent_ms,
            bot,
            route,
            "the process ends, for its supervisor to start it again"
        );
        std::process::abort();
    }
    if !is_stalled && let Some(directory) = worker.directories.get().and_then(|directories| directories.get(number)) {
        directory.do_send(Ping);
    }
}

/// Whose turn is being polled.
fn handler(worker: &WorkerParts, pulse: &Pulse) -> (String, String) {
    let index = pulse.bot.load(Ordering::Relaxed);
    let bot = worker
        .hosted
        .iter()
        .find(|(_, parts)| parts.index == index)
        .map(|(name, _)| name.clone());
    let route = pulse.route.load(Ordering::Relaxed);
    let rules = bot.as_ref().and_then(|bot| worker.bots.get(bot));
    let route = rules
        .and_then(|rules| rules.description.routes.get(route))
        .map(|route| route.name.clone());
    (bot.unwrap_or_default(), route.unwrap_or_default())
}
