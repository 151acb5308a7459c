//! Acknowledged means on disk: a process that writes is ended with SIGKILL, again and again.

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::RngExt as _;
use trunkline_store::contract::{Claim, Claimed, Commit, Committed, Header, Store, Wake};
use trunkline_store::embedded::{EmbeddedConfig, EmbeddedStore};
use trunkline_store::key::Key;

use crate::world::{SHARD, claim_of, key, record, touch};

/// Names the directory to the child process.
const DIRECTORY: &str = "TRUNKLINE_STORE_KILL_TEST";
const CONVERSATIONS: usize = 16;
const KILLS: usize = 20;

/// One acknowledged commit, as the child prints it.
#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    conversation: usize,
    header: Header,
}

#[test]
fn whatever_was_acknowledged_survives_sigkill() {
    let directory = tempfile::tempdir().unwrap();
    let mut newest = [Header::ABSENT; CONVERSATIONS];
    let mut acknowledged = 0;
    for round in 0..KILLS {
        let heard = listen_until_killed(start_child(directory.path()));
        assert!(!heard.is_empty(), "the child of round {round} acknowledged nothing");
        acknowledged += heard.len();
        for Acknowledged { conversation, header } in heard {
            assert_eq!(
                header.version,
                newest[conversation].version.max(header.version),
                "out of order"
            );
            newest[conversation] = header;
        }
        let stored = read_back(directory.path());
        for (conversation, (newest, stored)) in newest.iter_mut().zip(stored).enumerate() {
            check(round, conversation, *newest, &stored);
            // A commit that was written and not heard of is the next round's beginning.
            *newest = stored.header;
        }
    }
    assert!(
        acknowledged > 10 * KILLS,
        "only {acknowledged} commits in {KILLS} rounds prove nothing"
    );
}

/// What the store holds of one conversation.
struct Stored {
    header: Header,
    fields: Vec<String>,
    wake: Option<u64>,
}

fn check(round: usize, conversation: usize, newest: Header, stored: &Stored) {
    let place = format!("round {round}, conversation {conversation}");
    let header = stored.header;
    assert!(
        header.version >= newest.version,
        "{place}: {newest:?} was acknowledged, {header:?} is stored"
    );
    if header.version == newest.version {
        assert_eq!(
            header, newest,
            "{place}: another turn took the place of the acknowledged one"
        );
    }
    // Each commit put one field into the inbox and set the wake time in the same transaction.
    let expected = usize::try_from(header.version).unwrap();
    assert_eq!(
        stored.fields.len(),
        expected,
        "{place}: the inbox does not fit the record"
    );
    assert_eq!(
        stored.wake.unwrap_or_default(),
        header.version,
        "{place}: the wake index does not fit the record"
    );
}

/// Starts this very binary, which then runs only the test below.
fn start_child(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "durability::a_child_commits_until_it_is_killed",
            "--nocapture",
        ])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Listens to a child, ends it at a random moment after its first acknowledgement, and returns all of them.
fn listen_until_killed(mut child: Child) -> Vec<Acknowledged> {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut heard = Vec::new();
    let mut line = String::new();
    while heard.is_empty() && output.read_line(&mut line).unwrap() > 0 {
        heard.extend(parse(&line));
        line.clear();
    }
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_micros(rand::rng().random_range(0..80_000)));
        child.kill().unwrap();
        child.wait().unwrap();
    });
    while output.read_line(&mut line).unwrap() > 0 {
        heard.extend(parse(&line));
        line.clear();
    }
    killer.join().unwrap();
    heard
}

/// Reads a whole line of the child; `None` for what the test harness prints and for a line cut off by the kill.
fn parse(line: &str) -> Option<Acknowledged> {
    let mut numbers = line.strip_suffix(".\n")?.strip_prefix("acknowledged ")?.split(' ');
    Some(Acknowledged {
        conversation: numbers.next()?.parse().ok()?,
        header: Header {
            version: numbers.next()?.parse().ok()?,
            turn: numbers.next()?.parse().ok()?,
        },
    })
}

fn conversation_key(conversation: usize) -> Key {
    key(&format!("conversation {conversation}"))
}

#[tokio::main(flavor = "current_thread")]
async fn read_back(directory: &Path) -> Vec<Stored> {
    let store = EmbeddedStore::open(EmbeddedConfig::in_directory(directory)).unwrap();
    let due = store.due(SHARD, u64::MAX, CONVERSATIONS).await.unwrap();
    let mut all = Vec::new();
    for conversation in 0..CONVERSATIONS {
        let key = conversation_key(conversation);
        let loaded = store.load(SHARD, key).await.unwrap();
        all.push(Stored {
            header: loaded
                .record
                .map_or(Header::ABSENT, |record| Header::of_record(&record).unwrap()),
            fields: loaded.inbox.into_iter().map(|(field, _)| field).collect(),
            wake: due.iter().find(|(due, _)| *due == key).map(|(_, at_ms)| *at_ms),
        });
    }
    all
}

/// No test of its own: without the variable it has nothing to do.
#[test]
fn a_child_commits_until_it_is_killed() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        commit_for_ever(&PathBuf::from(directory));
    }
}

#[tokio::main(flavor = "current_thread")]
async fn commit_for_ever(directory: &Path) {
    let store = Arc::new(EmbeddedStore::open(EmbeddedConfig::in_directory(directory)).unwrap());
    let claim = Claim {
        force: true,
        ..claim_of(rand::random())
    };
    let Claimed::Ours(token) = store.claim(SHARD, claim).await.unwrap() else {
        panic!("a forced claim under the newest map fails never");
    };
    let writers = (0..CONVERSATIONS).map(|conversation| {
        let store = Arc::clone(&store);
        async move {
            let key = conversation_key(conversation);
            let loaded = store.load(SHARD, key).await.unwrap().record;
            let mut header = loaded.map_or(Header::ABSENT, |record| Header::of_record(&record).unwrap());
            loop {
                let next = Header {
                    version: header.version + 1,
                    turn: rand::random(),
                };
                let commit = Commit {
                    record: Some(record(next, b"a record of some length")),
                    accept: vec![(next.version.to_string(), Bytes::from_static(b"an activity"))],
                    wake: Wake::At(next.version),
                    ..touch(token, key, header)
                };
                assert_eq!(store.commit(commit).await.unwrap(), Committed::Written);
                header = next;
                let mut output = std::io::stdout().lock();
                writeln!(
                    output,
                    "acknowledged {conversation} {} {}.",
                    header.version, header.turn
                )
                .unwrap();
            }
        }
    });
    futures_util::future::join_all(writers.map(Box::pin))
        .await
        .into_iter()
        .for_each(|never: ()| never);
}

#[test]
fn a_second_process_is_told_which_directory_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = start_child(directory.path());
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while parse(&line).is_none() {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0, "the child ended");
    }
    let refusal = EmbeddedStore::open(EmbeddedConfig::in_directory(directory.path()))
        .unwrap_err()
        .to_string();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(refusal.contains(&directory.path().display().to_string()), "{refusal}");
    assert!(refusal.contains("another process"), "{refusal}");
}
