//! Server-sent events: what changes, to every open page.

use std::{sync::Arc, time::Duration};

use actix_web::web::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// A comment goes out when nothing else did, so that a dead connection is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Turns changes into the lines of `text/event-stream`. A page that was too slow is told to load everything anew.
pub(super) fn lines(changes: Receiver<Arc<str>>) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    let hello = Bytes::from_static(b"retry: 500\nevent: hello\ndata: {}\n\n");
    stream::unfold((changes, Some(hello)), |(mut changes, hello)| async move {
        if let Some(hello) = hello {
            return Some((Ok(hello), (changes, None)));
        }
        let line = match tokio::time::timeout(KEEP_ALIVE, changes.recv()).await {
            Ok(Ok(change)) => Bytes::from(format!("data: {change}\n\n")),
            Ok(Err(RecvError::Lagged(_))) => Bytes::from_static(b"event: lost\ndata: {}\n\n"),
            Ok(Err(RecvError::Closed)) => return None,
            Err(_) => Bytes::from_static(b": still here\n\n"),
        };
        Some((Ok(line), (changes, None)))
    })
}
