//! What the core notes, as metrics and log lines. Conversations are named by their key, which is a hash; no text of users.

use std::sync::atomic::Ordering;

use trunkline_store::key::Key;

use super::context::WorkerParts;
use super::pace::Pace;
use crate::conversation::Note;
use crate::stream::SLOW_COMMIT;

/// Counts a note, and logs it where a person should read it.
pub(crate) fn take(worker: &WorkerParts, bot: Option<&str>, conversation: &Key, note: Note) {
    let metrics = &worker.metrics;
    let bot = bot.unwrap_or_default();
    let due = |pace: &Pace| pace.due(worker.now().steady_ms);
    let of_bot = metrics.bot(bot);
    let route_name = |route: Option<usize>| {
        let routes = worker.bots.get(bot).map(|rules| rules.description.routes.as_slice());
        route
            .and_then(|route| Some(routes?.get(route)?.name.clone()))
            .unwrap_or_default()
    };
    match note {
        Note::TurnEnded { route, result, took_ms } => {
            worker.turns.fetch_add(1, Ordering::Relaxed);
            if let Some(of_bot) = of_bot {
                of_bot.turn_ended(route, result, seconds(took_ms));
            }
        }
        Note::CommitWritten { took_ms } => {
            metrics.commits_written.inc();
            if u128::from(took_ms) > SLOW_COMMIT.as_millis() {
                worker.slow_commit.store(true, Ordering::Relaxed);
            }
            metrics.commit_duration.observe(seconds(took_ms));
        }
        Note::SendDone => count(of_bot.map(|of_bot| &of_bot.sends)),
        Note::Repeat | Note::Attached => count(of_bot.map(|of_bot| &of_bot.repeats)),
        Note::AcceptedIntoInbox => count(of_bot.map(|of_bot| &of_bot.accepted)),
        Note::TurnFailed { route, attempt, reason } => {
            let route = route_name(route);
            tracing::warn!(bot, route, %conversation, attempt, reason, "a turn failed");
        }
        Note::Parked {
            route,
            attempts,
            reference,
        } => {
            if let Some(of_bot) = of_bot {
                of_bot.turn_parked(route);
            }
            let route = route_name(route);
            tracing::error!(bot, route, %conversation, attempts, reference, "a turn was given up and is parked in the inbox");
        }
        Note::SendRetried { sequence, reason } => {
            count(of_bot.map(|of_bot| &of_bot.send_retries));
            if let Some(left_out) = due(&worker.paces.send_retried) {
                tracing::info!(bot, %conversation, sequence, reason, left_out, "a send is tried again");
            }
        }
        Note::SendGivenUp {
            sequence,
            reason,
            reference,
        } => {
            count(of_bot.map(|of_bot| &of_bot.sends_given_up));
            tracing::error!(bot, %conversation, sequence, reason, reference, "a send was given up");
        }
        Note::SendInDoubt { sequence } => {
            count(of_bot.map(|of_bot| &of_bot.sends_in_doubt));
            tracing::warn!(bot, %conversation, sequence, "nobody knows whether a send arrived; it is not repeated");
        }
        note => {
            if let Some(note) = of_calls(worker, bot, conversation, note) {
                of_what_is_stored(worker, bot, conversation, note, route_name);
            }
        }
    }
}

/// Notes of calls; gives back what is none.
fn of_calls(worker: &WorkerParts, bot: &str, call: &Key, note: Note) -> Option<Note> {
    let due = |pace: &Pace| pace.due(worker.now().steady_ms);
    let of_bot = worker.metrics.bot(bot);
    match note {
        Note::GraphTook { .. } => count(of_bot.map(|of_bot| &of_bot.operations)),
        Note::GraphRetried { reason } => {
            count(of_bot.map(|of_bot| &of_bot.operation_retries));
            if let Some(left_out) = due(&worker.paces.graph_retried) {
                tracing::info!(bot, %call, reason, left_out, "an operation on a call is asked again");
            }
        }
        Note::GraphRefused {
            operation,
            status,
            code,
            message,
        } => {
            count(of_bot.map(|of_bot| &of_bot.operations_refused));
            tracing::warn!(bot, %call, operation, status, code, message, "graph did not take an operation on a call");
        }
        Note::GraphInDoubt { operation, reason } => {
            count(of_bot.map(|of_bot| &of_bot.operations_in_doubt));
            tracing::warn!(
                bot, %call, operation, reason,
                "nobody knows whether graph took an operation on a call; it is not asked again"
            );
        }
        Note::NotificationUnread { reason } => {
            count(of_bot.map(|of_bot| &of_bot.notifications_dropped));
            if let Some(left_out) = due(&worker.paces.notification_unread) {
                tracing::warn!(bot, %call, reason, left_out, "a notification of a call was dropped");
            }
        }
        Note::BookFailed { reason } => {
            if let Some(left_out) = due(&worker.paces.book_failed) {
                tracing::warn!(bot, %call, reason, left_out, "a call was not counted; that is tried again");
            }
        }
        Note::CallOverLimit => count(of_bot.map(|of_bot| &of_bot.calls_refused)),
        Note::CallEnded { by, code } => {
            if let Some(of_bot) = of_bot {
                of_bot.call_ended(by, code);
            }
        }
        Note::LegLost { reason } => {
            count(of_bot.map(|of_bot| &of_bot.legs_lost));
            tracing::warn!(bot, %call, reason, "the leg of a call is gone: it goes on without sound, or is hung up");
        }
        Note::NoMediaHost { reason } => {
            count(of_bot.map(|of_bot| &of_bot.legs_without_host));
            tracing::error!(bot, %call, reason, "no media host takes the leg of a call");
        }
        Note::SignalOfNoCall => tracing::info!(bot, %call, "a signal came to a call that is over or never was"),
        other => return Some(other),
    }
    None
}

