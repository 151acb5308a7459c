//! What other workers ask of this one.

use std::sync::{Arc, Weak};

use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use trunkline_cluster::channel::{Peer as Connected, Role};
use trunkline_proto::peer::peer_server::Peer;
use trunkline_proto::peer::{TellReply, TellRequest};

use super::wire;
use crate::shell::context::WorkerParts;
use crate::shell::tell::{Unheard, tell_here};

/// Lets workers in: an ingress or an operator tells actors nothing.
///
/// # Errors
/// `PERMISSION_DENIED` for anybody else.
#[allow(clippy::result_large_err, reason = "the form of an interceptor")]
pub(crate) fn only_workers(request: Request<()>) -> Result<Request<()>, Status> {
    let peer = request.extensions().get::<Connected>();
    if peer.is_some_and(|peer| peer.may_act_as(Role::Worker)) {
        Ok(request)
    } else {
        Err(Status::permission_denied("only a worker tells actors something"))
    }
}

/// The service that other workers ask.
pub(crate) struct PeerService {
    /// Gone when the worker has ended.
    worker: Weak<WorkerParts>,
    /// The end of the worker, which waits for no actor.
    closing: CancellationToken,
}

impl PeerService {
    pub(crate) fn new(worker: &Arc<WorkerParts>, closing: CancellationToken) -> Self {
        Self {
            worker: Arc::downgrade(worker),
            closing,
        }
    }
}

#[tonic::async_trait]
impl Peer for PeerService {
    async fn tell(&self, request: Request<TellRequest>) -> Result<Response<TellReply>, Status> {
        let told = wire::told(request.into_inner())?;
        let worker = self.worker.upgrade();
        let worker = worker.ok_or_else(|| Status::unavailable("this worker has ended"))?;
        if !worker.bots.contains_key(&told.triple.bot) {
            let refused = Err(Unheard::Refused(format!("no bot is called {} there", told.triple.bot)));
            worker.peers.metrics().answers(&refused);
            return Ok(Response::new(wire::reply(refused)));
        }
        let heard = tokio::select! {
            heard = tell_here(&worker, told) => heard,
            () = self.closing.cancelled() => Err(Unheard::Moved),
        };
        worker.peers.metrics().answers(&heard);
        Ok(Response::new(wire::reply(heard)))
    }
}
