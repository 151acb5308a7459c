//! Recipes of the roles: everything in one process, or an ingress and a worker on Redis.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use trunkline_simulated_teams::SimulatedTeamsConfig;

use trunkline_fleet::balancer::Balancer;
use trunkline_fleet::crowd::Surroundings;
use trunkline_fleet::message::Sender;
use trunkline_fleet::network::Network;
use trunkline_fleet::process::{Recipe, free_port};
use trunkline_fleet::redis::Redis;
use trunkline_fleet::teams::{self, TENANT};
use trunkline_fleet::turn::Turn;

/// The stock binary.
pub(crate) fn stock() -> PathBuf {
    env!("CARGO_BIN_EXE_trunkline").into()
}

/// An example's binary: `cargo test` builds them with the tests, in a directory beside the stock binary.
pub(crate) fn example(name: &str) -> PathBuf {
    let program = stock().with_file_name("examples").join(name);
    assert!(
        program.is_file(),
        "{} is not built: `cargo test` without --test builds it, or `cargo build --examples`",
        program.display()
    );
    program
}

/// `dev` at ports of its own, with its data in `directory`.
pub(crate) struct Dev {
    pub(crate) recipe: Recipe,
    pub(crate) endpoint: String,
    /// Where the chat page is.
    pub(crate) page: String,
}

impl Dev {
    /// Hosts the bot `name` of `program`, and takes requests without a token.
    pub(crate) fn open(directory: &Path, program: PathBuf, name: &str) -> Self {
        let dev = Self::new(directory, program);
        Self {
            recipe: dev.recipe.arguments(["--bot", name, "--allow-unauthenticated"]),
            ..dev
        }
    }

    /// Hosts all bots of the stock binary, behind tokens.
    pub(crate) fn of_all_bots(directory: &Path) -> Self {
        Self::new(directory, stock())
    }

    fn new(directory: &Path, program: PathBuf) -> Self {
        let (port, teams, admin) = (free_port(), free_port(), free_port());
        let recipe = Recipe::new(directory, "dev", program)
            // Of all roles: the ingress alone is ready before the worker serves.
            .ready_at(format!("http://127.0.0.1:{admin}/readyz"))
            .arguments(["dev"])
            .environment("TRUNKLINE_DEV__LISTEN", format!("127.0.0.1:{port}"))
            .environment("TRUNKLINE_DEV__TEAMS_LISTEN", format!("127.0.0.1:{teams}"))
            .environment("TRUNKLINE_DEV__PROMPTS_LISTEN", "127.0.0.1:0")
            .environment("TRUNKLINE_DEV__MEDIA_LISTEN", "127.0.0.1:0")
            .environment("TRUNKLINE_DEV__DATA", directory.join("data").display().to_string())
            .environment("TRUNKLINE_ADMIN__LISTEN", format!("127.0.0.1:{admin}"));
        Self {
            recipe,
            endpoint: format!("http://127.0.0.1:{port}/api/messages"),
            page: format!("http://127.0.0.1:{teams}/"),
        }
    }

    /// How people reach it whose replies go to this Connector.
    pub(crate) fn surroundings(&self, connector: SocketAddr) -> Surroundings {
        Surroundings {
            ingresses: Balancer::single(self.endpoint.clone()),
            sender: sender(format!("http://{connector}")),
            token: None,
        }
    }
}

/// An ingress and a worker on a Redis that runs, in a cloud that runs.
pub(crate) struct Cluster {
    pub(crate) ingress: Recipe,
    pub(crate) worker: Recipe,
    pub(crate) surroundings: Surroundings,
    /// The file that all of them read.
    pub(crate) configuration: String,
    /// Where the worker listens.
    pub(crate) worker_address: String,
    _redis: Redis,
    _turn: Turn,
}

impl Cluster {
    /// The worker hosts the bot `name` of `program`; replies go to this Connector.
    pub(crate) fn new(directory: &Path, program: PathBuf, name: &str, connector: SocketAddr) -> Self {
        let turn = Turn::take();
        let redis = Redis::start(directory, &Network::Loopback, &[]);
        let teams = teams::start(SimulatedTeamsConfig {
            tenant: TENANT.to_owned(),
            ..SimulatedTeamsConfig::default()
        });
        let configuration = directory.join("trunkline.toml");
        let text = teams::configuration(name, &redis.url(), &teams, "http://127.0.0.1");
        std::fs::write(&configuration, text).unwrap();
        let configuration = configuration.display().to_string();
        let (ingress_port, worker_port, worker_admin) = (free_port(), free_port(), free_port());
        let recipe = |role: &str, program: PathBuf, admin: u16, ready: u16| {
            Recipe::new(directory, role, program)
                .ready_at(format!("http://127.0.0.1:{ready}/readyz"))
                .arguments([role, "--config", &configuration])
                .environment("TRUNKLINE_INGRESS__LISTEN", format!("127.0.0.1:{ingress_port}"))
                .environment("TRUNKLINE_INGRESS__WORKERS", format!("127.0.0.1:{worker_port}"))
                .environment("TRUNKLINE_WORKER__LISTEN", format!("127.0.0.1:{worker_port}"))
                .environment("TRUNKLINE_ADMIN__LISTEN", format!("127.0.0.1:{admin}"))
        };
        let service_url = format!("http://{connector}");
        Self {
            ingress: recipe("ingress", stock(), free_port(), ingress_port),
            worker: recipe("worker", program, worker_admin, worker_admin),
            surroundings: Surroundings {
                ingresses: Balancer::single(format!("http://127.0.0.1:{ingress_port}/api/messages")),
                token: Some(teams::token(&teams, &service_url, 0)),
                sender: sender(service_url),
            },
            worker_address: format!("127.0.0.1:{worker_port}"),
            configuration,
            _redis: redis,
            _turn: turn,
        }
    }
}

fn sender(service_url: String) -> Sender {
    Sender {
        service_url,
        tenant: TENANT.to_owned(),
    }
}
