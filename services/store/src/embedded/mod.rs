//! The embedded engine: one file, one writer thread, acknowledged means on disk.
//!
//! The way of a write: [`EmbeddedStore::commit`] puts a request into a bounded queue, `writer` takes what is queued into one
//! transaction, `apply` judges each request against `tables`, and the callers hear of it after the flush. Reads go to the
//! file's last transaction in the caller's thread: they take no lock that is held during a flush.

mod apply;
mod calls;
mod config;
mod failure;
mod media;
mod sweep;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use redb::backends::InMemoryBackend;
use redb::{Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase as _};
use tokio::sync::{mpsc, oneshot};

use self::apply::NewMap;
pub use self::config::{Clock, EmbeddedConfig, Place, SyncPolicy};
use self::failure::{OPENING, READING, failed, writer_ended};
use self::media::MediaHosts;
use self::tables::{
    ANSWERS, FORMAT, INBOX, MAP, META, Meta, PARKED, RECORDS, Spot, Tables, WAKE_ORDER, WakeSpot, key_of,
    living_record, of_wake_spot, read_meta, spot, wake_spot, write_meta,
};
use self::writer::{Request, Writer};
use crate::contract::{
    Beat, CallBook, Claim, Claimed, Commit, Committed, Identity, Incarnation, Led, Loaded, MapVersion, MapWrite,
    MediaBook, Nodes, Pulse, Released, Store, StoreError, Token,
};
use crate::key::{Key, ShardId};
use crate::limits;
use crate::rules::Membership;

/// Name of the file in its directory.
const FILE: &str = "trunkline.redb";

/// A store in a file of this machine, used by one process.
///
/// Dropping the last handle waits until what is queued is written, then frees the directory.
#[derive(Debug)]
pub struct EmbeddedStore {
    identity: Identity,
    database: Arc<Database>,
    clock: Clock,
    /// Shared with the writer, which replaces the map.
    membership: Arc<Mutex<Membership>>,
    media: Mutex<MediaHosts>,
    /// `None` only while dropping.
    requests: Option<mpsc::Sender<Request>>,
    broken: Arc<OnceLock<StoreError>>,
    writer: Option<JoinHandle<()>>,
}

impl EmbeddedStore {
    /// Opens the store, creating it when there is none. Shards that an earlier process held are free: the file lets one
    /// process in at a time, so that one has ended.
    ///
    /// [`StoreError::Unfit`] when another process uses the directory, when the file is of an unknown format, or when the
    /// store was created with another number of shards. Blocks for the time of a few flushes.
    pub fn open(config: EmbeddedConfig) -> Result<Self, StoreError> {
        limits::shards(config.shards)?;
        let mut builder = Builder::new();
        builder.set_cache_size(config.cache_bytes);
        let database = match &config.place {
            Place::Directory(directory) => open_file(&builder, directory)?,
            Place::Memory => builder
                .create_with_backend(InMemoryBackend::new())
                .map_err(failed(OPENING))?,
        };
        Self::start(database, config)
    }

