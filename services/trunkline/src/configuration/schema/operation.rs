//! `[admin]`, `[log]`, `[otlp]`, `[dev]`: what operators and authors see.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use url::Url;

use super::super::choice::choice;
use super::super::section::section;
use super::super::tree::{Item, quoted};
use super::super::value::{SettingType, Share, Wrong};

section! {
    /// The port for operators: /metrics for Prometheus, /livez, /readyz.
    pub struct AdminSection {
        /// Address and port. It asks for no password: keep it on loopback or in a network of operators.
        pub listen: SocketAddr = "127.0.0.1:9464",
    }
}

choice! {
    /// How log lines look.
    pub enum LogFormat {
        /// For people.
        Human = "human",
        /// One JSON object a line.
        Json = "json",
    }
}

/// Which log lines are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// As `tracing_subscriber::EnvFilter` reads it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SettingType for LogFilter {
    const WHAT: &'static str =
        "a level (error, warn, info, debug, trace, off), or targets with levels parted by commas";
    fn read(item: &Item) -> Result<Self, Wrong> {
        let filter = String::read(item)?;
        match EnvFilter::builder().parse(&filter) {
            Ok(_) => Ok(Self(filter)),
            Err(error) => Err(Wrong::new(format!("is not a filter: {error}"))),
        }
    }
    fn shown(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}

section! {
    /// Log lines, on standard error. They hold no text of messages.
    pub struct LogSection {
        /// human or json.
        pub format: LogFormat = "human",
        /// Which lines: a level (error, warn, info, debug, trace), also by target, as in "info,trunkline_worker=debug". The usual one leaves
        /// out what rtc_dtls warns of: any peer's packet can make it do that.
        pub filter: LogFilter = "info,actix_server=warn,rtc_dtls=error",
    }
}

section! {
    /// Export of traces by OpenTelemetry (OTLP over gRPC).
    pub struct OtlpSection {
        /// Collector. Unset: no export.
        pub endpoint: Option<Url> => "http://127.0.0.1:4317",
        /// Share of the traces begun here that is exported. A caller's own decision (W3C traceparent) goes before it.
        pub sampling: Share = 1.0,
        /// Longest wait for the collector, also when the process ends.
        pub timeout: Duration = "5 s",
        /// Name of the service in traces. Unset: trunkline-ROLE.
        pub service_name: Option<String> => "trunkline-ingress",
    }
}

section! {
    /// `trunkline dev`: all roles and a simulated Teams in one process.
    pub struct DevSection {
        /// Address and port of the messaging endpoint, in place of ingress.listen.
        pub listen: SocketAddr = "127.0.0.1:3978",
        /// Address and port of the simulated Teams with its chat page.
        pub teams_listen: SocketAddr = "127.0.0.1:3979",
        /// Address and port at which the prompts of calling bots are served.
        pub prompts_listen: SocketAddr = "127.0.0.1:3980",
        /// Directory of those prompts: WAV, one channel, 16 bit, 16 kHz. In the place of a file that is not there a short tune
        /// is played, another for each name.
        pub prompts: PathBuf = "prompts",
        /// Address and port of the media host, for the audio of calls that a bot handles itself: plain HTTP. Its audio has a UDP
        /// port of the system's choice.
        pub media_listen: SocketAddr = "127.0.0.1:3981",
        /// Directory for the data of dev.
        pub data: PathBuf = ".trunkline",
        /// The only bot to host. Unset: all of the binary.
        pub bot: Option<String> => "echo",
    }
}
