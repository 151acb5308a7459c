//! What a running turn may ask for before it ends.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix::Addr;
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use tokio::sync::oneshot;
use trunkline_bot::Address;
use trunkline_bot::logic::{KeptStep, Partial, Port, PortError, StoredState, UserSnapshot};
use trunkline_store::key::{ActorKind, Triple};
use trunkline_teams::connector::Call;
use trunkline_teams::service_url::ServiceUrl;

use super::actor::{ConversationActor, HasUnsent, KeepStep};
use super::context::{HostedParts, WorkerParts};
use super::courier;
use super::streaming::StreamedText;
use crate::conversation::{OpenStream, Run, StepRefused};
use crate::record::{Record, RecordError};

/// The port of one turn. It may run on another thread than its actor.
pub(crate) struct TurnPort {
    run: u64,
    actor: Addr<ConversationActor>,
    worker: Arc<WorkerParts>,
    bot: Arc<HostedParts>,
    triple: Option<Triple>,
    here: Address,
    is_verified: bool,
    traceparent: String,
    ends_at: Instant,
    pending_changes: Vec<(String, String, Bytes)>,
    streams: Streams,
}

/// The streams of a turn: the bot owns its port, so they are shared with what waits for them at the end.
pub(crate) type Streams = Arc<Mutex<Vec<StreamedText>>>;

impl TurnPort {
    pub(crate) fn new(
        run: &Run,
        actor: Addr<ConversationActor>,
        worker: Arc<WorkerParts>,
        bot: Arc<HostedParts>,
        triple: Option<&Triple>,
    ) -> Self {
        Self {
            run: run.run,
            actor,
            worker,
            bot,
            triple: triple.cloned(),
            here: run.begin.here.clone(),
            is_verified: run.is_verified,
            traceparent: run.traceparent.clone(),
            ends_at: Instant::now() + run.limit,
            pending_changes: run.pending_changes.clone(),
            streams: Streams::default(),
        }
    }

    pub(crate) fn bot_name(&self) -> Option<&str> {
        self.triple.as_ref().map(|triple| triple.bot.as_str())
    }

    /// What kind of actor the turn runs in.
    pub(crate) fn kind(&self) -> ActorKind {
        self.triple
            .as_ref()
            .map_or(ActorKind::Conversation, |triple| triple.kind)
    }

    /// This conversation's turns need what another's record holds: where that cannot be read, they belong to a worker that
    /// reads it.
    fn belongs_elsewhere(&self, error: &RecordError) {
        if let (RecordError::Newer { stored }, Some(here)) = (error, &self.triple) {
            let shard = here.shard(self.worker.store.identity().shards);
            self.worker.membership.needs_reader(shard, *stored);
        }
    }

    /// The streams that the turn shows.
    pub(crate) fn streams(&self) -> Streams {
        self.streams.clone()
    }

    fn base(&self) -> Result<ServiceUrl, PortError> {
        if self.kind() == ActorKind::Call {
            let why = "a call has no chat of its own: send to the address of a conversation";
            return Err(PortError::NotSent(why.to_owned()));
        }
        courier::base_of(self.here.service_url(), self.is_verified, &self.bot)
            .map_err(|error| PortError::NotSent(error.to_string()))
    }

    fn conversation(&self) -> &str {
        self.triple
            .as_ref()
            .map(|triple| triple.conversation.as_str())
            .unwrap_or_default()
    }
}

/// Waits for the part that is under way in each stream, and says which streams are on the screen.
pub(crate) async fn finish(streams: Streams) -> Vec<OpenStream> {
    let all = std::mem::take(&mut *streams.lock().unwrap_or_else(PoisonError::into_inner));
    let mut open = Vec::new();
    for stream in all {
        open.extend(stream.finish().await);
    }
    open
}

