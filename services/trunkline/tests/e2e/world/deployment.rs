//! The example of `deploy/example`, started as its README says: Redis, two workers, one ingress, and a simulated Teams.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use trunkline_simulated_teams::{SimulatedBot, SimulatedPerson, SimulatedTeamsConfig};

use super::house::stock;
use super::page::ChatPage;
use trunkline_fleet::network::Network;
use trunkline_fleet::process::{Process, Recipe, free_port};
use trunkline_fleet::redis::Redis;
use trunkline_fleet::teams;
use trunkline_fleet::turn::Turn;
use trunkline_fleet::wait::wait_for;
use trunkline_fleet::web;

/// A file of the example.
pub(crate) fn example_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy/example")
        .join(name)
}

/// The variables of an environment file of the example.
fn variables(file: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(example_file(file)).unwrap();
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// Everything of the example, running.
pub(crate) struct Deployment {
    /// Of the ingress.
    pub(crate) ingress: Process,
    /// Both of them; `None` while one is stopped.
    pub(crate) workers: Vec<Option<Process>>,
    /// The page of the simulated Teams.
    pub(crate) page: ChatPage,
    /// Base URLs of the admin ports: of the ingress, and of both workers.
    admins: Vec<String>,
    first_worker: Recipe,
    _redis: Redis,
    _directory: TempDir,
    _turn: Turn,
}

impl Deployment {
    /// Starts it with a simulated Teams of `people` in place of the real one; `more` goes into every process' environment.
    pub(crate) fn start(people: &[&str], more: &[(&str, &str)]) -> Self {
        let turn = Turn::take();
        let directory = tempfile::tempdir().unwrap();
        let redis = Redis::start(directory.path(), &Network::Loopback, &[]);
        let free_address = || format!("127.0.0.1:{}", free_port());
        let listen = free_address();
        let bot = SimulatedBot {
            name: "echo".to_owned(),
            ..SimulatedBot::default()
        };
        let teams_config = SimulatedTeamsConfig {
            bot_endpoint: format!("http://{listen}/api/messages"),
            bots: vec![bot.clone()],
            people: people.iter().map(|name| SimulatedPerson::named(*name)).collect(),
            ..SimulatedTeamsConfig::default()
        };
        let tenant = teams_config.tenant.clone();
        let teams = teams::start(teams_config);
        let worker_addresses = [free_address(), free_address()];
        let admins = [free_address(), free_address(), free_address()];
        let shared = [
            ("TRUNKLINE_BOTS__ECHO__APP_ID", bot.app_id.as_str()),
            ("TRUNKLINE_BOTS__ECHO__TENANT", &tenant),
            ("TRUNKLINE_BOTS__ECHO__CLIENT_SECRET", &bot.app_secret),
            ("TRUNKLINE_CLOUD__METADATA", &teams.metadata_url()),
            ("TRUNKLINE_CLOUD__TOKEN_ENDPOINT", &teams.token_endpoint()),
            ("TRUNKLINE_CLOUD__SERVICE_HOSTS", &teams.login_url()),
            ("TRUNKLINE_STORE__URL", &redis.url()),
            ("TRUNKLINE_INGRESS__LISTEN", &listen),
            ("TRUNKLINE_INGRESS__WORKERS", &worker_addresses.join(",")),
            ("TRUNKLINE_INGRESS__STOP_NOTICE", "0 s"),
        ]
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect::<Vec<_>>();
        let recipe = |name: &str, role: &str, own: Vec<(String, String)>, admin: &str| {
            let file = example_file("trunkline.toml").display().to_string();
            let recipe = Recipe::new(directory.path(), name, stock()).arguments([role, "--config", &file]);
            // What is set later wins: the file's own addresses are taken on this machine, perhaps by another test.
            own.into_iter()
                .chain(shared.clone())
                .fold(recipe, |recipe, (name, value)| recipe.environment(&name, value))
                .environment("TRUNKLINE_ADMIN__LISTEN", admin)
                .ready_at(format!("http://{admin}/readyz"))
        };
        let worker = |place: usize| {
            let name = format!("worker-{place}");
            recipe(&name, "worker", variables(&format!("{name}.env")), &admins[place])
                .environment("TRUNKLINE_WORKER__LISTEN", &worker_addresses[place - 1])
        };
        let first_worker = worker(1);
        Self {
            workers: vec![Some(first_worker.start()), Some(worker(2).start())],
            ingress: recipe("ingress", "ingress", Vec::new(), &admins[0]).start(),
            page: ChatPage::at(&teams.page_url()),
            admins: admins.iter().map(|admin| format!("http://{admin}")).collect(),
            first_worker,
            _redis: redis,
            _directory: directory,
            _turn: turn,
        }
    }

    /// The metrics of a process: 0 is the ingress, 1 and 2 are the workers.
    pub(crate) fn metrics(&self, place: usize) -> String {
        let (status, metrics) = web::get(&format!("{}/metrics", self.admins[place])).expect("metrics");
        assert_eq!(status, 200, "{metrics}");
        metrics
    }

    /// Waits until both workers serve a good part of the shards: they move to the second step by step.
    pub(crate) fn wait_until_both_serve(&self) {
        let serving = |place| {
            let metrics = self.metrics(place);
            let line = metrics
                .lines()
                .find(|line| line.starts_with("trunkline_cluster_shards") && line.contains("serving"))?;
            line.rsplit(' ').next()?.parse::<u32>().ok()
        };
        wait_for("both workers serve shards", || {
            [1, 2]
                .into_iter()
                .all(|place| serving(place).is_some_and(|shards| shards >= 1_800))
                .then_some(())
        });
    }

    /// Ends the first worker as a crash would and starts it again.
    pub(crate) fn crash_first_worker(&mut self) {
        self.workers[0].take().expect("a worker").kill();
        self.workers[0] = Some(self.first_worker.start());
    }
}
