//! What lets a peer in: the text that the worker writes into the `blob` of Graph's `appHostedMediaConfig`.

use std::fmt;

use serde::Deserialize;
use url::Url;

use crate::error::CallerError;
use crate::faults::Faults;

/// Where an offer is posted, and the token that lets it in; the token is a secret and is not printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Invitation {
    /// Where the offer is posted: `https://host:8445/legs/...`.
    pub whip: Url,
    /// The bearer token: it is good for one answer, within 30 s.
    pub token: String,
}

impl Invitation {
    /// Reads the blob.
    ///
    /// # Errors
    /// It is something else than the JSON of an address and a token. What it holds is not told: it may be a secret.
    pub fn read(blob: &str) -> Result<Self, CallerError> {
        let invitation: Self = serde_json::from_str(blob).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            CallerError::NoInvitation(place)
        })?;
        if matches!(invitation.whip.scheme(), "http" | "https") && !invitation.token.is_empty() {
            Ok(invitation)
        } else {
            Err(CallerError::NoInvitation("its address or its token".to_owned()))
        }
    }
}

impl Invitation {
    /// As a caller with these faults has it.
    pub(crate) fn with(&self, faults: &Faults) -> Self {
        let mut invitation = self.clone();
        if faults.wrong_token {
            // As long as the right one.
            invitation.token = invitation.token.chars().rev().collect();
        }
        invitation
    }
}

impl fmt::Debug for Invitation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Invitation")
            .field("whip", &self.whip.as_str())
            .field("token", &"...")
            .finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_and_the_token_is_not_printed() {
        let blob = r#"{"whip":"https://media.example:8445/legs/1.abc","token":"sesame"}"#;
        let invitation = Invitation::read(blob).unwrap();
        assert_eq!(invitation.whip.as_str(), "https://media.example:8445/legs/1.abc");
        assert!(!format!("{invitation:?}").contains("sesame"));
    }

    #[test]
    fn anything_else_is_refused_without_repeating_it() {
        for blob in [
            "sesame",
            r#"{"whip":"file:///sesame","token":"sesame"}"#,
            r#"{"whip":"https://sesame.example/","token":""}"#,
            r#"{"whip":"sesame","token":"sesame"}"#,
        ] {
            let refusal = Invitation::read(blob).unwrap_err().to_string();
            assert!(!refusal.contains("sesame"), "{refusal}");
        }
    }
}
