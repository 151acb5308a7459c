//! Random sequences of operations, on each engine and on a model in memory: all answer alike and hold the same at the end.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use trunkline_store::contract::{
    Claim, Claimed, Commit, Committed, Epoch, Header, Incarnation, MapVersion, Parked, Released, Store, Token, Wake,
};
use trunkline_store::key::{Key, ShardId};

use crate::world::{SHARDS, World, key, record};

/// Shards and conversations of a sequence: few, so that operations meet.
const SHARDS_USED: u32 = 2;
const CONVERSATIONS: u8 = 3;
const FIELDS: [&str; 3] = ["1", "2", "s:step"];
const CASES: u32 = 48;

/// One operation. Numbers choose among what the sequence has so far.
#[derive(Clone, Debug)]
enum Operation {
    Claim {
        shard: u32,
        me: u64,
        map: u64,
        force: bool,
    },
    Release {
        shard: u32,
        token: usize,
    },
    Commit(Write),
    /// A commit seen before, sent again.
    Repeat(usize),
    Due {
        shard: u32,
        until_ms: u64,
        limit: usize,
    },
}

#[derive(Clone, Debug)]
struct Write {
    shard: u32,
    conversation: u8,
    token: usize,
    /// The stored header, or one that may be wrong.
    expected: Option<Header>,
    record: Option<(Header, Vec<u8>)>,
    done: Vec<usize>,
    accept: Vec<(usize, Vec<u8>)>,
    wake: Wake,
    answer: Option<Vec<u8>>,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let shard = 0..SHARDS_USED;
    let operation = prop_oneof![
        2 => (shard.clone(), 1..4_u64, 1..4_u64, any::<bool>())
            .prop_map(|(shard, me, map, force)| Operation::Claim { shard, me, map, force }),
        1 => (shard.clone(), any::<usize>()).prop_map(|(shard, token)| Operation::Release { shard, token }),
        10 => write().prop_map(Operation::Commit),
        2 => any::<usize>().prop_map(Operation::Repeat),
        1 => (shard, 0..6_u64, 0..4_usize)
            .prop_map(|(shard, until_ms, limit)| Operation::Due { shard, until_ms, limit }),
    ];
    prop::collection::vec(operation, 1..60)
}

fn write() -> impl Strategy<Value = Write> {
    let header = (0..4_u64, 0..3_u64).prop_map(|(version, turn)| Header { version, turn });
    let bytes = prop::collection::vec(any::<u8>(), 0..8);
    let wake = prop_oneof![Just(Wake::Keep), Just(Wake::Never), (0..6_u64).prop_map(Wake::At)];
    (
        (0..SHARDS_USED, 0..CONVERSATIONS, any::<usize>()),
        prop::option::weighted(0.3, header.clone()),
        prop::option::weighted(0.7, (header, bytes.clone())),
        prop::collection::vec(0..FIELDS.len(), 0..3),
        prop::collection::vec((0..FIELDS.len(), bytes.clone()), 0..3),
        wake,
        prop::option::weighted(0.2, bytes),
    )
        .prop_map(
            |((shard, conversation, token), expected, record, done, accept, wake, answer)| Write {
                shard,
                conversation,
                token,
                expected,
                record,
                done,
                accept,
                wake,
                answer,
            },
        )
}

/// The contract in its plainest form. Epochs are the engine's: they depend on its clock.
#[derive(Default)]
struct Model {
    fences: HashMap<ShardId, (Option<Token>, MapVersion)>,
    conversations: HashMap<(ShardId, Key), Conversation>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Conversation {
    record: Option<Bytes>,
    inbox: BTreeMap<String, Bytes>,
    wake: Option<u64>,
    answer: Option<Bytes>,
}

impl Conversation {
    fn header(&self) -> Header {
        self.record
            .as_deref()
            .and_then(Header::of_record)
            .unwrap_or(Header::ABSENT)
    }
}

impl Model {
    /// What a claim must come to, given the epoch that the engine chose.
    fn claim(&mut self, shard: ShardId, claim: Claim, epoch: Epoch) -> Claimed {
        let (held, map) = self.fences.entry(shard).or_insert((None, MapVersion(0)));
        match held {
            _ if claim.map < *map => Claimed::Stale(*map),
            Some(token) if token.holder != claim.me && !claim.force => Claimed::Held(token.holder),
            _ => {
                let token = Token {
                    epoch,
                    holder: claim.me,
                    map: claim.map,
                };
                (*held, *map) = (Some(token), claim.map);
                Claimed::Ours(token)
            }
        }
    }

