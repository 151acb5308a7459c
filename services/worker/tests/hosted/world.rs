//! A store, a Graph, prompts that can be told apart, and a bot that plays them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use trunkline_bot::logic::Logic;
use trunkline_bot::prelude::*;
use trunkline_caller::{Caller, CallerSettings, tone_file};
use trunkline_proto::media::Host;
use trunkline_store::SharedStore;
use trunkline_store::contract::MediaEntry;
use trunkline_worker::conversation::CallSettings;
use trunkline_worker::{HostedBot, HostedCalls};

use super::host::{MediaNode, prompts};
use super::support::connector::FakeConnector;
use super::support::graph::FakeGraph;
use super::support::ingress::{Answered, FakeIngress, TENANT, Told};
use super::support::node::Node;
use super::support::{SHARDS, hosted, store_in_memory, until, until_it_is};

pub(crate) use super::support::PATIENCE;

/// Graph's id of the call.
pub(crate) const CALL: &str = "57dab8b1-894c-409a-b240-bd8beae78896";

/// A prompt: one tone.
#[derive(Clone, Copy)]
pub(crate) struct Tune {
    name: &'static str,
    pub(crate) hz: u16,
    pub(crate) length: Duration,
}

pub(crate) const GREETING: Tune = Tune::new("greeting", 450, 1);
pub(crate) const FAREWELL: Tune = Tune::new("farewell", 950, 1);
/// Long enough for a worker to die meanwhile, and for the next one to take over.
pub(crate) const STORY: Tune = Tune::new("story", 1_400, 20);

impl Tune {
    const fn new(name: &'static str, hz: u16, seconds: u64) -> Self {
        Self {
            name,
            hz,
            length: Duration::from_secs(seconds),
        }
    }

