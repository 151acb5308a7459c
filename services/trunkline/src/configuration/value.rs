//! The types that settings have, each with its words for people and its reading.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use trunkline_teams::token::Secret;
use url::Url;

use super::tree::{Item, Origin, Table, Value, quoted};

/// A type that a setting can have.
pub(super) trait SettingType: Sized {
    /// What to write, as the end of the sentence "write ...".
    const WHAT: &'static str;
    /// The written value must not be shown: not in messages, not in `config show`, not in logs.
    const SECRET: bool = false;
    /// The setting may be left out and has no default.
    const OPTIONAL: bool = false;

    /// Reads a written value.
    fn read(item: &Item) -> Result<Self, Wrong>;

    /// What stands for a setting that nobody wrote and that has no default.
    fn absent() -> Option<Self> {
        None
    }

    /// As `config show` prints it, in TOML; `None` for a value that is not set. Secrets are dots.
    fn shown(&self) -> Option<String>;
}

/// Why a written value cannot be used.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    /// The end of the sentence "the value ...".
    pub why: String,
    /// The part of a list that is wrong.
    pub part: Option<Origin>,
}

impl Wrong {
    /// A value that is wrong as a whole.
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            part: None,
        }
    }

    fn kind(item: &Item) -> Self {
        Self::new(format!("is {}", item.value.kind()))
    }
}

/// What secrets are printed as.
pub(super) const DOTS: &str = "••••••";

fn text(item: &Item) -> Result<&str, Wrong> {
    match &item.value {
        Value::Text(text) | Value::String(text) => Ok(text),
        _ => Err(Wrong::kind(item)),
    }
}

