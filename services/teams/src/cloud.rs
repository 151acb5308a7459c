//! The constants of Microsoft's clouds: who signs, who issues tokens, and where a bot's token may go.
//!
//! A [`Cloud`] is plain data: take a preset and replace what differs, or fill one in by hand for a simulated Teams.
//!
//! Marks: **D** documented by Microsoft, **S** read in an SDK of Microsoft, **U** unverified (one source, or inferred).
//!
//! | constant | public, GCC | GCC High, DoD | China |
//! |---|---|---|---|
//! | [`token_endpoint`](Cloud::token_endpoint) | D ¹ | D ² | D ³ |
//! | [`bot_tenant`](Cloud::bot_tenant) | D ¹ | D ² | D ³ (its GUID: U) |
//! | [`connector_scope`](Cloud::connector_scope) | D ¹ | D ² | D ³ |
//! | [`connector_issuer`](Cloud::connector_issuer) | D ¹ | D ² | D ³ |
//! | [`connector_metadata`](Cloud::connector_metadata) | D ¹ | D ² | D ³ |
//! | [`proactive_service_url`](Cloud::proactive_service_url) | public D ⁴, GCC S ⁵ | S ⁵ | none published |
//! | [`service_hosts`](Cloud::service_hosts) | S ⁶ | S ⁶ | U: from the cloud's published names ⁷ |
//! | [`Calling::graph`], [`Calling::graph_scope`] | D ⁸ | D ⁸ | calls are not offered (D ⁹) |
//! | [`Calling::issuers`] | D, `graph.microsoft.com` S ¹⁰ | U ¹¹ | |
//! | [`Calling::metadata`] | D ¹⁰ | U ¹¹ | |
//!
//! 1. "Authentication with the Bot Connector API" (`bot-docs`, `rest-api/bot-framework-rest-connector-authentication.md`).
//! 2. "Configure a bot for US Government customers" (`bot-docs`, `how-to-deploy-gov-cloud-high.md`).
//! 3. "Configure a bot for Azure operated by 21Vianet" (`bot-docs`, `how-to-deploy-china-cloud.md`).
//! 4. "Send proactive messages" (`msteams-docs`).
//! 5. microsoft/Agents-for-net, `TeamsProactiveServiceEndpoints.cs`.
//! 6. microsoft/Agents-for-net, `OutboundHostValidator`. `smba.trafficmanager.net` is matched whole: anyone can register
//!    another name under `trafficmanager.net`.
//! 7. "Office 365 URLs and IP address ranges", 21Vianet page; the service URL itself is only known from activities.
//! 8. "Microsoft Graph national cloud deployments": a scope names the host of the cloud's Graph; GCC uses the worldwide one.
//! 9. The pages of the operations on calls, table of national clouds. `sendDtmfTones`, `addLargeGalleryView` and audio routing
//!    groups are offered in the worldwide cloud only (D).
//! 10. "Incoming call notifications" (`msteams-docs`, `call-notifications.md`); the other issuer is accepted by Microsoft's
//!     samples (microsoftgraph/microsoft-graph-comms-samples, `AuthenticationProvider.cs`), with keys of the same document.
//! 11. One report (microsoft-graph-comms-samples issue 865, open) expected this document, and saw the worldwide issuer with a
//!     key that the document does not hold. So issuers and document must be settings there.

use url::Url;

/// The constants of one cloud. Every one can be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    /// Name for logs and configuration: `public`, `gcc`, `gcc-high`, `dod`, `china`, or the operator's own.
    pub name: String,
    /// Address of the token endpoint; `{tenant}` stands for the tenant that is asked.
    pub token_endpoint: String,
    /// Tenant at which multi-tenant bots ask for their Connector token.
    pub bot_tenant: String,
    /// Scope of the token that a bot shows to the Connector.
    pub connector_scope: String,
    /// `iss` of the tokens that the Connector sends to bots.
    pub connector_issuer: String,
    /// Address of the OpenID metadata whose keys sign those tokens.
    pub connector_metadata: String,
    /// Where to begin a conversation when no activity has brought a service URL yet.
    pub proactive_service_url: Option<String>,
    /// Hosts that may get a bot's token although no verified activity has named them.
    pub service_hosts: Vec<ServiceHost>,
    /// Calls; `None` where the cloud does not offer them.
    pub calling: Option<Calling>,
}

