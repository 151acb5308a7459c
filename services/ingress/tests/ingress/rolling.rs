//! A rolling restart under load: callers that keep their connections, as Teams does, notice nothing.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::rt;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use trunkline_ingress::StopTimes;

use crate::signer::token;
use crate::worker::FakeWorker;
use crate::world::{Plan, World, message_in, until, within_time};

/// How often the balancer asks whether an ingress is ready.
const PROBE: Duration = Duration::from_millis(20);
/// Much more than the balancer needs to notice.
const NOTICE: Duration = Duration::from_millis(500);

/// Sends new connections to the ingresses that were ready when it last asked.
#[derive(Clone, Default)]
struct Balancer {
    ready: Arc<Mutex<Vec<SocketAddr>>>,
    behind: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Balancer {
    async fn probe(self, stop: CancellationToken) {
        let client = reqwest::Client::new();
        while !stop.is_cancelled() {
            let behind = self.behind.lock().unwrap().clone();
            let mut ready = Vec::new();
            for address in behind {
                let answer = client.get(format!("http://{address}/readyz")).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    ready.push(address);
                }
            }
            *self.ready.lock().unwrap() = ready;
            rt::time::sleep(PROBE).await;
        }
    }

    fn choose(&self, number: usize) -> SocketAddr {
        let ready = self.ready.lock().unwrap();
        assert!(!ready.is_empty(), "no ingress is ready");
        ready[number % ready.len()]
    }
}

/// A caller that uses one connection as long as it is told nothing else, and never repeats a request.
struct Caller {
    number: usize,
    balancer: Balancer,
    connection: Option<TcpStream>,
    answered: usize,
    connections: usize,
}

impl Caller {
    async fn run(mut self, stop: CancellationToken) -> (usize, usize) {
        while !stop.is_cancelled() {
            let id = format!("{}-{}", self.number, self.answered);
            let body = message_in(&format!("a:{}", self.number), &id).to_string();
            if let Err(error) = within_time(self.call(&body)).await {
                panic!("request {id} on connection {} failed: {error}", self.connections);
            }
            self.answered += 1;
            // Some are idle for a while between requests.
            rt::time::sleep(Duration::from_millis(3 * self.number as u64)).await;
        }
        (self.answered, self.connections)
    }

    async fn call(&mut self, body: &str) -> std::io::Result<()> {
        let mut connection = if let Some(kept) = self.connection.take() {
            kept
        } else {
            self.connections += 1;
            TcpStream::connect(self.balancer.choose(self.number + self.connections)).await?
        };
        let head = format!(
            "POST /api/messages HTTP/1.1\r\nhost: bot\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            token(),
            body.len()
        );
        connection.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(connection.read_u8().await?);
        }
        let answer = String::from_utf8(answer).unwrap().to_lowercase();
        assert!(answer.starts_with("http/1.1 200"), "{answer}");
        assert!(answer.contains("content-length: 0"), "{answer}");
        if !answer.contains("connection: close") {
            self.connection = Some(connection);
        }
        Ok(())
    }
}

async fn start(worker: &FakeWorker) -> World {
    let mut plan = Plan::new(&[worker]);
    plan.ingress.stop = StopTimes {
        notice: NOTICE,
        finish: Duration::from_secs(5),
    };
    plan.ready().await
}

#[actix_web::test]
async fn a_rolling_restart_fails_no_request_of_callers_that_keep_their_connections() {
    let worker = FakeWorker::start().await;
    let balancer = Balancer::default();
    let mut running = vec![start(&worker).await, start(&worker).await];
    let addresses = |running: &[World]| running.iter().map(|world| world.address).collect();
    *balancer.behind.lock().unwrap() = addresses(&running);
    let (stop, done) = (CancellationToken::new(), CancellationToken::new());
    rt::spawn(balancer.clone().probe(done.clone()));
    until("both are ready", || balancer.ready.lock().unwrap().len() == 2).await;
    let callers: Vec<_> = (0..8)
        .map(|number| Caller {
            number,
            balancer: balancer.clone(),
            connection: None,
            answered: 0,
            connections: 0,
        })
        .map(|caller| rt::spawn(caller.run(stop.clone())))
        .collect();
    for _ in 0..4 {
        let leaving = running.remove(0);
        leaving.shutdown.cancel();
        within_time(leaving.serving).await.unwrap().unwrap();
        running.push(start(&worker).await);
        *balancer.behind.lock().unwrap() = addresses(&running);
        until("both are ready", || balancer.ready.lock().unwrap().len() == 2).await;
    }
    stop.cancel();
    let (mut answered, mut connections) = (0, 0);
    for caller in callers {
        let (of_caller, its_connections) = caller.await.expect("a request failed");
        answered += of_caller;
        connections += its_connections;
    }
    done.cancel();
    assert!(connections > 8, "callers were sent away: {connections}");
    assert!(
        answered > 3 * connections,
        "connections are kept: {answered} on {connections}"
    );
}
