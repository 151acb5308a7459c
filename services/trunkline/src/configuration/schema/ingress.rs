//! `[ingress]` and `[cloud]`: how Teams reaches us, and which Teams.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::super::choice::choice;
use super::super::section::section;
use super::super::tree::{Item, quoted};
use super::super::value::{HostPort, SettingType, Size, Wrong};

choice! {
    /// A list of networks with a name.
    pub enum SourcePreset {
        /// No filter: the token alone decides.
        Any = "any",
        /// The networks that Microsoft names for Teams.
        Teams = "teams",
        /// Networks of older lists of Microsoft.
        TeamsOlderLists = "teams-older-lists",
    }
}

/// Where requests may come from: a named list or a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    /// A named list.
    Preset(SourcePreset),
    /// A network.
    Network(IpNet),
}

impl SettingType for Sources {
    const WHAT: &'static str = "\"any\", \"teams\", \"teams-older-lists\" or a network such as \"10.0.0.0/8\"";
    fn read(item: &Item) -> Result<Self, Wrong> {
        match IpNet::read(item) {
            Ok(network) => Ok(Self::Network(network)),
            Err(_) => SourcePreset::read(item).map(Self::Preset),
        }
    }
    fn shown(&self) -> Option<String> {
        match self {
            Self::Preset(preset) => preset.shown(),
            Self::Network(network) => Some(quoted(&network.to_string())),
        }
    }
}

section! {
    /// The edge that Teams sends activities to.
    pub struct IngressSection {
        /// Addresses and ports of the messaging endpoint. Teams reaches port 443 from outside.
        pub listen: Vec<SocketAddr> = ["0.0.0.0:443"],
        /// Path of the messaging endpoint.
        pub path: String = "/api/messages",
        /// Certificate chain in PEM, publicly trusted. Read again when the file changes.
        pub tls_certificate: Option<PathBuf> => "/etc/trunkline/tls.crt",
        /// Private key of the certificate, in PEM.
        pub tls_key: Option<PathBuf> => "/etc/trunkline/tls.key",
        /// Speak plain HTTP: a proxy in front ends TLS. Without it a certificate is demanded.
        pub plain_http: bool = false,
        /// Threads that serve requests; 0 is one a core.
        pub threads: u32 = 0,
        /// Largest body of a request. A larger one is refused with 413.
        pub body_limit: Size = "1 MiB",
        /// Deepest nesting of JSON in a body.
        pub json_depth: u32 = 64,
        /// Time in which a request must have arrived completely.
        pub receive_timeout: Duration = "5 s",
        /// Networks of proxies whose X-Forwarded-For is believed.
        pub trusted_proxies: Vec<IpNet> = [] => ["10.0.0.0/8"],
        /// Networks that may send. "teams" is what Microsoft documents for Teams; Microsoft also writes that filtering by
        /// address is not supported, because addresses change: the token is the lock, this is a second wall. Set "any" to
        /// switch it off.
        pub allowed_sources: Vec<Sources> = ["any"] => ["teams", "203.0.113.0/24"],
        /// Workers to send activities to: host and port of each.
        pub workers: Vec<HostPort> = ["127.0.0.1:7400"],
        /// Most requests in flight; more are refused with 503.
        pub in_flight_requests: u32 = 4096,
        /// Most bytes of bodies in flight; more are refused with 503.
        pub in_flight_bytes: Size = "256 MiB",
    }
}

choice! {
    /// A Microsoft cloud.
    pub enum CloudPreset {
        /// The public cloud.
        Public = "public",
        /// US Government Community Cloud.
        Gcc = "gcc",
        /// US Government, GCC High.
        GccHigh = "gcc-high",
        /// US Department of Defense.
        Dod = "dod",
        /// China, by 21Vianet.
        China = "china",
    }
}

section! {
    /// Which Microsoft cloud the bots live in. Every constant of the preset can be replaced.
    pub struct CloudSection {
        /// The cloud: public (also GCC by its own name gcc), gcc-high, dod or china.
        pub preset: CloudPreset = "public",
        /// Issuer that tokens from Teams must name.
        pub issuer: Option<String> => "https://api.botframework.com",
        /// OpenID metadata document that names the keys of that issuer.
        pub metadata: Option<Url> => "https://login.botframework.com/v1/.well-known/openidconfiguration",
        /// Token endpoint for the bots' own tokens, with {tenant} where the tenant goes.
        pub token_endpoint: Option<String> => "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        /// Tenant that multi-tenant bots ask for tokens.
        pub bot_framework_tenant: Option<String> => "botframework.com",
        /// Scope of the bots' own tokens.
        pub scope: Option<String> => "https://api.botframework.com/.default",
        /// Hosts that a bot's token may be sent to, beside the service URLs that came in verified activities. A leading dot
        /// means all names below.
        pub service_url_hosts: Option<Vec<String>> => ["smba.trafficmanager.net", ".botframework.com"],
    }
}
