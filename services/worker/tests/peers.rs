//! Two workers on one store: what a conversation tells an actor whose shard the other worker owns.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use support::connector::FakeConnector;
use support::ingress::{Answered, Said, TENANT};
use support::node::Node;
use support::routed::RoutedIngress;
use support::{SHARDS, store_in_memory, until};
use trunkline_bot::event::Message;
use trunkline_bot::logic::Logic;
use trunkline_bot::routes::{command, signal};
use trunkline_bot::{Address, Bot, Result, Signal, State, Turn, UserState, plain};
use trunkline_store::key::{ActorKind, ShardId, Triple};

/// Conversations that tell others something.
const TELLERS: usize = 24;

#[derive(Default, Serialize, Deserialize)]
struct Rings {
    count: u64,
}

impl State for Rings {}

#[derive(Serialize, Deserialize)]
struct Ring;

impl Signal for Ring {
    const NAME: &'static str = "ring";
}

#[derive(Default, Serialize, Deserialize)]
struct Visits {
    count: u64,
}

impl State for Visits {}

impl UserState for Visits {
    const NAME: &'static str = "visits";
    type Change = u64;

    fn apply(&mut self, more: u64) {
        self.count += more;
    }
}

/// Rings at another conversation, whose id is the text, and counts a visit of the person.
async fn tell(turn: &mut Turn, _: &mut Rings, message: Message) -> Result {
    let Address::Conversation {
        tenant, service_url, ..
    } = turn.here()
    else {
        return Ok(());
    };
    let other = Address::Conversation {
        tenant,
        service_url,
        conversation: message.text().to_owned(),
    };
    turn.change_user::<Visits>(1)?;
    turn.signal(&other, Ring)
}

async fn ring(turn: &mut Turn, rings: &mut Rings, _: Ring) -> Result {
    rings.count += 1;
    let Address::Conversation { conversation, .. } = turn.here() else {
        return Ok(());
    };
    turn.reply(plain(&format!("{conversation} rang {}", rings.count)));
    Ok(())
}

async fn visits(turn: &mut Turn, _: &mut Rings, _: Message) -> Result {
    let visits = turn.user::<Visits>().await?;
    turn.reply(plain(&format!("{} visits", visits.count)));
    Ok(())
}

fn bot() -> Arc<dyn Logic> {
    Bot::new("test")
        .users::<Visits>()
        .on(command("tell"), tell)
        .on(command("visits"), visits)
        .on(signal::<Ring>(), ring)
        .build()
        .unwrap()
}

fn owns(node: &Node, shard: ShardId) -> bool {
    let view = node.cluster().view();
    let view = view.borrow();
    let owner = view.map.owner(shard);
    owner.is_some_and(|owner| owner.incarnation == view.incarnation)
}

/// Ids of conversations that a worker owns.
fn conversations_of(node: &Node, prefix: &str) -> Vec<String> {
    let ids = (0..).map(|number| format!("{prefix}:{number}"));
    let owned = ids.filter(|id| owns(node, Triple::conversation("test", TENANT, id).shard(SHARDS)));
    owned.take(TELLERS).collect()
}

/// A person whose actor a worker owns.
fn person_of(node: &Node) -> String {
    let mut ids = (0..).map(|number| format!("29:person-{number}"));
    let is_owned = |id: &String| {
        let actor = Triple {
            kind: ActorKind::Person,
            bot: "test".to_owned(),
            tenant: TENANT.to_owned(),
            conversation: format!("{}/{id}", Visits::NAME),
        };
        owns(node, actor.shard(SHARDS))
    };
    ids.find(is_owned).unwrap()
}

/// The first of two workers, conversations of it that tell, and actors of the second that are told.
struct World {
    connector: FakeConnector,
    ingress: Arc<RoutedIngress>,
    first: Node,
    tellers: Vec<String>,
    told: Vec<String>,
    person: String,
}

