//! A thread that notices when a thread of conversations does not answer: a bot that blocks stalls all its neighbours.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::context::WorkerParts;
use super::directory::Ping;

/// How often threads are asked.
const EVERY: Duration = Duration::from_millis(250);
/// A look that comes this late says that the whole process stood still, and nothing about one thread.
const STOOD_STILL: Duration = Duration::from_secs(1);
/// No question is open.
const ANSWERED: u64 = u64::MAX;
/// No bot is running.
const NOBODY: usize = usize::MAX;

/// What one thread of conversations shows of itself.
#[derive(Debug)]
pub(crate) struct Pulse {
    began: Instant,
    /// When the thread was asked what it has not answered.
    asked_ms: AtomicU64,
    /// The bot whose turn is being polled, and its route.
    bot: AtomicUsize,
    route: AtomicUsize,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            asked_ms: AtomicU64::new(ANSWERED),
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
        self.asked_ms.store(ANSWERED, Ordering::Relaxed);
    }

    /// Whether a question may be put: one at a time, so that a blocked thread does not gather them.
    fn ask(&self) -> bool {
        let (order, now) = (Ordering::Relaxed, self.now_ms());
        self.asked_ms.compare_exchange(ANSWERED, now, order, order).is_ok()
    }

    /// The whole process stood still: an open question counts from now.
    fn ask_anew(&self) {
        let now = self.now_ms();
        let anew = |asked: u64| (asked != ANSWERED).then_some(now);
        // Nothing to do when it was answered.
        let _ = self.asked_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, anew);
    }

    /// How long the open question has waited.
    fn silence(&self) -> Duration {
        match self.asked_ms.load(Ordering::Relaxed) {
            ANSWERED => Duration::ZERO,
            asked => Duration::from_millis(self.now_ms().saturating_sub(asked)),
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(ANSWERED - 1)
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
            let slept = Instant::now();
            std::thread::sleep(EVERY);
            let Some(worker) = worker.upgrade() else { return };
            if slept.elapsed() > EVERY + STOOD_STILL {
                for pulse in &pulses {
                    pulse.ask_anew();
                }
            }
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
    if let Some(directory) = worker.directories.get().and_then(|directories| directories.get(number))
        && pulse.ask()
    {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_silent_only_while_a_question_is_open() {
        let pulse = Pulse::new();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(pulse.silence(), Duration::ZERO, "nobody asked");
        assert!(pulse.ask());
        assert!(!pulse.ask(), "one question at a time");
        std::thread::sleep(Duration::from_millis(5));
        assert!(pulse.silence() >= Duration::from_millis(4));
        pulse.ask_anew();
        assert!(
            pulse.silence() < Duration::from_millis(4),
            "the process stood still, not the thread"
        );
        pulse.answer();
        assert_eq!(pulse.silence(), Duration::ZERO);
        pulse.ask_anew();
        assert!(pulse.ask(), "an answered question is not opened again");
    }
}
