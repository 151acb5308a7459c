//! Real redis-servers, configured as `deploy/example` says: one alone, a primary with a replica under three Sentinels, or a
//! Redis Cluster.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::network::{Host, Network};
use crate::process::{Process, Recipe, free_port};
use crate::wait::wait_for;

/// The name that Sentinel knows the primary by.
pub const MASTER: &str = "trunkline";

/// A server; dropped means killed.
#[derive(Debug)]
pub struct Redis {
    recipe: Recipe,
    process: Option<Process>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it lives.
    pub host: Host,
}

impl Redis {
    /// Starts a server with its data in `directory`; later settings win over those of the example.
    pub fn start(directory: &Path, network: &Network, settings: &[&str]) -> Self {
        let host = network.host();
        let address = SocketAddr::new(host.address, free_port());
        let name = format!("redis-{}", address.port());
        let data = directory.join(&name);
        std::fs::create_dir_all(&data).unwrap();
        // A copy: a failover makes servers write their new part into their configuration.
        let file = data.join("redis.conf");
        std::fs::copy(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/example/redis.conf"),
            &file,
        )
        .unwrap();
        let mut recipe = Recipe::new(directory, &name, "redis-server").arguments([
            &file.display().to_string(),
            "--bind",
            &address.ip().to_string(),
            "--port",
            &address.port().to_string(),
            // Nobody else reaches a namespace or loopback of a test.
            "--protected-mode",
            "no",
            "--dir",
            &data.display().to_string(),
        ]);
        recipe = recipe.arguments(settings.iter().copied());
        if let Some(namespace) = &host.namespace {
            recipe = recipe.in_namespace(namespace);
        }
        let mut redis = Self {
            recipe,
            process: None,
            address,
            host,
        };
        redis.launch();
        redis
    }

    /// What a store connects to.
    pub fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    /// Starts it, after [`Redis::kill`], with what it has on disk; waits until it answers.
    pub fn launch(&mut self) {
        self.process = Some(self.recipe.spawn());
        wait_for("redis-server", || (self.ask("PING").ok()? == "+PONG").then_some(()));
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// SIGSTOP.
    pub fn pause(&self) {
        self.running().pause();
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.running().resume();
    }

    /// Sends one inline command and returns the first line of the answer.
    ///
    /// # Errors
    /// When nobody answers within a second.
    pub fn ask(&self, command: &str) -> std::io::Result<String> {
        let second = Duration::from_secs(1);
        let mut stream = TcpStream::connect_timeout(&self.address, second)?;
        stream.set_read_timeout(Some(second))?;
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n") && stream.read(&mut byte)? == 1 {
            answer.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
    }

    /// CPU time that the server has used.
    pub fn cpu(&self) -> Duration {
        self.running().cpu()
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("the server runs")
    }
}

/// A primary, its replica, and three Sentinels that replace the one by the other.
#[derive(Debug)]
pub struct Sentinels {
    /// The first primary.
    pub primary: Redis,
    /// The first replica.
    pub replica: Redis,
    addresses: Vec<SocketAddr>,
    _watchers: Vec<Process>,
}

impl Sentinels {
    /// Starts all of them, with these settings of both servers beside the example's; a primary that is silent for
    /// `down_after` is replaced.
    pub fn start(directory: &Path, network: &Network, down_after: Duration, settings: &[&str]) -> Self {
        let primary = Redis::start(directory, network, settings);
        let (ip, port) = (primary.address.ip().to_string(), primary.address.port().to_string());
        let mut of_replica = settings.to_vec();
        of_replica.extend(["--replicaof", &ip, &port]);
        let replica = Redis::start(directory, network, &of_replica);
        let (addresses, watchers) = (0..3)
            .map(|place| sentinel(directory, network, place, &primary, down_after))
            .unzip();
        let sentinels = Self {
            primary,
            replica,
            addresses,
            _watchers: watchers,
        };
        wait_for("the replica's first copy", || {
            let lag = sentinels.primary.ask("WAIT 1 100").ok()?;
            (lag == ":1").then_some(())
        });
        // What no sentinel knows of, none promotes.
        for address in &sentinels.addresses {
            wait_for("a sentinel that knows all", || {
                let said = command_line(*address, &["SENTINEL", "MASTER", MASTER])?;
                let lines: Vec<&str> = said.lines().collect();
                let knows = |name: &str, value: &str| lines.windows(2).any(|pair| pair == [name, value]);
                (knows("num-slaves", "1") && knows("num-other-sentinels", "2")).then_some(())
            });
        }
        sentinels
    }

