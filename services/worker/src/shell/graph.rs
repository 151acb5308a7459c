//! Asks Graph for one operation on a call, once, and says what came of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Instrument as _;
use trunkline_store::key::Triple;
use trunkline_teams::graph::{Errand, Failure, GraphError, Operation};

use super::context::{CallParts, HostedParts, WorkerParts};
use super::spans;
use crate::conversation::{Booked, Booking, GraphAnswer, GraphAsk};
use crate::record::{Record, RecordError};

/// Gets the token ahead of need, while the bot decides: an invitation to record leaves 5 s for everything.
pub(crate) fn prepare(bot: &Arc<HostedParts>, tenant: &str) {
    let (bot, tenant) = (bot.clone(), tenant.to_owned());
    tokio::spawn(async move {
        if let Some(calls) = &bot.calls {
            // Whoever needs it asks again, and says what is wrong.
            let _ = calls.graph.prepare(&tenant).await;
        }
    });
}

/// Asks Graph, in a span that joins the trace of the turn that asked for it.
pub(crate) async fn ask(ask: GraphAsk, bot: &str, calls: &CallParts, worker: &WorkerParts) -> GraphAnswer {
    let span = spans::send_span(&ask.traceparent, ask.operation.kind().name());
    carry(ask, bot, calls, worker).instrument(span).await
}

async fn carry(ask: GraphAsk, bot: &str, calls: &CallParts, worker: &WorkerParts) -> GraphAnswer {
    if !worker.membership.may_begin() {
        return GraphAnswer::Withheld;
    }
    let deadline = Instant::now() + Duration::from_millis(ask.within_ms);
    let callback = format!("{}/{}", calls.callback.trim_end_matches('/'), ask.key);
    let mut operation = ask.operation.with_callback(&callback);
    if let Some(other) = &ask.replaces {
        match id_of(other, bot, worker).await {
            Ok(id) => replace(&mut operation, id),
            Err(answer) => return answer,
        }
        if !worker.membership.may_begin() {
            return GraphAnswer::Withheld;
        }
    }
    let errand = Errand {
        tenant: &ask.tenant,
        call: ask.call.as_deref(),
        scenario: ask.scenario.as_deref(),
        deadline,
    };
    match calls.graph.perform(&operation, &errand).await {
        Ok(told) => GraphAnswer::Told(told),
        Err(error) => answer_of(error),
    }
}

fn answer_of(error: GraphError) -> GraphAnswer {
    let reason = chain(&error);
    match error {
        GraphError::NotSent {
            cause: Failure::Withheld,
        } => GraphAnswer::Withheld,
        // The same again would fail the same.
        GraphError::NotSent {
            cause: Failure::Address(_) | Failure::Body(_) | Failure::NoTenant,
        } => GraphAnswer::Refused {
            status: 400,
            code: "TRUNKLINE_NOT_SENDABLE".to_owned(),
            message: reason,
        },
        GraphError::Refused { status, code, message } => GraphAnswer::Refused { status, code, message },
        GraphError::Throttled { retry_after } => GraphAnswer::Later {
            after_ms: retry_after.map(milliseconds),
            reason,
        },
        GraphError::NotSent { .. } | GraphError::Token(_) => GraphAnswer::Later { after_ms: None, reason },
        // What this build does not know may have been done.
        _ => GraphAnswer::Doubt { reason },
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Graph's id of another call of the bot, as that call's actor has stored it.
async fn id_of(call: &str, bot: &str, worker: &WorkerParts) -> Result<String, GraphAnswer> {
    let triple = Triple::call(bot, call);
    let shard = triple.shard(worker.store.identity().shards);
    let loaded = worker.store.load(shard, triple.key()).await;
    let loaded = loaded.map_err(|error| GraphAnswer::Later {
        after_ms: None,
        reason: error.to_string(),
    })?;
    let record = loaded.record.as_ref().map(|stored| Record::read(stored, Some(&triple)));
    let record = match record.transpose() {
        Ok(record) => record,
        // Its own worker reads it; this call may get there, too.
        Err(error @ RecordError::Newer { .. }) => {
            return Err(GraphAnswer::Later {
                after_ms: None,
                reason: error.to_string(),
            });
        }
        Err(RecordError::Unreadable(_) | RecordError::AnotherTriple) => None,
    };
    let other = record.and_then(|(_, record)| record.call);
    let id = other.filter(|other| !other.is_over()).and_then(|other| other.id);
    id.ok_or_else(|| GraphAnswer::Refused {
        status: 404,
        code: "TRUNKLINE_NO_SUCH_CALL".to_owned(),
        message: format!("the bot has no call of the key {call} now that could be replaced"),
    })
}

fn replace(operation: &mut Operation, id: String) {
    let who = match operation {
        Operation::Transfer(transfer) => Some(&mut transfer.transfer_target),
        // Of an invitation with a call that is replaced Graph reads only the first (documented: `participant: invite`).
        Operation::Invite(invite) => invite.participants.first_mut(),
        _ => None,
    };
    if let Some(who) = who {
        who.replaces_call_id = Some(id);
    }
}

/// Asks the book of calls.
pub(crate) async fn book(booking: Booking, worker: &WorkerParts) -> Result<Booked, trunkline_store::StoreError> {
    let book = worker.store.calls();
    match booking {
        Booking::Take(lease) => book.take_call(lease).await.map(Booked::Taken),
        Booking::Renew { tenant, call, life_ms } => {
            book.renew_call(&tenant, call, life_ms).await.map(|()| Booked::Renewed)
        }
        Booking::Close { ended, retain_ms } => {
            let (tenant, call) = (ended.tenant.clone(), ended.call);
            // Written down first: whoever repeats both finds nothing done twice.
            book.append_ended(ended, retain_ms).await?;
            book.release_call(&tenant, call).await.map(|()| Booked::Closed)
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
