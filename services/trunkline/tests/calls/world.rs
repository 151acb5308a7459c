//! A cluster whose bot takes calls of a simulated Graph.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use trunkline_fleet::cluster::{Calling, Cluster, Plan};
use trunkline_fleet::message;
use trunkline_fleet::network::Network;
use trunkline_fleet::redis::Redis;
use trunkline_fleet::teams::TENANT;
use trunkline_fleet::turn::Turn;
use trunkline_fleet::wait::wait_for;
use trunkline_simulated_teams::{BotNumber, CallSettings, CallState, CallView, Callee, Handle, PersonNumber};

/// Who calls.
pub(crate) const CALLER: PersonNumber = PersonNumber(0);
/// Who gets the calls that the bot hands on.
pub(crate) const PERSON: PersonNumber = PersonNumber(1);
/// The only bot.
pub(crate) const BOT: BotNumber = BotNumber(0);
/// Below this address lie the prompts. It is not on this machine, so nobody fetches them.
pub(crate) const PROMPTS: &str = "https://prompts.example";

/// A cluster on one Redis, and its turn on the machine.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) redis: Redis,
    _turn: Turn,
}

/// The bot of a cluster.
#[derive(Clone, Copy)]
pub(crate) enum Hosted {
    /// `examples/hotline.rs`, with all that can go wrong with a call.
    Hotline {
        /// How long it looks at a ringing call.
        think: Duration,
    },
    /// The example `meeting`, of the stock binary.
    Meeting,
}

impl Hosted {
    fn name(self) -> &'static str {
        match self {
            Self::Hotline { .. } => "hotline",
            Self::Meeting => "meeting",
        }
    }

    fn program(self) -> PathBuf {
        let stock = PathBuf::from(env!("CARGO_BIN_EXE_trunkline"));
        let program = match self {
            Self::Hotline { .. } => stock.with_file_name("examples").join("hotline"),
            Self::Meeting => stock,
        };
        assert!(program.is_file(), "build it: cargo build -p trunkline --examples");
        program
    }

    fn settings(self) -> Vec<(String, String)> {
        let mut settings = vec![(format!("bots.{}.settings.prompts", self.name()), PROMPTS.to_owned())];
        if let Self::Hotline { think } = self {
            settings.push((
                "bots.hotline.settings.think_ms".to_owned(),
                think.as_millis().to_string(),
            ));
        }
        settings
    }

    /// Settings that name people of the simulated Teams.
    fn people(self) -> fn(&Handle) -> Vec<(String, String)> {
        match self {
            Self::Hotline { .. } => person,
            Self::Meeting => |_| Vec::new(),
        }
    }
}

/// What differs between tests.
pub(crate) struct Setting {
    pub(crate) bot: Hosted,
    pub(crate) workers: usize,
    pub(crate) ingresses: usize,
    pub(crate) graph: CallSettings,
    /// More settings of every process.
    pub(crate) settings: Vec<(&'static str, String)>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            bot: Hosted::Hotline { think: Duration::ZERO },
            workers: 2,
            ingresses: 1,
            graph: CallSettings::default(),
            settings: Vec::new(),
        }
    }
}

impl World {
    /// Starts a cluster with its bot.
    pub(crate) fn start(setting: Setting) -> Self {
        let turn = Turn::take();
        let own = [
            ("ingress.stop_notice", "500 ms".to_owned()),
            ("store.shards", "64".to_owned()),
        ];
        let settings = own.into_iter().chain(setting.settings);
        let settings = settings.map(|(name, value)| (name.to_owned(), value));
        let plan = Plan {
            program: setting.bot.program(),
            bot: setting.bot.name().to_owned(),
            workers: setting.workers,
            ingresses: setting.ingresses,
            settings: settings.chain(setting.bot.settings()).collect(),
            calls: Some(Calling {
                graph: CallSettings {
                    callees: vec![(PERSON, Callee::ByHand)],
                    ..setting.graph
                },
                settings: setting.bot.people(),
            }),
        };
        let directory = tempfile::tempdir().unwrap();
        let network = Network::Loopback;
        let redis = Redis::start(directory.path(), &network, &[]);
        let cluster = Cluster::start(plan, &network, directory, &redis.url());
        cluster.wait_until_whole();
        Self {
            cluster,
            redis,
            _turn: turn,
        }
    }

