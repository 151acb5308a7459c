//! Workers, ingresses and their store as processes: started, killed, stopped, drained, added.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use trunkline_simulated_teams::{CallSettings, Handle, SimulatedTeamsConfig};

use crate::balancer::Balancer;
use crate::crowd::Surroundings;
use crate::door::Door;
use crate::message::Sender;
use crate::network::{Host, Network};
use crate::process::{Process, Recipe, free_port};
use crate::recorder::Recorder;
use crate::teams::{self, TENANT};
use crate::wait::{PATIENCE, wait_for};

/// What a cluster is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The binary.
    pub program: PathBuf,
    /// The bot that it hosts.
    pub bot: String,
    /// Workers at the start.
    pub workers: usize,
    /// Ingresses.
    pub ingresses: usize,
    /// More settings of every process: full name and value.
    pub settings: Vec<(String, String)>,
    /// How the bot takes calls, if it does. On loopback only: elsewhere calls must come by HTTPS.
    pub calls: Option<Calling>,
}

/// How a bot takes calls.
#[derive(Clone, Debug)]
pub struct Calling {
    /// The Graph that they come from; the webhook is set by [`Cluster::start`].
    pub graph: CallSettings,
    /// More settings of every process that name people of that Graph.
    pub settings: fn(&Handle) -> Vec<(String, String)>,
}

/// One process of the cluster, running or not.
#[derive(Debug)]
pub struct Node {
    /// Its name in the cluster.
    pub name: String,
    /// Its machine.
    pub host: Host,
    /// Where it takes streams, or requests.
    pub listen: SocketAddr,
    /// Its admin port.
    pub admin: SocketAddr,
    recipe: Recipe,
    process: Option<Process>,
}

/// A cluster on a store that runs.
#[derive(Debug)]
pub struct Cluster {
    /// Nodes that run turns.
    pub workers: Vec<Node>,
    /// The ways in.
    pub ingresses: Vec<Node>,
    /// What the Connector heard.
    pub recorder: Recorder,
    /// How people reach it.
    pub surroundings: Surroundings,
    plan: Plan,
    configuration: String,
    directory: PathBuf,
    network: Network,
    /// Where certificates of every role lie, if processes need them.
    certificates: Option<PathBuf>,
    /// Where its people live.
    pub teams: Handle,
    door: Option<Door>,
    _home: TempDir,
}

impl Cluster {
    /// Starts everything, workers first, and waits until all of it serves. `directory` is where the store lives too.
    pub fn start(mut plan: Plan, network: &Network, directory: TempDir, store_url: &str) -> Self {
        let (recorder, connector) = Recorder::start(network.outside());
        let door = plan.calls.as_ref().map(|_| Door::start(network.outside()));
        let webhook = door.as_ref().map(|door| format!("http://{}/api/calls", door.address));
        let calls = plan
            .calls
            .as_ref()
            .map(|calling| calling.graph.clone())
            .unwrap_or_default();
        let teams = teams::start(SimulatedTeamsConfig {
            listen: SocketAddr::new(network.outside(), 0),
            tenant: TENANT.to_owned(),
            calls: CallSettings {
                webhook: webhook.clone().unwrap_or(calls.webhook),
                ..calls
            },
            ..SimulatedTeamsConfig::default()
        });
        if let (Some(webhook), Some(calling)) = (webhook, &plan.calls) {
            plan.settings.extend(teams::calling(&plan.bot, &teams, webhook));
            plan.settings.extend((calling.settings)(&teams));
        }
        let service_url = format!("http://{connector}");
        let text = teams::configuration(&plan.bot, store_url, &teams, &service_url);
        let certificates = network.can_cut().then(|| certificates(&plan.program, directory.path()));
        let file = directory.path().join("trunkline.toml");
        std::fs::write(&file, text).unwrap();
        let sender = Sender {
            service_url: service_url.clone(),
            tenant: TENANT.to_owned(),
        };
        let mut cluster = Self {
            workers: Vec::new(),
            ingresses: Vec::new(),
            recorder,
            surroundings: Surroundings {
                ingresses: Balancer::single(String::new()),
                sender,
                token: Some(teams::token(&teams, &service_url, 0)),
            },
            configuration: file.display().to_string(),
            directory: directory.path().to_owned(),
            network: network.clone(),
            certificates,
            teams,
            door,
            _home: directory,
            plan,
        };
        for _ in 0..cluster.plan.workers {
            let worker = cluster.add_worker();
            cluster.workers[worker].start();
        }
        for _ in 0..cluster.plan.ingresses {
            cluster.add_ingress();
        }
        let ingresses = cluster.ingresses.iter().map(|node| {
            (
                format!("http://{}/api/messages", node.listen),
                format!("http://{}/readyz", node.listen),
            )
        });
        cluster.surroundings.ingresses = Balancer::checked(ingresses.collect());
        if let Some(door) = &cluster.door {
            let ways = cluster.ingresses.iter().map(|node| {
                let ready = format!("http://{}/readyz", node.listen);
                (node.listen.to_string(), ready)
            });
            door.leads_to(Balancer::checked(ways.collect()));
        }
        cluster
    }

