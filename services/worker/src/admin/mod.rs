//! The operator's end of `admin.proto`, on the listener that ingresses use: how the cluster stands, moves and drains, and what
//! becomes of conversations and parked work here.

mod call;
mod conversation;
mod media;
mod status;

use std::sync::{Arc, Weak};

use tonic::{Code, Request, Response, Status};
use trunkline_cluster::channel::{Peer, Role};
use trunkline_cluster::{Cluster, MoveRefused, View};
use trunkline_proto::admin::admin_server::Admin;
use trunkline_proto::admin::{
    CallUsageReply, CallUsageRequest, DrainReply, DrainRequest, EndedCallsReply, EndedCallsRequest, HangUpCallReply,
    HangUpCallRequest, ListCallsReply, ListCallsRequest, ListParkedReply, ListParkedRequest, MediaHostsReply,
    MediaHostsRequest, MoveShardReply, MoveShardRequest, SettleParkedReply, SettleParkedRequest, ShardsReply,
    ShardsRequest, ShowCallReply, ShowCallRequest, ShowConversationReply, ShowConversationRequest, StatusReply,
    StatusRequest,
};
use trunkline_store::key::{ActorKind, Key, ShardId, Triple};

use self::conversation::parked_entry;
use crate::conversation::{Request as Question, Response as Answer};
use crate::shell::context::WorkerParts;
use crate::shell::operator::Operator;

/// Parked entries in one answer unless asked otherwise.
const PARKED: usize = 1_000;

/// Lets operators in: an ingress or another worker has no business here.
///
/// # Errors
/// `PERMISSION_DENIED` for anybody else.
#[allow(clippy::result_large_err, reason = "the form of an interceptor")]
pub(crate) fn only_operators(request: Request<()>) -> Result<Request<()>, Status> {
    let peer = request.extensions().get::<Peer>();
    if peer.is_some_and(|peer| peer.may_act_as(Role::Operator)) {
        Ok(request)
    } else {
        Err(Status::permission_denied(
            "only an operator asks this: use a certificate of operator.DOMAIN",
        ))
    }
}

/// The service that operators ask.
pub(crate) struct AdminService {
    /// Gone when the worker has ended.
    worker: Weak<WorkerParts>,
    operator: Operator,
}

impl AdminService {
    pub(crate) fn new(worker: &Arc<WorkerParts>) -> Self {
        Self {
            worker: Arc::downgrade(worker),
            operator: Operator::new(worker),
        }
    }

    fn worker(&self) -> Result<Arc<WorkerParts>, Status> {
        self.worker
            .upgrade()
            .ok_or_else(|| Status::unavailable("this worker has ended"))
    }

    /// The node, and what it knows.
    fn cluster(&self) -> Result<(Cluster, Arc<View>), Status> {
        let worker = self.worker()?;
        let cluster = worker.membership.cluster().cloned();
        let cluster = cluster.ok_or_else(|| Status::unavailable("this worker has not joined the cluster yet"))?;
        let view = cluster.view().borrow().clone();
        Ok((cluster, view))
    }

    /// Asks the actor of a call. Its shard, for messages, and the answer.
    async fn ask_call(&self, bot: String, key: String, question: Question) -> Result<(ShardId, Answer), Status> {
        let worker = self.worker()?;
        known_bot(&worker, &bot)?;
        let triple = Triple::call(bot, key);
        let shard = triple.shard(worker.store.identity().shards);
        Ok((shard, self.operator.ask(triple, question).await))
    }

    /// What a conversation answered, where that is not what was asked for.
    fn other(shard: ShardId, answer: &Answer) -> Status {
        match answer {
            Answer::Moved => Status::failed_precondition(format!("this worker does not serve shard {shard}")),
            Answer::Unknown => Status::not_found("nothing is stored of this conversation"),
            Answer::NotParked => Status::not_found("no parked work has this id; it may have been settled already"),
            Answer::Unavailable(reason) => Status::unavailable(reason.clone()),
            Answer::Inspected(_) | Answer::Done => Status::internal("the conversation answered another question"),
        }
    }
}

/// # Errors
/// `NOT_FOUND` with the names of those that there are.
#[allow(clippy::result_large_err, reason = "what the service answers")]
fn known_bot(worker: &WorkerParts, bot: &str) -> Result<(), Status> {
    if worker.bots.contains_key(bot) {
        return Ok(());
    }
    let names: Vec<&str> = worker.bots.keys().map(String::as_str).collect();
    Err(Status::not_found(format!(
        "no bot is called {bot}; there are {}",
        names.join(", ")
    )))
}

#[tonic::async_trait]
impl Admin for AdminService {
    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusReply>, Status> {
        let worker = self.worker()?;
        let identity = worker.store.identity();
        let (_, view) = self.cluster()?;
        Ok(Response::new(status::status(&view, identity, worker.ingresses.list())))
    }

    async fn shards(&self, _: Request<ShardsRequest>) -> Result<Response<ShardsReply>, Status> {
        let (_, view) = self.cluster()?;
        Ok(Response::new(status::shards(&view)))
    }

    async fn move_shard(&self, request: Request<MoveShardRequest>) -> Result<Response<MoveShardReply>, Status> {
        let MoveShardRequest { shard, to } = request.into_inner();
        let (cluster, _) = self.cluster()?;
        match cluster.move_shard(ShardId(shard), &to).await {
            Ok(()) => Ok(Response::new(MoveShardReply {})),
            Err(refused) => {
                let code = match &refused {
                    MoveRefused::NotLeader { .. } => Code::FailedPrecondition,
                    MoveRefused::UnknownNode(_) | MoveRefused::NoSuchShard(_) => Code::NotFound,
                    MoveRefused::CannotTake(_) => Code::InvalidArgument,
                    MoveRefused::Busy | MoveRefused::NotMember => Code::Unavailable,
                };
                Err(Status::new(code, refused.to_string()))
            }
        }
    }

