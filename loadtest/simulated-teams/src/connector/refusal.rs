//! Every way in which the Connector says no, with its status and body.

use serde_json::json;

use super::Reply;

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    BadArgument(String),
    BadSyntax(&'static str),
    MissingProperty(&'static str),
    MemberNotFound,
    NoTenant,
    NotInRoster,
    NotOwnMessage,
    ConversationNotFound,
    ActivityNotFound,
    TooBig,
    /// Over a rate: seconds until the window frees, unless real answers lack it.
    Throttled {
        retry_after: Option<u32>,
    },
    Stream(StreamRefusal),
}

/// Why a part of a streamed answer is not taken. The cases of 403 differ by their text only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamRefusal {
    /// A success status with an error body.
    OutOfOrder,
    Malformed(&'static str),
    NotAllowed,
    AlreadyCompleted,
    TimeExceeded,
    TooLarge,
    CancelledByUser,
    TooFast {
        retry_after: Option<u32>,
    },
}

impl Refusal {
    pub(crate) fn reply(&self) -> Reply {
        match self {
            Self::BadArgument(reason) => error(400, "BadArgument", reason),
            Self::BadSyntax(reason) => error(400, "BadSyntax", reason),
            Self::MissingProperty(reason) => error(400, "MissingProperty", reason),
            Self::MemberNotFound => error(
                400,
                "MemberNotFoundInConversation",
                "The member was not found in the conversation.",
            ),
            Self::NoTenant => error(
                401,
                "AuthorizationError",
                "Authorization has been denied for this request.",
            ),
            Self::NotInRoster => error(
                403,
                "BotNotInConversationRoster",
                "The bot is not part of the conversation roster.",
            ),
            Self::NotOwnMessage => error(
                403,
                "NotEnoughPermissions",
                "Only the author of a message may change or delete it.",
            ),
            Self::ConversationNotFound => error(404, "ConversationNotFound", "Conversation not found."),
            Self::ActivityNotFound => error(404, "ActivityNotFoundInConversation", "Conversation not found."),
            Self::TooBig => error(413, "MessageSizeTooBig", "Message size too large."),
            Self::Throttled { retry_after } => Reply {
                retry_after: *retry_after,
                ..error(429, "Throttled", "Too many requests.")
            },
            Self::Stream(refusal) => refusal.reply(),
        }
    }
}

impl StreamRefusal {
    fn reply(self) -> Reply {
        let not_allowed = |text: &str| error(403, "ContentStreamNotAllowed", text);
        match self {
            Self::OutOfOrder => error(
                202,
                "ContentStreamSequenceOrderPreConditionFailed",
                "PreCondition failed exception when processing streaming activity.",
            ),
            Self::Malformed(reason) => error(400, "BadRequest", reason),
            Self::NotAllowed => not_allowed("Content stream is not allowed"),
            Self::AlreadyCompleted => {
                not_allowed("Content stream is not allowed on an already completed streamed message")
            }
            Self::TimeExceeded => not_allowed("Content stream finished due to exceeded streaming time."),
            Self::TooLarge => not_allowed("Message size too large"),
            Self::CancelledByUser => not_allowed("Content stream was cancelled by user."),
            Self::TooFast { retry_after } => Reply {
                retry_after,
                ..Reply::new(429, json!({ "error": { "message": "API calls quota exceeded" } }))
            },
        }
    }
}

/// An error body as the Connector writes it.
pub(crate) fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::new(status, json!({ "error": { "code": code, "message": message } }))
}
