//! What operators see of a running process: log lines, traces, metrics, health.
//!
//! The roles write `tracing` spans and events and register metrics; this module decides where those go. None of them holds
//! text of messages: a role never puts any into a span, an event or a label.

mod admin;
mod health;
mod metrics;
mod process;
mod traces;

use std::io;
use std::time::Duration;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

pub use admin::{Admin, AdminError};
pub use health::Health;
pub use metrics::Metrics;
pub use traces::ExportError;

use crate::configuration::schema::{LogFormat, LogSection, OtlpSection};
use traces::Export;

/// Logs and traces of this process, until it is dropped.
#[derive(Debug)]
pub struct Telemetry {
    export: Option<Export>,
}

/// Why telemetry could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The exporter of traces could not be built.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Somebody in this process has taken the log lines already.
    #[error("another subscriber has taken the log lines of this process")]
    Taken(#[from] TryInitError),
}

impl Telemetry {
    /// Begins to write log lines to standard error and, where a collector is configured, to export traces. `service` names
    /// this process in traces when the configuration does not.
    pub fn start(log: &LogSection, otlp: &OtlpSection, service: &str) -> Result<Self, TelemetryError> {
        let export = Export::start(otlp, service)?;
        let exported = Targets::new().with_target("trunkline", tracing::Level::INFO);
        let traces = export.as_ref().map(|export| export.layer().with_filter(exported));
        Registry::default().with(traces).with(lines(log)).try_init()?;
        Ok(Self { export })
    }

    /// Sends what is still to be sent. Takes at most the time-out of the collector.
    pub fn finish(self) {
        if let Some(export) = self.export {
            export.finish();
        }
    }
}

fn lines<S>(log: &LogSection) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    let filter = EnvFilter::new(log.filter.as_str());
    let lines = fmt::layer().with_writer(io::stderr);
    match log.format {
        LogFormat::Human => lines
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .with_filter(filter)
            .boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_filter(filter)
            .boxed(),
    }
}

/// Longest wait for one of our own servers to end what it is doing.
const STOP_WITHIN: Duration = Duration::from_secs(2);