    fn start(database: Database, config: EmbeddedConfig) -> Result<Self, StoreError> {
        let identity = identify(&database, config.shards)?;
        let map = stored_map(&database)?.map_or(MapVersion(0), |(version, _)| version);
        let membership = Arc::new(Mutex::new(Membership::new(identity.cluster, map)));
        let database = Arc::new(database);
        let broken = Arc::new(OnceLock::new());
        let (requests, queue) = mpsc::channel(config.queue.max(1));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(failed(OPENING))?;
        let writer = Writer::new(
            Arc::clone(&database),
            queue,
            config.sync,
            config.clock.clone(),
            Arc::clone(&membership),
            Arc::clone(&broken),
        );
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(&runtime))
            .map_err(failed(OPENING))?;
        Ok(Self {
            identity,
            database,
            clock: config.clock,
            membership,
            media: Mutex::default(),
            requests: Some(requests),
            broken,
            writer: Some(writer),
        })
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Request,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(writer_ended)?;
        if requests.send(request(answer)).await.is_err() {
            return Err(self.why_broken());
        }
        answered.await.unwrap_or_else(|_| Err(self.why_broken()))
    }

    fn why_broken(&self) -> StoreError {
        self.broken.get().cloned().unwrap_or_else(writer_ended)
    }

    /// Refuses once the file has failed.
    fn sound(&self) -> Result<(), StoreError> {
        self.broken.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Nodes and leader. No flush is waited for: beats must not stand behind commits.
    fn membership(&self) -> Result<MutexGuard<'_, Membership>, StoreError> {
        self.sound()?;
        Ok(self.membership.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn media_book(&self) -> Result<MutexGuard<'_, MediaHosts>, StoreError> {
        self.sound()?;
        Ok(self.media.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A view of the last transaction. Pages are read in the caller's thread: mostly from memory, else a read of the file.
    fn view(&self, shard: ShardId) -> Result<ReadTransaction, StoreError> {
        limits::shard(shard, self.identity)?;
        self.sound()?;
        self.database.begin_read().map_err(failed(READING))
    }

    fn read_conversation(&self, shard: ShardId, key: Key) -> Result<Loaded, StoreError> {
        let view = self.view(shard)?;
        let spot = spot(shard, key);
        let records = view.open_table(RECORDS).map_err(failed(READING))?;
        let stored = records.get(&spot).map_err(failed(READING))?;
        let record = stored
            .as_ref()
            .and_then(|stored| living_record(stored.value(), self.clock.now()))
            .map(Bytes::copy_from_slice);

        let mut inbox = Vec::new();
        let fields = view.open_table(INBOX).map_err(failed(READING))?;
        for entry in fields.range((&spot, "")..).map_err(failed(READING))? {
            let (place, value) = entry.map_err(failed(READING))?;
            let (owner, field) = place.value();
            if owner != &spot {
                break;
            }
            inbox.push((field.to_owned(), Bytes::copy_from_slice(value.value())));
        }
        Ok(Loaded { record, inbox })
    }

    fn read_answer(&self, shard: ShardId, key: Key, name: &str) -> Result<Option<Bytes>, StoreError> {
        let answers = self.view(shard)?.open_table(ANSWERS).map_err(failed(READING))?;
        let stored = answers.get((&spot(shard, key), name)).map_err(failed(READING))?;
        Ok(stored.and_then(|stored| {
            let (ends_ms, answer) = stored.value();
            (ends_ms > self.clock.now()).then(|| Bytes::copy_from_slice(answer))
        }))
    }

    fn read_due(&self, shard: ShardId, until_ms: u64, limit: usize) -> Result<Vec<(Key, u64)>, StoreError> {
        let order = self.view(shard)?.open_table(WAKE_ORDER).map_err(failed(READING))?;
        let first = wake_spot(shard, 0, Key([0; 16]));
        let last = wake_spot(shard, until_ms, Key([0xff; 16]));
        order
            .range::<&WakeSpot>(&first..=&last)
            .map_err(failed(READING))?
            .take(limit)
            .map(|entry| Ok(of_wake_spot(entry.map_err(failed(READING))?.0.value())))
            .collect()
    }

    /// By time although the table is by key: there are few, and a person waits for them.
    fn read_parked(&self, shard: ShardId, from_ms: u64, limit: usize) -> Result<Vec<(Key, u64)>, StoreError> {
        let parked = self.view(shard)?.open_table(PARKED).map_err(failed(READING))?;
        let first = spot(shard, Key([0; 16]));
        let last = spot(shard, Key([0xff; 16]));
        let mut found = Vec::new();
        for entry in parked.range::<&Spot>(&first..=&last).map_err(failed(READING))? {
            let (spot, since) = entry.map_err(failed(READING))?;
            found.push((key_of(spot.value()), since.value()));
        }
        found.retain(|(_, since)| *since >= from_ms);
        found.sort_by_key(|(_, since)| *since);
        found.truncate(limit);
        Ok(found)
    }
}

impl Store for EmbeddedStore {
    fn identity(&self) -> Identity {
        self.identity
    }

    fn now(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        async { Ok(self.clock.now()) }.boxed()
    }

    fn claim(&self, shard: ShardId, claim: Claim) -> BoxFuture<'_, Result<Claimed, StoreError>> {
        async move {
            limits::shard(shard, self.identity)?;
            self.ask(move |answer| Request::Claim(shard, claim, answer)).await
        }
        .boxed()
    }

    fn release(&self, shard: ShardId, token: Token) -> BoxFuture<'_, Result<Released, StoreError>> {
        async move {
            limits::shard(shard, self.identity)?;
            self.ask(move |answer| Request::Release(shard, token, answer)).await
        }
        .boxed()
    }

    fn load(&self, shard: ShardId, key: Key) -> BoxFuture<'_, Result<Loaded, StoreError>> {
        async move { self.read_conversation(shard, key) }.boxed()
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, StoreError>> {
        async move {
            limits::check(&commit)?;
            limits::shard(commit.shard, self.identity)?;
            self.ask(move |answer| Request::Commit(Box::new(commit), answer)).await
        }
        .boxed()
    }

    fn answer<'a>(
        &'a self,
        shard: ShardId,
        key: Key,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        async move { self.read_answer(shard, key, name) }.boxed()
    }

    fn due(&self, shard: ShardId, until_ms: u64, limit: usize) -> BoxFuture<'_, Result<Vec<(Key, u64)>, StoreError>> {
        async move { self.read_due(shard, until_ms, limit) }.boxed()
    }

    fn parked(&self, shard: ShardId, from_ms: u64, limit: usize) -> BoxFuture<'_, Result<Vec<(Key, u64)>, StoreError>> {
        async move { self.read_parked(shard, from_ms, limit) }.boxed()
    }

    fn beat(&self, beat: Beat) -> BoxFuture<'_, Result<Pulse, StoreError>> {
        async move {
            limits::beat(&beat)?;
            Ok(self.membership()?.beat(beat, self.clock.now()))
        }
        .boxed()
    }

    fn leave(&self, me: Incarnation) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            self.membership()?.leave(me);
            Ok(())
        }
        .boxed()
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Nodes, StoreError>> {
        async move { Ok(self.membership()?.nodes(self.clock.now())) }.boxed()
    }

    fn forget(&self, dead: Vec<Incarnation>) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            self.membership()?.forget(&dead);
            Ok(())
        }
        .boxed()
    }

    fn lead(&self, me: Incarnation, lease_ms: u64) -> BoxFuture<'_, Result<Led, StoreError>> {
        async move { Ok(self.membership()?.lead(me, lease_ms, self.clock.now())) }.boxed()
    }

    fn map(&self) -> BoxFuture<'_, Result<Option<(MapVersion, Bytes)>, StoreError>> {
        async move {
            self.sound()?;
            stored_map(&self.database)
        }
        .boxed()
    }

    fn write_map(
        &self,
        me: Incarnation,
        expected: MapVersion,
        version: MapVersion,
        blob: Bytes,
    ) -> BoxFuture<'_, Result<MapWrite, StoreError>> {
        async move {
            limits::map(&blob)?;
            let map = NewMap {
                me,
                expected,
                version,
                blob,
            };
            self.ask(move |answer| Request::Map(map, answer)).await
        }
        .boxed()
    }

    fn calls(&self) -> &dyn CallBook {
        self
    }

    fn media(&self) -> &dyn MediaBook {
        self
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        // The writer ends when the last sender is gone; waiting for it frees the directory for whoever opens it next.
        drop(self.requests.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer thread of the embedded store had panicked");
            // Closing the file would panic on the locks that the thread left poisoned; the process's end closes it.
            std::mem::forget(Arc::clone(&self.database));
        }
    }
}

