//! Why a request ends before it reaches a worker: the one table of statuses.

use std::time::Duration;

use actix_web::http::StatusCode;
use trunkline_teams::envelope::EnvelopeError;
use trunkline_teams::identity::{Refusal, RefusalCode, Severity};

/// Why a request was refused by this ingress.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Rejection {
    /// Who sent it is not known or not allowed.
    #[error(transparent)]
    Identity(#[from] Refusal),
    /// The body is no activity.
    #[error("{}", explained(.0))]
    Envelope(#[from] EnvelopeError),
    /// The path names no call.
    #[error("the path names no call")]
    NoCallKey,
    /// No notification of the body says which call it is about, nor does the path.
    #[error("nothing says which call it is about")]
    NoCall,
    /// The body is an object without notifications.
    #[error("the body holds no notifications")]
    NoNotifications,
    /// Not `POST`.
    #[error("method {0}")]
    Method(String),
    /// The body is larger than allowed, as it came or inflated.
    #[error("the body has more than {limit} bytes")]
    BodyTooLarge {
        /// Bytes that are allowed.
        limit: usize,
    },
    /// The body took too long to arrive.
    #[error("the body did not arrive within {} ms", limit.as_millis())]
    BodyTooSlow {
        /// Time that is allowed.
        limit: Duration,
    },
    /// The connection broke, or the body was not what its headers said.
    #[error("the body could not be received: {0}")]
    BodyUnreadable(String),
    /// A content coding other than gzip.
    #[error("the body has the content coding {0}")]
    Encoding(String),
    /// More requests in flight than allowed.
    #[error("{limit} requests are in flight")]
    TooManyRequests {
        /// Requests that are allowed.
        limit: usize,
    },
    /// More bytes in flight than allowed.
    #[error("{limit} bytes are in flight")]
    TooManyBytes {
        /// Bytes that are allowed.
        limit: usize,
    },
}

fn explained(error: &EnvelopeError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// One row of the table.
struct Row {
    number: &'static str,
    name: &'static str,
    status: u16,
    severity: Severity,
    retry_after: Option<Duration>,
    /// What is left of the request is not read, so the connection is of no more use.
    closes: bool,
}

const fn row(number: &'static str, name: &'static str, status: u16, severity: Severity) -> Row {
    Row {
        number,
        name,
        status,
        severity,
        retry_after: None,
        closes: false,
    }
}

const SOON: Option<Duration> = Some(Duration::from_secs(1));

/// What this crate refuses on its own; the order is that of the variants of [`Own`]. Numbers are never given out twice.
const TABLE: [Row; 16] = [
    row("TL-1101", "method", 405, Severity::Info),
    Row {
        closes: true,
        ..row("TL-1102", "body_too_large", 413, Severity::Warning)
    },
    Row {
        closes: true,
        ..row("TL-1103", "body_too_slow", 408, Severity::Warning)
    },
    Row {
        closes: true,
        ..row("TL-1104", "body_unreadable", 400, Severity::Info)
    },
    row("TL-1105", "encoding", 415, Severity::Warning),
    Row {
        retry_after: SOON,
        ..row("TL-1106", "too_many_requests", 503, Severity::Error)
    },
    Row {
        retry_after: SOON,
        ..row("TL-1107", "too_many_bytes", 503, Severity::Error)
    },
    row("TL-1108", "unreadable_json", 400, Severity::Warning),
    row("TL-1109", "not_an_object", 400, Severity::Warning),
    row("TL-1110", "too_deep", 400, Severity::Warning),
    row("TL-1111", "no_type", 400, Severity::Warning),
    row("TL-1112", "no_conversation", 400, Severity::Warning),
    row("TL-1113", "text_too_long", 400, Severity::Warning),
    row("TL-1114", "no_call_key", 404, Severity::Info),
    row("TL-1115", "no_call", 400, Severity::Warning),
    row("TL-1116", "no_notifications", 400, Severity::Warning),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
enum Own {
    Method,
    BodyTooLarge,
    BodyTooSlow,
    BodyUnreadable,
    Encoding,
    TooManyRequests,
    TooManyBytes,
    UnreadableJson,
    NotAnObject,
    TooDeep,
    NoType,
    NoConversation,
    TextTooLong,
    NoCallKey,
    NoCall,
    NoNotifications,
}

impl Own {
    const ALL: [Self; TABLE.len()] = [
        Self::Method,
        Self::BodyTooLarge,
        Self::BodyTooSlow,
        Self::BodyUnreadable,
        Self::Encoding,
        Self::TooManyRequests,
        Self::TooManyBytes,
        Self::UnreadableJson,
        Self::NotAnObject,
        Self::TooDeep,
        Self::NoType,
        Self::NoConversation,
        Self::TextTooLong,
        Self::NoCallKey,
        Self::NoCall,
        Self::NoNotifications,
    ];
}

/// The kind of a [`Rejection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RejectionCode(Inner);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inner {
    Identity(RefusalCode),
    Own(Own),
}

impl Rejection {
    pub(crate) fn code(&self) -> RejectionCode {
        let own = match self {
            Self::Identity(refusal) => return RejectionCode(Inner::Identity(refusal.code())),
            Self::NoCallKey => Own::NoCallKey,
            Self::NoCall => Own::NoCall,
            Self::NoNotifications => Own::NoNotifications,
            Self::Method(_) => Own::Method,
            Self::BodyTooLarge { .. } => Own::BodyTooLarge,
            Self::BodyTooSlow { .. } => Own::BodyTooSlow,
            Self::BodyUnreadable(_) => Own::BodyUnreadable,
            Self::Encoding(_) => Own::Encoding,
            Self::TooManyRequests { .. } => Own::TooManyRequests,
            Self::TooManyBytes { .. } => Own::TooManyBytes,
            Self::Envelope(error) => match error {
                EnvelopeError::NotAnObject => Own::NotAnObject,
                EnvelopeError::TooDeep { .. } => Own::TooDeep,
                EnvelopeError::NoType => Own::NoType,
                EnvelopeError::NoConversation => Own::NoConversation,
                EnvelopeError::TooLong { .. } => Own::TextTooLong,
                _ => Own::UnreadableJson,
            },
        };
        RejectionCode(Inner::Own(own))
    }

    pub(crate) fn status(&self) -> StatusCode {
        let status = match self.code().0 {
            Inner::Identity(code) => code.status(),
            Inner::Own(own) => TABLE[own as usize].status,
        };
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Identity(refusal) => refusal.retry_after(),
            _ => self.code().row().and_then(|row| row.retry_after),
        }
    }

    pub(crate) fn closes_connection(&self) -> bool {
        self.code().row().is_some_and(|row| row.closes)
    }
}

impl RejectionCode {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let identity = RefusalCode::ALL.into_iter().map(Inner::Identity);
        identity.chain(Own::ALL.into_iter().map(Inner::Own)).map(Self)
    }

    pub(crate) fn count() -> usize {
        RefusalCode::ALL.len() + TABLE.len()
    }

    /// Its place in [`RejectionCode::all`].
    pub(crate) fn index(self) -> usize {
        match self.0 {
            Inner::Identity(code) => RefusalCode::ALL.iter().position(|other| *other == code).unwrap_or(0),
            Inner::Own(own) => RefusalCode::ALL.len() + own as usize,
        }
    }

    /// Number under which the documentation explains it.
    pub(crate) fn number(self) -> &'static str {
        match self.0 {
            Inner::Identity(code) => code.number(),
            Inner::Own(own) => TABLE[own as usize].number,
        }
    }

    /// Name in logs and labels.
    pub(crate) fn name(self) -> &'static str {
        match self.0 {
            Inner::Identity(code) => code.name(),
            Inner::Own(own) => TABLE[own as usize].name,
        }
    }

    pub(crate) fn severity(self) -> Severity {
        match self.0 {
            Inner::Identity(code) => code.severity(),
            Inner::Own(own) => TABLE[own as usize].severity,
        }
    }

    fn row(self) -> Option<&'static Row> {
        match self.0 {
            Inner::Identity(_) => None,
            Inner::Own(own) => Some(&TABLE[own as usize]),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_names_and_places_are_given_once() {
        let codes: Vec<RejectionCode> = RejectionCode::all().collect();
        let numbers: HashSet<_> = codes.iter().map(|code| code.number()).collect();
        let names: HashSet<_> = codes.iter().map(|code| code.name()).collect();
        let places: Vec<usize> = codes.iter().map(|code| code.index()).collect();
        assert_eq!(numbers.len(), codes.len());
        assert_eq!(names.len(), codes.len());
        assert_eq!(places, (0..RejectionCode::count()).collect::<Vec<_>>());
    }

    #[test]
    fn the_documentation_page_says_what_the_table_says() {
        let documented: Vec<Vec<&str>> = crate::REFUSALS_PAGE
            .lines()
            .filter(|line| line.starts_with("| TL-11"))
            .map(|line| {
                line.split('|')
                    .map(|cell| cell.trim().trim_matches('`'))
                    .skip(1)
                    .take(4)
                    .collect()
            })
            .collect();
        let coded: Vec<Vec<String>> = TABLE
            .iter()
            .map(|row| {
                let severity = row.severity.name().to_owned();
                vec![
                    row.number.to_owned(),
                    row.name.to_owned(),
                    row.status.to_string(),
                    severity,
                ]
            })
            .collect();
        assert_eq!(documented, coded);
    }

    #[test]
    fn an_envelope_error_keeps_its_name() {
        let body = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for (body, name) in [
            ("", "unreadable_json"),
            ("[]", "not_an_object"),
            ("{}", "no_type"),
            (r#"{"type":"message"}"#, "no_conversation"),
            (body.as_str(), "too_deep"),
        ] {
            let error = trunkline_teams::envelope::Envelope::parse(body.as_bytes(), 64).unwrap_err();
            assert_eq!(error.name(), name);
            assert_eq!(Rejection::from(error).code().name(), name);
        }
    }
}
