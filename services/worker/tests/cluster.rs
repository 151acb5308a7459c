//! Several workers on one store: shards that move, workers that die, leases that end.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(
    clippy::print_stdout,
    reason = "with --nocapture they tell the times that people saw"
)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;
use support::connector::FakeConnector;
use support::flaky::FlakyStore;
use support::ingress::{Answered, FakeIngress, Said, answered};
use support::node::Node;
use support::routed::RoutedIngress;
use support::{SHARDS, store_in_memory, until};
use trunkline_bot::event::Message;
use trunkline_bot::logic::Logic;
use trunkline_bot::routes::{command, message, signal};
use trunkline_bot::{Bot, Result, Signal, State, Turn, plain};
use trunkline_store::SharedStore;

/// Conversations of the load.
const CONVERSATIONS: usize = 24;

#[derive(Default, Serialize, Deserialize)]
struct Heard {
    count: u64,
}

impl State for Heard {}

#[derive(Serialize, Deserialize)]
struct Ring;

impl Signal for Ring {
    const NAME: &'static str = "ring";
}

async fn echo(turn: &mut Turn, heard: &mut Heard, message: Message) -> Result {
    heard.count += 1;
    turn.reply(plain(&format!("{}. {}", heard.count, message.text())));
    Ok(())
}

async fn later(turn: &mut Turn, _: &mut Heard, message: Message) -> Result {
    turn.call_me_in(Duration::from_millis(message.text().parse().unwrap_or(300)), Ring)
}

async fn ring(turn: &mut Turn, _: &mut Heard, _: Ring) -> Result {
    turn.reply(plain("rung"));
    Ok(())
}

async fn slow(turn: &mut Turn, heard: &mut Heard, _: Message) -> Result {
    heard.count += 1;
    tokio::time::sleep(Duration::from_secs(3)).await;
    turn.reply(plain(&format!("{}. slowly", heard.count)));
    Ok(())
}

fn bot() -> Arc<dyn Logic> {
    Bot::new("test")
        .on(command("later"), later)
        .on(command("slow"), slow)
        .on(message(), echo)
        .on(signal::<Ring>(), ring)
        .build()
        .unwrap()
}

/// A Connector, a store, and workers that come and go.
struct World {
    connector: FakeConnector,
    store: SharedStore,
}

impl World {
    fn new() -> Self {
        Self {
            connector: FakeConnector::start(),
            store: store_in_memory(),
        }
    }

    async fn node(&self, name: &str) -> Node {
        Node::start(name, self.store.clone(), bot()).await
    }

    /// A worker that serves everything, and an ingress that knows it.
    async fn alone(&self) -> (Node, Arc<RoutedIngress>) {
        let node = self.node("a").await;
        until("the first worker serves everything", || {
            node.serving() == SHARDS as usize
        })
        .await;
        let ingress = RoutedIngress::new(node.address, self.connector.base()).await;
        (node, ingress)
    }

    /// Two workers that share the shards.
    async fn pair(&self) -> (Node, Node, Arc<RoutedIngress>) {
        let (first, ingress) = self.alone().await;
        let second = self.node("b").await;
        until("the workers share the shards", || {
            let (one, other) = (first.serving(), second.serving());
            one + other == SHARDS as usize && other >= SHARDS as usize / 3
        })
        .await;
        (first, second, ingress)
    }
}

/// People who talk until they are told to stop, one message after the other in each conversation.
struct Talk {
    is_over: Arc<AtomicBool>,
    worst_ms: Arc<AtomicU64>,
    people: Vec<tokio::task::JoinHandle<u64>>,
}

