//! What is told, and what came of it, as `peer.proto` writes them.

use std::time::Duration;

use prost::Message as _;
use tonic::Status;
use trunkline_proto::peer::{self, TellOutcome, TellReply, TellRequest};
use trunkline_store::key::{ActorKind, Triple};

use crate::conversation::Work;
use crate::record::{AcceptedWork, FORMAT, format_of};
use crate::shell::tell::{Heard, Told, Unheard};

pub(super) fn request(told: Told) -> TellRequest {
    let Told {
        triple,
        repeat_key,
        remaining,
        traceparent,
        work,
    } = told;
    let kind = match triple.kind {
        ActorKind::Conversation => peer::ActorKind::Conversation,
        ActorKind::Person => peer::ActorKind::Person,
        ActorKind::Call => peer::ActorKind::Call,
    };
    TellRequest {
        kind: kind.into(),
        bot: triple.bot,
        tenant: triple.tenant,
        conversation: triple.conversation,
        repeat_key,
        remaining_ms: u32::try_from(remaining.as_millis()).unwrap_or(u32::MAX),
        traceparent,
        format: format_of(triple.kind as u32),
        work: work.to_accepted().encode_to_vec().into(),
    }
}

/// Reads a request.
///
/// # Errors
/// `FAILED_PRECONDITION` when a newer build wrote it, `INVALID_ARGUMENT` when it cannot be read.
#[allow(clippy::result_large_err, reason = "what a service answers")]
pub(super) fn told(request: TellRequest) -> Result<Told, Status> {
    if request.format > FORMAT {
        return Err(Status::failed_precondition(format!(
            "the work has format {}, this build knows up to {FORMAT}",
            request.format
        )));
    }
    let kind = match peer::ActorKind::try_from(request.kind) {
        Ok(peer::ActorKind::Conversation) => ActorKind::Conversation,
        Ok(peer::ActorKind::Person) => ActorKind::Person,
        Ok(peer::ActorKind::Call) => ActorKind::Call,
        Err(_) => return Err(Status::invalid_argument("this build knows no actors of this kind")),
    };
    let work = AcceptedWork::decode(request.work)
        .map_err(|error| Status::invalid_argument(format!("the work cannot be read: {error}")))?;
    Ok(Told {
        triple: Triple {
            kind,
            bot: request.bot,
            tenant: request.tenant,
            conversation: request.conversation,
        },
        repeat_key: request.repeat_key,
        remaining: Duration::from_millis(u64::from(request.remaining_ms)),
        traceparent: request.traceparent,
        work: Work::from_accepted(work),
    })
}

pub(super) fn reply(heard: Result<Heard, Unheard>) -> TellReply {
    let (outcome, reason) = match heard {
        Ok(Heard::Done) => (TellOutcome::Done, String::new()),
        Ok(Heard::Accepted) => (TellOutcome::Accepted, String::new()),
        Err(Unheard::Moved) => (TellOutcome::Moved, String::new()),
        Err(Unheard::Refused(reason)) => (TellOutcome::Refused, reason),
        Err(unheard) => (TellOutcome::Refused, unheard.to_string()),
    };
    TellReply {
        outcome: outcome.into(),
        reason,
    }
}

pub(super) fn heard(reply: TellReply) -> Result<Heard, Unheard> {
    match reply.outcome() {
        TellOutcome::Done => Ok(Heard::Done),
        TellOutcome::Accepted => Ok(Heard::Accepted),
        TellOutcome::Moved => Err(Unheard::Moved),
        TellOutcome::Refused | TellOutcome::Unspecified => Err(Unheard::Refused(reply.reason)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn ring() -> Told {
        Told {
            triple: Triple::conversation("bot", "tenant", "19:a"),
            repeat_key: 7,
            remaining: Duration::from_secs(13),
            traceparent: "00-1-2-01".to_owned(),
            work: Work::Signal {
                name: "ring".to_owned(),
                key: "door".to_owned(),
                payload: "{}".into(),
            },
        }
    }

    #[test]
    fn what_is_told_arrives_as_it_was() {
        let arrived = told(request(ring())).unwrap_or_else(|status| panic!("{status}"));
        let sent = ring();
        assert_eq!(arrived.triple, sent.triple);
        assert_eq!(
            (arrived.repeat_key, arrived.remaining, arrived.traceparent),
            (sent.repeat_key, sent.remaining, sent.traceparent)
        );
        assert_eq!(arrived.work.to_accepted(), sent.work.to_accepted());
    }

    #[test]
    fn work_of_a_newer_build_is_refused() {
        let newer = TellRequest {
            format: FORMAT + 1,
            ..request(ring())
        };
        let status = told(newer).err().unwrap();
        assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    }
}
