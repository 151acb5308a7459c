//! One address in front of all ingresses, for callers that know only one: each connection goes to one that is ready.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::balancer::Balancer;

/// The address; ends with its owner.
#[derive(Debug)]
pub struct Door {
    /// Where to connect.
    pub address: SocketAddr,
    way: Arc<OnceLock<Balancer>>,
    _runtime: Runtime,
}

impl Door {
    /// A free port of `from`. Whoever connects before [`Door::leads_to`] is turned away.
    pub fn start(from: IpAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind((from, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let way = Arc::new(OnceLock::new());
        runtime.spawn(accept(listener, Arc::clone(&way)));
        Self {
            address,
            way,
            _runtime: runtime,
        }
    }

    /// From now on it leads to these, whose endpoints are `host:port`.
    pub fn leads_to(&self, ingresses: Balancer) {
        self.way.set(ingresses).expect("a door leads somewhere once");
    }
}

async fn accept(listener: TcpListener, way: Arc<OnceLock<Balancer>>) {
    let number = AtomicUsize::new(0);
    while let Ok((mut near, _)) = listener.accept().await {
        let Some(target) = way.get() else { continue };
        let target = target.pick(number.fetch_add(1, Ordering::Relaxed)).to_owned();
        tokio::spawn(async move {
            let mut far = TcpStream::connect(&target).await?;
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            copy_bidirectional(&mut near, &mut far).await
        });
    }
}
