//! Janus' EchoTest (Debian's package `janus`), asked over its HTTP interface, with the caller of our own legs.
//!
//! Janus ignores loopback, and answers by the interface on which a leg began: it gets a network namespace of its own. Its CPU time is
//! that of its process.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Client;
use rtc_srtp::protection_profile::ProtectionProfile;
use serde_json::{Value, json};
use trunkline_fleet::network::Network;

use crate::support::caller::{Caller, CallerIdentity, Heard};
use crate::support::{Line, PATIENCE};
use crate::talk::{Cost, drive};

const PORT: u16 = 8_088;
/// Ticks of `/proc/PID/stat` in a second, on every Linux.
const TICKS: f64 = 100.0;

type Problem = Box<dyn std::error::Error>;

/// Janus in its namespace, as long as the value lives.
struct Janus {
    process: Child,
    address: IpAddr,
    http: Client,
    network: Network,
    _configuration: tempfile::TempDir,
}

impl Drop for Janus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Janus {
    async fn start() -> Result<Self, Problem> {
        let network = Network::best();
        let host = network.host();
        let namespace = host.namespace.ok_or("it needs a network namespace of its own")?;
        let configuration = tempfile::tempdir()?;
        let write = |name: &str, text: &str| std::fs::write(configuration.path().join(name), text);
        write(
            "janus.jcfg",
            "general: { session_timeout = 0\n debug_level = 1 }\nnat: { ice_lite = true }\n",
        )?;
        let http = format!("general: {{ json = \"plain\"\n http = true\n port = {PORT} }}\n");
        write("janus.transport.http.jcfg", &http)?;
        let process = Command::new("ip")
            .args(["netns", "exec", &namespace, "janus", "--configs-folder"])
            .arg(configuration.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let janus = Self {
            process,
            address: host.address,
            http: Client::builder().no_proxy().build()?,
            network,
            _configuration: configuration,
        };
        let until = Instant::now() + PATIENCE;
        while janus.ask("", json!({ "janus": "ping" })).await.is_err() {
            if Instant::now() > until {
                return Err("it does not answer: is the package janus installed?".into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(janus)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}:{PORT}/janus{path}", self.address)
    }

    async fn ask(&self, path: &str, mut request: Value) -> Result<Value, Problem> {
        request["transaction"] = "bench".into();
        let request = self.http.post(self.url(path)).body(request.to_string());
        let answer: Value = serde_json::from_slice(&request.send().await?.bytes().await?)?;
        Ok(answer)
    }

    /// A leg whose echo is on.
    async fn call(&self, identity: &CallerIdentity, number: u32) -> Result<Line, Problem> {
        let id = |answer: Value| answer["data"]["id"].as_u64().ok_or("Janus gave no id");
        let session = format!("/{}", id(self.ask("", json!({ "janus": "create" })).await?)?);
        let attach = json!({ "janus": "attach", "plugin": "janus.plugin.echotest" });
        let handle = format!("{session}/{}", id(self.ask(&session, attach).await?)?);
        let mut caller = Caller::new(identity, number);
        let socket = UdpSocket::bind((self.network.outside(), 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let (ours, port) = (self.network.outside(), socket.local_addr()?.port());
        // Janus would begin the handshake itself, checks our candidate, and takes no stream that the offer does not name.
        let offer = caller.offer().replace("a=setup:actpass", "a=setup:active")
            + &format!("a=candidate:1 1 UDP 2130706431 {ours} {port} typ host\r\na=end-of-candidates\r\n")
            + &format!("a=ssrc:{} cname:caller\r\n", caller.source);
        let message = json!({
            "janus": "message",
            "body": { "audio": true, "video": false },
            "jsep": { "type": "offer", "sdp": offer },
        });
        self.ask(&handle, message).await?;
        let answer = self.answer(&session).await?;
        let host = caller.answered(&answer).into_iter().find(SocketAddr::is_ipv4);
        let mut caller = Line {
            caller,
            socket,
            host: host.ok_or("Janus answered without a candidate")?,
            host_checks: true,
        };
        // It hears a handshake once its own check is answered.
        let until = Instant::now() + PATIENCE;
        while caller.receive() != Some(Heard::Check(0x0001)) {
            if Instant::now() > until {
                return Err("Janus did not check".into());
            }
        }
        caller.connect();
        caller.socket.set_nonblocking(true)?;
        Ok(caller)
    }

    /// The answer among the events of a session.
    async fn answer(&self, session: &str) -> Result<String, Problem> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let event = self.http.get(self.url(session)).send().await?.bytes().await?;
            let event: Value = serde_json::from_slice(&event)?;
            if let Some(answer) = event["jsep"]["sdp"].as_str() {
                return Ok(answer.to_owned());
            }
        }
        Err("Janus sent no answer".into())
    }

    /// CPU time of the process, user and kernel.
    fn cpu(&self) -> Result<Duration, Problem> {
        // `ip netns exec` becomes the program.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        Ok(Duration::from_secs_f64(ticks / TICKS))
    }

    fn resident_kilobytes(&self) -> Result<u64, Problem> {
        let pages = std::fs::read_to_string(format!("/proc/{}/statm", self.process.id()))?;
        Ok(pages.split(' ').nth(1).ok_or("no size")?.parse::<u64>()? * 4)
    }
}

/// What an echo of so many legs costs Janus.
pub(crate) async fn echo(legs: u32, time: Duration) -> Result<Cost, Problem> {
    let janus = Janus::start().await?;
    let identity = CallerIdentity::new(ProtectionProfile::Aes128CmHmacSha1_80);
    let before = (janus.cpu()?, janus.resident_kilobytes()?);
    let mut callers = Vec::new();
    for number in 1..=legs {
        callers.push(janus.call(&identity, number).await?);
    }
    let legs = f64::from(legs);
    let cpu = janus.cpu()?.saturating_sub(before.0).as_secs_f64() * 1e3 / legs;
    let memory = (janus.resident_kilobytes()? - before.1) as f64 / legs;
    println!("Janus' EchoTest, {legs} legs: {cpu:.2} ms CPU a set-up, {memory:.0} KB a leg");
    drive(&mut callers, true, Duration::from_secs(1));
    let before = janus.cpu()?;
    let (sent, heard) = drive(&mut callers, true, time);
    Ok(Cost {
        name: "Janus' EchoTest",
        packets: heard,
        cpu: janus.cpu()?.saturating_sub(before),
        share_lost: 1.0 - heard as f64 / sent as f64,
    })
}
