//! The body of a request, within bounds of size and time, in one buffer.

use std::future::poll_fn;
use std::io::Read as _;
use std::pin::Pin;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT};
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use futures_util::Stream as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::admission::Place;
use super::rejection::Rejection;

/// What is refused is read to its end if it is announced with at most so many bytes,
const DISCARDED: usize = 64 * 1024;
/// and comes within this time.
const DISCARD_TIME: Duration = Duration::from_millis(100);

/// Bounds of one body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyBounds {
    /// Bytes, as it comes and inflated.
    pub(crate) bytes: usize,
    /// From the end of the head to the end of the body.
    pub(crate) time: Duration,
}

/// Receives the body. Its bytes are counted at `place` before they are waited for.
///
/// A body that came with its head, which is the usual case, is handed on as it stands in the connection's buffer.
pub(crate) async fn receive(
    request: &HttpRequest,
    payload: &mut Payload,
    bounds: BodyBounds,
    place: &mut Place<'_>,
) -> Result<Bytes, Rejection> {
    let is_gzip = match coding(request) {
        Coding::Identity => false,
        Coding::Gzip => true,
        Coding::Other(other) => return Err(Rejection::Encoding(other)),
    };
    let announced = announced_length(request);
    if announced.is_some_and(|length| length > bounds.bytes) {
        return Err(Rejection::BodyTooLarge { limit: bounds.bytes });
    }
    place.reserve(announced.unwrap_or(0))?;
    let deadline = Instant::now() + bounds.time;
    let collected = timeout_at(deadline, collect(payload, announced, bounds.bytes, place)).await;
    let body = collected.map_err(|_| Rejection::BodyTooSlow { limit: bounds.time })??;
    if is_gzip {
        inflate(&body, bounds.bytes, place)
    } else {
        Ok(body)
    }
}

/// Throws away what is left of the body of a request that is refused, so that its connection serves the next one: a refusal that
/// costs its sender a connection, and this process an acceptance and a handshake, makes an overload worse.
///
/// A large or a slow body is left where it is; the connection is closed after the answer then.
pub(crate) async fn discard(request: &HttpRequest, payload: &mut Payload) {
    let is_small = announced_length(request).is_some_and(|length| length <= DISCARDED);
    // Who asks before sending is answered, and sends nothing.
    if is_small && !request.headers().contains_key(EXPECT) {
        let read = async { while let Ok(Some(_)) = next(payload).await {} };
        // If the time is over, the server sees that something is left.
        let _ = timeout(DISCARD_TIME, read).await;
    }
}

enum Coding {
    Identity,
    Gzip,
    Other(String),
}

fn coding(request: &HttpRequest) -> Coding {
    match request.headers().get(CONTENT_ENCODING) {
        None => Coding::Identity,
        Some(value) => match value.to_str().map(str::trim) {
            Ok(name) if name.eq_ignore_ascii_case("identity") => Coding::Identity,
            Ok(name) if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => Coding::Gzip,
            Ok(name) => Coding::Other(name.chars().take(64).collect()),
            Err(_) => Coding::Other("not ASCII".to_owned()),
        },
    }
}

fn announced_length(request: &HttpRequest) -> Option<usize> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn collect(
    payload: &mut Payload,
    announced: Option<usize>,
    limit: usize,
    place: &mut Place<'_>,
) -> Result<Bytes, Rejection> {
    let Some(first) = next(payload).await? else {
        return Ok(Bytes::new());
    };
    if announced == Some(first.len()) {
        return Ok(first);
    }
    let mut body = BytesMut::with_capacity(announced.unwrap_or(first.len() * 2));
    let mut chunk = Some(first);
    while let Some(received) = chunk {
        if body.len() + received.len() > limit {
            return Err(Rejection::BodyTooLarge { limit });
        }
        body.extend_from_slice(&received);
        place.reserve(body.len())?;
        chunk = next(payload).await?;
    }
    Ok(body.freeze())
}

async fn next(payload: &mut Payload) -> Result<Option<Bytes>, Rejection> {
    poll_fn(|context| Pin::new(&mut *payload).poll_next(context))
        .await
        .transpose()
        .map_err(|error| Rejection::BodyUnreadable(error.to_string()))
}

/// Inflates at most `limit` bytes, however small the body that says otherwise.
fn inflate(body: &[u8], limit: usize, place: &mut Place<'_>) -> Result<Bytes, Rejection> {
    let mut inflated = Vec::with_capacity((body.len() * 4).min(limit));
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(body)
        .take(most)
        .read_to_end(&mut inflated)
        .map_err(|error| Rejection::BodyUnreadable(format!("gzip: {error}")))?;
    if inflated.len() > limit {
        return Err(Rejection::BodyTooLarge { limit });
    }
    place.reserve(inflated.len())?;
    Ok(Bytes::from(inflated))
}
