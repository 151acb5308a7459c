//! How a request's end looks in HTTP: the one table of what a worker's outcome becomes.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use bytes::Bytes;
use trunkline_proto::routing::{Kind, Reason};
use trunkline_teams::identity::Refusal;

use crate::exchange::Answer;

const JSON: &str = "application/json; charset=utf-8";

/// How a request ended, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Outcome {
    /// Its turn committed.
    Done,
    /// Durable, finished later.
    Accepted,
    /// Answered from the record.
    Repeated,
    /// Refused by this ingress.
    Rejected,
    /// Refused by the worker.
    Refused,
    /// Its worker runs a version that hosts no calls.
    Unspoken,
    /// No worker had a place for it.
    NoCredit,
    /// The caller's time ran out.
    Expired,
    /// Given up because two workers died of it.
    Poisoned,
    /// The caller left before the answer.
    Gone,
}

impl Outcome {
    /// Every outcome, in the order of their numbers.
    pub(crate) const ALL: [Self; 10] = [
        Self::Done,
        Self::Accepted,
        Self::Repeated,
        Self::Rejected,
        Self::Refused,
        Self::Unspoken,
        Self::NoCredit,
        Self::Expired,
        Self::Poisoned,
        Self::Gone,
    ];

    /// Value of the label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Accepted => "accepted",
            Self::Repeated => "repeated",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::Unspoken => "unspoken",
            Self::NoCredit => "no_credit",
            Self::Expired => "expired",
            Self::Poisoned => "poisoned",
            Self::Gone => "gone",
        }
    }
}

/// An answer in the terms of HTTP.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    /// Empty for none. Only the answer to an invoke has one that Teams reads.
    pub(crate) body: Bytes,
    pub(crate) outcome: Outcome,
}

/// Maps the end of an activity of `kind`.
///
/// 200 and 202 are answers to an activity; 429 and 503 carry Retry-After, which Teams is not documented to obey, but a
/// proxy may ("API reference for the Bot Framework Connector service").
pub(crate) fn reply(kind: Kind, answer: Answer) -> Reply {
    match answer {
        Answer::Done { status, body } => answered(kind, status, body, Outcome::Done),
        Answer::Repeated { status, body } => answered(kind, status, body, Outcome::Repeated),
        Answer::Accepted => answered(
            kind,
            StatusCode::ACCEPTED.as_u16().into(),
            Bytes::new(),
            Outcome::Accepted,
        ),
        Answer::Refused { reason, retry_after_ms } => refused(reason, retry_after_ms),
        Answer::NoCredit => unavailable(Outcome::NoCredit, Duration::from_secs(1)),
        Answer::Expired if kind == Kind::Invoke => Reply {
            retry_after: None,
            ..failed(StatusCode::GATEWAY_TIMEOUT, Outcome::Expired)
        },
        Answer::Expired => unavailable(Outcome::Expired, Duration::from_secs(1)),
        Answer::Unspoken => unavailable(Outcome::Unspoken, Duration::from_secs(1)),
        Answer::Poisoned { .. } => unavailable(Outcome::Poisoned, Duration::from_secs(60)),
    }
}

impl Reply {
    pub(crate) fn into_response(self, closes: bool) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if closes {
            response.force_close();
        }
        if let Some(after) = self.retry_after {
            response.insert_header((RETRY_AFTER, whole_seconds(after)));
        }
        if self.body.is_empty() {
            return response.finish();
        }
        response.insert_header((CONTENT_TYPE, JSON)).body(self.body)
    }
}

/// Retry-After counts whole seconds (RFC 9110 section 10.2.3); never 0, which would mean at once.
fn whole_seconds(after: Duration) -> u64 {
    after.as_millis().div_ceil(1_000).max(1).try_into().unwrap_or(u64::MAX)
}

fn answered(kind: Kind, status: u32, body: Bytes, outcome: Outcome) -> Reply {
    let status = u16::try_from(status)
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok());
    // 1xx is no answer and a redirect is not followed: both would lose the activity.
    let status = status.filter(|status| !status.is_informational() && !status.is_redirection());
    Reply {
        status: status.unwrap_or(StatusCode::OK),
        retry_after: None,
        body: if kind == Kind::Invoke { body } else { Bytes::new() },
        outcome,
    }
}

/// What a worker's refusal becomes.
fn refused(reason: Reason, retry_after_ms: u32) -> Reply {
    let status = match reason {
        Reason::QueueFull => StatusCode::TOO_MANY_REQUESTS,
        Reason::Malformed => StatusCode::BAD_REQUEST,
        Reason::Deadline => StatusCode::GATEWAY_TIMEOUT,
        Reason::Unspecified
        | Reason::Overloaded
        | Reason::StoreUnavailable
        | Reason::TooLate
        | Reason::UnknownBot
        | Reason::NewerState
        | Reason::UnknownKind
        | Reason::Poisoned => StatusCode::SERVICE_UNAVAILABLE,
    };
    let may_come_again = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let retry_after = Duration::from_millis(retry_after_ms.max(1_000).into());
    Reply {
        retry_after: may_come_again.then_some(retry_after),
        ..failed(status, Outcome::Refused)
    }
}

fn unavailable(outcome: Outcome, retry_after: Duration) -> Reply {
    Reply {
        retry_after: Some(retry_after),
        ..failed(StatusCode::SERVICE_UNAVAILABLE, outcome)
    }
}

fn failed(status: StatusCode, outcome: Outcome) -> Reply {
    Reply {
        status,
        retry_after: None,
        body: Bytes::from_static(Refusal::BODY.as_bytes()),
        outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Reason::QueueFull, 429, Some(3))]
    #[case(Reason::Overloaded, 503, Some(3))]
    #[case(Reason::StoreUnavailable, 503, Some(3))]
    #[case(Reason::TooLate, 503, Some(3))]
    #[case(Reason::UnknownBot, 503, Some(3))]
    #[case(Reason::NewerState, 503, Some(3))]
    #[case(Reason::UnknownKind, 503, Some(3))]
    #[case(Reason::Poisoned, 503, Some(3))]
    #[case(Reason::Malformed, 400, None)]
    #[case(Reason::Deadline, 504, None)]
    fn each_reason_of_a_worker_has_its_status(
        #[case] reason: Reason,
        #[case] status: u16,
        #[case] seconds: Option<u64>,
    ) {
        let reply = refused(reason, 2_500);
        assert_eq!(reply.status.as_u16(), status);
        assert_eq!(reply.retry_after.map(whole_seconds), seconds);
    }

    #[test]
    fn only_an_invoke_is_answered_with_the_handlers_body() {
        let done = || Answer::Done {
            status: 200,
            body: Bytes::from_static(b"{}"),
        };
        assert_eq!(reply(Kind::Invoke, done()).body, "{}");
        assert_eq!(reply(Kind::Message, done()).body, "");
    }

    #[test]
    fn a_status_that_would_lose_the_activity_becomes_200() {
        for status in [0, 100, 302, 70_000] {
            let answer = Answer::Done {
                status,
                body: Bytes::new(),
            };
            assert_eq!(reply(Kind::Message, answer).status, StatusCode::OK, "{status}");
        }
    }

    #[test]
    fn a_caller_out_of_time_gets_504_for_an_invoke_and_503_otherwise() {
        assert_eq!(reply(Kind::Invoke, Answer::Expired).status, StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(
            reply(Kind::Message, Answer::Expired).status,
            StatusCode::SERVICE_UNAVAILABLE
        );
    }
}
