//! What the clients of Microsoft's services have in common: a token in time, another one when it is refused, and an answer
//! within bounds.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName};
use tokio::time::{Instant, timeout_at};

use crate::retry::read_retry_after;
use crate::token::{AccessToken, TokenError, TokenProvider};

/// Longest text of an answer that is kept, in bytes: enough to tell an author what is wrong.
const MESSAGE_BYTES: usize = 500;

/// Until when an attempt may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttemptTime {
    pub(crate) ends: Instant,
    /// How long that was from its beginning, for messages.
    pub(crate) whole: Duration,
}

impl AttemptTime {
    pub(crate) fn from_now(whole: Duration) -> Self {
        Self {
            ends: Instant::now() + whole,
            whole,
        }
    }
}

/// Why there is no token; nothing was sent then.
pub(crate) enum NoToken {
    Refused(TokenError),
    NotInTime { after: Duration },
}

/// Sends a request with a token, and once more at once with a newer one if the first is refused: a refused request had no
/// effect.
pub(crate) async fn with_token<T, E, F>(
    tokens: &dyn TokenProvider,
    time: AttemptTime,
    send: impl Fn(Arc<AccessToken>) -> F,
    is_token_refused: impl Fn(&E) -> bool,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
    E: From<NoToken>,
{
    let token = token_until(tokens, time).await?;
    match send(Arc::clone(&token)).await {
        Err(error) if is_token_refused(&error) => {
            tokens.invalidate(&token);
            let newer = token_until(tokens, time).await?;
            if newer == token { Err(error) } else { send(newer).await }
        }
        result => result,
    }
}

async fn token_until(tokens: &dyn TokenProvider, time: AttemptTime) -> Result<Arc<AccessToken>, NoToken> {
    match timeout_at(time.ends, tokens.token()).await {
        Ok(token) => token.map_err(NoToken::Refused),
        Err(_) => Err(NoToken::NotInTime { after: time.whole }),
    }
}

/// Why an answer has no body that can be read.
pub(crate) enum NoBody {
    /// The connection broke on the way.
    Broken(reqwest::Error),
    TooLarge,
}

/// Reads an answer's body up to that many bytes.
pub(crate) async fn read_body(mut response: reqwest::Response, limit: usize) -> Result<Bytes, NoBody> {
    let Some(first) = response.chunk().await.map_err(NoBody::Broken)? else {
        return Ok(Bytes::new());
    };
    // Nearly always the first piece is all there is, and nothing needs to be copied.
    let mut body = first;
    while let Some(piece) = response.chunk().await.map_err(NoBody::Broken)? {
        if body.len() + piece.len() > limit {
            return Err(NoBody::TooLarge);
        }
        let mut longer = BytesMut::from(body);
        longer.extend_from_slice(&piece);
        body = longer.freeze();
    }
    Ok(body)
}

/// A header as text.
pub(crate) fn header_text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// What Retry-After asks for.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    read_retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, jiff::Timestamp::now())
}

/// At most [`MESSAGE_BYTES`] of a text, cut between characters.
pub(crate) fn shortened(text: &str) -> &str {
    let end = (0..=text.len().min(MESSAGE_BYTES))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(shortened(&"é".repeat(400)).len(), MESSAGE_BYTES);
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&format!("x{}", "é".repeat(400))).len(), MESSAGE_BYTES - 1);
    }
}
