//! The writer thread: takes what is queued, judges it, writes one transaction, answers each caller.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use redb::{Database, Durability, Error};
use tokio::sync::{mpsc, oneshot};

use super::apply::{self, Applied, NewMap};
use super::calls::{self, CallWrite};
use super::config::{Clock, SyncPolicy};
use super::failure::{WRITING, failed, writer_ended};
use super::sweep::sweep;
use super::tables::Tables;
use crate::contract::{CallTaken, Claim, Claimed, Commit, Committed, MapWrite, Released, StoreError, Token};
use crate::key::ShardId;
use crate::rules::Membership;

/// Most requests in one transaction.
const BATCH: usize = 256;
/// A batch is closed once its records and inbox entries reach this many bytes, so that large ones do not pile up in memory.
const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// How often what has ended is looked for.
pub(super) const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Where an answer goes. The caller may be gone: then the write stands and nobody hears of it.
type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// One request to the writer.
pub(super) enum Request {
    /// Take a shard.
    Claim(ShardId, Claim, Answer<Claimed>),
    /// Give a shard back.
    Release(ShardId, Token, Answer<Released>),
    /// Write a conversation.
    Commit(Box<Commit>, Answer<Committed>),
    /// Replace the shard map.
    Map(NewMap, Answer<MapWrite>),
    /// Lease, or log, a call.
    Call(CallWrite, Answer<CallTaken>),
}

impl Request {
    fn bytes(&self) -> usize {
        match self {
            Self::Claim(..) | Self::Release(..) => 0,
            Self::Call(call, _) => call.bytes(),
            Self::Map(map, _) => map.blob.len(),
            Self::Commit(commit, _) => {
                let inbox: usize = commit.accept.iter().map(|(_, value)| value.len()).sum();
                commit.record.as_ref().map_or(0, bytes::Bytes::len) + inbox
            }
        }
    }

    fn refuse(self, error: StoreError) {
        // A caller that is gone needs no answer.
        match self {
            Self::Claim(_, _, answer) => drop(answer.send(Err(error))),
            Self::Release(_, _, answer) => drop(answer.send(Err(error))),
            Self::Commit(_, answer) => drop(answer.send(Err(error))),
            Self::Map(_, answer) => drop(answer.send(Err(error))),
            Self::Call(_, answer) => drop(answer.send(Err(error))),
        }
    }

    fn apply(
        &self,
        tables: &mut Tables<'_>,
        membership: &Mutex<Membership>,
        now_ms: u64,
    ) -> Result<Applied<Verdict>, Error> {
        fn of<V>(applied: Applied<V>, verdict: impl FnOnce(V) -> Verdict) -> Applied<Verdict> {
            Applied {
                verdict: verdict(applied.verdict),
                wrote: applied.wrote,
            }
        }
        Ok(match self {
            Self::Claim(shard, claim, _) => of(apply::claim(tables, *shard, *claim, now_ms)?, Verdict::Claim),
            Self::Release(shard, token, _) => of(apply::release(tables, *shard, *token)?, Verdict::Release),
            Self::Commit(commit, _) => of(apply::commit(tables, commit, now_ms)?, Verdict::Commit),
            Self::Call(call, _) => of(calls::apply(tables, call, now_ms)?, Verdict::Call),
            Self::Map(map, _) => {
                let mut membership = membership.lock().unwrap_or_else(PoisonError::into_inner);
                of(apply::write_map(tables, &mut membership, map, now_ms)?, Verdict::Map)
            }
        })
    }

    fn answer(self, verdict: Verdict) {
        match (self, verdict) {
            (Self::Claim(_, _, answer), Verdict::Claim(claimed)) => drop(answer.send(Ok(claimed))),
            (Self::Release(_, _, answer), Verdict::Release(released)) => drop(answer.send(Ok(released))),
            (Self::Commit(_, answer), Verdict::Commit(committed)) => drop(answer.send(Ok(committed))),
            (Self::Map(_, answer), Verdict::Map(outcome)) => drop(answer.send(Ok(outcome))),
            (Self::Call(_, answer), Verdict::Call(taken)) => drop(answer.send(Ok(taken))),
            // `apply` answers each kind with its own.
            _ => {}
        }
    }
}

/// What a request came to.
enum Verdict {
    Claim(Claimed),
    Release(Released),
    Commit(Committed),
    Map(MapWrite),
    Call(CallTaken),
}

/// The state of the writer thread.
pub(super) struct Writer {
    database: Arc<Database>,
    requests: mpsc::Receiver<Request>,
    sync: SyncPolicy,
    clock: Clock,
    membership: Arc<Mutex<Membership>>,
    /// Why the writer ended; every later call answers with it.
    broken: Arc<OnceLock<StoreError>>,
    /// What is being written: here, so that its callers hear of a panic after everybody else can.
    batch: Vec<Request>,
    next_sweep: Instant,
    /// When writes that were answered but not flushed must be flushed.
    flush_at: Option<Instant>,
}