impl World {
    async fn new() -> (Self, Node) {
        let (connector, store) = (FakeConnector::start(), store_in_memory());
        let first = Node::start("a", store.clone(), bot()).await;
        until("the first worker serves everything", || {
            first.serving() == SHARDS as usize
        })
        .await;
        let ingress = RoutedIngress::new(first.address, connector.base()).await;
        let second = Node::start("b", store, bot()).await;
        until("the workers share the shards, and none moves", || {
            let is_at_rest = |node: &Node| {
                let view = node.cluster().view();
                let view = view.borrow();
                view.moves_in_progress() == 0 && view.serving() == view.map.shards_of(view.incarnation).count()
            };
            let (one, other) = (first.serving(), second.serving());
            let is_shared = one + other == SHARDS as usize && other >= SHARDS as usize / 3;
            is_shared && is_at_rest(&first) && is_at_rest(&second)
        })
        .await;
        let world = Self {
            tellers: conversations_of(&first, "a:teller"),
            told: conversations_of(&second, "a:told"),
            person: person_of(&second),
            connector,
            ingress,
            first,
        };
        for told in &world.told {
            // A conversation that never spoke to the bot has no address to reply to.
            world.ingress.sends(&world.message(told, "1", "visits")).await;
        }
        (world, second)
    }

    fn message(&self, conversation: &str, id: &str, text: &str) -> Said {
        let mut said = Said::message(conversation, id, text);
        said.body["from"]["id"] = self.person.as_str().into();
        said
    }

    /// Each of these conversations of the first worker tells its counterpart at the second, and the person's actor.
    async fn tell(&self, pairs: std::ops::Range<usize>) {
        for (teller, told) in self.tellers[pairs.clone()].iter().zip(&self.told[pairs]) {
            let message = self.message(teller, "1", &format!("tell {told}"));
            let answer = self.ingress.sends(&message).await.0;
            assert_eq!(answer, Answered::Done(200, serde_json::Value::Null), "{teller}");
        }
    }

    /// Everybody has heard everything, once.
    async fn check(&self) {
        until("all have heard", || {
            let texts = self.connector.texts();
            self.told.iter().all(|told| texts.contains(&format!("{told} rang 1")))
        })
        .await;
        let mut asked = 0;
        until("all visits are counted", || {
            self.connector.texts().contains(&format!("{TELLERS} visits")) || {
                asked += 1;
                let question = self.message("a:asks", &asked.to_string(), "visits");
                let ingress = self.ingress.clone();
                actix_rt::spawn(async move { ingress.sends(&question).await });
                false
            }
        })
        .await;
        let texts = self.connector.texts();
        let twice: Vec<_> = texts.iter().filter(|text| text.ends_with("rang 2")).collect();
        assert!(twice.is_empty(), "{twice:?}");
        let counts = texts.iter().filter_map(|text| text.strip_suffix(" visits"));
        let most = counts.filter_map(|count| count.parse::<usize>().ok()).max();
        assert_eq!(most, Some(TELLERS));
    }
}

#[actix::test]
async fn signals_and_changes_of_a_person_reach_the_actors_of_another_worker_once() {
    let (world, second) = World::new().await;
    world.tell(0..TELLERS).await;
    world.check().await;
    // Each told a conversation and the person's actor.
    let told = 2 * TELLERS as u64;
    let first = &world.first;
    let sent = first.metric("trunkline_worker_peer_tells_sent_total", &[]);
    let answered = first.metric("trunkline_worker_peer_tells_total", &["answered"]);
    let received = second.metric("trunkline_worker_peer_tells_received_total", &["answered"]);
    assert!(
        sent >= answered && answered >= told && received >= told,
        "{sent} sent, {answered} answered, {received} received"
    );
    second.stop().await;
    world.first.stop().await;
}

#[actix::test]
async fn what_is_told_while_its_owner_dies_reaches_the_next_owner_once() {
    let (world, second) = World::new().await;
    world.tell(0..TELLERS / 2).await;
    until("one has heard", || {
        world.connector.texts().contains(&format!("{} rang 1", world.told[0]))
    })
    .await;
    second.kill().await;
    world.tell(TELLERS / 2..TELLERS).await;
    world.check().await;
    let failed = world.first.metric("trunkline_worker_peer_tells_total", &["failed"]);
    assert!(failed > 0, "whoever told the dead worker something failed at first");
    world.first.stop().await;
}

#[actix::test]
async fn what_is_told_while_its_owner_leaves_reaches_the_next_owner_once() {
    let (world, second) = World::new().await;
    let (took, ()) = tokio::join!(second.stop(), world.tell(0..TELLERS));
    assert!(took < Duration::from_secs(5), "it left after {took:?}");
    world.check().await;
    world.first.stop().await;
}