    /// The simulated Teams.
    pub(crate) fn teams(&self) -> &Handle {
        &self.cluster.teams
    }

    /// Somebody rings the bot. Graph's id of the call.
    pub(crate) fn ring(&self) -> String {
        self.teams().ring(CALLER, BOT).unwrap()
    }

    /// The call, once it is as wanted.
    pub(crate) fn when(&self, call: &str, what: &str, is_so: impl Fn(&CallView) -> bool) -> CallView {
        let mut last = None;
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for(what, || {
                last = self.teams().call(call);
                last.clone().filter(|view| is_so(view))
            })
        }));
        found.unwrap_or_else(|_| {
            println!("the call, waited for {what}: {last:#?}");
            println!(
                "{}",
                self.cluster.try_command(&["call", "show", call]).unwrap_or_default()
            );
            panic!("no {what}");
        })
    }

    /// The call, once the caller has heard the whole greeting.
    pub(crate) fn greeted(&self, call: &str) -> CallView {
        self.when(call, "greeting", |view| view.times_played(&prompt("greeting")) == 1)
    }

    /// The call, once it is over.
    pub(crate) fn over(&self, call: &str) -> CallView {
        self.when(call, "end of the call", |view| view.state == CallState::Terminated)
    }

    /// What a command says as JSON.
    pub(crate) fn asked(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--output", "json"]].concat();
        serde_json::from_str(&self.cluster.command(&arguments)).unwrap()
    }

    /// Place of the worker that serves the call.
    pub(crate) fn owner(&self, call: &str) -> usize {
        wait_for("the call's owner", || {
            let listed = self.asked(&["call", "list"]);
            let listed = listed["calls"].as_array()?.iter().find(|listed| listed["id"] == call)?;
            let name = listed["worker"].as_str()?;
            self.cluster.workers.iter().position(|worker| worker.name == name)
        })
    }

    /// SIGKILL for the worker that serves the call; it comes back under another name once the others serve.
    pub(crate) fn kill_owner(&mut self, call: &str) {
        let owner = self.owner(call);
        let worker = &mut self.cluster.workers[owner];
        worker.kill();
        worker.rename();
        worker.spawn();
    }

    /// Somebody says something to the bot in a chat: the first with number 0, then 1.
    pub(crate) fn say(&self, number: usize, text: &str) {
        let surroundings = &self.cluster.surroundings;
        let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
        let answer = client
            .post(surroundings.ingresses.pick(0))
            .bearer_auth(surroundings.token.as_ref().unwrap())
            .json(&message::message(&surroundings.sender, 0, number, text))
            .send()
            .unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// Waits until the bot has said this in that chat.
    pub(crate) fn hears(&self, text: &str) {
        wait_for(text, || {
            let replies = self.cluster.recorder.replies(&message::conversation(0));
            replies.iter().any(|reply| reply == text).then_some(())
        });
    }

    /// Waits until nothing of any call is left under way: not in the list, not in the book.
    pub(crate) fn wait_until_quiet(&self) {
        wait_for("no call under way", || {
            let listed = self.asked(&["call", "list"]);
            listed["calls"].as_array()?.is_empty().then_some(())
        });
        wait_for("no call that counts", || {
            let quota = self.asked(&["call", "quota"]);
            let of_tenant = quota["usage"]
                .as_array()?
                .iter()
                .find(|usage| usage["tenant"] == TENANT)?;
            (of_tenant["in_use"] == 0).then_some(())
        });
    }

    /// The log of ended calls.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let audit = self.asked(&["call", "audit", "--limit", "1000000"]);
        audit["calls"].as_array().unwrap().clone()
    }
}

/// The address of a prompt of the bot.
pub(crate) fn prompt(name: &str) -> String {
    format!("{PROMPTS}/{name}.wav")
}

/// Whom the bot hands its calls on to.
fn person(teams: &Handle) -> Vec<(String, String)> {
    let id = teams.object_id(PERSON).unwrap();
    vec![("bots.hotline.settings.person.user".to_owned(), id)]
}
