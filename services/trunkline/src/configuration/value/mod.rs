//! The types that settings have, each with its words for people and its reading.

mod named;
mod quantity;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

pub(super) use named::BotSettings;
pub(crate) use named::is_of_this_machine;
pub use named::{Guid, HostPort, StoreUrl};
pub(super) use quantity::Share;
pub use quantity::Size;

use super::tree::{Item, Origin, Value, quoted};

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

/// Reads a time with its unit, for the command line.
///
/// # Errors
/// What is wrong with it, and what to write.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let item = Item {
        value: Value::Text(text.to_owned()),
        origin: Origin::Default,
    };
    Duration::read(&item).map_err(|wrong| format!("it {}; write {}", wrong.why, Duration::WHAT))
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
            Wrong::new(if text.parse::<IpAddr>().is_ok() {
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

impl SettingType for IpAddr {
    const WHAT: &'static str = "an address without a port, such as \"203.0.113.7\" or \"2001:db8::7\"";
    fn read(item: &Item) -> Result<Self, Wrong> {
        let wrong = |_| Wrong::new("is not an address without a port");
        text(item)?.parse().map_err(wrong)
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
            .or_else(|_| text.parse::<IpAddr>().map(Self::from))
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