/// The constants of calls in one cloud. Every one can be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calling {
    /// Base address of Graph, with its version.
    pub graph: String,
    /// Scope of the token that a bot shows to Graph.
    pub graph_scope: String,
    /// `iss` of the tokens that come with notifications: any of these, with or without a slash at the end.
    pub issuers: Vec<String>,
    /// Address of the OpenID metadata whose keys sign those tokens.
    pub metadata: String,
}

impl Cloud {
    /// Names of the presets, for messages about a wrong one.
    pub const NAMES: [&'static str; 5] = ["public", "gcc", "gcc-high", "dod", "china"];

    /// The preset of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "public" => Some(Self::public()),
            "gcc" => Some(Self::gcc()),
            "gcc-high" => Some(Self::gcc_high()),
            "dod" => Some(Self::dod()),
            "china" => Some(Self::china()),
            _ => None,
        }
    }

    /// The worldwide cloud.
    pub fn public() -> Self {
        Self {
            name: "public".into(),
            token_endpoint: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token".into(),
            bot_tenant: "botframework.com".into(),
            connector_scope: "https://api.botframework.com/.default".into(),
            connector_issuer: "https://api.botframework.com".into(),
            connector_metadata: "https://login.botframework.com/v1/.well-known/openidconfiguration".into(),
            proactive_service_url: Some("https://smba.trafficmanager.net/teams/".into()),
            service_hosts: vec![
                ServiceHost::exact("smba.trafficmanager.net"),
                ServiceHost::below("teams.microsoft.com"),
                ServiceHost::below("botframework.com"),
            ],
            calling: Some(Calling::public()),
        }
    }

    /// US Government, moderate: the constants of the worldwide cloud, another Connector host.
    pub fn gcc() -> Self {
        Self {
            name: "gcc".into(),
            proactive_service_url: Some("https://smba.infra.gcc.teams.microsoft.com/teams".into()),
            ..Self::public()
        }
    }

    /// US Government, high.
    pub fn gcc_high() -> Self {
        Self {
            name: "gcc-high".into(),
            token_endpoint: "https://login.microsoftonline.us/{tenant}/oauth2/v2.0/token".into(),
            bot_tenant: "MicrosoftServices.onmicrosoft.us".into(),
            connector_scope: "https://api.botframework.us/.default".into(),
            connector_issuer: "https://api.botframework.us".into(),
            connector_metadata: "https://login.botframework.azure.us/v1/.well-known/openidconfiguration".into(),
            proactive_service_url: Some("https://smba.infra.gov.teams.microsoft.us/teams".into()),
            service_hosts: vec![
                ServiceHost::below("teams.microsoft.us"),
                ServiceHost::below("botframework.azure.us"),
            ],
            calling: Some(Calling::us_government("https://graph.microsoft.us")),
        }
    }

    /// US Department of Defense: as [`Cloud::gcc_high`] with another Connector host and another Graph.
    pub fn dod() -> Self {
        Self {
            name: "dod".into(),
            calling: Some(Calling::us_government("https://dod-graph.microsoft.us")),
            proactive_service_url: Some("https://smba.infra.dod.teams.microsoft.us/teams".into()),
            ..Self::gcc_high()
        }
    }

    /// China, operated by 21Vianet.
    pub fn china() -> Self {
        Self {
            name: "china".into(),
            token_endpoint: "https://login.partner.microsoftonline.cn/{tenant}/oauth2/v2.0/token".into(),
            bot_tenant: "microsoftservices.partner.onmschina.cn".into(),
            connector_scope: "https://api.botframework.azure.cn/.default".into(),
            connector_issuer: "https://api.botframework.azure.cn".into(),
            connector_metadata: "https://login.botframework.azure.cn/v1/.well-known/openidconfiguration".into(),
            proactive_service_url: None,
            service_hosts: vec![
                ServiceHost::below("teams.microsoftonline.cn"),
                ServiceHost::below("botframework.azure.cn"),
            ],
            calling: None,
        }
    }

    /// Address of the token endpoint for a tenant (GUID or domain name).
    pub fn token_endpoint_for(&self, tenant: &str) -> String {
        self.token_endpoint.replace("{tenant}", tenant)
    }

    /// Whether a bot's token may go to this service URL although no verified activity has named it.
    pub fn allows_service_url(&self, service_url: &str) -> bool {
        let Ok(url) = Url::parse(service_url) else { return false };
        self.service_hosts.iter().any(|rule| rule.allows(&url))
    }
}

