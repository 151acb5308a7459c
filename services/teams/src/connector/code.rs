//! Error codes of the Connector and what each means for a bot.
//!
//! Source: Teams "Messages in bot conversations", status codes from bot conversational APIs; "Stream bot messages".

use std::fmt;

macro_rules! error_codes {
    ($( $(#[$meta:meta])* $code:ident = $name:literal, )*) => {
        /// `error.code` of an answer of the Connector.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $( $(#[$meta])* $code, )*
            /// A code that is not listed here, as it came.
            Other(String),
        }

        impl ErrorCode {
            /// Reads a code without regard to case and blanks: documents write `Bad Argument`, the service `BadArgument`.
            pub fn read(text: &str) -> Self {
                let is = |name: &str| {
                    let letters = text.bytes().filter(|byte| *byte != b' ').map(|byte| byte.to_ascii_lowercase());
                    letters.eq(name.bytes().map(|byte| byte.to_ascii_lowercase()))
                };
                $( if is($name) { return Self::$code; } )*
                Self::Other(text.to_owned())
            }

            /// The code as the service writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$code => $name, )*
                    Self::Other(text) => text,
                }
            }
        }
    };
}

error_codes! {
    /// 400: the payload is wrong, the message says how.
    BadArgument = "BadArgument",
    /// 400: unreadable, unsupported parameters, or a person of another tenant.
    BadSyntax = "BadSyntax",
    /// 400: a required member is absent.
    MissingProperty = "MissingProperty",
    /// 400: unknown member.
    MemberNotFoundInConversation = "MemberNotFoundInConversation",
    /// 401: no registration for the app id.
    BotNotRegistered = "BotNotRegistered",
    /// 401: the token is bad or has expired.
    AuthorizationError = "AuthorizationError",
    /// 403: an administrator of the tenant blocks the bot.
    BotDisabledByAdmin = "BotDisabledByAdmin",
    /// 403: not installed, or not any more.
    BotNotInConversationRoster = "BotNotInConversationRoster",
    /// 403: the person blocks the bot, or the channel is moderated.
    ConversationBlockedByUser = "ConversationBlockedByUser",
    /// 403: the tenant lives in another cloud; the message names the host.
    InvalidBotApiHost = "InvalidBotApiHost",
    /// 403: consent or right is missing.
    NotEnoughPermissions = "NotEnoughPermissions",
    /// 403: switched off, for example reactions.
    ApiNotEnabledException = "ApiNotEnabledException",
    /// 403 in the older documents, as sub-code: blocked or uninstalled.
    MessageWritesBlocked = "MessageWritesBlocked",
    /// 403: streaming is not allowed or over; the message says which.
    ContentStreamNotAllowed = "ContentStreamNotAllowed",
    /// In a body with status 202: a part of a stream came out of order and was dropped.
    ContentStreamSequenceOrderPreConditionFailed = "ContentStreamSequenceOrderPreConditionFailed",
    /// 404: the message is unknown or deleted.
    ActivityNotFoundInConversation = "ActivityNotFoundInConversation",
    /// 404: the conversation is gone or was never visible to the bot.
    ConversationNotFound = "ConversationNotFound",
    /// 412: concurrent operations on the conversation.
    PreconditionFailed = "PreconditionFailed",
    /// 413: over about 100 KB.
    MessageSizeTooBig = "MessageSizeTooBig",
    /// 429: too many requests.
    Throttled = "Throttled",
    /// 500 and 502: something in the service failed.
    ServiceError = "ServiceError",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What a refusal means for the one who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Consequence {
    /// The author of the bot must change what is sent: drop it and say so.
    TellAuthor,
    /// The message is too large: send less.
    Shrink,
    /// The member is unknown: forget the person.
    ForgetPerson,
    /// The message is gone: forget its id.
    ForgetActivity,
    /// The conversation is gone: forget its reference.
    ForgetConversation,
    /// Nothing arrives until the person speaks to the bot again.
    WaitForUser,
    /// Nothing arrives until the bot is installed again.
    WaitForInstallation,
    /// Credentials or registration are wrong: an operator must act.
    TellOperator,
    /// Another address serves the tenant: see [`super::ConnectorError::suggested_base`].
    OtherHost,
    /// The stream is over or was never allowed: see [`super::StreamRefusal`].
    EndStream,
    /// Later it may go well.
    TryLater,
}

impl Consequence {
    /// What an answer with this status and code means.
    pub fn of(status: u16, code: Option<&ErrorCode>) -> Self {
        use ErrorCode as Code;
        match (status, code) {
            (_, Some(Code::MemberNotFoundInConversation)) => Self::ForgetPerson,
            (_, Some(Code::ActivityNotFoundInConversation)) => Self::ForgetActivity,
            (_, Some(Code::ConversationNotFound)) => Self::ForgetConversation,
            (403, Some(Code::BotNotInConversationRoster)) => Self::WaitForInstallation,
            (403, Some(Code::BotDisabledByAdmin | Code::ConversationBlockedByUser | Code::MessageWritesBlocked)) => {
                Self::WaitForUser
            }
            (403, Some(Code::InvalidBotApiHost)) => Self::OtherHost,
            (_, Some(Code::ContentStreamNotAllowed | Code::ContentStreamSequenceOrderPreConditionFailed)) => {
                Self::EndStream
            }
            (413, _) => Self::Shrink,
            (401 | 403, _) => Self::TellOperator,
            (408 | 412 | 429 | 500..=599, _) => Self::TryLater,
            _ => Self::TellAuthor,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("BadArgument", ErrorCode::BadArgument)]
    #[case("Bad Argument", ErrorCode::BadArgument)]
    #[case("botnotinconversationroster", ErrorCode::BotNotInConversationRoster)]
    #[case("Unheard", ErrorCode::Other("Unheard".to_owned()))]
    fn codes_are_read_without_case_and_blanks(#[case] text: &str, #[case] code: ErrorCode) {
        assert_eq!(ErrorCode::read(text), code);
    }

    #[rstest]
    #[case(403, "BotNotInConversationRoster", Consequence::WaitForInstallation)]
    #[case(403, "ConversationBlockedByUser", Consequence::WaitForUser)]
    #[case(403, "BotDisabledByAdmin", Consequence::WaitForUser)]
    #[case(403, "InvalidBotApiHost", Consequence::OtherHost)]
    #[case(403, "NotEnoughPermissions", Consequence::TellOperator)]
    #[case(403, "Forbidden", Consequence::TellOperator)]
    #[case(400, "BadSyntax", Consequence::TellAuthor)]
    #[case(400, "MemberNotFoundInConversation", Consequence::ForgetPerson)]
    #[case(404, "ActivityNotFoundInConversation", Consequence::ForgetActivity)]
    #[case(404, "ConversationNotFound", Consequence::ForgetConversation)]
    #[case(413, "MessageSizeTooBig", Consequence::Shrink)]
    #[case(401, "BotNotRegistered", Consequence::TellOperator)]
    #[case(429, "Throttled", Consequence::TryLater)]
    #[case(502, "ServiceError", Consequence::TryLater)]
    #[case(202, "ContentStreamSequenceOrderPreConditionFailed", Consequence::EndStream)]
    fn each_refusal_has_a_consequence(#[case] status: u16, #[case] code: &str, #[case] consequence: Consequence) {
        assert_eq!(Consequence::of(status, Some(&ErrorCode::read(code))), consequence);
    }
}
