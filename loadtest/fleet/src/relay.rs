//! A TCP link that can be delayed, cut and mended: what stands in for `tc netem`, which not every kernel has.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// How a link is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Bytes arrive after this time.
    Up(Duration),
    /// Bytes wait, on both ways, and nobody is told; what waits arrives when the link is mended.
    Cut,
    /// Connections are reset, new ones refused at once.
    Reset,
}

/// A link to one address; ends with its owner.
#[derive(Debug)]
pub struct Relay {
    /// Where to connect in place of the target.
    pub address: SocketAddr,
    state: Arc<watch::Sender<Link>>,
    _runtime: Runtime,
}

impl Relay {
    /// A link from a free port of `from` to the target.
    pub fn start(from: IpAddr, target: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind((from, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(watch::Sender::new(Link::Up(Duration::ZERO)));
        runtime.spawn(accept(listener, target, Arc::clone(&state)));
        Self {
            address,
            state,
            _runtime: runtime,
        }
    }

    /// From now on the link is like this.
    pub fn set(&self, link: Link) {
        self.state.send_replace(link);
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, state: Arc<watch::Sender<Link>>) {
    while let Ok((near, _)) = listener.accept().await {
        let state = state.subscribe();
        if *state.borrow() == Link::Reset {
            continue;
        }
        tokio::spawn(async move {
            let far = TcpStream::connect(target).await?;
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            let (near_in, near_out) = near.into_split();
            let (far_in, far_out) = far.into_split();
            tokio::select! {
                ended = carry(near_in, far_out, state.clone()) => ended,
                ended = carry(far_in, near_out, state.clone()) => ended,
                () = reset(state.clone()) => Ok(()),
            }
        });
    }
}

async fn reset(mut state: watch::Receiver<Link>) {
    // The relay has ended when it fails: so does the connection.
    let _ = state.wait_for(|link| *link == Link::Reset).await;
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut state: watch::Receiver<Link>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        let link = *state
            .wait_for(|link| *link != Link::Cut)
            .await
            .map_err(io::Error::other)?;
        if let Link::Up(delay) = link
            && !delay.is_zero()
        {
            tokio::time::sleep(delay).await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}