    /// What a store connects to.
    pub fn url(&self) -> String {
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        format!("redis+sentinel://{}/{MASTER}/0", addresses.join(","))
    }
}

/// A Redis Cluster of three primaries with a replica each.
#[derive(Debug)]
pub struct RedisCluster {
    /// Three primaries, then their replicas.
    pub nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts all of them; a node that is silent for `node_timeout` is replaced.
    pub fn start(directory: &Path, network: &Network, node_timeout: Duration) -> Self {
        let timeout = node_timeout.as_millis().to_string();
        let nodes: Vec<Redis> = (0..6)
            .map(|_| {
                let bus = free_port().to_string();
                let settings = [
                    &["--cluster-enabled", "yes", "--cluster-port", &bus][..],
                    &["--cluster-node-timeout", &timeout],
                    // Else a primary without a successor stops all others, too.
                    &["--cluster-require-full-coverage", "no"],
                ];
                Redis::start(directory, network, &settings.concat())
            })
            .collect();
        let cluster = Self { nodes };
        cluster.introduce();
        for (place, range) in [["0", "5460"], ["5461", "10922"], ["10923", "16383"]]
            .iter()
            .enumerate()
        {
            cluster.tell(place, &["CLUSTER", "ADDSLOTSRANGE", range[0], range[1]]);
        }
        cluster.wait_for_all("all nodes know each other", &["CLUSTER", "INFO"], |info| {
            info.contains("cluster_known_nodes:6") && info.contains("cluster_state:ok")
        });
        for place in 0..3 {
            let primary = cluster.tell(place, &["CLUSTER", "MYID"]);
            cluster.tell(place + 3, &["CLUSTER", "REPLICATE", &primary]);
        }
        cluster.wait_for_all("everybody knows the replicas", &["CLUSTER", "NODES"], |nodes| {
            nodes.matches("slave").count() == 3
        });
        wait_for("the replicas' first copies", || {
            let is_copy = |place: usize| {
                let said = command_line(cluster.nodes[place].address, &["INFO", "replication"]);
                said.is_some_and(|said| said.contains("master_link_status:up"))
            };
            (3..6).all(is_copy).then_some(())
        });
        cluster
    }

    /// What a store connects to.
    pub fn url(&self) -> String {
        let addresses: Vec<String> = self.nodes.iter().map(|node| node.address.to_string()).collect();
        format!("redis+cluster://{}", addresses.join(","))
    }

    /// The place of the primary that serves the slot of this key.
    pub fn place_of(&self, key: &str) -> usize {
        let slot: usize = self.tell(0, &["CLUSTER", "KEYSLOT", key]).parse().unwrap();
        [5_460, 10_922, 16_383].iter().position(|last| slot <= *last).unwrap()
    }

    fn introduce(&self) {
        let first = self.nodes[0].address;
        let setting = self.tell(0, &["CONFIG", "GET", "cluster-port"]);
        let bus = setting.lines().last().unwrap();
        for place in 0..6 {
            let epoch = (place + 1).to_string();
            self.tell(place, &["CLUSTER", "SET-CONFIG-EPOCH", &epoch]);
            if place > 0 {
                let (ip, port) = (first.ip().to_string(), first.port().to_string());
                self.tell(place, &["CLUSTER", "MEET", &ip, &port, bus]);
            }
        }
    }

    fn tell(&self, place: usize, command: &[&str]) -> String {
        command_line(self.nodes[place].address, command).unwrap_or_else(|| panic!("{}", command.join(" ")))
    }

    fn wait_for_all(&self, what: &str, question: &[&str], is_so: impl Fn(&str) -> bool) {
        wait_for(what, || {
            let say_so = |place| is_so(&self.tell(place, question));
            (0..6).all(say_so).then_some(())
        });
    }
}

/// The whole answer to a command; `None` when there is none.
fn command_line(address: SocketAddr, command: &[&str]) -> Option<String> {
    let output = Command::new("redis-cli")
        .args(["-h", &address.ip().to_string(), "-p", &address.port().to_string(), "-e"])
        .args(command)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    output.status.success().then_some(said)
}

fn sentinel(
    directory: &Path,
    network: &Network,
    place: usize,
    primary: &Redis,
    down_after: Duration,
) -> (SocketAddr, Process) {
    let host = network.host();
    let address = SocketAddr::new(host.address, free_port());
    let name = format!("sentinel-{place}");
    let file: PathBuf = directory.join(format!("{name}.conf"));
    let text = format!(
        "bind {ip}\nport {port}\nprotected-mode no\nsentinel monitor {MASTER} {primary_ip} {primary_port} 2\n\
         sentinel down-after-milliseconds {MASTER} {down_after}\nsentinel failover-timeout {MASTER} 5000\n",
        ip = address.ip(),
        port = address.port(),
        primary_ip = primary.address.ip(),
        primary_port = primary.address.port(),
        down_after = down_after.as_millis(),
    );
    std::fs::write(&file, text).unwrap();
    let mut recipe =
        Recipe::new(directory, &name, "redis-server").arguments([&file.display().to_string(), "--sentinel"]);
    if let Some(namespace) = &host.namespace {
        recipe = recipe.in_namespace(namespace);
    }
    (address, recipe.spawn())
}
