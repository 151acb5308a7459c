//! The example of `deploy/example`, started as its README says: Redis, two workers, one ingress, and a simulated Teams.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use trunkline_simulated_teams::{SimulatedBot, SimulatedPerson, SimulatedTeams, SimulatedTeamsConfig};

use crate::support::{ChatPage, Process, wait_for};

/// An address of this machine that was free a moment ago.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn example() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/example")
}

/// The variables of an environment file.
fn variables(file: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(example().join(file)).unwrap();
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// A redis-server with the example's configuration on a free port.
struct Redis {
    child: Child,
    url: String,
}

impl Redis {
    fn start(directory: &Path) -> Self {
        let address = free_address();
        let mut child = Command::new("redis-server")
            .arg(example().join("redis.conf"))
            .args([
                "--port",
                &address.port().to_string(),
                "--dir",
                &directory.display().to_string(),
            ])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is needed: apt-get install redis-server");
        wait_for("redis-server", || {
            assert!(child.try_wait().unwrap().is_none(), "redis-server ended");
            std::net::TcpStream::connect(address).ok()
        });
        Self {
            child,
            url: format!("redis://{address}/0"),
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A simulated Teams on a thread of its own.
struct Teams {
    shutdown: CancellationToken,
    thread: Option<JoinHandle<()>>,
    page: String,
    metadata: String,
    token_endpoint: String,
    origin: String,
}

impl Teams {
    fn start(config: SimulatedTeamsConfig) -> Self {
        let shutdown = CancellationToken::new();
        let stopped = shutdown.clone();
        let (report, handle) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let teams = SimulatedTeams::bind(config).await.unwrap();
                report.send(teams.handle()).unwrap();
                teams.serve(stopped).await.unwrap();
            });
        });
        let handle = handle.recv().unwrap();
        Self {
            shutdown,
            thread: Some(thread),
            page: handle.page_url(),
            metadata: handle.metadata_url(),
            token_endpoint: handle.token_endpoint(),
            origin: handle.login_url(),
        }
    }
}

impl Drop for Teams {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Everything of the example, running.
pub(crate) struct Deployment {
    /// Of the ingress.
    pub(crate) ingress: Process,
    /// Both of them; `None` while one is stopped.
    pub(crate) workers: Vec<Option<Process>>,
    /// The page of the simulated Teams.
    pub(crate) page: ChatPage,
    admins: Vec<SocketAddr>,
    environments: Vec<Vec<(String, String)>>,
    _teams: Teams,
    _redis: Redis,
    directory: TempDir,
}

impl Deployment {
    /// Starts it with a simulated Teams of `people` in place of the real one; `more` goes into every process' environment.
    pub(crate) fn start(people: &[&str], more: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let redis = Redis::start(directory.path());
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
        let teams = Teams::start(teams_config);
        let worker_addresses = [free_address(), free_address()];
        let admins = vec![free_address(), free_address(), free_address()];
        let workers = worker_addresses.map(|address| address.to_string()).join(",");
        let shared = [
            ("TRUNKLINE_BOTS__ECHO__APP_ID", bot.app_id.as_str()),
            ("TRUNKLINE_BOTS__ECHO__TENANT", &tenant),
            ("TRUNKLINE_BOTS__ECHO__CLIENT_SECRET", &bot.app_secret),
            ("TRUNKLINE_CLOUD__METADATA", &teams.metadata),
            ("TRUNKLINE_CLOUD__TOKEN_ENDPOINT", &teams.token_endpoint),
            ("TRUNKLINE_CLOUD__SERVICE_HOSTS", &teams.origin),
            ("TRUNKLINE_STORE__URL", &redis.url),
            ("TRUNKLINE_INGRESS__LISTEN", &listen.to_string()),
            ("TRUNKLINE_INGRESS__WORKERS", &workers),
            ("TRUNKLINE_INGRESS__STOP_NOTICE", "0 s"),
        ]
        .iter()
        .chain(more)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect::<Vec<_>>();
        let mut environments = vec![shared.clone()];
        for (file, address) in ["worker-1.env", "worker-2.env"].iter().zip(worker_addresses) {
            let listen = ("TRUNKLINE_WORKER__LISTEN".to_owned(), address.to_string());
            environments.push(
                variables(file)
                    .into_iter()
                    .chain(shared.clone())
                    .chain([listen])
                    .collect(),
            );
        }
        for (environment, admin) in environments.iter_mut().zip(&admins) {
            environment.push(("TRUNKLINE_ADMIN__LISTEN".to_owned(), admin.to_string()));
        }
        let start = |place: usize, role: &str| process(directory.path(), role, &environments[place]);
        let deployment = Self {
            ingress: start(0, "ingress"),
            workers: vec![Some(start(1, "worker")), Some(start(2, "worker"))],
            page: ChatPage::at(&teams.page),
            admins,
            environments: environments.clone(),
            _teams: teams,
            _redis: redis,
            directory,
        };
        for place in 0..3 {
            deployment.wait_until_ready(place);
        }
        deployment
    }

    /// Waits for readiness: 0 is the ingress, 1 and 2 are the workers.
    fn wait_until_ready(&self, place: usize) {
        wait_for("readiness", || {
            self.admin(place, "/readyz").filter(|(status, _)| *status == 200)
        });
    }

    /// What a process answers at its admin port.
    fn admin(&self, place: usize, path: &str) -> Option<(u16, String)> {
        let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
        let response = client.get(format!("http://{}{path}", self.admins[place])).send().ok()?;
        Some((response.status().as_u16(), response.text().ok()?))
    }

    /// The metrics of a process.
    pub(crate) fn metrics(&self, place: usize) -> String {
        self.admin(place, "/metrics").expect("metrics").1
    }

    /// Ends the first worker as a crash would and starts it again.
    pub(crate) fn crash_first_worker(&mut self) {
        self.workers[0].take().expect("a worker").kill();
        self.workers[0] = Some(process(self.directory.path(), "worker", &self.environments[1]));
        self.wait_until_ready(1);
    }
}

fn process(directory: &Path, role: &str, environment: &[(String, String)]) -> Process {
    let file = example().join("trunkline.toml").display().to_string();
    let environment: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Process::start(directory, &[role, "--config", &file], &environment)
}