impl Calling {
    fn public() -> Self {
        Self {
            graph: "https://graph.microsoft.com/v1.0".into(),
            graph_scope: "https://graph.microsoft.com/.default".into(),
            issuers: vec![
                "https://api.botframework.com".into(),
                "https://graph.microsoft.com".into(),
            ],
            metadata: "https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration".into(),
        }
    }

    fn us_government(graph: &str) -> Self {
        Self {
            graph: format!("{graph}/v1.0"),
            graph_scope: format!("{graph}/.default"),
            issuers: vec![
                "https://api.botframework.us".into(),
                graph.into(),
                "https://api.botframework.com".into(),
            ],
            metadata: "https://apigcch.botframework.azure.us/v1/.well-known/OpenIdConfiguration".into(),
        }
    }
}

/// A rule of the service URL allow-list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceHost {
    /// Exactly this host, by HTTPS on port 443.
    Exact(String),
    /// Any host below this domain, not the domain itself, by HTTPS on port 443.
    Below(String),
    /// Exactly this scheme, host and port, as `http://127.0.0.1:3979` for a simulated Teams.
    Origin(String),
}

/// Why a rule of the service URL allow-list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{rule}` is not a host, a dot and a domain, or an origin such as http://127.0.0.1:3979")]
pub struct ServiceHostError {
    /// What was written.
    pub rule: String,
}

impl ServiceHost {
    /// Exactly this host.
    fn exact(host: &str) -> Self {
        Self::Exact(host.to_owned())
    }

    /// Any host below this domain.
    fn below(domain: &str) -> Self {
        Self::Below(domain.to_owned())
    }

    /// Whether the rule allows this address.
    pub fn allows(&self, url: &Url) -> bool {
        match self {
            Self::Exact(host) => is_plain_https(url) && url.host_str() == Some(host),
            Self::Below(domain) => {
                let labels = url.host_str().and_then(|host| host.strip_suffix(domain.as_str()));
                is_plain_https(url) && labels.is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
            }
            Self::Origin(origin) => url.username().is_empty() && url.origin().ascii_serialization() == *origin,
        }
    }
}

/// `host`, `.domain` or `scheme://host:port`.
impl std::str::FromStr for ServiceHost {
    type Err = ServiceHostError;

    fn from_str(rule: &str) -> Result<Self, Self::Err> {
        let wrong = || ServiceHostError { rule: rule.to_owned() };
        if rule.contains("://") {
            let url = Url::parse(rule).map_err(|_| wrong())?;
            let is_bare = url.username().is_empty() && url.path() == "/" && url.query().is_none();
            let is_origin = is_bare && matches!(url.scheme(), "http" | "https");
            return is_origin
                .then(|| Self::Origin(url.origin().ascii_serialization()))
                .ok_or_else(wrong);
        }
        let (name, is_domain) = rule.strip_prefix('.').map_or((rule, false), |domain| (domain, true));
        let url = Url::parse(&format!("https://{name}/")).map_err(|_| wrong())?;
        let host = url
            .host_str()
            .filter(|host| host.eq_ignore_ascii_case(name) && !host.contains('*'))
            .ok_or_else(wrong)?
            .to_owned();
        Ok(if is_domain {
            Self::Below(host)
        } else {
            Self::Exact(host)
        })
    }
}

