//! An ingress that knows several workers: it sends by the newest routes, and sends again what was handed back.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use trunkline_proto::routing::Routes;
use trunkline_store::key::Triple;

use super::ingress::{Answered, FakeIngress, Said, TENANT, answered};
use super::{PATIENCE, SHARDS};

#[derive(Default)]
pub struct RoutedIngress {
    seeds: Vec<SocketAddr>,
    service_url: String,
    routes: Arc<Mutex<Routes>>,
    links: tokio::sync::Mutex<HashMap<SocketAddr, Arc<FakeIngress>>>,
    /// Deliveries that a worker handed back.
    pub moved: AtomicU64,
    /// Deliveries whose stream broke.
    pub broken: AtomicU64,
}

impl RoutedIngress {
    pub async fn new(seed: SocketAddr, service_url: &str) -> Arc<Self> {
        let ingress = Self {
            seeds: vec![seed],
            service_url: service_url.to_owned(),
            ..Self::default()
        };
        ingress.link(seed).await.expect("the seed listens");
        Arc::new(ingress)
    }

    /// Sends an activity until it is answered: its answer, and how long that took.
    pub async fn sends(&self, said: &Said) -> (Answered, Duration) {
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < PATIENCE, "no answer to {said:?}");
            let Some(link) = self.link(self.owner(said)).await else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            match link.begins(said).await.map(answered) {
                Ok(Answered::Moved) => {
                    self.moved.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Ok(answer) => return (answer, began.elapsed()),
                Err(_) => {
                    self.broken.fetch_add(1, Ordering::Relaxed);
                    self.links.lock().await.retain(|_, other| !Arc::ptr_eq(other, &link));
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    fn owner(&self, said: &Said) -> SocketAddr {
        let shard = Triple::conversation(&said.bot, TENANT, &said.conversation).shard(SHARDS);
        let routes = self.routes.lock().unwrap();
        let place = routes.owners.chunks_exact(2).nth(shard.0 as usize);
        let place = place.map(|bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])));
        let node = place.and_then(|place| routes.nodes.get(place));
        node.map_or(self.seeds[0], |node| node.address.parse().unwrap())
    }

    /// The stream to a worker, and streams to all others of the routes, from which news come.
    async fn link(&self, to: SocketAddr) -> Option<Arc<FakeIngress>> {
        let mut links = self.links.lock().await;
        let named: Vec<SocketAddr> = {
            let routes = self.routes.lock().unwrap();
            let addresses = routes.nodes.iter().map(|node| node.address.parse().unwrap());
            addresses.chain([to]).collect()
        };
        for address in named {
            if links.get(&address).is_none_or(|link| link.is_over())
                && let Some(link) = FakeIngress::try_connect(address, &self.service_url, self.routes.clone()).await
            {
                links.insert(address, Arc::new(link));
            }
        }
        links.get(&to).cloned()
    }
}
