//! The Redis engine: one `EVALSHA` for each write, on connections that many callers share.
//!
//! The way of a write: [`RedisStore::commit`] finds the names of the shard's keys in `tags`, `scripts` packs one call, the
//! shard's `line` sends it beside those of other callers in one pipeline, and the script judges and writes. Connections are
//! made by `connect`, which lets none through that `fitness` refuses.
//!
//! What an acknowledged write survives is decided by the server's settings: with `appendfsync everysec` a lost host loses up
//! to two seconds of them.

mod config;
mod connect;
mod failure;
mod fitness;
mod line;
mod membership;
mod scripts;
mod tags;

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use redis::{Cmd, FromRedisValue, Value};

pub use self::config::RedisConfig;
use self::connect::Connector;
use self::failure::{failed, is_unknown_script, unexpected};
use self::line::{Failure, Line, Pace};
use self::scripts::{By, Scripts};
use self::tags::{Names, Tags};
use crate::contract::{
    Beat, Claim, Claimed, Commit, Committed, Epoch, Header, Identity, Incarnation, Led, Loaded, MapVersion, MapWrite,
    Nodes, Pulse, Released, Store, StoreError, Token,
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
    tags: Tags,
    scripts: Scripts,
    connector: Connector,
    paces: Paces,
    /// For claims and scans.
    control: Line,
    /// For nodes, leader and map, made when it is first needed.
    beats: OnceLock<Line>,
    /// For conversations, each made when it is first needed.
    lines: Box<[OnceLock<Line>]>,
}

/// How long the lines wait.
#[derive(Clone, Copy, Debug)]
struct Paces {
    beats: Pace,
    others: Pace,
}

impl Paces {
    fn of(config: &RedisConfig) -> Self {
        Self {
            // Leases that everybody lost come back with the first beat.
            beats: Pace {
                patience: config.beat_timeout,
                longest_pause: Duration::from_millis(250),
            },
            others: Pace {
                patience: config.response_timeout,
                longest_pause: Duration::from_secs(1),
            },
        }
    }
}

impl RedisStore {
    /// Connects, checks the server and makes the store when there is none.
    ///
    /// [`StoreError::Unfit`] names what is wrong with the server or the settings, and the remedy.
    pub async fn open(config: RedisConfig) -> Result<Self, StoreError> {
        limits::shards(config.shards)?;
        let connector = Connector::new(&config)?;
        let (first, identity) = connector.found(config.shards).await?;
        let paces = Paces::of(&config);
        Ok(Self {
            identity,
            tags: Tags::of(config.shards),
            scripts: Scripts::new(),
            control: Line::start(connector.clone(), identity, Some(first), paces.others),
            beats: OnceLock::new(),
            lines: (0..config.connections.max(1)).map(|_| OnceLock::new()).collect(),
            connector,
            paces,
        })
    }

    fn names(&self, shard: ShardId) -> Result<Names<'_>, StoreError> {
        self.tags
            .names(shard)
            .ok_or_else(|| limits::no_such_shard(shard, self.identity))
    }

    /// The line of a shard: always the same, so that one conversation's commits keep their order.
    fn line(&self, shard: ShardId) -> &Line {
        let line = &self.lines[shard.0 as usize % self.lines.len()];
        line.get_or_init(|| Line::start(self.connector.clone(), self.identity, None, self.paces.others))
    }

    /// Runs a script; once more with its text when the server does not know it.
    async fn run_script(line: &Line, doing: &'static str, call: impl Fn(By) -> Cmd) -> Result<Value, StoreError> {
        let answer = match line.run(doing, &call(By::Hash)).await {
            Err(Failure::Redis(error)) if is_unknown_script(&error) => line.run(doing, &call(By::Text)).await,
            other => other,
        };
        answer.map_err(|failure| failure.into_store_error(doing))
    }

    async fn run<T: FromRedisValue>(line: &Line, doing: &'static str, command: &Cmd) -> Result<T, StoreError> {
        let answer = line.run(doing, command).await;
        read(doing, answer.map_err(|failure| failure.into_store_error(doing))?)
    }

    async fn run_claim(&self, shard: ShardId, claim: Claim) -> Result<Claimed, StoreError> {
        let names = self.names(shard)?;
        let call = |by| scripts::claim(&self.scripts.claim, by, names, &claim);
        let answer = Self::run_script(&self.control, CLAIMING, call).await?;
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
        let call = |by| scripts::release(&self.scripts.release, by, names, token);
        match Self::run_script(&self.control, RELEASING, call).await? {
            Value::Int(1) => Ok(Released::Free),
            Value::Int(0) => Ok(Released::Fenced),
            other => Err(unexpected(RELEASING, &other)),
        }
    }

    async fn run_commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        limits::check(&commit)?;
        let names = self.names(commit.shard)?;
        let call = |by| scripts::commit(&self.scripts.commit, by, names, &commit);
        let line = self.line(commit.shard);
        match Self::run_script(line, COMMITTING, call).await? {
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
        let mut commands = redis::pipe();
        commands
            .cmd("HGETALL")
            .arg(names.inbox(&member))
            .cmd("GET")
            .arg(names.record(&member));
        let answer = self.line(shard).run_all(LOADING, &commands).await;
        let (inbox, record) = read(LOADING, answer.map_err(|failure| failure.into_store_error(LOADING))?)?;
        Ok(Loaded { record, inbox })
    }

    async fn run_answer(&self, shard: ShardId, key: Key, name: &str) -> Result<Option<Bytes>, StoreError> {
        let mut command = redis::cmd("GET");
        command.arg(self.names(shard)?.answer(&key.text(), name));
        Self::run(self.line(shard), ANSWERING, &command).await
    }

    async fn run_due(&self, shard: ShardId, until_ms: u64, limit: usize) -> Result<Vec<(Key, u64)>, StoreError> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.names(shard)?.wakes()).arg("-inf").arg(until_ms);
        self.run_index(WAKING, command, limit).await
    }

    async fn run_parked(&self, shard: ShardId, from_ms: u64, limit: usize) -> Result<Vec<(Key, u64)>, StoreError> {
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.names(shard)?.parked()).arg(from_ms).arg("+inf");
        self.run_index(LISTING, command, limit).await
    }

    /// Reads one of the sorted sets of a shard, by score.
    async fn run_index(
        &self,
        doing: &'static str,
        mut command: Cmd,
        limit: usize,
    ) -> Result<Vec<(Key, u64)>, StoreError> {
        command.arg("BYSCORE").arg("LIMIT").arg(0).arg(limit).arg("WITHSCORES");
        let members: Vec<(String, u64)> = Self::run(&self.control, doing, &command).await?;
        members
            .into_iter()
            .map(|(member, at_ms)| match Key::from_text(&member) {
                Some(key) => Ok((key, at_ms)),
                None => Err(StoreError::Corrupt {
                    doing,
                    reason: format!("the member {member} is no key"),
                }),
            })
            .collect()
    }

    async fn run_now(&self) -> Result<u64, StoreError> {
        let (seconds, microseconds): (u64, u64) = Self::run(&self.control, READING_CLOCK, &redis::cmd("TIME")).await?;
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
}
