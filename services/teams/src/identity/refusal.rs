//! Why a request is refused: one name for each reason, for the log, the counter, the documentation and the HTTP answer.

use std::net::IpAddr;
use std::time::Duration;

/// Why a request was refused, with what the log needs to explain it. Nothing of it is told to the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No `Authorization` header.
    #[error("no token")]
    NoToken,
    /// More than one `Authorization` header, or several tokens in one.
    #[error("{count} authorization headers")]
    SeveralTokens {
        /// How many headers came.
        count: usize,
    },
    /// Not a signed JWT of the expected shape.
    #[error("malformed token: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Signed by another algorithm than RS256.
    #[error("algorithm {algorithm} instead of RS256")]
    Algorithm {
        /// `alg` of the header.
        algorithm: String,
    },
    /// Issued by somebody else.
    #[error("issuer {seen}, expected {expected}")]
    UnknownIssuer {
        /// `iss` of the token.
        seen: String,
        /// The issuer of the configured cloud.
        expected: String,
    },
    /// Meant for an app that is not configured here.
    #[error("audience {seen} is no configured bot")]
    WrongAudience {
        /// `aud` of the token.
        seen: String,
    },
    /// Expired, by our clock.
    #[error("expired {} s ago by our clock, {} s more than the skew allows", .ago.as_secs(), .ago.saturating_sub(super::CLOCK_SKEW).as_secs())]
    Expired {
        /// How long ago, without the allowed skew.
        ago: Duration,
    },
    /// Not valid yet, by our clock.
    #[error("valid only in {} s by our clock", .ahead.as_secs())]
    NotYetValid {
        /// How far ahead, without the allowed skew.
        ahead: Duration,
    },
    /// Signed by a key that the issuer's document does not hold.
    #[error("key {kid} is not in the issuer's document")]
    KeyUnknown {
        /// `kid` of the header.
        kid: String,
        /// Whether the document was read again because of this request (else it was read again shortly before).
        refreshed: bool,
    },
    /// The signature does not fit the key.
    #[error("signature does not fit key {kid}")]
    BadSignature {
        /// `kid` of the header.
        kid: String,
    },
    /// The signing key does not vouch for the channel of the activity.
    #[error("key {kid} is not endorsed for {missing}")]
    EndorsementMissing {
        /// `kid` of the token.
        kid: String,
        /// The channel, or the endorsement that the operator demands.
        missing: String,
    },
    /// The activity names another service URL than the token.
    #[error("service URL {activity} in the activity, {token} in the token")]
    ServiceUrlMismatch {
        /// `serviceUrl` of the activity, empty if absent.
        activity: String,
        /// `serviceurl` of the token.
        token: String,
    },
    /// The activity comes from a tenant that this bot does not serve.
    #[error("tenant {seen} is not allowed for bot {bot}")]
    TenantNotAllowed {
        /// Tenant of the activity, empty if absent.
        seen: String,
        /// Name of the bot.
        bot: String,
    },
    /// A call's notification names another tenant than its token.
    #[error("tenant {seen} in the notification, {token} in the token")]
    TenantMismatch {
        /// Tenant of the notification.
        seen: String,
        /// `tid` of the token.
        token: String,
    },
    /// The request comes from a network that is not allowed.
    #[error("source {seen} is in no allowed network (peer {peer})")]
    SourceNotAllowed {
        /// The address that counts, or what a proxy wrote in its place.
        seen: String,
        /// The other end of the TCP connection.
        peer: IpAddr,
    },
    /// The issuer's keys were never read, so nothing can be verified.
    #[error("no signing keys yet")]
    KeysUnavailable,
}

