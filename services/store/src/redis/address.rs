//! Where Redis is and how it is deployed, as one text:
//!
//! | deployment | text |
//! |---|---|
//! | one server | `redis://[user:password@]host[:6379][/database]` |
//! | Sentinel | `redis+sentinel://[user:password@]host[:26379],host.../master-name[/database]` |
//! | Cluster | `redis+cluster://[user:password@]host[:6379],host...` |
//!
//! `rediss` in place of `redis` encrypts all connections. User and password are those of the servers that hold the data;
//! parts that hold `:`, `@` or `/` are written percent-encoded.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

/// What stands in place of a password.
const DOTS: &str = "••••••";

/// Where Redis is. Holds a secret, which it never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisAddress {
    pub(super) deployment: Deployment,
    /// The server, the sentinels, or some nodes of the cluster. At least one.
    pub(super) nodes: Vec<Node>,
    pub(super) encrypted: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: u16,
}

/// How Redis is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deployment {
    Single,
    Sentinel { master: String },
    Cluster,
}

/// Host and port of a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

impl Node {
    /// Reads `host:port`, with or without brackets around an IPv6 address.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        Some(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: port.parse().ok()?,
        })
    }
}

/// What is wrong with an address: the end of the sentence "the address ...".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressProblem(String);

fn problem<T>(what: impl Into<String>) -> Result<T, AddressProblem> {
    Err(AddressProblem(what.into()))
}

impl FromStr for RedisAddress {
    type Err = AddressProblem;

    fn from_str(text: &str) -> Result<Self, AddressProblem> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return problem("does not begin with redis:// or rediss://");
        };
        let (transport, deployment) = scheme.split_once('+').unwrap_or((scheme, ""));
        let encrypted = match transport {
            "redis" => false,
            "rediss" => true,
            _ => return problem("does not begin with redis:// or rediss://"),
        };
        if rest.contains(['?', '#']) {
            return problem("has a query or a fragment; write ? and # in a password as %3F and %23");
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (decoded(user)?, decoded(password)?),
            None => (decoded(credentials)?, None),
        };
        let (deployment, default_port, database) = match deployment {
            "" => (Deployment::Single, 6379, path),
            "sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                let Some(master) = decoded(master)? else {
                    return problem("names no master: write redis+sentinel://host:26379,host:26379/master-name");
                };
                (Deployment::Sentinel { master }, 26379, database)
            }
            "cluster" if path.is_empty() => (Deployment::Cluster, 6379, ""),
            "cluster" => return problem("names a database, which a cluster does not have"),
            _ => return problem("is neither redis+sentinel:// nor redis+cluster://"),
        };
        let nodes: Vec<Node> = hosts
            .split(',')
            .map(|host| node(host, default_port))
            .collect::<Result<_, _>>()?;
        if deployment == Deployment::Single && nodes.len() > 1 {
            return problem("names several servers: write redis+sentinel:// or redis+cluster://");
        }
        Ok(Self {
            deployment,
            nodes,
            encrypted,
            user,
            password,
            database: match database {
                "" => 0,
                number => number
                    .parse()
                    .map_err(|_| AddressProblem("names a database that is no number".to_owned()))?,
            },
        })
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.encrypted { "rediss" } else { "redis" })?;
        formatter.write_str(match self.deployment {
            Deployment::Single => "://",
            Deployment::Sentinel { .. } => "+sentinel://",
            Deployment::Cluster => "+cluster://",
        })?;
        match (&self.user, &self.password) {
            (user, Some(_)) => write!(formatter, "{}:{DOTS}@", user.as_deref().unwrap_or_default())?,
            (Some(user), None) => write!(formatter, "{user}@")?,
            (None, None) => {}
        }
        for (number, node) in self.nodes.iter().enumerate() {
            write!(formatter, "{}{node}", if number > 0 { "," } else { "" })?;
        }
        match &self.deployment {
            Deployment::Single => write!(formatter, "/{}", self.database),
            Deployment::Sentinel { master } => write!(formatter, "/{master}/{}", self.database),
            Deployment::Cluster => Ok(()),
        }
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A percent-encoded part; `None` when it is empty.
fn decoded(text: &str) -> Result<Option<String>, AddressProblem> {
    let Ok(text) = percent_decode_str(text).decode_utf8() else {
        return problem("holds percent-encoded bytes that are no text");
    };
    Ok((!text.is_empty()).then(|| text.into_owned()))
}

