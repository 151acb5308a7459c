//! What stands in front of the ingresses: sends to those that say they are ready, as a load balancer with health checks does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::web;

/// How often readiness is asked for.
const CHECK_EVERY: Duration = Duration::from_millis(100);

/// Ingresses, of which the ready ones get requests. Cheap to clone; its checks end with the last clone.
#[derive(Clone, Debug)]
pub struct Balancer(Arc<Vec<Target>>);

#[derive(Debug)]
struct Target {
    endpoint: String,
    ready_url: Option<String>,
    is_ready: AtomicBool,
}

impl Balancer {
    /// One way in, always taken for ready.
    pub fn single(endpoint: String) -> Self {
        Self(Arc::new(vec![Target {
            endpoint,
            ready_url: None,
            is_ready: AtomicBool::new(true),
        }]))
    }

    /// Several ways in, each with the address that answers 200 while it is ready.
    pub fn checked(ingresses: Vec<(String, String)>) -> Self {
        let targets = ingresses.into_iter().map(|(endpoint, ready_url)| Target {
            endpoint,
            ready_url: Some(ready_url),
            is_ready: AtomicBool::new(true),
        });
        let balancer = Self(Arc::new(targets.collect()));
        let targets = Arc::downgrade(&balancer.0);
        std::thread::spawn(move || check(&targets));
        balancer
    }

    /// The endpoint for request number `number`.
    pub fn pick(&self, number: usize) -> &str {
        let ready: Vec<&Target> = self
            .0
            .iter()
            .filter(|target| target.is_ready.load(Ordering::Relaxed))
            .collect();
        let (among, count) = (&self.0, self.0.len());
        match ready.len() {
            0 => &among[number % count].endpoint,
            ready_count => &ready[number % ready_count].endpoint,
        }
    }
}

fn check(targets: &Weak<Vec<Target>>) {
    let client = web::client();
    while let Some(targets) = targets.upgrade() {
        for target in targets.iter() {
            let Some(url) = &target.ready_url else { continue };
            let answer = client.get(url).timeout(CHECK_EVERY * 5).send();
            let is_ready = answer.is_ok_and(|answer| answer.status().is_success());
            target.is_ready.store(is_ready, Ordering::Relaxed);
        }
        drop(targets);
        std::thread::sleep(CHECK_EVERY);
    }
}