    /// A further worker, not started yet; its place among the workers.
    pub fn add_worker(&mut self) -> usize {
        let host = self.network.host();
        let listen = SocketAddr::new(host.address, free_port());
        let node = self.node(format!("worker-{}", self.workers.len() + 1), "worker", host, listen);
        self.workers.push(node);
        self.workers.len() - 1
    }

    fn add_ingress(&mut self) {
        let host = self.network.host();
        let listen = SocketAddr::new(host.address, free_port());
        let mut node = self.node(format!("ingress-{}", self.ingresses.len() + 1), "ingress", host, listen);
        node.start();
        self.ingresses.push(node);
    }

    fn node(&self, name: String, role: &str, host: Host, listen: SocketAddr) -> Node {
        // The admin port is asked from here.
        let admin = SocketAddr::new(host.address, free_port());
        let ready = if role == "ingress" { listen } else { admin };
        let seeds = self.workers.iter().map(|worker| worker.listen.to_string());
        let mut recipe = Recipe::new(&self.directory, &name, &self.plan.program)
            .arguments([role, "--config", &self.configuration])
            .environment("TRUNKLINE_CLUSTER__NAME", &name)
            .environment("TRUNKLINE_ADMIN__LISTEN", admin.to_string())
            .environment(
                &format!("TRUNKLINE_{}__LISTEN", role.to_uppercase()),
                listen.to_string(),
            )
            .ready_at(format!("http://{ready}/readyz"));
        if role == "ingress" {
            recipe = recipe.environment("TRUNKLINE_INGRESS__WORKERS", seeds.collect::<Vec<_>>().join(","));
        }
        for (variable, value) in self.certificates_of(role) {
            recipe = recipe.environment(variable, value);
        }
        for (setting, value) in &self.plan.settings {
            let variable = format!("TRUNKLINE_{}", setting.to_uppercase().replace('.', "__"));
            recipe = recipe.environment(&variable, value);
        }
        if let Some(namespace) = &host.namespace {
            recipe = recipe.in_namespace(namespace);
        }
        Node {
            name,
            host,
            listen,
            admin,
            recipe,
            process: None,
        }
    }

    /// A media host beside the workers, not started: its prompts are in a directory, and its peers post their offers in the clear.
    /// On loopback only.
    pub fn media_host(&self, name: &str, prompts: &Path) -> Recipe {
        let address = || format!("127.0.0.1:{}", free_port());
        let admin = address();
        let recipe = Recipe::new(&self.directory, name, &self.plan.program)
            .arguments(["media", "--config", &self.configuration])
            .ready_at(format!("http://{admin}/readyz"));
        let prompts = prompts.display().to_string();
        let settings = [
            ("CLUSTER__NAME", name.to_owned()),
            ("ADMIN__LISTEN", admin),
            ("MEDIA__LISTEN", address()),
            ("MEDIA__WHIP_LISTEN", address()),
            ("MEDIA__PLAIN_HTTP", "true".to_owned()),
            ("MEDIA__UDP_LISTEN", "127.0.0.1".to_owned()),
            ("MEDIA__UDP_PORTS", free_port().to_string()),
            ("MEDIA__PROMPTS", prompts),
            ("MEDIA__LEGS", "50".to_owned()),
        ];
        let of_plan = self.plan.settings.iter();
        let of_plan = of_plan.map(|(setting, value)| (setting.to_uppercase().replace('.', "__"), value.clone()));
        let own = settings.map(|(name, value)| (name.to_owned(), value));
        of_plan.chain(own).fold(recipe, |recipe, (name, value)| {
            recipe.environment(&format!("TRUNKLINE_{name}"), value)
        })
    }

    /// The settings by which a process proves this role.
    fn certificates_of(&self, role: &str) -> Vec<(&'static str, String)> {
        let Some(directory) = &self.certificates else {
            return Vec::new();
        };
        let file = |name: &str| directory.join(name).display().to_string();
        vec![
            ("TRUNKLINE_CLUSTER__TLS_CA", file("ca.crt")),
            ("TRUNKLINE_CLUSTER__TLS_CERTIFICATE", file(&format!("{role}.crt"))),
            ("TRUNKLINE_CLUSTER__TLS_KEY", file(&format!("{role}.key"))),
        ]
    }