    async fn drain(&self, request: Request<DrainRequest>) -> Result<Response<DrainReply>, Status> {
        let DrainRequest { name, drain } = request.into_inner();
        let (cluster, view) = self.cluster()?;
        let own = &view.facts.name;
        if name == *own {
            tracing::warn!(drain, "an operator changes whether this worker drains");
            if drain { cluster.drain() } else { cluster.undrain() }
        } else if !self.worker()?.ingresses.drain(&name, drain) {
            return Err(Status::not_found(format!("{own} knows no ingress called {name}")));
        }
        Ok(Response::new(DrainReply {}))
    }

    async fn show_conversation(
        &self,
        request: Request<ShowConversationRequest>,
    ) -> Result<Response<ShowConversationReply>, Status> {
        let ShowConversationRequest {
            bot,
            tenant,
            conversation,
        } = request.into_inner();
        let worker = self.worker()?;
        known_bot(&worker, &bot)?;
        let triple = Triple {
            kind: ActorKind::Conversation,
            bot,
            tenant,
            conversation,
        };
        let shard = triple.shard(worker.store.identity().shards);
        match self.operator.ask(triple.clone(), Question::Inspect).await {
            Answer::Inspected(found) => {
                let (_, view) = self.cluster()?;
                let owner = view.facts.name.clone();
                Ok(Response::new(conversation::shown(*found, triple.key(), owner)))
            }
            other => Err(Self::other(shard, &other)),
        }
    }

    async fn list_parked(&self, request: Request<ListParkedRequest>) -> Result<Response<ListParkedReply>, Status> {
        let limit = match request.into_inner().limit {
            0 => PARKED,
            limit => limit as usize,
        };
        let (_, view) = self.cluster()?;
        let mut parked = Vec::new();
        for shard in view.shards.keys() {
            // One more than wanted says that there are more.
            let found = self.operator.parked(*shard, 0, limit + 1).await;
            let found = found.map_err(|error| Status::unavailable(error.to_string()))?;
            parked.extend(found.into_iter().map(|(key, entry)| parked_entry(*shard, key, entry)));
            if parked.len() > limit {
                break;
            }
        }
        let more = parked.len() > limit;
        parked.truncate(limit);
        Ok(Response::new(ListParkedReply { parked, more }))
    }

    async fn settle_parked(
        &self,
        request: Request<SettleParkedRequest>,
    ) -> Result<Response<SettleParkedReply>, Status> {
        let SettleParkedRequest {
            shard,
            key,
            sequence,
            replay,
        } = request.into_inner();
        let shard = ShardId(shard);
        let Some(key) = Key::from_text(&key) else {
            return Err(Status::invalid_argument(
                "the middle part of the id is no key of a conversation",
            ));
        };
        let question = if replay {
            Question::Replay(sequence)
        } else {
            Question::DropParked(sequence)
        };
        match self.operator.ask_key(shard, key, question).await {
            Answer::Done => Ok(Response::new(SettleParkedReply {})),
            other => Err(Self::other(shard, &other)),
        }
    }

    async fn list_calls(&self, request: Request<ListCallsRequest>) -> Result<Response<ListCallsReply>, Status> {
        let (_, view) = self.cluster()?;
        let shards = view.shards.keys().copied().collect();
        let found = call::list(self, shards, request.into_inner().limit).await?;
        Ok(Response::new(found))
    }

    async fn show_call(&self, request: Request<ShowCallRequest>) -> Result<Response<ShowCallReply>, Status> {
        let ShowCallRequest { bot, key } = request.into_inner();
        let (_, view) = self.cluster()?;
        match self.ask_call(bot, key, Question::Inspect).await? {
            (_, Answer::Inspected(found)) => {
                let found = call::shown(*found, view.facts.name.clone());
                let found = found.ok_or_else(|| Status::not_found("nothing is stored of this call"))?;
                Ok(Response::new(found))
            }
            (shard, other) => Err(Self::other(shard, &other)),
        }
    }

    async fn hang_up_call(&self, request: Request<HangUpCallRequest>) -> Result<Response<HangUpCallReply>, Status> {
        let HangUpCallRequest { bot, key } = request.into_inner();
        tracing::warn!(bot, call = key, "an operator hangs up");
        match self.ask_call(bot, key, Question::HangUp).await? {
            (_, Answer::Done) => Ok(Response::new(HangUpCallReply {})),
            (shard, other) => Err(Self::other(shard, &other)),
        }
    }

    async fn ended_calls(&self, request: Request<EndedCallsRequest>) -> Result<Response<EndedCallsReply>, Status> {
        Ok(Response::new(call::ended(self, request.into_inner()).await?))
    }

    async fn call_usage(&self, request: Request<CallUsageRequest>) -> Result<Response<CallUsageReply>, Status> {
        Ok(Response::new(call::usage(self, request.get_ref()).await?))
    }

    async fn media_hosts(&self, _: Request<MediaHostsRequest>) -> Result<Response<MediaHostsReply>, Status> {
        let worker = self.worker()?;
        Ok(Response::new(media::hosts(&worker).await?))
    }
}
