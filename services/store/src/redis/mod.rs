//! The Redis engine: one `EVALSHA` for each write, on connections that many callers share.
//!
//! The way of a write: [`RedisStore::commit`] finds the names of the shard's keys in `tags`, `scripts` packs one call, the
//! `fleet` brings it to the primary that serves the shard's slot (`topology`), where a `line` sends it beside those of other
//! callers in one pipeline, and the script judges and writes. Connections are made by `connect`, which lets none through
//! that `fitness` refuses; `founding` makes the store. The redis crate's own clients for Sentinel and Cluster are not used:
//! they offer no place to check a new connection, and none to send a commit and its WAIT on one socket.
//!
//! What an acknowledged write survives is decided by the server's settings: with `appendfsync everysec` a lost host loses up
//! to two seconds of them.

mod address;
mod calls;
mod config;
mod confirm;
mod connect;
mod failure;
mod fitness;
mod fleet;
mod founding;
mod line;
mod media;
mod membership;
mod primary;
mod scripts;
mod sentinels;
mod tags;
mod topology;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use redis::{Cmd, FromRedisValue, Value};

pub use self::address::{AddressProblem, RedisAddress};
pub use self::config::{ClientCertificate, RedisConfig};
use self::failure::{failed, unexpected};
use self::fleet::{Call, Fleet};
use self::line::Commands;
use self::primary::Purpose;
use self::scripts::{By, Scripts};
use self::tags::{META_SLOT, Names, Tags};
use crate::contract::{
    Beat, CallBook, Claim, Claimed, Commit, Committed, Epoch, Header, Identity, Incarnation, Led, Loaded, MapVersion,
    MapWrite, MediaBook, Nodes, Pulse, Released, Store, StoreError, Token,
};
use crate::key::{Key, ShardId};
use crate::limits;

const CLAIMING: &str = "claiming a shard";
const RELEASING: &str = "releasing a shard";
const COMMITTING: &str = "committing";
const LOADING: &str = "loading a conversation";
const ANSWERING: &str = "reading a recorded answer";
const WAKING: &str = "reading the wake index";
const LISTING: &str = "listing parked work";
const READING_CLOCK: &str = "reading the clock of Redis";

/// A store in Redis 7.0 or newer.
///
/// Claims and scans have a connection of their own, in the runtime that [`RedisStore::open`] was called in. The connection
/// of beats, leadership and map, and those of conversations, belong to the runtime of whoever first needs them: when each thread of a worker serves its own shards,
/// what its conversations commit in one go leaves in one write, without a change of threads. These runtimes must live as
/// long as the store is used.
#[derive(Debug)]
pub struct RedisStore {
    identity: Identity,
    tags: Arc<Tags>,
    scripts: Scripts,
    fleet: Fleet,
    /// Tenants that are listed in their month already.
    listed: calls::Listed,
}

impl RedisStore {
    /// Connects, checks the servers and makes the store when there is none.
    ///
    /// [`StoreError::Unfit`] names what is wrong with a server or the settings, and the remedy.
    pub async fn open(config: RedisConfig) -> Result<Self, StoreError> {
        limits::shards(config.shards)?;
        let tags = Arc::new(Tags::of(config.shards));
        let (fleet, identity) = Fleet::muster(&config, Arc::clone(&tags)).await?;
        Ok(Self {
            identity,
            tags,
            scripts: Scripts::new(),
            fleet,
            listed: calls::Listed::default(),
        })
    }