    /// What `trunkline status` says, as JSON; `None` while no worker answers.
    pub fn status(&self) -> Option<Value> {
        let output = self.run(&["status", "--output", "json"]);
        output
            .status
            .success()
            .then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    /// Name of the leader.
    pub fn leader(&self) -> String {
        wait_for("a leader", || {
            let leader = self.status()?["leader"].as_str()?.to_owned();
            (!leader.is_empty()).then_some(leader)
        })
    }

    /// Waits until every worker that runs is active, nothing moves, and every shard is served.
    pub fn wait_until_whole(&self) {
        // Each look is a process of its own.
        const LOOK_EVERY: Duration = Duration::from_millis(200);
        let running = self.workers.iter().filter(|worker| worker.is_running()).count();
        let began = Instant::now();
        wait_for("a whole cluster", || {
            thread::sleep(LOOK_EVERY);
            let status = self.status()?;
            if began.elapsed() + 2 * LOOK_EVERY > PATIENCE {
                println!("the cluster is not whole: {status:#}");
            }
            let nodes = status["nodes"].as_array()?;
            let active = nodes.iter().filter(|node| node["standing"] == "active").count();
            let is_whole = nodes.len() == running
                && active == running
                && status["moves_in_progress"] == 0
                && serving(nodes) == status["shards"].as_u64()?;
            is_whole.then_some(())
        });
    }

    /// The metric of every worker that runs, added up.
    pub fn sum_of_workers(&self, metric: &str) -> f64 {
        let running = self.workers.iter().filter(|worker| worker.is_running());
        running.filter_map(|worker| worker.metric(metric)).sum()
    }

    /// Whether every shard is served by others than this worker.
    pub fn is_served_without(&self, name: &str) -> bool {
        let Some(status) = self.status() else { return false };
        let Some(nodes) = status["nodes"].as_array() else {
            return false;
        };
        let others: Vec<Value> = nodes.iter().filter(|node| node["name"] != name).cloned().collect();
        Some(serving(&others)) == status["shards"].as_u64()
    }

    /// Runs an operator's command against this cluster and returns what it printed.
    ///
    /// # Panics
    /// When the command fails.
    pub fn command(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {printed}{said}", arguments.join(" "));
        printed
    }

    /// What a command printed; `None` when it failed.
    pub fn try_command(&self, arguments: &[&str]) -> Option<String> {
        let output = self.run(arguments);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(printed)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.operator(arguments).output().unwrap()
    }

    /// An operator's command against this cluster, not started yet.
    pub fn operator(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(&self.plan.program);
        command
            .args(arguments)
            .args(["--config", &self.configuration])
            .envs(self.certificates_of("operator"))
            .env(
                "TRUNKLINE_INGRESS__WORKERS",
                self.workers
                    .iter()
                    .map(|worker| worker.listen.to_string())
                    .collect::<Vec<_>>()
                    .join(","),
            );
        command
    }
}

/// Shards that these nodes serve.
fn serving(nodes: &[Value]) -> u64 {
    nodes.iter().filter_map(|node| node["serving"].as_u64()).sum()
}

impl Node {
    /// Starts it and waits until it serves.
    pub fn start(&mut self) {
        self.process = Some(self.recipe.start());
    }

    /// Starts it without waiting.
    pub fn spawn(&mut self) {
        self.process = Some(self.recipe.spawn());
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.take().kill();
    }

    /// The next start is of another node at the same address: one that died and came back under its name would get shards only
    /// after a while, doubling with each death.
    pub fn rename(&mut self) {
        let (name, number) = self.name.split_once('.').unwrap_or((&self.name, "1"));
        let number: u32 = number.parse().unwrap();
        self.name = format!("{name}.{}", number + 1);
        self.recipe = self.recipe.clone().environment("TRUNKLINE_CLUSTER__NAME", &self.name);
    }

    /// The next start is of this program: an upgrade, or the way back.
    pub fn becomes(&mut self, program: &Path) {
        self.recipe = self.recipe.clone().of_program(program);
    }

    /// SIGTERM; returns when it has ended, with its log.
    pub fn stop(&mut self) -> String {
        let (status, log) = self.take().stop();
        assert!(status.success(), "{} ended with {status}\n{log}", self.name);
        log
    }

    /// The process, to stop it elsewhere.
    pub fn take(&mut self) -> Process {
        self.process.take().expect("the node runs")
    }

    /// The running process.
    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("the node runs")
    }

    /// Whether it ended by itself since it was started; tells so once.
    pub fn has_died(&mut self) -> bool {
        let has_ended = self.process.as_mut().is_some_and(Process::has_ended);
        if has_ended {
            self.process = None;
        }
        has_ended
    }

    /// Whether it was started and not ended by us.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Everything that it tells Prometheus; `None` when it does not answer.
    pub fn metrics(&self) -> Option<String> {
        let (_, text) = crate::web::get(&format!("http://{}/metrics", self.admin))?;
        Some(text)
    }

    /// The value of the first series of this metric, all labels; `None` when the node does not answer or has none.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let text = self.metrics()?;
        let series = text
            .lines()
            .find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])))?;
        series.rsplit(' ').next()?.parse().ok()
    }
}

/// Makes certificates of every role with the product's own command.
fn certificates(program: &Path, directory: &Path) -> PathBuf {
    let to = directory.join("certificates");
    let output = std::process::Command::new(program)
        .args(["dev", "certificate", "--out"])
        .arg(&to)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "dev certificate: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    to
}