fn open_file(builder: &Builder, directory: &Path) -> Result<Database, StoreError> {
    std::fs::create_dir_all(directory).map_err(|error| StoreError::Unfit {
        problem: format!("the directory {} cannot be created: {error}", directory.display()),
        remedy: "name a directory that this user may write to".to_owned(),
    })?;
    let database = builder.create(directory.join(FILE)).map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::Unfit {
            problem: format!("another process uses the directory {}", directory.display()),
            remedy: "stop that process or name another directory".to_owned(),
        },
        DatabaseError::UpgradeRequired(version) => StoreError::Unfit {
            problem: format!("the file in {} has the unknown layout {version}", directory.display()),
            remedy: "use the version of Trunkline that wrote it".to_owned(),
        },
        other => StoreError::Unfit {
            problem: format!("the file {FILE} in {} cannot be opened: {other}", directory.display()),
            remedy: "check the file's rights and the disk, or name another directory".to_owned(),
        },
    })?;
    // Else a power cut could take a new file's name although its content is on disk.
    #[cfg(unix)]
    std::fs::File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed(OPENING))?;
    Ok(database)
}

/// Reads who the store is, or makes a new one of it.
fn identify(database: &Database, shards: u32) -> Result<Identity, StoreError> {
    let mut transaction = database.begin_write().map_err(failed(OPENING))?;
    transaction.set_quick_repair(true);
    let identity = {
        let mut meta = transaction.open_table(META).map_err(failed(OPENING))?;
        match read_meta(&meta).map_err(failed(OPENING))? {
            Meta::Known(identity) => identity,
            Meta::Empty => {
                let identity = Identity {
                    cluster: rand::random(),
                    shards,
                };
                write_meta(&mut meta, identity).map_err(failed(OPENING))?;
                identity
            }
            Meta::Unknown(format) => {
                return Err(StoreError::Unfit {
                    problem: format!("the store's file has format {format}, this version knows {FORMAT}"),
                    remedy: "use the version of Trunkline that wrote it".to_owned(),
                });
            }
        }
    };
    limits::same_shards(identity, shards)?;
    // A file of an earlier version may lack the newer tables.
    let mut tables = Tables::open(&transaction).map_err(failed(OPENING))?;
    apply::free_all(&mut tables).map_err(failed(OPENING))?;
    drop(tables);
    transaction.commit().map_err(failed(OPENING))?;
    Ok(identity)
}

fn stored_map(database: &Database) -> Result<Option<(MapVersion, Bytes)>, StoreError> {
    let view = database.begin_read().map_err(failed(READING))?;
    let table = view.open_table(MAP).map_err(failed(READING))?;
    let stored = table.get(()).map_err(failed(READING))?;
    Ok(stored.map(|stored| {
        let (version, map) = stored.value();
        (MapVersion(version), Bytes::copy_from_slice(map))
    }))
}
