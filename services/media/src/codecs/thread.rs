//! One codec thread: its queue, the jobs that it does, and what happens when one of them makes it panic.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::figures::{Clock, CodecFigures};
use super::{NoCodecs, Seat};
use crate::audio::opus::CodecError;
use crate::leg::Frame;
use crate::record::Recorded;

/// Packets that may wait for a thread: a second of eighty legs.
const QUEUE: usize = 4_096;
/// How often jobs are let know that time passes, and those of nobody are forgotten.
const TICK: Duration = Duration::from_millis(10);
/// So long a thread without jobs sleeps at most.
const REST: Duration = Duration::from_secs(1);
/// A job that made its thread panic so often is ended.
const PANICS: u8 = 3;

/// What a job is given.
pub(super) enum Input {
    /// A packet that a leg hears.
    Heard(Recorded),
    /// A packet that a leg says.
    Sent(Recorded),
    /// A packet that is for another leg.
    Bridged(Frame),
    /// 20 ms to say; its room is free again when its packet has gone.
    Say(Vec<i16>, OwnedSemaphorePermit),
}

/// Something that is done for a leg, frame by frame.
pub(super) trait Job: Send {
    /// Takes what it is for.
    fn take(&mut self, input: Input);

    /// Lets time pass, every [`TICK`].
    fn tick(&mut self, _now: Instant) {}

    /// Begins with codecs that have heard nothing: the ones that it had are perhaps broken.
    fn renew(&mut self) -> Result<(), CodecError>;
}

enum Work {
    Begin { number: u64, begun: Begun },
    Give { number: u64, input: Input },
    End,
}

/// A running codec thread. Dropping it ends the thread.
pub(super) struct CodecThread {
    work: SyncSender<Work>,
    next: AtomicU64,
    figures: Arc<CodecFigures>,
    thread: Option<JoinHandle<()>>,
}

impl CodecThread {
    pub(super) fn start(number: u8) -> io::Result<Self> {
        let (work, receiver) = sync_channel(QUEUE);
        let figures = Arc::new(CodecFigures::default());
        let bench = Bench::new(receiver, figures.clone());
        let thread = std::thread::Builder::new()
            .name(format!("codec-{number}"))
            .spawn(move || bench.run())?;
        Ok(Self {
            work,
            next: AtomicU64::new(1),
            figures,
            thread: Some(thread),
        })
    }

    /// Begins a job. It ends when what this gives is dropped.
    pub(super) fn begin(&self, job: Box<dyn Job>, seat: Arc<Seat>) -> Result<Held, NoCodecs> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (wanted, done) = (Arc::new(()), Arc::new(()));
        let held = Held {
            number,
            work: self.work.clone(),
            figures: self.figures.clone(),
            done: Arc::downgrade(&done),
            _seat: seat,
            _wanted: wanted.clone(),
        };
        let begun = Begun {
            wanted: Arc::downgrade(&wanted),
            _done: done,
            job,
            panics: 0,
        };
        let taken = self.work.try_send(Work::Begin { number, begun });
        taken.map(|()| held).map_err(|_| NoCodecs::Late)
    }

    pub(super) fn shared_figures(&self) -> Arc<CodecFigures> {
        self.figures.clone()
    }

    pub(super) fn figures(&self) -> &CodecFigures {
        &self.figures
    }
}

impl Drop for CodecThread {
    fn drop(&mut self) {
        // The thread takes work all the time, so there is room soon.
        let _ = self.work.send(Work::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A job of somebody. Its thread forgets it, and its room is free, when this is dropped.
pub(super) struct Held {
    number: u64,
    work: SyncSender<Work>,
    figures: Arc<CodecFigures>,
    /// Gone with the job.
    done: Weak<()>,
    _seat: Arc<Seat>,
    _wanted: Arc<()>,
}

impl Held {
    /// Hands something over and never waits: what finds the queue full is lost, and counted. `false` when the job has ended.
    pub(super) fn give(&self, input: Input) -> bool {
        self.try_give(input) != Given::Over
    }

    /// The same, for whoever must know what was lost.
    pub(super) fn try_give(&self, input: Input) -> Given {
        if self.done.strong_count() == 0 {
            return Given::Over;
        }
        let number = self.number;
        match self.work.try_send(Work::Give { number, input }) {
            Ok(()) => Given::Taken,
            Err(TrySendError::Full(_)) => {
                self.figures.dropped_one();
                Given::Lost
            }
            Err(TrySendError::Disconnected(_)) => Given::Over,
        }
    }
}

/// What became of something that was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    Taken,
    /// The queue was full.
    Lost,
    /// The job has ended.
    Over,
}

impl fmt::Debug for Held {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Held({})", self.number)
    }
}

struct Begun {
    /// Gone when nobody holds the job.
    wanted: Weak<()>,
    /// Above the job, so that it goes first: whoever learns of the end by what the job held is told so by [`Held::give`] too.
    _done: Arc<()>,
    job: Box<dyn Job>,
    panics: u8,
}

/// Everything that a codec thread does.
struct Bench {
    work: Receiver<Work>,
    figures: Arc<CodecFigures>,
    clock: Clock,
    ticked: Instant,
    jobs: HashMap<u64, Begun>,
    /// The job that is being done: what panics was this one.
    in_hand: Option<u64>,
}

impl Bench {
    fn new(work: Receiver<Work>, figures: Arc<CodecFigures>) -> Self {
        let now = Instant::now();
        Self {
            work,
            figures,
            clock: Clock::new(now),
            ticked: now,
            jobs: HashMap::new(),
            in_hand: None,
        }
    }

