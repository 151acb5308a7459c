//! SIGKILL at random moments under load: what was answered 2xx is in the state exactly once, what was not zero or one time.
//! Repeated replies are allowed (the Connector has no idempotency key), counted and printed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinHandle;
use trunkline_simulated_teams::SimulatedTeamsConfig;

use crate::world::login::{self, TENANT};
use crate::world::people::{Person, Surroundings};
use crate::world::process::{Recipe, free_port};
use crate::world::recorder::Recorder;
use crate::world::redis::Redis;
use crate::world::verdict::Verdict;

/// People who talk at the same time, each in a conversation of their own.
const PEOPLE: usize = 6;

/// How often each process is killed; `TRUNKLINE_KILLS=1000` for a longer campaign.
fn kills() -> u32 {
    std::env::var("TRUNKLINE_KILLS")
        .ok()
        .map_or(50, |text| text.parse().expect("TRUNKLINE_KILLS is a number"))
}

/// Moments of death, replayable: `TRUNKLINE_SEED` from a failed run's output.
fn chance(test: &str) -> StdRng {
    let seed = std::env::var("TRUNKLINE_SEED")
        .ok()
        .map_or_else(rand::random, |text| text.parse().expect("a seed is a number"));
    println!("{test}: TRUNKLINE_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_on_disk_loses_nothing_when_it_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let (recorder, connector) = Recorder::start();
    let (port, teams, admin) = (free_port(), free_port(), free_port());
    let dev = Recipe::trunkline(
        directory.path(),
        "dev",
        &[
            "dev",
            "--bot",
            "echo",
            "--allow-unauthenticated",
            "--port",
            &port.to_string(),
            "--data",
        ],
        format!("http://127.0.0.1:{port}/readyz"),
    )
    .argument(directory.path().join("data").display())
    .environment("TRUNKLINE_DEV__TEAMS_LISTEN", format!("127.0.0.1:{teams}"))
    .environment("TRUNKLINE_ADMIN__LISTEN", format!("127.0.0.1:{admin}"));
    let mut chance = chance("dev on disk");

    let mut process = dev.start().await;
    let crowd = Crowd::talk(&Surroundings {
        endpoint: format!("http://127.0.0.1:{port}/api/messages"),
        service_url: format!("http://{connector}"),
        tenant: TENANT.to_owned(),
        token: None,
    });
    for _ in 0..kills() {
        random_moment(&mut chance).await;
        process.kill();
        process = dev.start().await;
    }
    crowd.judge("dev on disk", &recorder).await;
    drop(process);
}

#[tokio::test(flavor = "multi_thread")]
async fn ingress_and_worker_on_redis_lose_nothing_when_they_are_killed() {
    let directory = tempfile::tempdir().unwrap();
    let (recorder, connector) = Recorder::start();
    let redis = Redis::start(directory.path());
    let teams = login::start(SimulatedTeamsConfig {
        tenant: TENANT.to_owned(),
        ..SimulatedTeamsConfig::default()
    });
    let configuration = login::configuration(directory.path(), "echo", &redis.url(), &teams);
    let (ingress_port, worker_port, worker_admin) = (free_port(), free_port(), free_port());
    let recipe = |role: &str, admin: u16, ready: u16| {
        Recipe::trunkline(
            directory.path(),
            role,
            &[role, "--config", &configuration],
            format!("http://127.0.0.1:{ready}/readyz"),
        )
        .environment("TRUNKLINE_INGRESS__LISTEN", format!("127.0.0.1:{ingress_port}"))
        .environment("TRUNKLINE_INGRESS__WORKERS", format!("127.0.0.1:{worker_port}"))
        .environment("TRUNKLINE_WORKER__LISTEN", format!("127.0.0.1:{worker_port}"))
        .environment("TRUNKLINE_ADMIN__LISTEN", format!("127.0.0.1:{admin}"))
    };
    let worker = recipe("worker", worker_admin, worker_admin);
    let ingress = recipe("ingress", free_port(), ingress_port);
    let mut chance = chance("ingress and worker on Redis");

    let mut worker_process = worker.start().await;
    let mut ingress_process = ingress.start().await;
    let service_url = format!("http://{connector}");
    let crowd = Crowd::talk(&Surroundings {
        endpoint: format!("http://127.0.0.1:{ingress_port}/api/messages"),
        token: Some(login::token(&teams, &service_url, 0)),
        service_url,
        tenant: TENANT.to_owned(),
    });
    for _ in 0..kills() {
        random_moment(&mut chance).await;
        worker_process.kill();
        worker_process = worker.start().await;
        random_moment(&mut chance).await;
        ingress_process.kill();
        ingress_process = ingress.start().await;
    }
    crowd.judge("ingress and worker on Redis", &recorder).await;
    drop((worker_process, ingress_process));
}

/// Long enough for turns to be anywhere on their way, short enough for many deaths.
async fn random_moment(chance: &mut StdRng) {
    tokio::time::sleep(Duration::from_millis(chance.random_range(5..250))).await;
}

/// People who talk until they are judged.
struct Crowd {
    people: Vec<JoinHandle<Person>>,
    stop: Arc<AtomicBool>,
}

impl Crowd {
    fn talk(surroundings: &Surroundings) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let people = (0..PEOPLE)
            .map(|number| tokio::spawn(Person::new(number).talk(surroundings.clone(), Arc::clone(&stop))))
            .collect();
        Self { people, stop }
    }

    /// Lets everybody finish, waits for the last replies, and compares what was said with what was answered.
    async fn judge(self, test: &str, recorder: &Recorder) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut acknowledged, mut unanswered, mut applied, mut repeated) = (0, 0, 0, 0);
        let mut wrong = Vec::new();
        for person in self.people {
            let person = person.await.unwrap();
            let verdict = settled(&person, recorder).await;
            acknowledged += verdict.acknowledged;
            unanswered += verdict.unanswered;
            applied += verdict.unanswered_but_applied;
            repeated += verdict.replies_repeated;
            if !verdict.is_correct() {
                wrong.push((person.conversation, verdict));
            }
        }
        println!(
            "{test}: {acknowledged} acknowledged, each in the state once; {unanswered} unanswered, {applied} of them applied; \
             {repeated} replies repeated"
        );
        assert!(wrong.is_empty(), "{test}: {wrong:#?}");
        assert!(
            acknowledged > 0,
            "{test}: nothing was acknowledged, so nothing was tested"
        );
    }
}

/// The verdict once every acknowledged message has its reply, or at the deadline.
async fn settled(person: &Person, recorder: &Recorder) -> Verdict {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let verdict = Verdict::of(&person.said, &recorder.replies(&person.conversation));
        if verdict.is_correct() || Instant::now() > deadline {
            return verdict;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