/// HTTPS on its own port, without a user name that would make a person read another host.
fn is_plain_https(url: &Url) -> bool {
    url.scheme() == "https" && url.port().is_none() && url.username().is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_preset_is_found_by_its_name() {
        for name in Cloud::NAMES {
            assert_eq!(Cloud::by_name(name).unwrap().name, name);
        }
        assert_eq!(Cloud::by_name("moon"), None);
    }

    #[test]
    fn the_proactive_service_url_of_a_preset_is_on_its_own_allow_list() {
        for name in Cloud::NAMES {
            let cloud = Cloud::by_name(name).unwrap();
            if let Some(url) = &cloud.proactive_service_url {
                assert!(cloud.allows_service_url(url), "{name}: {url}");
            }
        }
    }

    #[test]
    fn the_scope_of_graph_names_the_graph_of_the_same_cloud() {
        for name in Cloud::NAMES {
            let calling = Cloud::by_name(name).unwrap().calling;
            assert_eq!(calling.is_none(), name == "china", "{name}");
            if let Some(Calling { graph, graph_scope, .. }) = calling {
                let host = graph.strip_suffix("/v1.0").unwrap();
                assert_eq!(graph_scope.strip_suffix("/.default"), Some(host), "{name}");
            }
        }
    }

    #[test]
    fn a_foreign_name_under_a_shared_domain_gets_no_token() {
        let cloud = Cloud::public();
        for allowed in [
            "https://smba.trafficmanager.net/emea/",
            "https://SMBA.trafficmanager.net:443/amer/x",
            "https://a.b.teams.microsoft.com/",
        ] {
            assert!(cloud.allows_service_url(allowed), "{allowed}");
        }
        for refused in [
            "https://evil.trafficmanager.net/emea/",
            "https://smba.trafficmanager.net.evil.example/",
            "https://smba.trafficmanager.net@evil.example/",
            "https://evil@smba.trafficmanager.net/",
            "https://smba.trafficmanager.net:8443/",
            "http://smba.trafficmanager.net/",
            "https://evilbotframework.com/",
            "https://botframework.com/",
            "https://.botframework.com/",
            "smba.trafficmanager.net",
            "",
        ] {
            assert!(!cloud.allows_service_url(refused), "{refused}");
        }
    }

    #[test]
    fn rules_are_read_from_configuration() {
        assert_eq!("Smba.example".parse(), Ok(ServiceHost::Exact("smba.example".into())));
        assert_eq!(".example.org".parse(), Ok(ServiceHost::Below("example.org".into())));
        assert_eq!(
            "http://127.0.0.1:3979/".parse(),
            Ok(ServiceHost::Origin("http://127.0.0.1:3979".into()))
        );
        for wrong in [
            "",
            "a/b",
            "*",
            "*.",
            "ftp://a",
            "https://a/path",
            "https://a@b/",
            "a:443",
            "a@b",
        ] {
            assert!(wrong.parse::<ServiceHost>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_origin_is_matched_with_its_port() {
        let mut cloud = Cloud::public();
        cloud.service_hosts.push("http://127.0.0.1:3979".parse().unwrap());
        assert!(cloud.allows_service_url("http://127.0.0.1:3979/teams/"));
        assert!(!cloud.allows_service_url("http://127.0.0.1:3980/teams/"));
        assert!(!cloud.allows_service_url("https://127.0.0.1:3979/teams/"));
    }

    #[test]
    fn the_tenant_stands_in_the_token_endpoint() {
        assert_eq!(
            Cloud::public().token_endpoint_for("contoso.example"),
            "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"
        );
    }
}