impl Talk {
    fn begin(ingress: &Arc<RoutedIngress>) -> Self {
        let (is_over, worst_ms) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let person = |number: usize| {
            let (ingress, is_over, worst_ms) = (ingress.clone(), is_over.clone(), worst_ms.clone());
            actix_rt::spawn(async move {
                let mut said = 0;
                while !is_over.load(Ordering::Relaxed) {
                    said += 1;
                    let message = Said::message(&format!("a:{number}"), &said.to_string(), &format!("m{said}"));
                    let (answer, took) = ingress.sends(&message).await;
                    let is_good = matches!(
                        answer,
                        Answered::Done(200, _) | Answered::Accepted | Answered::Repeated(200, _)
                    );
                    assert!(is_good, "{answer:?} to message {said} of conversation {number}");
                    worst_ms.fetch_max(u64::try_from(took.as_millis()).unwrap(), Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                said
            })
        };
        let people = (0..CONVERSATIONS).map(person).collect();
        Self {
            is_over,
            worst_ms,
            people,
        }
    }

    /// The longest that anybody has waited since this was last asked.
    fn worst(&self) -> u64 {
        self.worst_ms.swap(0, Ordering::Relaxed)
    }

    /// Everybody stops; what each of them has said.
    async fn end(self) -> Vec<u64> {
        self.is_over.store(true, Ordering::Relaxed);
        let mut said = Vec::new();
        for person in self.people {
            said.push(person.await.unwrap());
        }
        said
    }
}

/// Every message has had its effect once and its reply, in order; replies that came twice.
async fn check(connector: &FakeConnector, said: &[u64]) -> usize {
    let replies = || {
        let mut replies: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for request in connector.requests() {
            let conversation = request
                .path
                .split("a%3A")
                .nth(1)
                .or_else(|| request.path.split("a:").nth(1));
            let number = conversation
                .and_then(|rest| rest.split('/').next())
                .and_then(|text| text.parse().ok());
            if let Some(number) = number {
                replies.entry(number).or_default().push(request.text().to_owned());
            }
        }
        replies
    };
    let last = |number: usize| format!("{}. m{}", said[number], said[number]);
    until("the last replies have come", || {
        let replies = replies();
        (0..said.len()).all(|number| replies.get(&number).is_some_and(|texts| texts.contains(&last(number))))
    })
    .await;
    let mut repeats = 0;
    for (number, texts) in replies() {
        let (mut previous, mut newest) = (0, 0);
        for text in texts {
            let place: u64 = text.split('.').next().unwrap().parse().unwrap();
            assert_eq!(text, format!("{place}. m{place}"), "conversation {number}");
            // A new owner repeats what its predecessor had sent and not settled, from the oldest on.
            assert!(place <= previous + 1, "conversation {number}: {place} after {previous}");
            repeats += usize::from(place <= newest);
            (previous, newest) = (place, newest.max(place));
        }
        assert_eq!(newest, said[number], "conversation {number}");
    }
    repeats
}

#[actix::test]
async fn shards_move_to_a_worker_that_joins_and_back_when_it_leaves_while_people_talk() {
    let world = World::new();
    let (first, ingress) = world.alone().await;
    let talk = Talk::begin(&ingress);
    let second = world.node("b").await;
    until("the workers share the shards", || {
        first.serving() + second.serving() == SHARDS as usize && second.serving() >= SHARDS as usize / 3
    })
    .await;
    println!("a worker joined: nobody waited longer than {} ms", talk.worst());
    let took = first.stop().await;
    until("the second serves everything", || second.serving() == SHARDS as usize).await;
    println!(
        "a worker left within {took:?}: nobody waited longer than {} ms",
        talk.worst()
    );
    let said = talk.end().await;
    let repeats = check(&world.connector, &said).await;
    assert_eq!(repeats, 0, "a hand-over repeats no reply");
    println!(
        "{} messages, {} were handed back",
        said.iter().sum::<u64>(),
        ingress.moved.load(Ordering::Relaxed)
    );
    second.stop().await;
}

#[actix::test]
async fn a_worker_that_is_killed_is_replaced_and_nothing_is_lost() {
    let world = World::new();
    let (first, second, ingress) = world.pair().await;
    let talk = Talk::begin(&ingress);
    tokio::time::sleep(Duration::from_millis(300)).await;
    talk.worst();
    let began = Instant::now();
    first.kill().await;
    until("the second serves everything", || second.serving() == SHARDS as usize).await;
    println!(
        "a worker was killed: all shards were served again after {:?}",
        began.elapsed()
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    let worst = talk.worst();
    let said = talk.end().await;
    let repeats = check(&world.connector, &said).await;
    println!("nobody waited longer than {worst} ms, {repeats} replies came twice");
    // Those of the last 50 ms.
    assert!(repeats <= 10 * CONVERSATIONS, "{repeats} replies were repeated");
    assert!(worst < 5_000, "somebody waited {worst} ms");
    second.stop().await;
}

#[actix::test]
async fn timers_and_the_outbox_go_with_their_shards() {
    let world = World::new();
    let (first, second, ingress) = world.pair().await;
    for number in 0..8 {
        let timer = Said::message(&format!("a:t{number}"), "1", "later 2500");
        assert_eq!(
            ingress.sends(&timer).await.0,
            Answered::Done(200, serde_json::Value::Null)
        );
    }
    world.connector.answer_next((0..8).map(|_| (503, json!({}))));
    for number in 0..8 {
        ingress
            .sends(&Said::message(&format!("a:o{number}"), "1", "hello"))
            .await;
    }
    let took = first.stop().await;
    assert!(took < Duration::from_secs(5), "it left after {took:?}");
    until("all replies and rings have come", || {
        let texts = world.connector.texts();
        let count = |wanted: &str| texts.iter().filter(|text| *text == wanted).count();
        count("rung") == 8 && count("1. hello") >= 16
    })
    .await;
    let rings = world.connector.texts().iter().filter(|text| *text == "rung").count();
    assert_eq!(rings, 8, "each timer rings once");
    second.stop().await;
}

#[actix::test]
async fn a_turn_that_outlives_the_hand_over_is_accepted_and_run_again_by_the_next_owner() {
    let world = World::new();
    let (first, second, ingress) = world.pair().await;
    let mut waiting = Vec::new();
    for number in 0..8 {
        let ingress = ingress.clone();
        waiting.push(actix_rt::spawn(async move {
            ingress
                .sends(&Said::message(&format!("a:{number}"), "1", "slow"))
                .await
                .0
        }));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    first.stop().await;
    for answer in waiting {
        let answer = answer.await.unwrap();
        assert!(
            matches!(
                answer,
                Answered::Accepted | Answered::Done(200, _) | Answered::Repeated(200, _)
            ),
            "{answer:?}"
        );
    }
    until("all slow replies have come", || {
        world
            .connector
            .texts()
            .iter()
            .filter(|text| *text == "1. slowly")
            .count()
            == 8
    })
    .await;
    second.stop().await;
}

#[actix::test]
async fn without_a_lease_nothing_is_begun_or_sent_and_all_goes_on_when_it_is_back() {
    let connector = FakeConnector::start();
    let store = FlakyStore::new(store_in_memory());
    let node = Node::start("a", store.as_store(), bot()).await;
    until("it serves everything", || node.serving() == SHARDS as usize).await;
    assert_eq!(node.health.check(), Ok(()));
    let ingress = FakeIngress::connect(node.address, connector.base()).await;
    connector.answer_next([(503, json!({})), (503, json!({}))]);
    assert_eq!(
        ingress.sends(&Said::message("a:1", "1", "hello")).await.status(),
        Some(200)
    );
    until("the reply was refused twice", || connector.texts().len() == 2).await;
    store.no_beats.store(true, Ordering::SeqCst);
    until("the lease has ended", || !node.cluster().may_begin()).await;
    until("the worker says so", || node.health.check().is_err()).await;
    let waiting = ingress.begins(&Said::message("a:2", "1", "hello"));
    // The third try of the reply would come after a second.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(connector.texts().len(), 2, "nothing was sent");
    store.no_beats.store(false, Ordering::SeqCst);
    assert_eq!(
        answered(waiting.await.unwrap()),
        Answered::Done(200, serde_json::Value::Null)
    );
    until("both replies have come", || connector.texts().len() == 4).await;
    assert_eq!(node.health.check(), Ok(()));
    node.stop().await;
}

#[actix::test]
async fn a_worker_alone_is_ready_when_it_serves_and_ends_at_once() {
    let world = World::new();
    let node = world.node("a").await;
    until("it is ready", || node.health.check().is_ok()).await;
    assert!(node.serving() > 0);
    let ingress = RoutedIngress::new(node.address, world.connector.base()).await;
    ingress.sends(&Said::message("a:1", "1", "hello")).await;
    until("the reply has come", || world.connector.texts().len() == 1).await;
    let took = node.stop().await;
    assert!(took < Duration::from_secs(2), "it ended after {took:?}");
}
