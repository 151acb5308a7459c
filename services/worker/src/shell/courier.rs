//! Carries one entry of an outbox to the Connector or to another actor, once, and says what came of it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tracing::Instrument as _;
use trunkline_cluster::trace;
use trunkline_store::key::{Key, Triple};
use trunkline_teams::connector::{Answer, Call, ConnectorError, Failure, NewConversation, Stream, StreamRefusal};
use trunkline_teams::limits::STREAM_TIME;
use trunkline_teams::service_url::{AddressError, ServiceUrl, Trust};

use super::context::{HostedParts, WorkerParts};
use super::spans;
use super::tell::{Heard, Told, tell_here};
use crate::conversation::Work;
use crate::outbox::{Operation, SendResult, SendWork, Target, delivery_key};

/// How long another actor may take to say that it has a signal or change; it keeps it in its inbox well before.
const TELL_TIME: Duration = Duration::from_secs(13);

/// Bases that are remembered of each bot. Teams has one a region; what is more was not made by Teams.
const BASES: usize = 256;

/// Bases of the Connector that were read before, with what was decided about them: for claims that were not verified, and
/// for those that were.
#[derive(Default)]
pub(crate) struct Bases(Mutex<HashMap<String, [Option<ServiceUrl>; 2]>>);

impl Bases {
    fn get(&self, service_url: &str, is_verified: bool) -> Option<ServiceUrl> {
        let bases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bases.get(service_url)?[usize::from(is_verified)].clone()
    }

    fn remember(&self, service_url: &str, is_verified: bool, base: &ServiceUrl) {
        let mut bases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bases.len() >= BASES {
            bases.clear();
        }
        bases.entry(service_url.to_owned()).or_default()[usize::from(is_verified)] = Some(base.clone());
    }
}

/// The Connector's base, with the reason for which the bot's token may go there.
pub(crate) fn base_of(service_url: &str, is_verified: bool, bot: &HostedParts) -> Result<ServiceUrl, AddressError> {
    let known = &bot.bases;
    if let Some(base) = known.get(service_url, is_verified) {
        return Ok(base);
    }
    let base = ServiceUrl::parse(service_url)?;
    let base = if (bot.allows_service_url)(service_url) {
        base.trusted(Trust::AllowList)?
    } else if is_verified {
        base.trusted(Trust::VerifiedActivity)?
    } else {
        base
    };
    known.remember(service_url, is_verified, &base);
    Ok(base)
}

/// Tries an entry once, in a span that joins the trace of the request that asked for it.
pub(crate) async fn deliver(work: SendWork, bot: &HostedParts, worker: &WorkerParts, sender: Key) -> SendResult {
    let span = spans::send_span(&work.traceparent, work.operation.name());
    let traceparent = trace::passed_on(&span, Some(&work.traceparent));
    let work = SendWork { traceparent, ..work };
    carry(work, bot, worker, sender).instrument(span).await
}

async fn carry(work: SendWork, bot: &HostedParts, worker: &WorkerParts, sender: Key) -> SendResult {
    let SendWork {
        sequence,
        queued_ms,
        operation,
        traceparent,
    } = work;
    let tried = match operation {
        Operation::Tell { triple, work } => {
            let repeat_key = delivery_key(&sender.0, sequence, queued_ms);
            return tell(worker, repeat_key, triple, work, traceparent).await;
        }
        Operation::Post { target, body, targeted } => post(bot, &target, body, targeted, &traceparent).await,
        Operation::FinishStream {
            target,
            stream_id,
            began_ms,
            body,
        } => {
            let age = worker.now().wall_ms.saturating_sub(began_ms);
            if u128::from(age) >= STREAM_TIME.as_millis() {
                return SendResult::StreamGone { is_expired: true };
            }
            finish_stream(bot, &target, &stream_id, body, &traceparent).await
        }
        Operation::PostToPerson {
            service_url,
            tenant,
            person,
            body,
        } => post_to_person(bot, &service_url, &tenant, &person, body, &traceparent).await,
        Operation::PostThread {
            service_url,
            tenant,
            channel,
            body,
        } => post_thread(bot, &service_url, &tenant, &channel, &body, &traceparent).await,
        Operation::Put { target, message, body } => replace(bot, &target, &message, Some(body), &traceparent).await,
        Operation::Delete { target, message } => replace(bot, &target, &message, None, &traceparent).await,
    };
    match tried {
        Ok(taken) => taken,
        Err(refused) => refused,
    }
}

type Tried = Result<SendResult, SendResult>;

fn taken(id: Option<String>) -> SendResult {
    SendResult::Taken { id, conversation: None }
}

async fn post(bot: &HostedParts, target: &Target, body: Bytes, targeted: bool, traceparent: &str) -> Tried {
    let base = base_of(&target.service_url, target.is_verified, bot).map_err(unusable)?;
    let mut call = Call::send(&base, &target.conversation, body).map_err(unusable)?;
    if targeted {
        call = call.targeted();
    }
    let answer = attempt(bot, call, traceparent).await?;
    Ok(taken(answer.sent().id))
}