/// The kind of a [`Refusal`], for counters and the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RefusalCode {
    /// [`Refusal::NoToken`]
    NoToken,
    /// [`Refusal::SeveralTokens`]
    SeveralTokens,
    /// [`Refusal::Malformed`]
    Malformed,
    /// [`Refusal::Algorithm`]
    Algorithm,
    /// [`Refusal::UnknownIssuer`]
    UnknownIssuer,
    /// [`Refusal::WrongAudience`]
    WrongAudience,
    /// [`Refusal::Expired`]
    Expired,
    /// [`Refusal::NotYetValid`]
    NotYetValid,
    /// [`Refusal::KeyUnknown`]
    KeyUnknown,
    /// [`Refusal::BadSignature`]
    BadSignature,
    /// [`Refusal::EndorsementMissing`]
    EndorsementMissing,
    /// [`Refusal::ServiceUrlMismatch`]
    ServiceUrlMismatch,
    /// [`Refusal::TenantNotAllowed`]
    TenantNotAllowed,
    /// [`Refusal::SourceNotAllowed`]
    SourceNotAllowed,
    /// [`Refusal::KeysUnavailable`]
    KeysUnavailable,
    /// [`Refusal::TenantMismatch`]
    TenantMismatch,
}

/// How loud a refusal is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Strangers and scanners: normal on a public address.
    Info,
    /// Somebody set something up wrong, or tries something.
    Warning,
    /// We cannot do our work.
    Error,
}

impl Severity {
    /// Lower-case name, as in the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Refusal {
    /// The body of every refusal: it helps nobody who should not be helped.
    pub const BODY: &'static str = r#"{"error":{"code":"Refused","message":"The request was refused."}}"#;

    /// The kind of this refusal.
    pub fn code(&self) -> RefusalCode {
        match self {
            Self::NoToken => RefusalCode::NoToken,
            Self::SeveralTokens { .. } => RefusalCode::SeveralTokens,
            Self::Malformed { .. } => RefusalCode::Malformed,
            Self::Algorithm { .. } => RefusalCode::Algorithm,
            Self::UnknownIssuer { .. } => RefusalCode::UnknownIssuer,
            Self::WrongAudience { .. } => RefusalCode::WrongAudience,
            Self::Expired { .. } => RefusalCode::Expired,
            Self::NotYetValid { .. } => RefusalCode::NotYetValid,
            Self::KeyUnknown { .. } => RefusalCode::KeyUnknown,
            Self::BadSignature { .. } => RefusalCode::BadSignature,
            Self::EndorsementMissing { .. } => RefusalCode::EndorsementMissing,
            Self::ServiceUrlMismatch { .. } => RefusalCode::ServiceUrlMismatch,
            Self::TenantNotAllowed { .. } => RefusalCode::TenantNotAllowed,
            Self::SourceNotAllowed { .. } => RefusalCode::SourceNotAllowed,
            Self::KeysUnavailable => RefusalCode::KeysUnavailable,
            Self::TenantMismatch { .. } => RefusalCode::TenantMismatch,
        }
    }

    /// HTTP status of the answer: [`RefusalCode::status`].
    pub fn status(&self) -> u16 {
        self.code().status()
    }

    /// What the `Retry-After` header says, for refusals that may end by themselves.
    pub fn retry_after(&self) -> Option<Duration> {
        matches!(self, Self::KeysUnavailable).then_some(Duration::from_secs(5))
    }
}

impl RefusalCode {
    /// Every kind, so that counters can begin at zero.
    pub const ALL: [Self; 16] = [
        Self::NoToken,
        Self::SeveralTokens,
        Self::Malformed,
        Self::Algorithm,
        Self::UnknownIssuer,
        Self::WrongAudience,
        Self::Expired,
        Self::NotYetValid,
        Self::KeyUnknown,
        Self::BadSignature,
        Self::EndorsementMissing,
        Self::ServiceUrlMismatch,
        Self::TenantNotAllowed,
        Self::SourceNotAllowed,
        Self::KeysUnavailable,
        Self::TenantMismatch,
    ];

