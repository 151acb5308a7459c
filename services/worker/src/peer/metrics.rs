//! What operators count of the traffic between workers.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::shell::tell::{Heard, Unheard};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    result: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "values of a label")]
enum Outcome {
    answered,
    moved,
    refused,
    failed,
}

/// Tells in both directions. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct PeerMetrics {
    sent: Counter,
    ended: ByOutcome,
    served: ByOutcome,
}

/// One counter for each outcome, looked up once.
#[derive(Clone, Debug)]
struct ByOutcome {
    answered: Counter,
    moved: Counter,
    refused: Counter,
    failed: Counter,
}

impl PeerMetrics {
    /// Registers the counters beside the others of a worker.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let registry = registry.sub_registry_with_prefix("trunkline_worker");
        let sent = Counter::default();
        registry.register(
            "peer_tells_sent",
            "Attempts to tell an actor at another worker something",
            sent.clone(),
        );
        Self {
            sent,
            ended: ByOutcome::register(
                registry,
                "peer_tells",
                "Attempts to tell an actor at another worker that ended",
            ),
            served: ByOutcome::register(
                registry,
                "peer_tells_received",
                "What other workers told actors of this one",
            ),
        }
    }

    /// Another worker is told something.
    pub(super) fn sent(&self) {
        self.sent.inc();
    }

    /// What came of it.
    pub(super) fn ended(&self, heard: &Result<Heard, Unheard>) {
        self.ended.count(heard);
    }

    /// What this worker answers to another one.
    pub(super) fn answers(&self, heard: &Result<Heard, Unheard>) {
        self.served.count(heard);
    }
}

impl ByOutcome {
    fn register(registry: &mut Registry, name: &str, help: &str) -> Self {
        let family = Family::<Labels, Counter>::default();
        registry.register(name, help, family.clone());
        let of = |result| family.get_or_create(&Labels { result }).clone();
        Self {
            answered: of(Outcome::answered),
            moved: of(Outcome::moved),
            refused: of(Outcome::refused),
            failed: of(Outcome::failed),
        }
    }

    fn count(&self, heard: &Result<Heard, Unheard>) {
        let counter = match heard {
            Ok(Heard::Done | Heard::Accepted) => &self.answered,
            Err(Unheard::Moved) => &self.moved,
            Err(Unheard::Refused(_)) => &self.refused,
            Err(Unheard::Silent | Unheard::Unreachable { .. }) => &self.failed,
        };
        counter.inc();
    }
}