async fn finish_stream(bot: &HostedParts, target: &Target, stream_id: &str, body: Bytes, traceparent: &str) -> Tried {
    let mut stream = Stream::new();
    stream.started(stream_id);
    let body = stream.finish(body).map_err(|error| SendResult::Final {
        reason: error.to_string(),
    })?;
    let base = base_of(&target.service_url, target.is_verified, bot).map_err(unusable)?;
    let call = Call::send(&base, &target.conversation, body).map_err(unusable)?;
    match bot.connector.attempt(&call.with_traceparent(traceparent)).await {
        // The final part may be answered without an id: the message has that of its stream.
        Ok(answer) => Ok(taken(answer.sent().id.or_else(|| Some(stream_id.to_owned())))),
        Err(error) => Err(match StreamRefusal::of(&error) {
            // What stands on the screen stays, as the person wanted.
            Some(StreamRefusal::CancelledByUser) => taken(Some(stream_id.to_owned())),
            Some(StreamRefusal::TimeExceeded) => SendResult::StreamGone { is_expired: true },
            Some(_) => SendResult::StreamGone { is_expired: false },
            None => failed(&error),
        }),
    }
}

/// The chat with a person has the same id each time, so that creating it again harms nobody.
async fn post_to_person(
    bot: &HostedParts,
    service_url: &str,
    tenant: &str,
    person: &str,
    body: Bytes,
    traceparent: &str,
) -> Tried {
    let base = base_of(service_url, false, bot).map_err(unusable)?;
    let chat = NewConversation::personal(tenant, person, None).map_err(unusable)?;
    let call = Call::create_conversation(&base, &chat).map_err(unusable)?;
    let answer = attempt(bot, call, traceparent).await?;
    let created = answer.created().map_err(unusable)?;
    let target = Target {
        service_url: created.service_url.unwrap_or_else(|| service_url.to_owned()),
        conversation: created.id,
        is_verified: false,
    };
    let sent = post(bot, &target, body, false, traceparent).await?;
    Ok(match sent {
        SendResult::Taken { id, .. } => SendResult::Taken {
            id,
            conversation: Some(target.conversation),
        },
        other => other,
    })
}

async fn post_thread(
    bot: &HostedParts,
    service_url: &str,
    tenant: &str,
    channel: &str,
    body: &Bytes,
    traceparent: &str,
) -> Tried {
    let base = base_of(service_url, false, bot).map_err(unusable)?;
    let thread = NewConversation::thread(tenant, channel, body).map_err(unusable)?;
    let call = Call::create_conversation(&base, &thread).map_err(unusable)?;
    let answer = attempt(bot, call, traceparent).await?;
    let created = answer.created().map_err(unusable)?;
    Ok(SendResult::Taken {
        id: created.activity_id,
        conversation: Some(created.id),
    })
}

async fn replace(bot: &HostedParts, target: &Target, message: &str, body: Option<Bytes>, traceparent: &str) -> Tried {
    let base = base_of(&target.service_url, target.is_verified, bot).map_err(unusable)?;
    let call = match body {
        Some(body) => Call::update(&base, &target.conversation, message, body),
        None => Call::delete(&base, &target.conversation, message),
    };
    attempt(bot, call.map_err(unusable)?, traceparent).await?;
    Ok(taken(None))
}

/// One attempt, whose failure the outbox judges.
async fn attempt(bot: &HostedParts, call: Call, traceparent: &str) -> Result<Answer, SendResult> {
    let call = call.with_traceparent(traceparent);
    bot.connector.attempt(&call).await.map_err(|error| failed(&error))
}

/// Nothing was asked of anybody: the address or the body cannot be used, now or later.
fn unusable(error: impl std::error::Error) -> SendResult {
    SendResult::Final {
        reason: error.to_string(),
    }
}

fn failed(error: &ConnectorError) -> SendResult {
    if matches!(error.failure, Failure::Withheld) {
        return SendResult::Withheld;
    }
    let reason = error.to_string();
    if error.is_final() {
        return SendResult::Final { reason };
    }
    SendResult::Again {
        after_ms: error
            .retry_after
            .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
        in_doubt: error.in_doubt,
        reason,
    }
}

/// Tells another actor, here or at the worker that owns its shard. It has it when its turn committed or its inbox holds it;
/// a repeat is recognised.
async fn tell(worker: &WorkerParts, repeat_key: u64, triple: Triple, work: Work, traceparent: String) -> SendResult {
    if !worker.membership.may_begin() {
        return SendResult::Withheld;
    }
    let told = Told {
        triple,
        repeat_key,
        remaining: TELL_TIME,
        traceparent,
        work,
    };
    let elsewhere = worker.membership.owner_elsewhere(told.shard(worker));
    let heard = match elsewhere {
        Some(address) => worker.peers.tell(&address, told).await,
        None => tell_here(worker, told).await,
    };
    match heard {
        Ok(Heard::Done | Heard::Accepted) => taken(None),
        Err(unheard) => SendResult::Again {
            after_ms: None,
            in_doubt: false,
            reason: unheard.to_string(),
        },
    }
}
