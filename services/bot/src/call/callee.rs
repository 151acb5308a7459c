//! Whom a bot calls, invites, or hands a call on to; and the name of a call.

use std::fmt;

use serde::{Deserialize, Serialize};
use trunkline_teams::calls::{IdentitySet, InvitationParticipantInfo};

use super::problem::{CallProblem, id};

/// Digits of a number, country code included. Source: ITU-T E.164; the least is the shortest that is in use.
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 3..=15;

/// Somebody who can be called. Storable, and readable from settings: `{"user": "<object id>"}`, `{"phone": "+4930123456"}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Callee {
    /// A person of the tenant, by object id in Microsoft Entra.
    User(String),
    /// A telephone, by E.164 number (`+4930123456`). Graph wants a bot with a number of its own for it, see
    /// [`super::Outgoing::to_phone`].
    Phone(String),
    /// A resource account, by object id: another bot, a call queue, an auto attendant.
    Application(String),
}

impl Callee {
    /// A person of the tenant, by object id in Microsoft Entra.
    pub fn user(id: impl Into<String>) -> Self {
        Self::User(id.into())
    }

    /// A telephone, by E.164 number.
    pub fn phone(number: impl Into<String>) -> Self {
        Self::Phone(number.into())
    }

    /// The id or number.
    pub fn id(&self) -> &str {
        match self {
            Self::User(id) | Self::Phone(id) | Self::Application(id) => id,
        }
    }

    pub(crate) fn identity(&self) -> Result<IdentitySet, CallProblem> {
        Ok(match self {
            Self::User(user) => IdentitySet::of_user(id("a person", user)?),
            Self::Phone(number) => IdentitySet::of_phone(phone(number)?),
            Self::Application(instance) => IdentitySet::of_application_instance(id("a resource account", instance)?),
        })
    }

    pub(crate) fn invitation(&self) -> Result<InvitationParticipantInfo, CallProblem> {
        Ok(InvitationParticipantInfo::to(self.identity()?))
    }
}

impl fmt::Display for Callee {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.id())
    }
}

fn phone(number: &str) -> Result<&str, CallProblem> {
    let digits = number.strip_prefix('+').unwrap_or_default();
    if PHONE_DIGITS.contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Ok(number);
    }
    Err(CallProblem::Phone(number.to_owned()))
}

/// Names a call that the bot began: chosen before anybody rings, and the same for ever. With [`crate::Address::call`] a signal
/// finds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallKey(String);

impl CallKey {
    pub(crate) fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// As it stands in the call's callback address and in the operator's tables.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CallKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_telephone_number_has_its_country_code() {
        for number in ["+4930123456", "+112"] {
            assert!(Callee::phone(number).identity().is_ok(), "{number}");
        }
        for number in ["030123456", "+49 30 123456", "+1234567890123456", "+", ""] {
            let problem = Callee::phone(number).identity().unwrap_err();
            assert_eq!(problem, CallProblem::Phone(number.to_owned()));
        }
    }

    #[test]
    fn a_callee_is_stored_by_its_kind() {
        let stored = r#"{"user":"u-1"}"#;
        assert_eq!(serde_json::to_string(&Callee::user("u-1")).unwrap(), stored);
        assert_eq!(serde_json::from_str::<Callee>(stored).unwrap(), Callee::user("u-1"));
        assert_eq!(Callee::user(" ").identity(), Err(CallProblem::NoId("a person")));
    }
}
