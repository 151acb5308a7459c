//! What operators count of certificates and handshakes.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::refusal::Refusal;
use super::role::Role;

/// Metrics of the connections of one role.
#[derive(Clone, Debug, Default)]
pub struct ChannelMetrics {
    pub(super) reloads: Counter,
    pub(super) failures: Counter,
    pub(super) expires: Gauge,
    refused: Family<RefusedLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    reason: &'static str,
}

impl ChannelMetrics {
    /// Registers them below `trunkline_ROLE`.
    pub fn register(registry: &mut Registry, role: Role) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix(format!("trunkline_{}", role.label()));
        registry.register(
            "cluster_certificate_reloads",
            "Times that changed files of the cluster's TLS were taken into use",
            metrics.reloads.clone(),
        );
        registry.register(
            "cluster_certificate_failures",
            "Times that changed files of the cluster's TLS could not be used and the old ones were kept",
            metrics.failures.clone(),
        );
        registry.register_with_unit(
            "cluster_certificate_expiry_timestamp",
            "When the certificate by which this process proves its role expires, in Unix time",
            Unit::Seconds,
            metrics.expires.clone(),
        );
        if role.listens() {
            registry.register(
                "handshakes_refused",
                "Connections that did not become one, by reason",
                metrics.refused.clone(),
            );
        }
        metrics
    }

    pub(super) fn count(&self, refusal: &Refusal) {
        self.refused
            .get_or_create_owned(&RefusedLabels {
                reason: refusal.label(),
            })
            .inc();
    }
}
