//! Where a request comes from: the address that counts behind proxies, and whether its network is allowed.
//!
//! A second wall; the token is the first. Microsoft contradicts itself here: its architecture pages filter inbound 443 on
//! [`TEAMS`], its security FAQ says that filtering the addresses of the Bot Service is not supported because they change.
//! So the filter is off until networks are configured, and each preset says which document it comes from.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::Refusal;
use super::claims::for_log;

/// Networks that belong together, and the document that names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Name in the configuration.
    pub name: &'static str,
    /// Networks in CIDR form.
    pub networks: &'static [&'static str],
    /// The document, and how far it carries.
    pub source: &'static str,
    /// Whether a configuration that asks for "the presets" gets it.
    pub is_default: bool,
}

/// From which Teams calls bots, as Microsoft's architecture pages say.
pub const TEAMS: Preset = Preset {
    name: "teams",
    networks: &["52.112.0.0/14"],
    source: "Azure Architecture Center, securing the Teams channel of a bot behind a firewall: documented",
    is_default: true,
};

/// The second range of Teams.
pub const TEAMS_SECOND: Preset = Preset {
    name: "teams-second",
    networks: &["52.122.0.0/15"],
    source: "Office 365 URLs and IP address ranges, sets 11 and 12 (2023-07): documented for clients that reach Teams, \
             inferred for Teams that reaches bots",
    is_default: true,
};

/// What stood where [`TEAMS_SECOND`] stands now; samples and firewalls still carry it.
pub const OLDER_LISTS: Preset = Preset {
    name: "older-lists",
    networks: &["52.120.0.0/14"],
    source: "Office 365 URLs and IP address ranges (2022-07), replaced by 52.122.0.0/15 in 2023-07: outdated",
    is_default: false,
};

/// Every preset.
pub const PRESETS: [Preset; 3] = [TEAMS, TEAMS_SECOND, OLDER_LISTS];

impl Preset {
    /// The preset of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        PRESETS.into_iter().find(|preset| preset.name == name)
    }

    /// The networks as values.
    pub fn parsed(&self) -> impl Iterator<Item = IpNet> {
        self.networks.iter().filter_map(|network| network.parse().ok())
    }
}

/// Which networks may send requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceRules {
    /// Allowed networks; none allows every address.
    pub allowed: Vec<IpNet>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl SourceRules {
    /// The address that counts, if it is allowed.
    ///
    /// `peer` is the other end of the connection, `forwarded_for` the values of all `X-Forwarded-For` headers in their
    /// order. They count only if the peer is a trusted proxy; then the last hop that is no trusted proxy is the source.
    /// What stands before it anybody may have written.
    pub fn check<'a>(&self, peer: IpAddr, forwarded_for: impl IntoIterator<Item = &'a str>) -> Result<IpAddr, Refusal> {
        let peer = peer.to_canonical();
        let refused = |seen: String| Refusal::SourceNotAllowed { seen, peer };
        let source = self.source(peer, forwarded_for).map_err(|hop| refused(for_log(hop)))?;
        let is_allowed = self.allowed.is_empty() || holds(&self.allowed, source);
        if is_allowed {
            Ok(source)
        } else {
            Err(refused(source.to_string()))
        }
    }

    /// The source, or the hop that is no address.
    fn source<'a>(&self, peer: IpAddr, forwarded_for: impl IntoIterator<Item = &'a str>) -> Result<IpAddr, &'a str> {
        let mut source = peer;
        if !holds(&self.trusted_proxies, peer) {
            return Ok(peer);
        }
        let headers: Vec<&str> = forwarded_for.into_iter().collect();
        let hops = headers
            .iter()
            .rev()
            .flat_map(|header| header.rsplit(','))
            .map(str::trim);
        for hop in hops.filter(|hop| !hop.is_empty()) {
            source = parse_hop(hop).ok_or(hop)?;
            if !holds(&self.trusted_proxies, source) {
                break;
            }
        }
        Ok(source)
    }
}

