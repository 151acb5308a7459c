//! A media host on a thread with an actix system of its own, so that it can be killed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use trunkline_media::control::HostConfig;
use trunkline_media::role::{MediaConfig, MediaRole, Transport};
use trunkline_media::thread::{Ports, ThreadConfig};
use trunkline_store::SharedStore;

use super::support::PATIENCE;

/// A running media host.
pub(crate) struct MediaNode {
    kill: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl MediaNode {
    pub(crate) async fn start(name: &str, store: SharedStore, directory: &Path) -> Self {
        let config = config(name, directory);
        let (kill, killed) = oneshot::channel();
        let (started, is_started) = oneshot::channel();
        let run = async move {
            let role = MediaRole::bind(config, store, &mut Registry::default()).await.unwrap();
            started.send(()).expect("the test waits");
            tokio::select! {
                served = role.serve(CancellationToken::new()) => served.unwrap(),
                _ = killed => {}
            }
        };
        let thread = std::thread::spawn(move || actix_rt::System::new().block_on(run));
        is_started.await.expect("the host starts");
        Self {
            kill: Some(kill),
            thread: Some(thread),
        }
    }

    /// As by a crash: nobody is told, and what it said of itself in the store stays until it is too old.
    pub(crate) async fn kill(mut self) {
        self.kill.take().expect("it lives").send(()).expect("it lives");
        let thread = self.thread.take().expect("it runs");
        let joined = tokio::task::spawn_blocking(move || thread.join());
        let joined = tokio::time::timeout(PATIENCE, joined).await.expect("it ends in time");
        joined.unwrap().expect("without a panic");
    }
}

fn config(name: &str, directory: &Path) -> MediaConfig {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    MediaConfig {
        name: name.to_owned(),
        listen: local,
        tls: None,
        advertise: None,
        zone: String::new(),
        whip_listen: local,
        transport: Transport::PlainHttp,
        whip_url: None,
        origins: Vec::new(),
        drain_deadline: Duration::ZERO,
        host: HostConfig {
            thread: ThreadConfig::loopback(Ports::Single(0)),
            threads: 1,
            codec_threads: 1,
            prompts: prompts(directory),
            stand_in: None,
            recordings: directory.join("recordings"),
            retention: None,
            keys: None,
            hand_on: None,
            mixes: false,
            orphaned_after: Duration::from_secs(60),
        },
    }
}

/// Where the prompts of a test are.
pub(crate) fn prompts(directory: &Path) -> PathBuf {
    directory.join("prompts")
}
