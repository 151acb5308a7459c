//! Says in the store that this host lives, where it is and how busy it is.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use prost::Message as _;
use trunkline_proto::media as wire;
use trunkline_store::SharedStore;
use trunkline_store::contract::MediaEntry;

use super::metrics::RoleMetrics;
use crate::control::Host;

/// How often it says so.
const EVERY: Duration = Duration::from_secs(1);
/// So long it is believed.
pub(super) const LIFE: Duration = Duration::from_secs(3);
/// Longest time for the last word: whoever does not hear it finds out within [`LIFE`].
const WITHDRAW_WITHIN: Duration = Duration::from_secs(1);

/// When the store last took an announcement, and why it did not take the newest one.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<Mutex<(Option<Instant>, String)>>);

impl Heard {
    /// Why others do not know of this host, if they do not.
    pub(super) fn problem(&self, now: Instant) -> Option<String> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*heard {
            (Some(at), _) if now.saturating_duration_since(*at) < LIFE => None,
            (_, reason) if reason.is_empty() => Some("it is not announced yet".to_owned()),
            (_, reason) => Some(format!("it cannot be announced: {reason}")),
        }
    }

    fn note(&self, result: Result<Instant, String>) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(at) => heard.0 = Some(at),
            Err(reason) => heard.1 = reason,
        }
    }
}

/// Says again and again that a host lives.
pub(super) struct Announcer {
    store: SharedStore,
    name: String,
    address: String,
    whip: String,
    zone: String,
    heard: Heard,
    metrics: RoleMetrics,
}

impl Announcer {
    pub(super) fn new(
        store: SharedStore,
        name: String,
        address: String,
        whip: &str,
        zone: String,
        metrics: RoleMetrics,
    ) -> Self {
        Self {
            store,
            name,
            address,
            whip: whip.trim_end_matches('/').to_owned(),
            zone,
            heard: Heard::default(),
            metrics,
        }
    }

    pub(super) fn heard(&self) -> Heard {
        self.heard.clone()
    }

    /// Says so every second, for ever.
    pub(super) async fn announce(&self, host: &Host) {
        let mut rounds = tokio::time::interval(EVERY);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            self.announce_now(host).await;
        }
    }

    pub(super) async fn announce_now(&self, host: &Host) {
        let before = Instant::now();
        let entry = MediaEntry {
            name: self.name.clone(),
            entry: self.entry(host).encode_to_vec().into(),
        };
        let life_ms = u64::try_from(LIFE.as_millis()).unwrap_or(u64::MAX);
        let was_known = self.heard.problem(before).is_none();
        match self.store.media().announce_media(entry, life_ms).await {
            Ok(()) => {
                self.heard.note(Ok(before));
                if !was_known {
                    let (name, address, whip) = (&self.name, &self.address, &self.whip);
                    tracing::info!(name, address, whip, "the media host is announced");
                }
            }
            Err(error) => {
                self.metrics.announcements_failed.inc();
                self.heard.note(Err(error.to_string()));
                tracing::warn!(%error, "the media host could not be announced, trying again");
            }
        }
    }

    /// Says that it ends.
    pub(super) async fn withdraw(&self) {
        let withdrawn = self.store.media().withdraw_media(&self.name);
        match tokio::time::timeout(WITHDRAW_WITHIN, withdrawn).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the media host could not be withdrawn; it is forgotten in 3 s"),
            Err(_) => tracing::warn!("the store did not take that the media host ends; it is forgotten in 3 s"),
        }
    }

    fn entry(&self, host: &Host) -> wire::Host {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        wire::Host {
            protocol: wire::PROTOCOL,
            incarnation: host.incarnation(),
            address: self.address.clone(),
            whip: self.whip.clone(),
            zone: self.zone.clone(),
            legs: count(host.legs()),
            limit: count(host.limit()),
            draining: host.is_draining(),
            lag_ms: u32::try_from(host.threads().lag().as_millis()).unwrap_or(u32::MAX),
            build: env!("CARGO_PKG_VERSION").to_owned(),
            codec_used: host.codecs().used(),
            codec_limit: host.codecs().limit(),
        }
    }
}
