//! `[ingress]` and `[cloud]`: how Teams reaches us, and which Teams.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use trunkline_teams::cloud::ServiceHost;
use trunkline_teams::identity::source::{PRESETS, Preset};
use url::Url;

use super::super::choice::choice;
use super::super::near::nearest;
use super::super::section::section;
use super::super::tree::{Item, quoted};
use super::super::value::{HostPort, SettingType, Size, Wrong};

/// Where requests may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    /// No filter: the token alone decides.
    Any,
    /// Networks that a document of Microsoft names.
    Preset(Preset),
    /// A network.
    Network(IpNet),
}

impl SettingType for Sources {
    const WHAT: &'static str =
        "\"any\", \"teams\", \"teams-second\", \"older-lists\" or a network such as \"10.0.0.0/8\"";
    fn read(item: &Item) -> Result<Self, Wrong> {
        if let Ok(network) = IpNet::read(item) {
            return Ok(Self::Network(network));
        }
        let name = String::read(item)?;
        if name == "any" {
            return Ok(Self::Any);
        }
        let known = PRESETS.iter().map(|preset| preset.name).chain(["any"]);
        Preset::by_name(&name)
            .map(Self::Preset)
            .ok_or_else(|| match nearest(&name, known) {
                Some(near) => Wrong::new(format!("is unknown; did you mean \"{near}\"?")),
                None => Wrong::new("is neither a network nor a known list of networks"),
            })
    }
    fn shown(&self) -> Option<String> {
        match self {
            Self::Any => Some(quoted("any")),
            Self::Preset(preset) => Some(quoted(preset.name)),
            Self::Network(network) => network.shown(),
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
        /// Networks that may send. "teams" is what Microsoft's architecture pages name, "teams-second" is in its address lists,
        /// "older-lists" was. Microsoft also writes that filtering by address is not supported, because addresses change: the
        /// token is the lock, this is a second wall. "any" switches it off.
        pub allowed_sources: Vec<Sources> = ["any"] => ["teams", "teams-second", "203.0.113.0/24"],
        /// Endorsements that the key of a token must have beside the activity's channel.
        pub required_endorsements: Vec<String> = [],
        /// Tokens that are remembered after they were verified, so that a signature is checked once.
        pub remembered_tokens: u32 = 4096,
        /// Workers to ask where activities go, host and port of each: some that are always there, or one name that leads to
        /// all. They tell of the others. Names are resolved again by every attempt. Without TLS (cluster.tls_ca) on this machine
        /// only.
        pub workers: Vec<HostPort> = ["127.0.0.1:7400"],
        /// Most requests in flight; more are refused with 503.
        pub in_flight_requests: u32 = 4096,
        /// Most bytes of bodies in flight; more are refused with 503.
        pub in_flight_bytes: Size = "256 MiB",
        /// Time from failing readiness to closing the listeners when the process is told to stop: what the balancer in front
        /// needs to notice.
        pub stop_notice: Duration = "5 s",
        /// Time for requests in flight after that. Teams waits 15 s for an answer.
        pub stop_finish: Duration = "15 s",
    }
}

impl SettingType for ServiceHost {
    const WHAT: &'static str = "a host, a dot and a domain, or an origin such as \"http://127.0.0.1:3979\"";
    fn read(item: &Item) -> Result<Self, Wrong> {
        String::read(item)?.parse().map_err(|_| Wrong::new("is none of these"))
    }
    fn shown(&self) -> Option<String> {
        Some(match self {
            Self::Exact(host) => quoted(host),
            Self::Below(domain) => quoted(&format!(".{domain}")),
            Self::Origin(origin) => quoted(origin),
        })
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
        pub bot_tenant: Option<String> => "botframework.com",
        /// Scope of the bots' own tokens.
        pub scope: Option<String> => "https://api.botframework.com/.default",
        /// Where to begin a conversation when no activity has brought a service URL yet.
        pub proactive_service_url: Option<Url> => "https://smba.trafficmanager.net/teams/",
        /// Hosts that a bot's token may be sent to, beside the service URLs that came in verified activities. ".example.org" is
        /// every name below; a scheme makes it one origin. Takes the place of the preset's list.
        pub service_hosts: Option<Vec<ServiceHost>> => ["smba.trafficmanager.net", ".botframework.com"],
    }
}
