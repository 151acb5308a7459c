//! All metrics of a process. Each role fills a registry of its own, so that no lock is held while a role starts.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::process::ProcessCollector;

/// Media type of the OpenMetrics form.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The registries of this process. Clones share them.
#[derive(Clone, Default)]
pub struct Metrics {
    registries: Arc<Mutex<Vec<Registry>>>,
}

/// A scrape's answer.
#[derive(Debug)]
pub(super) struct Exposition {
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Metrics {
    /// What every process tells of itself: its version and what it takes of the machine.
    pub fn of_process() -> Self {
        let mut registry = Registry::default();
        registry.register(
            "trunkline_build",
            "Version of this binary",
            Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register_collector(Box::new(ProcessCollector));
        let metrics = Self::default();
        metrics.add(registry);
        metrics
    }

    /// Adds what a role has registered. Names must differ from those of other roles: they begin with the role's name.
    pub fn add(&self, registry: Registry) {
        self.registries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(registry);
    }

    /// All metrics, in the form that the scraper asks for: OpenMetrics, else Prometheus text 0.0.4.
    pub(super) fn exposition(&self, accept: &str) -> Result<Exposition, fmt::Error> {
        let registries = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut body = String::with_capacity(16 * 1024);
        if accept.contains("application/openmetrics-text") {
            for registry in registries.iter() {
                text::encode_registry(&mut body, registry)?;
            }
            text::encode_eof(&mut body)?;
            return Ok(Exposition {
                content_type: OPEN_METRICS,
                body,
            });
        }
        for registry in registries.iter() {
            prometheus_text::encode(&mut body, registry)?;
        }
        Ok(Exposition {
            content_type: prometheus_text::CONTENT_TYPE,
            body,
        })
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}