    pub(crate) fn prompt(self) -> Prompt {
        Prompt::at(format!("https://bot.example/prompts/{}.wav", self.name))
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Desk {}

impl State for Desk {}

async fn meet(_: &mut Ringing, _: &mut Desk, _: Invitation) -> Result<Decision> {
    Ok(Decision::Answer(Media::hosted()))
}

async fn greet(call: &mut Call, _: &mut Desk, _: Connected) -> Result<Then> {
    call.gather(pin().after(GREETING.prompt()));
    Ok(Then::Stay)
}

/// `5` alone tells a story; whatever else ends with `#` ends the call.
async fn gathered(call: &mut Call, _: &mut Desk, gathered: Gathered) -> Result<Then> {
    if gathered.keys != "5" {
        return Ok(Then::HangUpAfter(call.play(FAREWELL.prompt())));
    }
    // The first key cuts it off.
    call.gather(pin().after(STORY.prompt()));
    Ok(Then::Stay)
}

fn pin() -> Digits {
    Digits::up_to(4)
        .first_within(Duration::from_secs(120))
        .next_within(Duration::from_secs(1))
}

fn desk() -> Arc<dyn Logic> {
    CallBot::answering("test", (), meet)
        .on(calls::connected(), greet)
        .on(calls::gathered(), gathered)
        .build()
        .unwrap()
}

async fn nothing(_: &mut Turn, _: &mut Desk, _: Message) -> Result {
    Ok(())
}

/// What a test works with.
pub(crate) struct World {
    pub(crate) graph: FakeGraph,
    connector: FakeConnector,
    store: SharedStore,
    directory: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(prompts(directory.path())).unwrap();
        for tune in [GREETING, FAREWELL, STORY] {
            let path = prompts(directory.path()).join(format!("{}.wav", tune.name));
            std::fs::write(path, tone_file(tune.hz, tune.length)).unwrap();
        }
        Self {
            graph: FakeGraph::start(),
            connector: FakeConnector::start(),
            store: store_in_memory(),
            directory,
        }
    }

    /// A media host that workers find.
    pub(crate) async fn host(&self, name: &str) -> MediaNode {
        let node = MediaNode::start(name, self.store.clone(), self.directory.path()).await;
        until_it_is("the host says that it lives", async || {
            let entries = self.store.media().media_hosts().await.unwrap();
            entries.iter().any(|entry| entry.name == name)
        })
        .await;
        node
    }

    /// How many legs each media host says that it has.
    pub(crate) async fn legs(&self) -> Vec<u32> {
        let entries = self.store.media().media_hosts().await.unwrap();
        let legs = |entry: MediaEntry| Host::decode(entry.entry).unwrap().legs;
        entries.into_iter().map(legs).collect()
    }

    /// What all codec threads are charged with.
    pub(crate) async fn codecs_used(&self) -> u32 {
        let entries = self.store.media().media_hosts().await.unwrap();
        let used = |entry: MediaEntry| Host::decode(entry.entry).unwrap().codec_used;
        entries.into_iter().map(used).sum()
    }

    /// A worker that serves everything, or will once another one is gone.
    pub(crate) async fn worker(&self, name: &str) -> Node {
        self.worker_of(name, desk()).await
    }

    /// The same with other code for calls.
    pub(crate) async fn worker_of(&self, name: &str, calls: Arc<dyn Logic>) -> Node {
        let mut bot = hosted(Bot::new("test").on(message(), nothing).build().unwrap());
        bot.allows_service_url = Arc::new(|_| true);
        let bot: HostedBot = bot.with_calls(HostedCalls {
            logic: calls,
            graph: self.graph.client(),
            callback: "https://bot.example/api/calls".to_owned(),
            settings: CallSettings::default(),
        });
        Node::start_with(name, self.store.clone(), vec![bot]).await
    }

    /// Where the media host keeps what it records.
    pub(crate) fn recordings(&self) -> PathBuf {
        self.directory.path().join("recordings")
    }

    /// Somebody calls.
    pub(crate) async fn rings(&self, worker: &Node) {
        self.rings_with(worker, &json!({})).await;
    }

    /// The same with more in the notification.
    pub(crate) async fn rings_with(&self, worker: &Node, more: &Value) {
        self.rings_as(CALL, worker, more).await;
    }

    async fn rings_as(&self, id: &str, worker: &Node, more: &Value) {
        until("the worker serves everything", || worker.serving() == SHARDS as usize).await;
        let mut call = json!({ "state": "incoming", "direction": "incoming", "tenantId": TENANT,
            "source": { "identity": { "user": { "id": "1", "displayName": "Ines" } } } });
        for (name, value) in more.as_object().expect("an object") {
            call[name] = value.clone();
        }
        self.tells(id, worker, "created", call).await;
    }

    async fn tells(&self, id: &str, worker: &Node, change: &str, call: Value) {
        let ingress = FakeIngress::connect(worker.address, self.connector.base()).await;
        let answered = ingress.notifies(&Told::call(id, id, change, call)).await;
        assert_eq!(answered, Answered::Accepted);
    }

    /// A call whose caller is connected.
    pub(crate) async fn caller(&self, worker: &Node) -> Caller {
        self.caller_with(worker, &json!({})).await
    }

    /// The same with more in the notification.
    pub(crate) async fn caller_with(&self, worker: &Node, more: &Value) -> Caller {
        self.caller_as(CALL, worker, more, CallerSettings::default()).await
    }

    /// The same as the call of that id, by a caller of one's own.
    pub(crate) async fn caller_as(&self, id: &str, worker: &Node, more: &Value, settings: CallerSettings) -> Caller {
        let before = self.graph.count("answer");
        self.rings_as(id, worker, more).await;
        until("the call is answered", || self.graph.count("answer") > before).await;
        let config = &self.graph.last("answer").body["mediaConfig"];
        let invitation =
            trunkline_caller::Invitation::read(config["blob"].as_str().expect("the bot hosts the media")).unwrap();
        let caller = Caller::connect(&invitation, &settings).await.unwrap();
        let call = json!({ "state": "established", "mediaState": { "audio": "active" } });
        self.tells(id, worker, "updated", call).await;
        caller
    }

    /// Graph tells the end of the call.
    pub(crate) async fn is_over(&self, worker: &Node) {
        let call = json!({ "state": "terminated", "resultInfo": { "code": 200, "subcode": 7000 } });
        self.tells(CALL, worker, "deleted", call).await;
    }
}
