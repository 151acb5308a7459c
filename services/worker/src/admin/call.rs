//! Calls in the words of `admin.proto`.

use tonic::Status;
use trunkline_proto::admin::{
    Call, CallMoment, CallUsage, CallUsageReply, CallUsageRequest, EndedCall, EndedCallsReply, EndedCallsRequest,
    ListCallsReply, PendingOperation, ShowCallReply,
};
use trunkline_store::StoreError;
use trunkline_store::contract::{self, EndedQuery, Month};
use trunkline_store::key::ShardId;
use trunkline_teams::calls::ResultInfo;

use super::AdminService;
use super::conversation;
use crate::call::{CallRecord, EndedBy};
use crate::conversation::{CallUnderWay, Inspection};

/// Calls in one answer, unless asked otherwise.
const LISTED: usize = 1_000;
/// Ended calls in one answer at most: an entry may have 16 KiB.
const ENDED: usize = 1_000;

/// The calls that are not over in these shards, the oldest first.
pub(super) async fn list(service: &AdminService, shards: Vec<ShardId>, limit: u32) -> Result<ListCallsReply, Status> {
    let limit = match limit {
        0 => LISTED,
        limit => limit as usize,
    };
    let found = service.operator.calls(shards).await;
    let mut calls: Vec<Call> = found
        .map_err(away)?
        .into_iter()
        .map(|CallUnderWay { shard, names, call }| of_record(shard, names.bot, names.conversation, &call))
        .collect();
    calls.sort_by_key(|call| call.began_ms);
    let more = calls.len() > limit;
    calls.truncate(limit);
    Ok(ListCallsReply { calls, more })
}

/// How a call stands at its owner; `None` for an actor that has no call.
pub(super) fn shown(mut found: Inspection, owner: String) -> Option<ShowCallReply> {
    let record = found.call.take()?;
    let (bot, key) = (found.bot.clone(), found.conversation.clone());
    let of_actor = conversation::shown(found, trunkline_store::key::Triple::call(&bot, &key).key(), owner);
    let pending = record.pending.iter().map(|pending| PendingOperation {
        key: pending.key.clone(),
        operation: pending.kind.clone(),
        until_ms: pending.until_ms,
    });
    let timeline = record.timeline.iter().map(|moment| CallMoment {
        at_ms: moment.at_ms,
        kind: moment.kind().label().to_owned(),
        what: moment.what.clone(),
    });
    Some(ShowCallReply {
        call: Some(of_record(ShardId(of_actor.shard), bot, key, &record)),
        owner: of_actor.owner,
        version: of_actor.version,
        state_bytes: of_actor.state_bytes,
        record_bytes: of_actor.record_bytes,
        untold: record.events.iter().map(|queued| queued.name.clone()).collect(),
        running: of_actor.running,
        pending: pending.collect(),
        timeline: timeline.collect(),
        decide_by_ms: record.late_at_ms().unwrap_or_default(),
        keep_alive_ms: record.keep_alive_ms,
        parked: of_actor.parked,
        outbox: of_actor.outbox,
        timers: of_actor.timers,
    })
}

fn of_record(shard: ShardId, bot: String, key: String, record: &CallRecord) -> Call {
    let ended = record.ended.as_ref();
    let result = record.end().and_then(|end| end.result).unwrap_or_default();
    let ResultInfo {
        code, subcode, message, ..
    } = result;
    Call {
        shard: shard.0,
        bot,
        tenant: record.tenant.clone(),
        key,
        id: record.id.clone().unwrap_or_default(),
        state: record.state.clone(),
        outgoing: record.is_outgoing,
        recording: record.is_recording_invitation,
        began_ms: record.began_ms,
        connected_ms: record.connected_ms,
        present: count(record.present.len()),
        pending: count(record.pending.len()),
        ended_ms: ended.map_or(0, |ended| ended.at_ms),
        ended_by: ended.map(|ended| ended_by(ended.by()).to_owned()).unwrap_or_default(),
        code,
        subcode,
        message: message.unwrap_or_default(),
        by_operator: record.by_operator,
        scenario: record.scenario.clone(),
    }
}

fn ended_by(by: EndedBy) -> &'static str {
    match by {
        EndedBy::Unknown => "unknown",
        EndedBy::Bot => "bot",
        EndedBy::Person => "person",
        EndedBy::Service => "service",
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The log of ended calls, the newest first.
pub(super) async fn ended(service: &AdminService, request: EndedCallsRequest) -> Result<EndedCallsReply, Status> {
    let limit = match request.limit as usize {
        0 => ENDED,
        limit => limit.min(ENDED),
    };
    let query = EndedQuery {
        from_ms: request.from_ms,
        until_ms: request.until_ms,
        tenant: (!request.tenant.is_empty()).then_some(request.tenant),
        // One more than wanted says that there are more.
        limit: limit + 1,
    };
    let worker = service.worker()?;
    let found = worker.store.calls().ended_calls(query).await.map_err(away)?;
    let more = found.len() > limit;
    let calls = found.into_iter().take(limit).map(|ended| EndedCall {
        ended_ms: ended.ended_ms,
        key: ended.call.to_text(),
        tenant: ended.tenant,
        entry: String::from_utf8_lossy(&ended.entry).into_owned(),
    });
    Ok(EndedCallsReply {
        calls: calls.collect(),
        more,
    })
}

/// Calls of a month, and those just now.
pub(super) async fn usage(service: &AdminService, request: &CallUsageRequest) -> Result<CallUsageReply, Status> {
    let worker = service.worker()?;
    let month = if request.month.is_empty() {
        Month::of_ms(worker.store.now().await.map_err(away)?)
    } else {
        Month::parse(&request.month).ok_or_else(|| Status::invalid_argument("a month is written like 2026-11"))?
    };
    let usage = worker.store.calls().call_usage(month).await.map_err(away)?;
    let usage = usage.into_iter().map(|usage: contract::CallUsage| CallUsage {
        tenant: usage.tenant,
        bot: usage.bot,
        calls: usage.calls,
        in_use: usage.in_use,
    });
    Ok(CallUsageReply {
        month: month.to_string(),
        usage: usage.collect(),
    })
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn away(error: StoreError) -> Status {
    Status::unavailable(error.to_string())
}
