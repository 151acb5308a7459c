//! Export of traces: OTLP over gRPC, sampled by the caller's decision or our own share.

use std::fmt;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use tokio::runtime::Runtime;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use crate::configuration::schema::OtlpSection;

/// Spans on their way to a collector.
pub(super) struct Export {
    provider: SdkTracerProvider,
    // The exporter's connection lives on it; it must outlive the provider's last flush.
    runtime: Runtime,
    timeout: Duration,
}

/// Why traces cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No thread for the connection.
    #[error("no runtime for the export of traces")]
    Runtime(#[source] std::io::Error),
    /// The exporter does not take the configuration.
    #[error("otlp.endpoint cannot be used")]
    Exporter(#[source] ExporterBuildError),
}

impl Export {
    /// Connects lazily to the configured collector; `None` when there is none.
    pub(super) fn start(otlp: &OtlpSection, service: &str) -> Result<Option<Self>, ExportError> {
        global::set_text_map_propagator(TraceContextPropagator::new());
        let Some(endpoint) = &otlp.endpoint else {
            return Ok(None);
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("trunkline-otlp")
            .enable_all()
            .build()
            .map_err(ExportError::Runtime)?;
        let exporter = {
            let _entered = runtime.enter();
            SpanExporter::builder()
                .with_tonic()
                .with_endpoint(endpoint.as_str())
                .with_timeout(otlp.timeout)
                .build()
                .map_err(ExportError::Exporter)?
        };
        let resource = Resource::builder()
            .with_service_name(otlp.service_name.clone().unwrap_or_else(|| service.to_owned()))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
                otlp.sampling.0,
            ))))
            .with_batch_exporter(exporter)
            .build();
        Ok(Some(Self {
            provider,
            runtime,
            timeout: otlp.timeout,
        }))
    }

    /// Turns `tracing` spans into exported ones.
    pub(super) fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("trunkline"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
    }

    /// Sends what is left and ends.
    pub(super) fn finish(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(self.timeout) {
            tracing::warn!(%error, "the last spans were not exported");
        }
        self.runtime.shutdown_timeout(super::STOP_WITHIN);
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Export").finish_non_exhaustive()
    }
}