    fn names(&self, shard: ShardId) -> Result<Names<'_>, StoreError> {
        self.tags
            .names(shard)
            .ok_or_else(|| limits::no_such_shard(shard, self.identity))
    }

    fn call(&self, shard: ShardId, purpose: Purpose, doing: &'static str) -> Result<Call, StoreError> {
        let slot = self.tags.slot(shard);
        Ok(Call {
            slot: slot.ok_or_else(|| limits::no_such_shard(shard, self.identity))?,
            purpose,
            doing,
        })
    }

    async fn run_script(&self, call: Call, command: impl Fn(By) -> Cmd) -> Result<Value, StoreError> {
        self.fleet.ask(call, |by| Commands::One(command(by))).await
    }

    async fn run<T: FromRedisValue>(&self, call: Call, command: &Cmd) -> Result<T, StoreError> {
        read(call.doing, self.run_script(call, |_| command.clone()).await?)
    }

    async fn run_claim(&self, shard: ShardId, claim: Claim) -> Result<Claimed, StoreError> {
        let names = self.names(shard)?;
        let command = |by| scripts::claim(&self.scripts.claim, by, names, &claim);
        let call = self.call(shard, Purpose::Control, CLAIMING)?;
        let answer = self.run_script(call, command).await?;
        let (outcome, text): (String, String) = read(CLAIMING, answer)?;
        let claimed = match outcome.as_str() {
            "ours" => text.parse().ok().map(|epoch| {
                Claimed::Ours(Token {
                    epoch: Epoch(epoch),
                    holder: claim.me,
                    map: claim.map,
                })
            }),
            "held" => u64::from_str_radix(&text, 16)
                .ok()
                .map(|holder| Claimed::Held(Incarnation(holder))),
            "stale" => text.parse().ok().map(|map| Claimed::Stale(MapVersion(map))),
            _ => None,
        };
        claimed.ok_or_else(|| StoreError::Corrupt {
            doing: CLAIMING,
            reason: format!("the script answered {outcome} {text}"),
        })
    }

    async fn run_release(&self, shard: ShardId, token: Token) -> Result<Released, StoreError> {
        let names = self.names(shard)?;
        let command = |by| scripts::release(&self.scripts.release, by, names, token);
        let call = self.call(shard, Purpose::Control, RELEASING)?;
        match self.run_script(call, command).await? {
            Value::Int(1) => Ok(Released::Free),
            Value::Int(0) => Ok(Released::Fenced),
            other => Err(unexpected(RELEASING, &other)),
        }
    }

    async fn run_commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        limits::check(&commit)?;
        let names = self.names(commit.shard)?;
        let command = |by| scripts::commit(&self.scripts.commit, by, names, &commit);
        let call = self.call(commit.shard, Purpose::Conversations(commit.shard), COMMITTING)?;
        match self.run_script(call, command).await? {
            Value::Int(1) => Ok(Committed::Written),
            Value::Int(0) => Ok(Committed::Fenced),
            Value::BulkString(header) => match Header::of_record(&header) {
                Some(header) => Ok(Committed::Conflict(header)),
                None => Err(StoreError::Corrupt {
                    doing: COMMITTING,
                    reason: "the stored record is shorter than its header".to_owned(),
                }),
            },
            other => Err(unexpected(COMMITTING, &other)),
        }
    }

    /// Not a transaction: with full memory Redis refuses those even for reads. So the inbox is read first. Should a late
    /// commit slip in between, the caller sees an activity that its newer record already knows, never one too few.
    async fn run_load(&self, shard: ShardId, key: Key) -> Result<Loaded, StoreError> {
        let names = self.names(shard)?;
        let member = key.text();
        let mut inbox = redis::cmd("HGETALL");
        inbox.arg(names.inbox(&member));
        let mut record = redis::cmd("GET");
        record.arg(names.record(&member));
        let call = self.call(shard, Purpose::Conversations(shard), LOADING)?;
        let both = |_| {
            let mut both = redis::pipe();
            both.add_command(inbox.clone()).add_command(record.clone());
            Commands::Several(both)
        };
        let (inbox, record) = read(LOADING, self.fleet.ask(call, both).await?)?;
        Ok(Loaded { record, inbox })
    }

    async fn run_answer(&self, shard: ShardId, key: Key, name: &str) -> Result<Option<Bytes>, StoreError> {
        let mut command = redis::cmd("GET");
        command.arg(self.names(shard)?.answer(&key.text(), name));
        let call = self.call(shard, Purpose::Conversations(shard), ANSWERING)?;
        self.run(call, &command).await
    }

    async fn run_due(&self, shard: ShardId, until_ms: u64, limit: usize) -> Result<Vec<(Key, u64)>, StoreError> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.names(shard)?.wakes()).arg("-inf").arg(until_ms);
        let call = self.call(shard, Purpose::Control, WAKING)?;
        self.run_index(call, command, limit).await
    }

    async fn run_parked(&self, shard: ShardId, from_ms: u64, limit: usize) -> Result<Vec<(Key, u64)>, StoreError> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.names(shard)?.parked()).arg(from_ms).arg("+inf");
        let call = self.call(shard, Purpose::Control, LISTING)?;
        self.run_index(call, command, limit).await
    }

    /// Reads one of the sorted sets of a shard, by score.
    async fn run_index(&self, call: Call, mut command: Cmd, limit: usize) -> Result<Vec<(Key, u64)>, StoreError> {
        command.arg("BYSCORE").arg("LIMIT").arg(0).arg(limit).arg("WITHSCORES");
        let members: Vec<(String, u64)> = self.run(call, &command).await?;
        members
            .into_iter()
            .map(|(member, at_ms)| match Key::from_text(&member) {
                Some(key) => Ok((key, at_ms)),
                None => Err(StoreError::Corrupt {
                    doing: call.doing,
                    reason: format!("the member {member} is no key"),
                }),
            })
            .collect()
    }

    async fn run_now(&self) -> Result<u64, StoreError> {
        let call = Call {
            slot: META_SLOT,
            purpose: Purpose::Control,
            doing: READING_CLOCK,
        };
        let (seconds, microseconds): (u64, u64) = self.run(call, &redis::cmd("TIME")).await?;
        Ok(seconds * 1_000 + microseconds / 1_000)
    }
}

