//! WHIP (RFC 9725): an offer is posted, the answer comes back with the address of the session, which a `DELETE` ends.

use std::time::Duration;

use reqwest::{Client, Response, header};
use tokio::task::JoinSet;
use url::Url;

use crate::caller::CallerSettings;
use crate::error::CallerError;
use crate::invitation::Invitation;

/// A request takes no longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a host that has no time is asked again, and after how long.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(200);
/// Bytes of an answer that are read.
const LARGEST_ANSWER: usize = 64 * 1024;

/// A client for media hosts.
///
/// # Errors
/// The certificate or the client cannot be used.
pub(crate) fn client(settings: &CallerSettings) -> Result<Client, CallerError> {
    let builder = Client::builder().no_proxy().timeout(PATIENCE);
    let builder = builder.local_address(settings.from);
    let builder = match &settings.root {
        Some(root) => builder.tls_certs_only([root.clone()]),
        None => builder,
    };
    builder.build().map_err(CallerError::Client)
}

/// A session that a host has opened.
pub(crate) struct Session {
    client: Client,
    location: Url,
    token: String,
}

impl Session {
    /// Posts an offer, and as many times more as it is repeated, all at once. Gives the session and the answer.
    pub(crate) async fn open(
        client: Client,
        invitation: &Invitation,
        offer: String,
        repeats: u32,
    ) -> Result<(Self, String), CallerError> {
        let mut repeated = JoinSet::new();
        for _ in 0..repeats {
            repeated.spawn(Self::post(client.clone(), invitation.clone(), offer.clone()));
        }
        let first = Self::post(client, invitation.clone(), offer).await;
        let others = repeated.join_all().await.into_iter();
        others.fold(first, |one, other| match (one, other) {
            (Ok(_), Ok(_)) | (Err(CallerError::LetInAgain), _) => Err(CallerError::LetInAgain),
            (Ok(opened), Err(_)) | (Err(_), Ok(opened)) => Ok(opened),
            (Err(refused), Err(_)) => Err(refused),
        })
    }

    async fn post(client: Client, invitation: Invitation, offer: String) -> Result<(Self, String), CallerError> {
        let mut tries = 0;
        let answer = loop {
            let request = client.post(invitation.whip.clone()).bearer_auth(&invitation.token);
            let request = request
                .header(header::CONTENT_TYPE, "application/sdp")
                .body(offer.clone());
            let answer = request.send().await.map_err(CallerError::NotReached)?;
            tries += 1;
            // A busy machine makes a host late, and a fast one a caller too quick; the token is not spent by it.
            if !matches!(answer.status().as_u16(), 429 | 503) || tries == TRIES {
                break answer;
            }
            tokio::time::sleep(PAUSE).await;
        };
        let status = answer.status().as_u16();
        let location = answer
            .headers()
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok());
        let location = location.and_then(|location| invitation.whip.join(location).ok());
        let says = text(answer).await?;
        match (status, location) {
            (201, Some(location)) => Ok((
                Self {
                    client,
                    location,
                    token: invitation.token,
                },
                says,
            )),
            _ => Err(CallerError::Refused { status, says }),
        }
    }

    /// Ends the session; gives the status.
    pub(crate) async fn delete(&self) -> Result<u16, CallerError> {
        let request = self.client.delete(self.location.clone()).bearer_auth(&self.token);
        let answer = request.send().await.map_err(CallerError::NotReached)?;
        Ok(answer.status().as_u16())
    }
}

async fn text(mut answer: Response) -> Result<String, CallerError> {
    let mut bytes = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(CallerError::NotReached)? {
        bytes.extend_from_slice(&part);
        if bytes.len() > LARGEST_ANSWER {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