impl Port for TurnPort {
    fn keep_step(&mut self, step: KeptStep) -> LocalBoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move {
            let (reply, kept) = oneshot::channel();
            let run = self.run;
            self.actor.do_send(KeepStep { run, step, reply });
            match kept.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(StepRefused::Limit(limit))) => Err(PortError::Limit(limit)),
                Ok(Err(StepRefused::NotKept(why))) => Err(PortError::NotKept(why.to_owned())),
                Err(_) => Err(PortError::NotKept("the conversation has left this worker".to_owned())),
            }
        })
    }

    fn send_now(&mut self, activity: Bytes) -> LocalBoxFuture<'_, Result<String, PortError>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.actor.do_send(HasUnsent(reply));
            if answer.await.unwrap_or(true) {
                let why = "messages of earlier turns still wait, and this one would overtake them";
                return Err(PortError::NotSent(why.to_owned()));
            }
            let not_sent = |error: &dyn std::error::Error| PortError::NotSent(error.to_string());
            let base = self.base()?;
            let call = Call::send(&base, self.conversation(), activity).map_err(|error| not_sent(&error))?;
            let call = call.with_traceparent(&self.traceparent);
            let answer = self.bot.connector.call(&call).await.map_err(|error| not_sent(&error))?;
            answer
                .sent()
                .id
                .ok_or_else(|| PortError::NotSent("the connector took it without an id".to_owned()))
        })
    }

    fn typing(&mut self) {
        let Ok(base) = self.base() else { return };
        let bot = self.bot.clone();
        let conversation = self.conversation().to_owned();
        tokio::spawn(async move {
            // Best effort: a message of its own would only be late.
            let _ = bot.connector.typing(&base, &conversation).await;
        });
    }

    fn partial(&mut self, stream: &str, part: Partial) -> Result<(), PortError> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = streams.iter().find(|open| open.name() == stream) {
            return open.show(part);
        }
        let base = self.base()?;
        let began_ms = self.worker.now().wall_ms;
        let conversation = self.conversation().to_owned();
        let traceparent = self.traceparent.clone();
        let open = StreamedText::new(stream, began_ms, base, conversation, traceparent, self.bot.clone());
        let shown = open.show(part);
        streams.push(open);
        shown
    }

    fn user<'a>(&'a mut self, person: &'a str, name: &'a str) -> LocalBoxFuture<'a, Result<UserSnapshot, PortError>> {
        Box::pin(async move {
            let Some(here) = &self.triple else {
                return Ok(UserSnapshot::default());
            };
            let triple = Triple {
                kind: ActorKind::Person,
                bot: here.bot.clone(),
                // The names of a call have no tenant.
                tenant: self.here.tenant().to_owned(),
                conversation: format!("{name}/{person}"),
            };
            let shard = triple.shard(self.worker.store.identity().shards);
            let not_read = |error: &dyn std::error::Error| PortError::NotKept(error.to_string());
            let loaded = self
                .worker
                .store
                .load(shard, triple.key())
                .await
                .map_err(|error| not_read(&error))?;
            let record = loaded
                .record
                .as_ref()
                .map(|stored| Record::read(stored, Some(&triple)))
                .transpose()
                .inspect_err(|error| self.belongs_elsewhere(error))
                .map_err(|error| not_read(&error))?;
            let state = record.and_then(|(_, record)| record.state).map(|state| StoredState {
                version: state.version,
                bytes: state.bytes,
            });
            let pending = self.pending_changes.iter();
            let pending = pending.filter(|(of, kind, _)| of == person && kind == name);
            Ok(UserSnapshot {
                state,
                pending: pending.map(|(_, _, change)| change.clone()).collect(),
            })
        })
    }

    fn blocking(&mut self, work: Box<dyn FnOnce() + Send>) -> LocalBoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move { tokio::task::spawn_blocking(work).await.map_err(|_| PortError::Panicked) })
    }

    fn remaining(&self) -> Duration {
        self.ends_at.saturating_duration_since(Instant::now())
    }
}