    /// Stable number under which the documentation explains it. Numbers are never given out twice.
    pub fn number(self) -> &'static str {
        match self {
            Self::NoToken => "TL-1001",
            Self::SeveralTokens => "TL-1002",
            Self::Malformed => "TL-1003",
            Self::Algorithm => "TL-1004",
            Self::UnknownIssuer => "TL-1005",
            Self::WrongAudience => "TL-1006",
            Self::Expired => "TL-1007",
            Self::NotYetValid => "TL-1008",
            Self::KeyUnknown => "TL-1009",
            Self::BadSignature => "TL-1010",
            Self::EndorsementMissing => "TL-1011",
            Self::ServiceUrlMismatch => "TL-1012",
            Self::TenantNotAllowed => "TL-1013",
            Self::SourceNotAllowed => "TL-1014",
            Self::KeysUnavailable => "TL-1015",
            Self::TenantMismatch => "TL-1016",
        }
    }

    /// Name in logs and labels of metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::SeveralTokens => "several_tokens",
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::UnknownIssuer => "unknown_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::KeyUnknown => "key_unknown",
            Self::BadSignature => "bad_signature",
            Self::EndorsementMissing => "endorsement_missing",
            Self::ServiceUrlMismatch => "service_url_mismatch",
            Self::TenantNotAllowed => "tenant_not_allowed",
            Self::SourceNotAllowed => "source_not_allowed",
            Self::KeysUnavailable => "keys_unavailable",
            Self::TenantMismatch => "tenant_mismatch",
        }
    }

    /// HTTP status of the answer.
    ///
    /// 403 for a missing endorsement is documented ("Authentication with the Bot Connector API"); 401 is what
    /// Microsoft's SDKs answer to a token that does not hold; 503 says that the token may be good.
    pub fn status(self) -> u16 {
        match self {
            Self::EndorsementMissing
            | Self::ServiceUrlMismatch
            | Self::TenantNotAllowed
            | Self::TenantMismatch
            | Self::SourceNotAllowed => 403,
            Self::KeysUnavailable => 503,
            _ => 401,
        }
    }

    /// How loud it is in the log.
    pub fn severity(self) -> Severity {
        match self {
            Self::NoToken | Self::SeveralTokens | Self::Malformed | Self::Algorithm | Self::SourceNotAllowed => {
                Severity::Info
            }
            Self::KeysUnavailable => Severity::Error,
            _ => Severity::Warning,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use super::*;

    /// Rows of the page's table: number, name, status, severity.
    fn documented() -> Vec<[String; 4]> {
        let rows = super::super::REFUSALS_PAGE
            .lines()
            .filter(|line| line.starts_with("| TL-"));
        rows.map(|row| {
            let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
            assert_eq!(cells.len(), 8, "a row has six cells: {row}");
            assert!(
                cells[5].len() > 20 && cells[6].len() > 20,
                "meaning and remedy are sentences: {row}"
            );
            [cells[1], cells[2], cells[3], cells[4]].map(ToOwned::to_owned)
        })
        .collect()
    }

    #[test]
    fn the_documentation_page_says_what_the_code_does() {
        let coded: Vec<[String; 4]> = RefusalCode::ALL
            .iter()
            .map(|code| {
                [
                    code.number().into(),
                    code.name().into(),
                    code.status().to_string(),
                    code.severity().name().into(),
                ]
            })
            .collect();
        assert_eq!(documented(), coded);
    }

    #[test]
    fn numbers_and_names_are_given_once() {
        let numbers: HashSet<_> = RefusalCode::ALL.iter().map(|code| code.number()).collect();
        let names: HashSet<_> = RefusalCode::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(
            (numbers.len(), names.len()),
            (RefusalCode::ALL.len(), RefusalCode::ALL.len())
        );
    }

    #[test]
    fn an_expired_token_is_explained_against_our_clock() {
        let refusal = Refusal::Expired {
            ago: Duration::from_secs(360),
        };
        assert_eq!(
            refusal.to_string(),
            "expired 360 s ago by our clock, 60 s more than the skew allows"
        );
    }

    #[test]
    fn only_missing_keys_ask_to_come_again() {
        assert!(Refusal::KeysUnavailable.retry_after().is_some());
        assert_eq!(Refusal::NoToken.retry_after(), None);
    }

    #[test]
    fn the_body_for_strangers_is_json_without_a_reason() {
        let body: serde_json::Value = serde_json::from_str(Refusal::BODY).unwrap();
        assert_eq!(body["error"]["code"], "Refused");
    }
}