    fn admits(&self, shard: ShardId, token: Token) -> bool {
        self.fences.get(&shard).is_some_and(|(held, _)| *held == Some(token))
    }

    fn release(&mut self, shard: ShardId, token: Token) -> Released {
        if !self.admits(shard, token) {
            return Released::Fenced;
        }
        self.fences.entry(shard).and_modify(|(held, _)| *held = None);
        Released::Free
    }

    fn commit(&mut self, commit: &Commit) -> Committed {
        if !self.admits(commit.shard, commit.token) {
            return Committed::Fenced;
        }
        let stored = self.conversations.entry((commit.shard, commit.key)).or_default();
        let header = stored.header();
        if header != commit.expected {
            let same = commit.record.as_deref().and_then(Header::of_record) == Some(header);
            return if same {
                Committed::Written
            } else {
                Committed::Conflict(header)
            };
        }
        if commit.record.is_some() {
            stored.record.clone_from(&commit.record);
        }
        for field in &commit.done {
            stored.inbox.remove(field);
        }
        stored.inbox.extend(commit.accept.iter().cloned());
        match commit.wake {
            Wake::Keep => {}
            Wake::Never => stored.wake = None,
            Wake::At(at_ms) => stored.wake = Some(at_ms),
        }
        if let Some((_, answer)) = &commit.answer {
            stored.answer = Some(answer.clone());
        }
        Committed::Written
    }

    /// The wake times of a shard up to `until_ms`, in order.
    fn due(&self, shard: ShardId, until_ms: u64) -> Vec<(u64, Key)> {
        let mut due: Vec<_> = self
            .conversations
            .iter()
            .filter(|((of, _), _)| *of == shard)
            .filter_map(|((_, key), conversation)| Some((conversation.wake?, *key)))
            .filter(|(at_ms, _)| *at_ms <= until_ms)
            .collect();
        due.sort_unstable();
        due
    }
}

/// One sequence on one engine.
struct Run<'s> {
    store: &'s dyn Store,
    model: Model,
    first_shard: u32,
    tokens: Vec<Token>,
    commits: Vec<Commit>,
}

