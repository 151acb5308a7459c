//! The parts of a streamed text on their way to the screen: one at a time, at most one a second, the newest wins.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use trunkline_bot::logic::{Partial, PortError};
use trunkline_teams::connector::{Call, PartKind, Stream, StreamRefusal};
use trunkline_teams::service_url::ServiceUrl;

use super::context::HostedParts;
use crate::conversation::OpenStream;

/// Pause between two parts: Teams takes one a second.
const PACE: Duration = Duration::from_secs(1);

/// A text that is being streamed by a turn.
pub(crate) struct StreamedText {
    name: String,
    began_ms: u64,
    began_at: Instant,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    newest: Option<Partial>,
    id: Option<String>,
    /// When Teams takes the next part.
    next_at: Option<Instant>,
    is_stopped: bool,
    /// No further part is wanted.
    is_over: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StreamedText {
    pub(crate) fn new(
        name: &str,
        began_ms: u64,
        base: ServiceUrl,
        conversation: String,
        traceparent: String,
        bot: Arc<HostedParts>,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(show_parts(shared.clone(), base, conversation, traceparent, bot));
        Self {
            name: name.to_owned(),
            began_ms,
            began_at: Instant::now(),
            shared,
            task,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Shows a part as soon as the pace allows; one that is newer takes its place.
    pub(crate) fn show(&self, part: Partial) -> Result<(), PortError> {
        let mut state = self.shared.state();
        if state.is_stopped {
            return Err(PortError::Stopped);
        }
        state.newest = Some(part);
        drop(state);
        self.shared.changed.notify_one();
        Ok(())
    }

    /// Waits for the part that is under way; what was not shown is dropped, for the final text holds it.
    pub(crate) async fn finish(mut self) -> Option<OpenStream> {
        {
            let mut state = self.shared.state();
            state.is_over = true;
            state.newest = None;
        }
        self.shared.changed.notify_one();
        let _ = (&mut self.task).await;
        let state = self.shared.state();
        let id = state.id.clone()?;
        let next_at = state.next_at.unwrap_or(self.began_at);
        let since_began = next_at.saturating_duration_since(self.began_at).as_millis();
        let since_began = u64::try_from(since_began).unwrap_or_default();
        Some(OpenStream {
            name: self.name.clone(),
            id,
            began_ms: self.began_ms,
            next_ms: self.began_ms + since_began,
        })
    }
}

impl Drop for StreamedText {
    /// A turn that was cancelled shows nothing more.
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn show_parts(
    shared: Arc<Shared>,
    base: ServiceUrl,
    conversation: String,
    traceparent: String,
    bot: Arc<HostedParts>,
) {
    let mut stream = Stream::new();
    let mut next_at = Instant::now();
    loop {
        shared.changed.notified().await;
        if shared.state().is_over {
            return;
        }
        tokio::select! {
            () = sleep_until(next_at) => {}
            () = until_over(&shared) => return,
        }
        let Some(part) = shared.state().newest.take() else {
            continue;
        };
        let (kind, text) = match &part {
            Partial::Note(text) => (PartKind::Informative, text),
            Partial::Text(text) => (PartKind::Text, text),
        };
        let Some(activity) = stream.part(kind, text) else {
            continue;
        };
        let Ok(call) = Call::send(&base, &conversation, activity) else {
            return;
        };
        next_at = Instant::now() + PACE;
        let answer = bot.connector.attempt(&call.with_traceparent(&traceparent)).await;
        // Teams counts from when it took the part, which was no later than its answer.
        shared.state().next_at = Some(Instant::now() + PACE);
        match answer {
            Ok(answer) => {
                if let Some(id) = answer.sent().id {
                    stream.started(id);
                }
                shared.state().id = stream.id().map(str::to_owned);
            }
            Err(error) => match StreamRefusal::of(&error) {
                Some(StreamRefusal::CancelledByUser) => {
                    shared.state().is_stopped = true;
                    return;
                }
                Some(StreamRefusal::OutOfOrder) => {}
                // Parts are best effort; the final text finds out what is left of the stream.
                Some(_) => return,
                None => tracing::debug!(%error, "a part of a stream was not shown"),
            },
        }
        if shared.state().newest.is_some() {
            shared.changed.notify_one();
        }
    }
}

async fn until_over(shared: &Shared) {
    loop {
        if shared.state().is_over {
            return;
        }
        shared.changed.notified().await;
    }
}