fn node(text: &str, default_port: u16) -> Result<Node, AddressProblem> {
    let has_port = text
        .rsplit_once(':')
        .is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let node = if has_port {
        Node::parse(text)
    } else {
        Some(Node {
            host: text.trim_matches(['[', ']']).to_owned(),
            port: default_port,
        })
    };
    match node {
        None => problem("has a port that is no number from 0 to 65535"),
        Some(node) if node.host.is_empty() => problem("names no host"),
        Some(node) => Ok(node),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn address(text: &str) -> RedisAddress {
        text.parse().unwrap()
    }

    fn nodes(text: &str) -> Vec<String> {
        address(text).nodes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn one_server_is_named_with_its_database() {
        let found = address("redis://127.0.0.1:6380/3");
        assert_eq!(found.deployment, Deployment::Single);
        assert_eq!((found.encrypted, found.database), (false, 3));
        assert_eq!(nodes("redis://127.0.0.1:6380/3"), ["127.0.0.1:6380"]);
        assert_eq!(nodes("rediss://[::1]"), ["[::1]:6379"]);
        assert_eq!(nodes("redis://[::1]:7000"), ["[::1]:7000"]);
        assert!(address("rediss://cache.internal").encrypted);
    }

    #[test]
    fn sentinels_are_named_with_the_master_that_they_watch() {
        let text = "rediss+sentinel://bots:secret@s1:26380,s2/main/2";
        let found = address(text);
        assert_eq!(
            found.deployment,
            Deployment::Sentinel {
                master: "main".to_owned()
            }
        );
        assert_eq!((found.encrypted, found.database), (true, 2));
        assert_eq!(nodes(text), ["s1:26380", "s2:26379"]);
    }

    #[test]
    fn a_cluster_is_named_by_some_of_its_nodes() {
        let text = "redis+cluster://:secret@n1:7001,n2:7002,n3";
        assert_eq!(address(text).deployment, Deployment::Cluster);
        assert_eq!(nodes(text), ["n1:7001", "n2:7002", "n3:6379"]);
    }

    #[test]
    fn passwords_are_decoded_and_never_shown() {
        let found = address("redis://user:p%40ss%2Fw%3A%3F@host");
        assert_eq!(found.user.as_deref(), Some("user"));
        assert_eq!(found.password.as_deref(), Some("p@ss/w:?"));
        assert_eq!(
            format!("{found} {found:?}"),
            "redis://user:••••••@host:6379/0 redis://user:••••••@host:6379/0"
        );
        assert_eq!(
            address("redis://:secret@host").to_string(),
            "redis://:••••••@host:6379/0"
        );
        assert_eq!(
            address("redis+sentinel://:secret@s1,s2/main").to_string(),
            "redis+sentinel://:••••••@s1:26379,s2:26379/main/0"
        );
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "does not begin"),
            ("127.0.0.1:6379", "does not begin"),
            ("http://127.0.0.1", "does not begin"),
            ("redis+proxy://h", "neither"),
            ("redis://", "no host"),
            ("redis://:hunter2@", "no host"),
            ("redis://h:port", "port"),
            ("redis://h:99999", "port"),
            ("redis://h/zero", "database"),
            ("redis://a,b", "several"),
            ("redis+cluster://a,,b", "no host"),
            ("redis+cluster://a/0", "database"),
            ("redis+sentinel://a,b", "no master"),
            ("redis://h?x=1", "query"),
            ("redis://%ff@h", "percent"),
        ] {
            let problem = text.parse::<RedisAddress>().unwrap_err().to_string();
            assert!(problem.contains(reason), "{text}: {problem}");
        }
    }
}