impl Run<'_> {
    fn shard(&self, number: u32) -> ShardId {
        ShardId(self.first_shard + number)
    }

    /// A token that was given out, or one that never was.
    fn token(&self, choice: usize) -> Token {
        let never = Token {
            epoch: Epoch(1),
            holder: Incarnation(1),
            map: MapVersion(1),
        };
        // The newest is chosen most often: else nearly every commit would be fenced.
        match choice % 4 {
            0 => self
                .tokens
                .get(choice / 4 % (self.tokens.len() + 1))
                .copied()
                .unwrap_or(never),
            _ => self.tokens.last().copied().unwrap_or(never),
        }
    }

    async fn apply(&mut self, operation: Operation) -> Result<(), TestCaseError> {
        match operation {
            Operation::Claim { shard, me, map, force } => {
                let claim = Claim {
                    me: Incarnation(me),
                    map: MapVersion(map),
                    force,
                    floor: Epoch(0),
                };
                let claimed = self.store.claim(self.shard(shard), claim).await.unwrap();
                let epoch = if let Claimed::Ours(token) = claimed {
                    token.epoch
                } else {
                    Epoch(0)
                };
                prop_assert_eq!(claimed, self.model.claim(self.shard(shard), claim, epoch));
                if let Claimed::Ours(token) = claimed {
                    self.tokens.push(token);
                }
                Ok(())
            }
            Operation::Release { shard, token } => {
                let (shard, token) = (self.shard(shard), self.token(token));
                let released = self.store.release(shard, token).await.unwrap();
                prop_assert_eq!(released, self.model.release(shard, token));
                Ok(())
            }
            Operation::Commit(write) => {
                let commit = self.commit_of(write);
                self.commits.push(commit.clone());
                self.commit(commit).await
            }
            Operation::Repeat(choice) => match self.commits.get(choice % self.commits.len().max(1)) {
                Some(commit) => self.commit(commit.clone()).await,
                None => Ok(()),
            },
            Operation::Due { shard, until_ms, limit } => {
                let due = self.store.due(self.shard(shard), until_ms, limit).await.unwrap();
                let expected = self.model.due(self.shard(shard), until_ms);
                // Conversations of one moment have no order among themselves.
                let times: Vec<u64> = due.iter().map(|(_, at_ms)| *at_ms).collect();
                let expected_times: Vec<u64> = expected.iter().take(limit).map(|(at_ms, _)| *at_ms).collect();
                prop_assert_eq!(times, expected_times);
                prop_assert!(due.iter().all(|(key, at_ms)| expected.contains(&(*at_ms, *key))));
                Ok(())
            }
        }
    }

    async fn commit(&mut self, commit: Commit) -> Result<(), TestCaseError> {
        let expected = self.model.commit(&commit);
        let committed = self.store.commit(commit).await.unwrap();
        prop_assert_eq!(committed, expected);
        Ok(())
    }

    fn commit_of(&self, write: Write) -> Commit {
        let shard = self.shard(write.shard);
        let key = conversation_key(write.conversation);
        let stored = self
            .model
            .conversations
            .get(&(shard, key))
            .map_or(Header::ABSENT, Conversation::header);
        Commit {
            shard,
            key,
            token: self.token(write.token),
            expected: write.expected.unwrap_or(stored),
            record: write.record.map(|(header, body)| record(header, &body)),
            done: write.done.into_iter().map(|field| FIELDS[field].to_owned()).collect(),
            accept: write
                .accept
                .into_iter()
                .map(|(field, value)| (FIELDS[field].to_owned(), value.into()))
                .collect(),
            wake: write.wake,
            parked: Parked::Keep,
            retain_ms: None,
            answer: write.answer.map(|answer| ("k".to_owned(), answer.into())),
        }
    }

    async fn compare_all(&self) -> Result<(), TestCaseError> {
        for shard in (0..SHARDS_USED).map(|number| self.shard(number)) {
            let due = self.store.due(shard, u64::MAX, 100).await.unwrap();
            for key in (0..CONVERSATIONS).map(conversation_key) {
                let loaded = self.store.load(shard, key).await.unwrap();
                let found = Conversation {
                    record: loaded.record,
                    inbox: loaded.inbox.into_iter().collect(),
                    wake: due.iter().find(|(due, _)| *due == key).map(|(_, at_ms)| *at_ms),
                    answer: self.store.answer(shard, key, "k").await.unwrap(),
                };
                let expected = self.model.conversations.get(&(shard, key)).cloned().unwrap_or_default();
                prop_assert_eq!(found, expected);
            }
        }
        Ok(())
    }
}

fn conversation_key(conversation: u8) -> Key {
    key(&conversation.to_string())
}

/// Runs sequences on an engine, each on shards of its own where there are enough, else on a new engine.
fn check(world: impl Fn(&tokio::runtime::Runtime) -> World) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let per_world = SHARDS / SHARDS_USED;
    let state = std::cell::RefCell::new((world(&runtime), 0));
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&operations(), |operations| {
        let mut state = state.borrow_mut();
        if state.1 == per_world {
            *state = (world(&runtime), 0);
        }
        state.1 += 1;
        let mut run = Run {
            store: state.0.store.as_ref(),
            model: Model::default(),
            first_shard: (state.1 - 1) * SHARDS_USED,
            tokens: Vec::new(),
            commits: Vec::new(),
        };
        runtime.block_on(async {
            for operation in operations {
                run.apply(operation).await?;
            }
            run.compare_all().await
        })
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

#[test]
fn the_embedded_engine_answers_as_the_model_does() {
    check(|_| World::embedded_in_memory());
}

#[test]
fn redis_answers_as_the_model_does() {
    check(|runtime| runtime.block_on(World::redis()));
}
