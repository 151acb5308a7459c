//! The end of a media host: no new legs, and those that there are come to theirs.

use std::time::Duration;

use tokio::time::Instant;

use super::announce::Announcer;
use crate::control::Host;

/// How often legs are counted.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often the log says how far it is, unless nothing changes.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// Workers are told so long before the end which of their legs will end with the host: their calls may go elsewhere.
const WARNING: Duration = Duration::from_secs(60);
/// Longest time for legs that are told to end: they say goodbye to their peers.
const END_WITHIN: Duration = Duration::from_secs(2);

/// Waits until no leg is left, at most for `deadline`; then ends what is left.
pub(super) async fn drain(host: &Host, deadline: Duration, announcer: &Announcer) {
    let until = Instant::now() + deadline;
    let legs = host.legs();
    tracing::info!(
        legs,
        deadline_s = deadline.as_secs(),
        "the media host takes no new legs"
    );
    host.drain().await;
    // Workers shall know at once, not within a second.
    announcer.announce_now(host).await;
    let warn_at = until.checked_sub(WARNING).unwrap_or(until).max(Instant::now());
    let mut is_drained = are_gone(host, warn_at).await;
    if !is_drained {
        host.warn_legs(until.saturating_duration_since(Instant::now())).await;
        is_drained = are_gone(host, until).await;
    }
    if is_drained {
        tracing::info!("the media host is drained");
        return;
    }
    let legs = host.legs();
    tracing::warn!(
        legs,
        "legs are left at the deadline (media.drain_deadline) and are ended"
    );
    host.end_legs().await;
    if !are_gone(host, Instant::now() + END_WITHIN).await {
        tracing::warn!(legs = host.legs(), "not all legs ended in good order");
    }
}

async fn are_gone(host: &Host, until: Instant) -> bool {
    let mut said = (Instant::now(), host.legs());
    loop {
        let legs = host.legs();
        if legs == 0 {
            return true;
        }
        let now = Instant::now();
        if now >= until {
            return false;
        }
        if now.duration_since(said.0) >= SAY_EVERY && legs != said.1 {
            tracing::info!(legs, "the media host drains");
            said = (now, legs);
        }
        tokio::time::sleep_until(until.min(now + LOOK_EVERY)).await;
    }
}
