//! Two versions on one store: what the next version wrote is read by the next version, never misread by this one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use support::connector::FakeConnector;
use support::ingress::{Answered, Said, TENANT};
use support::next::{NEXT_FORMAT, NextVersion};
use support::node::Node;
use support::routed::RoutedIngress;
use support::{SHARDS, store_in_memory, until};
use trunkline_bot::event::Message;
use trunkline_bot::logic::Logic;
use trunkline_bot::routes::message;
use trunkline_bot::{Bot, Result, State, Turn, plain};
use trunkline_cluster::ShardState;
use trunkline_proto::routing::Reason;
use trunkline_store::SharedStore;
use trunkline_store::key::{ShardId, Triple};
use trunkline_worker::record::{Record, RecordError};

#[derive(Default, Serialize, Deserialize)]
struct Heard {
    count: u64,
}

impl State for Heard {}

async fn count(turn: &mut Turn, heard: &mut Heard, message: Message) -> Result {
    heard.count += 1;
    turn.reply(plain(&format!("{}. {}", heard.count, message.text())));
    Ok(())
}

fn bot() -> Arc<dyn Logic> {
    Bot::new("test").on(message(), count).build().unwrap()
}

/// A worker of this version, one of the next, and what is around them.
struct World {
    connector: FakeConnector,
    store: SharedStore,
    this: Node,
    next: Option<Node>,
    ingress: Arc<RoutedIngress>,
}

impl World {
    /// This version first; the next one joins, and both have their share.
    async fn start() -> Self {
        let (connector, store) = (FakeConnector::start(), store_in_memory());
        let this = Node::start("this", store.clone(), bot()).await;
        until("this version serves everything", || this.serving() == SHARDS as usize).await;
        let ingress = RoutedIngress::new(this.address, connector.base()).await;
        let next = next(&store, "next").await;
        until("both versions have their share", || {
            this.serving() == SHARDS as usize / 2 && next.serving() == SHARDS as usize / 2
        })
        .await;
        Self {
            connector,
            store,
            this,
            next: Some(next),
            ingress,
        }
    }

    fn next(&self) -> &Node {
        self.next.as_ref().expect("it runs")
    }

    /// A conversation whose shard a worker has.
    fn conversation_at(&self, node: &Node) -> String {
        let mut names = (0..100_000).map(|number| format!("a:{number}"));
        names.find(|name| self.has(node, shard_of(name))).unwrap()
    }

    /// Whether the map that this version follows gives the shard to that worker.
    fn has(&self, node: &Node, shard: ShardId) -> bool {
        let view = self.this.cluster().view();
        let owner = view.borrow().map.owner(shard).map(|owner| owner.incarnation);
        owner == Some(node.cluster().view().borrow().incarnation)
    }

    fn is_served_here(&self, shard: ShardId) -> bool {
        let view = self.this.cluster().view();
        let state = view.borrow().shards.get(&shard).copied();
        matches!(state, Some(ShardState::Serving(_)))
    }

    async fn says(&self, conversation: &str, id: &str) -> Answered {
        self.ingress.sends(&Said::message(conversation, id, id)).await.0
    }

    /// What this version makes of the record of a conversation.
    async fn record_of(&self, conversation: &str) -> Result<(), RecordError> {
        let triple = triple_of(conversation);
        let loaded = self.store.load(shard_of(conversation), triple.key()).await.unwrap();
        Record::read(&loaded.record.expect("a record"), Some(&triple)).map(|_| ())
    }

    /// An operator gives a shard to the worker of this version.
    async fn move_here(&self, shard: ShardId) {
        for node in [&self.this, self.next()] {
            if node.cluster().move_shard(shard, "this").await.is_ok() {
                return;
            }
        }
        panic!("nobody moved {shard}");
    }

    async fn has_replied(&self, texts: &[&str]) {
        until("the replies have come", || {
            let replies = self.connector.texts();
            texts.iter().all(|text| replies.iter().any(|reply| reply == text))
        })
        .await;
    }
}

async fn next(store: &SharedStore, name: &str) -> Node {
    Node::start(name, NextVersion::on(store.clone()), bot()).await
}

fn triple_of(conversation: &str) -> Triple {
    Triple::conversation("test", TENANT, conversation)
}

fn shard_of(conversation: &str) -> ShardId {
    triple_of(conversation).shard(SHARDS)
}

const DONE: Answered = Answered::Done(200, serde_json::Value::Null);

#[actix::test]
async fn what_the_next_version_wrote_goes_back_to_it_and_nobody_is_refused() {
    let world = World::start().await;
    let conversation = world.conversation_at(world.next());
    let shard = shard_of(&conversation);
    assert_eq!(world.says(&conversation, "m1").await, DONE);
    let newer = RecordError::Newer { stored: NEXT_FORMAT };
    assert_eq!(world.record_of(&conversation).await, Err(newer));

    world.move_here(shard).await;
    // Until then the next version may answer.
    until("this version serves the shard", || world.is_served_here(shard)).await;
    assert_eq!(
        world.says(&conversation, "m2").await,
        DONE,
        "it waits for the next version"
    );
    assert!(world.has(world.next(), shard));
    let view = world.this.cluster().view();
    assert_eq!(view.borrow().map.need(shard), NEXT_FORMAT);
    world.has_replied(&["1. m1", "2. m2"]).await;

    let refused = world.this.cluster().move_shard(shard, "this").await;
    let refused_too = world.next().cluster().move_shard(shard, "this").await;
    assert!(
        refused.is_err() && refused_too.is_err(),
        "an operator cannot have it otherwise"
    );
    world.this.stop().await;
    world.next.unwrap().stop().await;
}

#[actix::test]
async fn what_nobody_can_read_is_refused_by_name_until_the_next_version_is_back() {
    let mut world = World::start().await;
    let conversation = world.conversation_at(world.next());
    let shard = shard_of(&conversation);
    assert_eq!(world.says(&conversation, "m1").await, DONE);
    world.next.take().unwrap().kill().await;
    until("this version has the shard", || world.has(&world.this, shard)).await;

    assert_eq!(
        world.says(&conversation, "m2").await,
        Answered::Refused(Reason::NewerState)
    );
    let view = world.this.cluster().view();
    until("it is said which shard nobody reads", || {
        let view = view.borrow();
        view.unread()
            .any(|(owner, unread, need)| (owner.name.as_str(), unread, need) == ("this", shard, NEXT_FORMAT))
    })
    .await;
    let other = (0..100_000)
        .map(|number| format!("b:{number}"))
        .find(|name| shard_of(name) == shard);
    assert_eq!(
        world.says(&other.unwrap(), "m1").await,
        DONE,
        "others of the shard are served"
    );

    let back = next(&world.store, "next again").await;
    until("the next version has the shard", || {
        let owner = view.borrow().map.owner(shard).map(|owner| owner.name.clone());
        owner.as_deref() == Some("next again")
    })
    .await;
    assert_eq!(world.says(&conversation, "m3").await, DONE);
    assert_eq!(view.borrow().unread().count(), 0);
    world.has_replied(&["1. m1", "2. m3"]).await;
    world.this.stop().await;
    back.stop().await;
}