impl SettingType for String {
    const WHAT: &'static str = "a text";
    fn read(item: &Item) -> Result<Self, Wrong> {
        let text = text(item)?;
        if text.trim().is_empty() {
            Err(Wrong::new("is empty"))
        } else {
            Ok(text.to_owned())
        }
    }
    fn shown(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl SettingType for PathBuf {
    const WHAT: &'static str = "the path of a file or directory";
    fn read(item: &Item) -> Result<Self, Wrong> {
        String::read(item).map(Self::from)
    }
    fn shown(&self) -> Option<String> {
        Some(quoted(&self.display().to_string()))
    }
}

impl SettingType for bool {
    const WHAT: &'static str = "true or false";
    fn read(item: &Item) -> Result<Self, Wrong> {
        match &item.value {
            Value::Boolean(truth) => Ok(*truth),
            Value::Text(text) if text == "true" => Ok(true),
            Value::Text(text) if text == "false" => Ok(false),
            Value::Text(_) => Err(Wrong::new("is neither true nor false")),
            _ => Err(Wrong::kind(item)),
        }
    }
    fn shown(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl SettingType for u32 {
    const WHAT: &'static str = "a whole number from 0 to 4294967295";
    fn read(item: &Item) -> Result<Self, Wrong> {
        match &item.value {
            Value::Integer(number) => Self::try_from(*number).map_err(|_| Wrong::new("is out of range")),
            Value::Text(text) => text.parse().map_err(|_| Wrong::new("is not such a number")),
            _ => Err(Wrong::kind(item)),
        }
    }
    fn shown(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl SettingType for SocketAddr {
    const WHAT: &'static str = "an address with a port, such as \"127.0.0.1:3978\" or \"[::]:443\"";
    fn read(item: &Item) -> Result<Self, Wrong> {
        let text = text(item)?;
        text.parse().map_err(|_| {
            Wrong::new(if text.parse::<std::net::IpAddr>().is_ok() {
                "has no port"
            } else {
                "is not an address with a port"
            })
        })
    }
    fn shown(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

impl SettingType for IpNet {
    const WHAT: &'static str = "a network such as \"10.0.0.0/8\", or one address";
    fn read(item: &Item) -> Result<Self, Wrong> {
        let text = text(item)?;
        text.parse()
            .or_else(|_| text.parse::<std::net::IpAddr>().map(Self::from))
            .map_err(|_| Wrong::new("is not a network"))
    }
    fn shown(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

impl SettingType for Url {
    const WHAT: &'static str = "a URL that begins with https:// or http://";
    fn read(item: &Item) -> Result<Self, Wrong> {
        let url = Self::parse(text(item)?).map_err(|error| Wrong::new(format!("is not a URL: {error}")))?;
        match url.scheme() {
            "http" | "https" if url.username().is_empty() && url.password().is_none() => Ok(url),
            "http" | "https" => Err(Wrong::new("holds a user name or password")),
            other => Err(Wrong::new(format!("begins with {other}:"))),
        }
    }
    fn shown(&self) -> Option<String> {
        Some(quoted(self.as_str()))
    }
}

impl<T: SettingType> SettingType for Option<T> {
    const WHAT: &'static str = T::WHAT;
    const SECRET: bool = T::SECRET;
    const OPTIONAL: bool = true;
    fn read(item: &Item) -> Result<Self, Wrong> {
        T::read(item).map(Some)
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
    fn shown(&self) -> Option<String> {
        self.as_ref().and_then(T::shown)
    }
}

/// A list. From the environment and flags: parted by commas. One value alone is a list of one.
impl<T: SettingType> SettingType for Vec<T> {
    const WHAT: &'static str = T::WHAT;
    const SECRET: bool = T::SECRET;
    fn read(item: &Item) -> Result<Self, Wrong> {
        let wrong_part = |wrong: Wrong, part: &Item| Wrong {
            part: Some(part.origin.clone()),
            ..wrong
        };
        match &item.value {
            Value::Array(items) => items
                .iter()
                .map(|part| T::read(part).map_err(|wrong| wrong_part(wrong, part)))
                .collect(),
            Value::Text(text) => text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| {
                    T::read(&Item {
                        value: Value::Text(part.to_owned()),
                        origin: item.origin.clone(),
                    })
                })
                .collect(),
            _ => T::read(item).map(|one| vec![one]),
        }
    }
    fn shown(&self) -> Option<String> {
        let parts: Vec<String> = self.iter().filter_map(T::shown).collect();
        Some(format!("[{}]", parts.join(", ")))
    }
}

/// A number with a unit, such as `15 s`.
fn with_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '_')?;
    let number = text[..end].replace('_', "").parse().ok()?;
    Some((number, text[end..].trim()))
}

const DURATION_UNITS: [(&str, u64); 6] = [
    ("days", 86_400_000),
    ("day", 86_400_000),
    ("h", 3_600_000),
    ("min", 60_000),
    ("s", 1000),
    ("ms", 1),
];

impl SettingType for Duration {
    const WHAT: &'static str = "a time with its unit (ms, s, min, h, days), such as \"15 s\" or \"200 ms\"";
    fn read(item: &Item) -> Result<Self, Wrong> {
        let text = match &item.value {
            Value::Integer(_) | Value::Float(_) => return Err(Wrong::new("has no unit")),
            _ => text(item)?,
        };
        let (number, unit) = with_unit(text.trim()).ok_or_else(|| Wrong::new("is not a number with a unit"))?;
        let (_, factor) = DURATION_UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(|| Wrong::new(format!("has the unknown unit {unit}")))?;
        number
            .checked_mul(*factor)
            .map(Self::from_millis)
            .ok_or_else(|| Wrong::new("is too long"))
    }
    fn shown(&self) -> Option<String> {
        let millis = self.as_millis();
        let (unit, factor) = DURATION_UNITS
            .iter()
            .find(|(name, factor)| *name != "day" && millis.is_multiple_of(u128::from(*factor)) && millis != 0)
            .unwrap_or(&("ms", 1));
        Some(quoted(&format!("{} {unit}", millis / u128::from(*factor))))
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl Size {
    /// As an index type; all of memory when it is more.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl SettingType for Size {
    const WHAT: &'static str = "a size with its unit (B, KiB, MiB, GiB), such as \"256 KiB\"";
    fn read(item: &Item) -> Result<Self, Wrong> {
        let text = match &item.value {
            Value::Integer(_) | Value::Float(_) => return Err(Wrong::new("has no unit")),
            _ => text(item)?,
        };
        let (number, unit) = with_unit(text.trim()).ok_or_else(|| Wrong::new("is not a number with a unit"))?;
        let (_, factor) = SIZE_UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(|| Wrong::new(format!("has the unknown unit {unit}")))?;
        number
            .checked_mul(*factor)
            .map(Self)
            .ok_or_else(|| Wrong::new("is too large"))
    }
    fn shown(&self) -> Option<String> {
        let (unit, factor) = SIZE_UNITS
            .iter()
            .find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor))
            .unwrap_or(&("B", 1));
        Some(quoted(&format!("{} {unit}", self.0 / factor)))
    }
}

/// A share between nothing and all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(pub f64);

impl SettingType for Share {
    const WHAT: &'static str = "a number from 0 to 1, such as 0.1";
    fn read(item: &Item) -> Result<Self, Wrong> {
        let number = match &item.value {
            Value::Float(number) => *number,
            Value::Integer(0) => 0.0,
            Value::Integer(1) => 1.0,
            Value::Integer(_) => return Err(Wrong::new("is out of range")),
            Value::Text(text) => text.parse().map_err(|_| Wrong::new("is not a number"))?,
            _ => return Err(Wrong::kind(item)),
        };
        if (0.0..=1.0).contains(&number) {
            Ok(Self(number))
        } else {
            Err(Wrong::new("is out of range"))
        }
    }
    fn shown(&self) -> Option<String> {
        Some(format!("{:?}", self.0))
    }
}

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

/// The URL of a Redis server, which may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(Url);

impl StoreUrl {
    /// With the password, for the client.
    pub fn reveal(&self) -> &str {
        self.0.as_str()
    }

    /// Without the password.
    pub fn without_password(&self) -> String {
        let mut shown = self.0.clone();
        let hidden = self.0.password().is_none() || shown.set_password(Some("hidden")).is_err();
        if hidden {
            shown.to_string()
        } else {
            shown.to_string().replacen(":hidden@", &format!(":{DOTS}@"), 1)
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.without_password())
    }
}

impl SettingType for StoreUrl {
    const WHAT: &'static str =
        "the URL of a Redis server, such as \"redis://127.0.0.1:6379/0\" or \"rediss://user@host:6380/0\"";
    const SECRET: bool = true;
    fn read(item: &Item) -> Result<Self, Wrong> {
        let url = Url::parse(text(item)?).map_err(|error| Wrong::new(format!("is not a URL: {error}")))?;
        match url.scheme() {
            "redis" | "rediss" if url.has_host() => Ok(Self(url)),
            "redis" | "rediss" => Err(Wrong::new("names no host")),
            _ => Err(Wrong::new("does not begin with redis:// or rediss://")),
        }
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

/// The first and the last shard of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shards {
    /// The first one.
    pub first: u32,
    /// The last one, included.
    pub last: u32,
}

impl SettingType for Shards {
    const WHAT: &'static str = "the first and the last shard, such as \"0-2047\"";
    fn read(item: &Item) -> Result<Self, Wrong> {
        let range = text(item)?.split_once('-').and_then(|(first, last)| {
            Some(Self {
                first: first.trim().parse().ok()?,
                last: last.trim().parse().ok()?,
            })
        });
        match range {
            Some(range) if range.first <= range.last => Ok(range),
            Some(_) => Err(Wrong::new("ends before it begins")),
            None => Err(Wrong::new("is not a range")),
        }
    }
    fn shown(&self) -> Option<String> {
        Some(quoted(&format!("{}-{}", self.first, self.last)))
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