    /// Works until it is told to end. Whatever panics takes nothing from the jobs of others.
    fn run(mut self) {
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.turn())) {
                Ok(true) => {}
                Ok(false) => return,
                Err(_) => self.restart(),
            }
        }
    }

    /// Takes what comes next; `false` when that is the end.
    fn turn(&mut self) -> bool {
        let patience = if self.jobs.is_empty() { REST } else { TICK };
        let received = self.work.recv_timeout(patience);
        let began = Instant::now();
        match received {
            Ok(Work::End) | Err(RecvTimeoutError::Disconnected) => return false,
            Ok(work) => self.take(work),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if began.duration_since(self.ticked) >= TICK {
            self.ticked = began;
            self.tick(began);
        }
        self.clock.worked(began, Instant::now(), &self.figures);
        true
    }

    fn take(&mut self, work: Work) {
        match work {
            Work::Begin { number, begun } => drop(self.jobs.insert(number, begun)),
            Work::Give { number, input } => {
                if let Some(begun) = self.jobs.get_mut(&number) {
                    self.in_hand = Some(number);
                    begun.job.take(input);
                    self.in_hand = None;
                }
            }
            Work::End => {}
        }
    }

    fn tick(&mut self, now: Instant) {
        self.jobs.retain(|_, begun| begun.wanted.strong_count() > 0);
        for (number, begun) in &mut self.jobs {
            self.in_hand = Some(*number);
            begun.job.tick(now);
        }
        self.in_hand = None;
    }

    /// Begins anew after a panic. The job that was in hand gets other codecs; one that does it again and again ends, which whoever
    /// it is for learns by the end of its sound.
    fn restart(&mut self) {
        self.figures.restarted();
        let Some(number) = self.in_hand.take() else {
            tracing::error!("a codec thread panicked and begins anew");
            return;
        };
        let Some(begun) = self.jobs.get_mut(&number) else {
            return;
        };
        begun.panics += 1;
        let renewed =
            begun.panics < PANICS && catch_unwind(AssertUnwindSafe(|| begun.job.renew().is_ok())).unwrap_or(false);
        tracing::error!(
            job = number,
            renewed,
            "something made a codec thread panic; the others go on"
        );
        if !renewed {
            self.jobs.remove(&number);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use bytes::Bytes;

    use super::super::budget::Budget;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Tells how often it began anew with each packet; an empty one makes it panic.
    struct Fragile(Sender<u32>, u32);

    impl Job for Fragile {
        fn take(&mut self, input: Input) {
            let Input::Heard(heard) = input else { return };
            assert!(!heard.payload.is_empty(), "as it was told");
            self.0.send(self.1).unwrap();
        }

        fn renew(&mut self) -> Result<(), CodecError> {
            self.1 += 1;
            Ok(())
        }
    }

    fn packet(payload: &'static [u8]) -> Input {
        Input::Heard(Recorded {
            payload: Bytes::from_static(payload),
            timestamp: 0,
            source: 1,
            at: Instant::now(),
            dropped_before: 0,
        })
    }

    #[test]
    fn a_job_that_panics_begins_anew_twice_and_then_ends_and_the_others_go_on() {
        let thread = CodecThread::start(0).unwrap();
        let budget = Arc::new(Budget::new(1));
        let begin = || {
            let (tell, told) = channel();
            let seat = Arc::new(budget.claim(1).unwrap());
            (thread.begin(Box::new(Fragile(tell, 0)), seat).unwrap(), told)
        };
        let ((fragile, of_fragile), (other, of_other)) = (begin(), begin());
        for renewed in 0..2 {
            assert!(fragile.give(packet(b"sound")));
            assert_eq!(of_fragile.recv_timeout(PATIENCE), Ok(renewed));
            fragile.give(packet(b""));
        }
        assert!(fragile.give(packet(b"sound")));
        assert_eq!(of_fragile.recv_timeout(PATIENCE), Ok(2));
        fragile.give(packet(b""));
        assert!(of_fragile.recv_timeout(PATIENCE).is_err(), "the third time is its end");
        assert!(!fragile.give(packet(b"sound")), "and whoever holds it is told");
        other.give(packet(b"sound"));
        assert_eq!(of_other.recv_timeout(PATIENCE), Ok(0));
        assert_eq!(thread.figures().restarts(), 3);
        drop((fragile, other));
        assert_eq!(budget.used(), 0);
        assert!(of_other.recv_timeout(PATIENCE).is_err(), "a job of nobody is forgotten");
    }
}
