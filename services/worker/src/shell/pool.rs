//! Threads for bots that compute much: a turn begins and ends on one of them.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::turn::Turned;

type Job = Box<dyn FnOnce() + Send>;

/// The threads. They end when the pool is dropped and their turns are over.
pub(crate) struct Pool {
    threads: Vec<mpsc::UnboundedSender<Job>>,
    next: AtomicUsize,
}

impl Pool {
    pub(crate) fn start(threads: usize) -> std::io::Result<Self> {
        let threads = (0..threads).map(start_thread).collect::<std::io::Result<Vec<_>>>()?;
        Ok(Self {
            threads,
            next: AtomicUsize::new(0),
        })
    }

    /// Runs the future that `turn` makes on one of the threads. Dropping what comes back cancels it; `None` means that the
    /// thread has ended.
    pub(crate) fn run<M, F>(&self, turn: M) -> impl Future<Output = Option<Turned>> + use<M, F>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output = Turned> + 'static,
    {
        let (mut done, result) = oneshot::channel();
        let place = self.next.fetch_add(1, Ordering::Relaxed) % self.threads.len().max(1);
        let job: Job = Box::new(move || {
            tokio::task::spawn_local(async move {
                let turn = turn();
                tokio::select! {
                    biased;
                    () = done.closed() => {}
                    turned = turn => { let _ = done.send(turned); }
                }
            });
        });
        if let Some(thread) = self.threads.get(place) {
            let _ = thread.send(job);
        }
        async move { result.await.ok() }
    }
}

fn start_thread(number: usize) -> std::io::Result<mpsc::UnboundedSender<Job>> {
    let (jobs, mut queue) = mpsc::unbounded_channel::<Job>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new()
        .name(format!("bot-pool-{number}"))
        .spawn(move || {
            let turns = LocalSet::new();
            turns.block_on(&runtime, async move {
                while let Some(job) = queue.recv().await {
                    job();
                }
            });
        })?;
    Ok(jobs)
}
