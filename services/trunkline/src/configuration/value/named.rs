//! Settings that name something: secrets, addresses, ids, ranges, and what only a bot understands.

use std::fmt;
use std::net::SocketAddr;

use trunkline_store::redis::{AddressProblem, RedisAddress};
use trunkline_teams::token::Secret;
use url::{Host, Url};

use super::{DOTS, SettingType, Wrong, text};
use crate::configuration::tree::{Item, Origin, Table, Value, quoted};

impl SettingType for Secret {
    const WHAT: &'static str = "a text; better put it into the environment or a file of its own";
    const SECRET: bool = true;
    fn read(item: &Item) -> Result<Self, Wrong> {
        String::read(item).map(Self::from)
    }
    fn shown(&self) -> Option<String> {
        Some(quoted(DOTS))
    }
}

/// The address of Redis, which may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl {
    written: String,
    address: RedisAddress,
}

impl StoreUrl {
    /// With the password, for the client.
    pub fn reveal(&self) -> &str {
        &self.written
    }

    /// Without the password.
    pub fn without_password(&self) -> String {
        self.address.to_string()
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.without_password())
    }
}

impl SettingType for StoreUrl {
    const WHAT: &'static str = "the address of Redis, such as \"redis://127.0.0.1:6379/0\", \"rediss://user@host:6380\", \
        \"redis+sentinel://host:26379,host:26379/master-name\" or \"redis+cluster://host:6379,host:6379\"";
    const SECRET: bool = true;
    fn read(item: &Item) -> Result<Self, Wrong> {
        let written = text(item)?;
        Ok(Self {
            address: written
                .parse()
                .map_err(|problem: AddressProblem| Wrong::new(problem.to_string()))?,
            written: written.to_owned(),
        })
    }
    fn shown(&self) -> Option<String> {
        Some(quoted(&self.without_password()))
    }
}

/// A GUID, as Azure writes ids of applications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guid(String);

impl Guid {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SettingType for Guid {
    const WHAT: &'static str = "a GUID such as \"5c1f0a2e-6d4b-4f7a-9b7e-0d9c6a3f1e52\"";
    fn read(item: &Item) -> Result<Self, Wrong> {
        let text = text(item)?;
        let groups: Vec<&str> = text.split('-').collect();
        let is_guid = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
            && groups
                .iter()
                .all(|group| group.chars().all(|digit| digit.is_ascii_hexdigit()));
        if is_guid {
            Ok(Self(text.to_owned()))
        } else {
            Err(Wrong::new("is not a GUID"))
        }
    }
    fn shown(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}

/// Host and port of another process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort(String);

impl HostPort {
    /// `host:port`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names a loopback address. Of other names nobody knows before they are looked up.
    pub fn is_of_this_machine(&self) -> bool {
        let is_loopback = |address: SocketAddr| address.ip().is_loopback();
        self.0.parse().is_ok_and(is_loopback) || self.0.starts_with("localhost:")
    }
}

impl SettingType for HostPort {
    const WHAT: &'static str = "a host and a port, such as \"worker-1.internal:7400\" or \"10.0.0.7:7400\"";
    fn read(item: &Item) -> Result<Self, Wrong> {
        let text = text(item)?;
        let (host, port) = text.rsplit_once(':').ok_or_else(|| Wrong::new("has no port"))?;
        if host.is_empty() || host.contains('/') {
            return Err(Wrong::new("is not host:port (no scheme, no path)"));
        }
        port.parse::<u16>().map_err(|_| Wrong::new("has no usable port"))?;
        Ok(Self(text.to_owned()))
    }
    fn shown(&self) -> Option<String> {
        Some(quoted(&self.0))
    }
}

/// Whether an address leads to this machine for certain: by a loopback address, or by the name that always is one.
pub(crate) fn is_of_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// A table whose meaning only the bot knows.
#[derive(Clone, Debug, Default)]
pub struct BotSettings(pub Option<Item>);

impl SettingType for BotSettings {
    const WHAT: &'static str = "a table: what the bot's own code asks for";
    const SECRET: bool = true;
    const OPTIONAL: bool = true;
    fn read(item: &Item) -> Result<Self, Wrong> {
        match &item.value {
            Value::Table(_) => Ok(Self(Some(item.clone()))),
            _ => Err(Wrong::kind(item)),
        }
    }
    fn absent() -> Option<Self> {
        Some(Self(Some(Item {
            value: Value::Table(Table::default()),
            origin: Origin::Default,
        })))
    }
    fn shown(&self) -> Option<String> {
        match &self.0.as_ref()?.value {
            Value::Table(table) if table.entries().is_empty() => None,
            Value::Table(table) => {
                let keys: Vec<String> = table
                    .entries()
                    .iter()
                    .map(|entry| format!("{} = \"{DOTS}\"", entry.key))
                    .collect();
                Some(format!("{{ {} }}", keys.join(", ")))
            }
            _ => None,
        }
    }
}
