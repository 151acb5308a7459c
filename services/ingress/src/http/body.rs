//! The body of a request, within bounds of size and time, in one buffer.

use std::future::poll_fn;
use std::io::Read as _;
use std::pin::Pin;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use futures_util::Stream as _;
use tokio::time::{Instant, timeout_at};

use super::admission::Place;
use super::rejection::Rejection;

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
    payload: Payload,
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
    mut payload: Payload,
    announced: Option<usize>,
    limit: usize,
    place: &mut Place<'_>,
) -> Result<Bytes, Rejection> {
    let Some(first) = next(&mut payload).await? else {
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
        chunk = next(&mut payload).await?;
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