/// Notes of the record, the inbox and the store.
fn of_what_is_stored(
    worker: &WorkerParts,
    bot: &str,
    conversation: &Key,
    note: Note,
    route_name: impl Fn(Option<usize>) -> String,
) {
    let metrics = &worker.metrics;
    let due = |pace: &Pace| pace.due(worker.now().steady_ms);
    match note {
        Note::StateUnusable { reason } => tracing::error!(bot, %conversation, reason, "stored state cannot be used"),
        Note::StateLarge { bytes } => tracing::warn!(bot, %conversation, bytes, "the state of a conversation is large"),
        Note::StateReset { version } => {
            tracing::error!(bot, %conversation, version, "unreadable state was set aside, the conversation starts anew");
        }
        Note::QueueFull => {
            metrics.queue_refusals.inc();
            if let Some(left_out) = due(&worker.paces.queue_full) {
                tracing::warn!(bot, %conversation, left_out, "an activity was refused: its conversation's queue is full");
            }
        }
        Note::CommitUncertain { reason } => {
            metrics.commits_uncertain.inc();
            if let Some(left_out) = due(&worker.paces.commit_uncertain) {
                tracing::warn!(bot, %conversation, reason, left_out, "nobody knows whether a commit was written; it is repeated");
            }
        }
        Note::CommitFenced => count(Some(&metrics.commits_fenced)),
        Note::CommitConflict { ours, stored } => {
            metrics.commits_conflict.inc();
            tracing::error!(bot, %conversation, ?ours, ?stored, "a record is another one than we wrote; it is read again");
        }
        Note::StoreRegressed { ours, stored } => {
            metrics.store_regressions.inc();
            tracing::error!(bot, %conversation, ?ours, ?stored, "the store lost writes that it had acknowledged");
        }
        Note::ReacceptedAfterLoss => {
            tracing::warn!(bot, %conversation, "the store lost an activity that was acknowledged; it is made durable again");
        }
        Note::ReadNowhere { format } => {
            if let Some(left_out) = due(&worker.paces.read_nowhere) {
                tracing::error!(
                    bot, %conversation, format, reads = crate::record::FORMAT, left_out,
                    "a record was written by a newer version, and no worker that reads it lives; start one of that version"
                );
            }
        }
        Note::ShedRefused => {
            metrics.shed_refusals.inc();
            if let Some(left_out) = due(&worker.paces.queue_full) {
                tracing::warn!(bot, %conversation, left_out, "an activity was refused: there is no room in the inbox");
            }
        }
        Note::Poisoned { route, deaths } => {
            metrics.poisoned.inc();
            let route = route_name(route);
            tracing::error!(bot, route, %conversation, deaths, "processes died while this turn ran; it is not run again");
        }
        Note::Replayed { reference } => tracing::info!(bot, %conversation, reference, "parked work is run again"),
        Note::ParkedDropped { reference } => {
            tracing::info!(bot, %conversation, reference, "parked work is dropped for good");
        }
        Note::CannotLoad { reason } => {
            metrics.load_failures.inc();
            if let Some(left_out) = due(&worker.paces.cannot_load) {
                tracing::error!(bot, %conversation, reason, left_out, "a conversation cannot be read");
            }
        }
        // The others are taken above.
        _ => {}
    }
}

fn count(counter: Option<&prometheus_client::metrics::counter::Counter>) {
    if let Some(counter) = counter {
        counter.inc();
    }
}

/// Milliseconds as seconds; exact far beyond any duration here.
#[allow(clippy::cast_precision_loss)]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1_000.0
}
