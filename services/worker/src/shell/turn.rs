//! Runs the future of a bot's turn: every poll is guarded against panics, timed, and visible to the watchdog.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use tracing::Instrument as _;
use trunkline_bot::logic::End;
use trunkline_store::key::Key;

use super::context::{HostedParts, WorkerParts};
use super::port::{self, TurnPort};
use super::spans;
use super::watchdog::Pulse;
use crate::conversation::{OpenStream, Run};

/// How a turn came back.
pub(crate) struct Turned {
    pub(crate) end: End,
    pub(crate) streams: Vec<OpenStream>,
    pub(crate) panicked: bool,
}

/// Runs a turn to its end. Dropping the future cancels the turn.
pub(crate) async fn run(
    run: Run,
    bot: Arc<HostedParts>,
    port: TurnPort,
    worker: Arc<WorkerParts>,
    pulse: Option<Arc<Pulse>>,
    key: Key,
) -> Turned {
    let rules = port.bot_name().and_then(|name| worker.bots.get(name)).cloned();
    let route = run.route.and_then(|route| {
        rules
            .as_ref()?
            .description
            .routes
            .get(route)
            .map(|route| route.name.clone())
    });
    let span = spans::turn_span(
        &run.traceparent,
        port.bot_name(),
        route.as_deref(),
        run.begin.attempt,
        key,
    );
    let streams = port.streams();
    let logic = bot.logic_of(port.kind());
    let turned = Guarded {
        turn: logic.run(run.begin, Box::new(port)),
        slow_poll: worker.slow_poll,
        pulse: pulse.as_deref(),
        mark: (bot.index, run.route),
        slow_polls: 0,
    };
    let (ended, slow_polls) = turned.instrument(span).await;
    worker.metrics.slow_polls.inc_by(slow_polls);
    let streams = port::finish(streams).await;
    match ended {
        Ok(end) => Turned {
            end,
            streams,
            panicked: false,
        },
        Err(panic) => Turned {
            streams,
            panicked: true,
            ..Turned::failed(&format!("the bot panicked: {}", text_of(panic.as_ref())))
        },
    }
}

/// A turn whose polls are watched.
struct Guarded<'a> {
    turn: LocalBoxFuture<'a, End>,
    slow_poll: Duration,
    pulse: Option<&'a Pulse>,
    mark: (usize, Option<usize>),
    slow_polls: u64,
}

impl Future for Guarded<'_> {
    type Output = (Result<End, Box<dyn Any + Send>>, u64);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let guarded = &mut *self;
        let began = Instant::now();
        if let Some(pulse) = guarded.pulse {
            pulse.enter(guarded.mark);
        }
        let polled = catch_unwind(AssertUnwindSafe(|| guarded.turn.as_mut().poll(context)));
        if let Some(pulse) = guarded.pulse {
            pulse.leave();
        }
        let took = began.elapsed();
        if took >= guarded.slow_poll {
            guarded.slow_polls += 1;
            tracing::warn!(
                took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                "a turn held its thread for too long without a pause; use `turn.blocking` or the executor `pool`"
            );
        }
        let slow_polls = guarded.slow_polls;
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(end)) => Poll::Ready((Ok(end), slow_polls)),
            Err(panic) => Poll::Ready((Err(panic), slow_polls)),
        }
    }
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "with a value that is no text".to_owned()
    }
}