fn holds(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// An address as proxies write it: bare, in brackets, or with a port (Azure Application Gateway adds one).
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let bare = hop
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(hop);
    let address = IpAddr::from_str(bare).ok();
    let address = address.or_else(|| std::net::SocketAddr::from_str(hop).ok().map(|socket| socket.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn rules(allowed: &[&str], trusted_proxies: &[&str]) -> SourceRules {
        let parse = |networks: &[&str]| networks.iter().map(|network| network.parse().unwrap()).collect();
        SourceRules {
            allowed: parse(allowed),
            trusted_proxies: parse(trusted_proxies),
        }
    }

    fn check(rules: &SourceRules, peer: &str, forwarded_for: &[&str]) -> Result<String, String> {
        let source = rules.check(peer.parse().unwrap(), forwarded_for.iter().copied());
        source
            .map(|address| address.to_string())
            .map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn every_network_of_a_preset_can_be_read() {
        for preset in PRESETS {
            assert_eq!(preset.parsed().count(), preset.networks.len(), "{}", preset.name);
            assert_eq!(Preset::by_name(preset.name), Some(preset));
        }
        let defaults: Vec<_> = PRESETS
            .iter()
            .filter(|preset| preset.is_default)
            .map(|preset| preset.name)
            .collect();
        assert_eq!(defaults, ["teams", "teams-second"]);
    }

    #[test]
    fn without_networks_everybody_may_come() {
        assert_eq!(
            check(&SourceRules::default(), "203.0.113.9", &[]),
            Ok("203.0.113.9".into())
        );
    }

    #[test]
    fn a_source_outside_the_networks_is_refused() {
        let rules = rules(&["52.112.0.0/14"], &[]);
        assert!(check(&rules, "52.115.255.255", &[]).is_ok());
        let refused = check(&rules, "52.116.0.0", &[]).unwrap_err();
        assert_eq!(refused, "source 52.116.0.0 is in no allowed network (peer 52.116.0.0)");
    }

    #[test]
    fn an_ipv4_address_in_ipv6_form_is_the_ipv4_address() {
        let rules = rules(&["52.112.0.0/14"], &["10.0.0.0/8"]);
        assert_eq!(check(&rules, "::ffff:52.112.0.1", &[]), Ok("52.112.0.1".into()));
        assert_eq!(
            check(&rules, "::ffff:10.0.0.1", &["::ffff:52.112.0.2"]),
            Ok("52.112.0.2".into())
        );
        assert!(check(&rules, "::ffff:203.0.113.9", &[]).is_err());
    }

    #[test]
    fn a_stranger_who_writes_the_header_himself_is_not_believed() {
        let rules = rules(&["52.112.0.0/14"], &["10.0.0.0/8"]);
        assert!(check(&rules, "203.0.113.9", &["52.112.0.1"]).is_err());
        // Through the proxy, which appends what it saw.
        assert!(check(&rules, "10.0.0.1", &["52.112.0.1, 203.0.113.9"]).is_err());
        assert!(check(&rules, "10.0.0.1", &["52.112.0.1", "203.0.113.9"]).is_err());
    }

    #[test]
    fn the_last_hop_that_is_no_proxy_counts() {
        let rules = rules(&["52.112.0.0/14"], &["10.0.0.0/8", "2001:db8::/32"]);
        for forwarded_for in [
            &["52.112.0.7"][..],
            &["203.0.113.9, 52.112.0.7"],
            &["203.0.113.9", "52.112.0.7, 10.1.1.1"],
            &["52.112.0.7:50123,2001:db8::5"],
            &["nonsense, 52.112.0.7, [2001:db8::5]:443, [2001:db8::6]"],
        ] {
            assert_eq!(
                check(&rules, "10.0.0.1", forwarded_for),
                Ok("52.112.0.7".into()),
                "{forwarded_for:?}"
            );
        }
    }

    #[test]
    fn a_hop_that_is_no_address_is_refused() {
        let rules = rules(&[], &["10.0.0.0/8"]);
        let refused = check(&rules, "10.0.0.1", &["52.112.0.7, unknown"]).unwrap_err();
        assert_eq!(refused, "source unknown is in no allowed network (peer 10.0.0.1)");
    }

    #[test]
    fn a_proxy_that_names_nobody_is_itself_the_source() {
        let rules = rules(&[], &["10.0.0.0/8"]);
        assert_eq!(check(&rules, "10.0.0.1", &[]), Ok("10.0.0.1".into()));
        assert_eq!(
            check(&rules, "10.0.0.1", &["10.0.0.9, 10.0.0.8"]),
            Ok("10.0.0.9".into())
        );
    }
}