fn read<T: FromRedisValue>(doing: &'static str, answer: Value) -> Result<T, StoreError> {
    T::from_redis_value(answer).map_err(|error| failed(doing)(error.into()))
}

impl Store for RedisStore {
    fn identity(&self) -> Identity {
        self.identity
    }

    fn now(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.run_now().boxed()
    }

    fn claim(&self, shard: ShardId, claim: Claim) -> BoxFuture<'_, Result<Claimed, StoreError>> {
        self.run_claim(shard, claim).boxed()
    }

    fn release(&self, shard: ShardId, token: Token) -> BoxFuture<'_, Result<Released, StoreError>> {
        self.run_release(shard, token).boxed()
    }

    fn load(&self, shard: ShardId, key: Key) -> BoxFuture<'_, Result<Loaded, StoreError>> {
        self.run_load(shard, key).boxed()
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, StoreError>> {
        self.run_commit(commit).boxed()
    }

    fn answer<'a>(
        &'a self,
        shard: ShardId,
        key: Key,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        self.run_answer(shard, key, name).boxed()
    }

    fn due(&self, shard: ShardId, until_ms: u64, limit: usize) -> BoxFuture<'_, Result<Vec<(Key, u64)>, StoreError>> {
        self.run_due(shard, until_ms, limit).boxed()
    }

    fn parked(&self, shard: ShardId, from_ms: u64, limit: usize) -> BoxFuture<'_, Result<Vec<(Key, u64)>, StoreError>> {
        self.run_parked(shard, from_ms, limit).boxed()
    }

    fn beat(&self, beat: Beat) -> BoxFuture<'_, Result<Pulse, StoreError>> {
        self.run_beat(beat).boxed()
    }

    fn leave(&self, me: Incarnation) -> BoxFuture<'_, Result<(), StoreError>> {
        self.run_leave(me).boxed()
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Nodes, StoreError>> {
        self.run_nodes().boxed()
    }

    fn forget(&self, dead: Vec<Incarnation>) -> BoxFuture<'_, Result<(), StoreError>> {
        self.run_forget(dead).boxed()
    }

    fn lead(&self, me: Incarnation, lease_ms: u64) -> BoxFuture<'_, Result<Led, StoreError>> {
        self.run_lead(me, lease_ms).boxed()
    }

    fn map(&self) -> BoxFuture<'_, Result<Option<(MapVersion, Bytes)>, StoreError>> {
        self.run_map().boxed()
    }

    fn write_map(
        &self,
        me: Incarnation,
        expected: MapVersion,
        version: MapVersion,
        blob: Bytes,
    ) -> BoxFuture<'_, Result<MapWrite, StoreError>> {
        self.run_write_map(me, expected, version, blob).boxed()
    }

    fn calls(&self) -> &dyn CallBook {
        self
    }

    fn media(&self) -> &dyn MediaBook {
        self
    }
}