impl Writer {
    pub(super) fn new(
        database: Arc<Database>,
        requests: mpsc::Receiver<Request>,
        sync: SyncPolicy,
        clock: Clock,
        membership: Arc<Mutex<Membership>>,
        broken: Arc<OnceLock<StoreError>>,
    ) -> Self {
        Self {
            database,
            requests,
            sync,
            clock,
            membership,
            broken,
            batch: Vec::with_capacity(BATCH),
            next_sweep: Instant::now(),
            flush_at: None,
        }
    }

    /// Works until every handle of the store is gone or the file fails. The runtime only serves to wait for the flush of
    /// [`SyncPolicy::Interval`].
    pub(super) fn run(mut self, runtime: &tokio::runtime::Runtime) {
        loop {
            let outcome = match runtime.block_on(self.next()) {
                Next::Request(first) => {
                    self.fill(first);
                    self.write()
                }
                Next::Flush => self.flush(),
                Next::End => {
                    if let Err(error) = self.flush() {
                        tracing::error!(%error, "the last flush of the embedded store failed");
                    }
                    return;
                }
            };
            if let Err(error) = outcome {
                self.fail(&failed(WRITING)(error));
                return;
            }
        }
    }

    async fn next(&mut self) -> Next {
        let request = match self.flush_at {
            None => self.requests.recv().await,
            Some(at) => match tokio::time::timeout_at(at.into(), self.requests.recv()).await {
                Ok(request) => request,
                Err(_) => return Next::Flush,
            },
        };
        request.map_or(Next::End, Next::Request)
    }

    fn fill(&mut self, first: Request) {
        let mut bytes = first.bytes();
        self.batch.push(first);
        while self.batch.len() < BATCH && bytes < BATCH_BYTES {
            let Ok(request) = self.requests.try_recv() else {
                return;
            };
            bytes += request.bytes();
            self.batch.push(request);
        }
    }

    fn write(&mut self) -> Result<(), Error> {
        let now_ms = self.clock.now();
        let flush_is_due = self.flush_at.is_some_and(|at| at <= Instant::now());
        let on_disk = self.sync == SyncPolicy::EveryCommit || flush_is_due;
        let mut transaction = self.database.begin_write()?;
        if on_disk {
            // Without it, opening after a kill reads the whole file.
            transaction.set_quick_repair(true);
        } else {
            transaction.set_durability(Durability::None)?;
        }

        let mut wrote = false;
        let mut verdicts = Vec::with_capacity(self.batch.len());
        {
            let mut tables = Tables::open(&transaction)?;
            for request in &self.batch {
                let applied = request.apply(&mut tables, &self.membership, now_ms)?;
                wrote |= applied.wrote;
                verdicts.push(applied.verdict);
            }
            wrote |= self.sweep_when_due(&mut tables, now_ms)?;
        }

        if wrote {
            transaction.commit()?;
            self.note_commit(on_disk);
        } else {
            transaction.abort()?;
        }
        for (request, verdict) in self.batch.drain(..).zip(verdicts) {
            request.answer(verdict);
        }
        Ok(())
    }

    fn sweep_when_due(&mut self, tables: &mut Tables<'_>, now_ms: u64) -> Result<bool, Error> {
        let now = Instant::now();
        if now < self.next_sweep {
            return Ok(false);
        }
        let swept = sweep(tables, now_ms)?;
        if !swept.more {
            self.next_sweep = now + SWEEP_EVERY;
        }
        Ok(swept.removed > 0)
    }

    fn note_commit(&mut self, on_disk: bool) {
        self.flush_at = match self.sync {
            SyncPolicy::Interval(interval) if !on_disk => {
                Some(self.flush_at.unwrap_or_else(|| Instant::now() + interval))
            }
            SyncPolicy::Interval(_) | SyncPolicy::EveryCommit => None,
        };
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.flush_at.take().is_none() {
            return Ok(());
        }
        let mut transaction = self.database.begin_write()?;
        transaction.set_quick_repair(true);
        transaction.commit()?;
        Ok(())
    }

    /// A file that failed once cannot be trusted to hold what is written next: nothing is written any more.
    fn fail(&mut self, error: &StoreError) {
        tracing::error!(%error, "the embedded store failed and stays closed until the process is started again");
        let error = self.broken.get_or_init(|| error.clone()).clone();
        self.requests.close();
        for request in self.batch.drain(..) {
            request.refuse(error.clone());
        }
        while let Ok(request) = self.requests.try_recv() {
            request.refuse(error.clone());
        }
    }
}

impl Drop for Writer {
    /// Says why before the callers that wait are let go: what a panic left of the file's state must not be read.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.broken.get_or_init(writer_ended);
        }
    }
}

/// What the writer does next.
enum Next {
    Request(Request),
    Flush,
    End,
}
