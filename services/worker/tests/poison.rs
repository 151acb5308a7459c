//! An activity that kills its process, with processes that really die: this binary starts itself as a worker on a store on
//! disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use support::connector::FakeConnector;
use support::ingress::{Answered, FakeIngress, Said};
use support::{SHARDS, config, hosted, store_in, until};
use tokio_util::sync::CancellationToken;
use trunkline_bot::event::Message;
use trunkline_bot::logic::Logic;
use trunkline_bot::routes::message;
use trunkline_bot::{Bot, Result, State, Turn, plain};
use trunkline_worker::conversation::ConversationSettings;
use trunkline_worker::{Worker, WorkerConfig};

/// Names the directory to the child process.
const DIRECTORY: &str = "TRUNKLINE_WORKER_POISON_TEST";

#[derive(Default, Serialize, Deserialize)]
struct Heard;

impl State for Heard {}

/// A bot that takes its process with it when it is told so.
fn bot() -> Arc<dyn Logic> {
    let handler = async |turn: &mut Turn, _: &mut Heard, said: Message| -> Result {
        if said.text() == "poison" {
            // Long enough that the message is accepted before.
            tokio::time::sleep(Duration::from_millis(400)).await;
            std::process::abort();
        }
        turn.reply(plain(said.text()));
        Ok(())
    };
    Bot::new("test").on(message(), handler).build().unwrap()
}

#[actix::test]
async fn an_accepted_activity_takes_three_processes_with_it_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let connector = FakeConnector::start();
    let (mut child, address) = start(directory.path());
    let ingress = FakeIngress::connect(address, connector.base()).await;
    let poison = Said::message("a:1", "1", "poison");
    assert!(matches!(ingress.sends(&poison).await, Answered::Accepted));
    for life in 2..=3 {
        assert!(!child.wait().unwrap().success(), "life {} goes on", life - 1);
        (child, _) = start(directory.path());
    }
    assert!(!child.wait().unwrap().success(), "life 3 goes on");
    let (mut child, address) = start(directory.path());
    until("the person is told", || {
        connector.texts().iter().any(|text| text.contains("TL-"))
    })
    .await;
    let ingress = FakeIngress::connect(address, connector.base()).await;
    let repeat = ingress.sends(&poison).await;
    assert!(matches!(repeat, Answered::Accepted), "a repeat is not run: {repeat:?}");
    let next = Said::message("a:1", "2", "hello");
    assert_eq!(ingress.sends(&next).await.status(), Some(200));
    assert!(child.try_wait().unwrap().is_none(), "the fourth lives");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Starts this very binary, which then runs only the test below.
fn start(directory: &Path) -> (Child, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_child_serves_until_it_dies", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut addresses = lines.filter_map(|line| line.ok()?.strip_prefix("serves at ")?.parse().ok());
    let address = addresses.next().expect("the child says where it serves");
    (child, address)
}

#[actix::test]
async fn a_child_serves_until_it_dies() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let config = WorkerConfig {
        conversations: ConversationSettings {
            message_budget: Duration::from_millis(100),
            ..ConversationSettings::default()
        },
        ..config()
    };
    let store = store_in(Path::new(&directory));
    let mut registry = prometheus_client::registry::Registry::default();
    let worker = Worker::bind(config, store, vec![hosted(bot())], &mut registry)
        .await
        .unwrap();
    let (address, view) = (worker.address(), worker.cluster().unwrap().view());
    let served = actix_rt::spawn(worker.serve(CancellationToken::new()));
    until("it serves all shards", || view.borrow().serving() == SHARDS as usize).await;
    println!("\nserves at {address}");
    served.await.unwrap().unwrap();
}
