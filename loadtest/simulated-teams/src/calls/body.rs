//! Reads request bodies, and refuses what Graph refuses.

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// Characters of `clientContext`.
const LONGEST_CONTEXT: usize = 256;

/// The JSON object of a request.
#[derive(Debug)]
pub(super) struct Body(pub(super) Map<String, Value>);

impl Body {
    /// Reads a body; an empty one is an empty object.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.is_empty() {
            return Ok(Self(Map::new()));
        }
        let body = serde_json::from_slice(bytes);
        body.map(Self)
            .map_err(|_| Refusal::word(400, "BadRequest", "Unable to read JSON request payload."))
    }

    /// A member that is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let text = value.as_str();
        text.map(Some)
            .ok_or_else(|| Refusal::argument(format!("{name} is not a string.")))
    }

    pub(super) fn list(&self, name: &str) -> Result<&[Value], Refusal> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(Refusal::argument(format!("{name} is not a collection."))),
        }
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(default);
        };
        value
            .as_bool()
            .ok_or_else(|| Refusal::argument(format!("{name} is not a boolean.")))
    }

    /// A whole number within bounds.
    pub(super) fn number(&self, name: &str, default: u64, (least, most): (u64, u64)) -> Result<u64, Refusal> {
        let Some(value) = self.get(name) else {
            return Ok(default);
        };
        let number = value.as_u64().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| Refusal::argument(format!("{name} is not between {least} and {most}.")))
    }

    /// `clientContext`, at most 256 characters.
    pub(super) fn context(&self) -> Result<Option<String>, Refusal> {
        let context = self.text("clientContext")?;
        if context.is_some_and(|context| context.chars().count() > LONGEST_CONTEXT) {
            return Err(Refusal::argument(format!(
                "clientContext is longer than {LONGEST_CONTEXT} characters."
            )));
        }
        Ok(context.map(str::to_owned))
    }

    /// `callbackUri`: secure, or on this machine.
    pub(super) fn callback(&self) -> Result<Option<String>, Refusal> {
        let uri = self.text("callbackUri")?;
        if uri.is_some_and(|uri| !uri.starts_with("https://") && !is_loopback(uri)) {
            return Err(Refusal::argument("callbackUri must be an HTTPS address."));
        }
        Ok(uri.map(str::to_owned))
    }

    /// The `@odata.type` of a member, without its prefix.
    pub(super) fn type_of(&self, name: &str) -> Option<&str> {
        type_name(self.get(name)?)
    }
}

/// `@odata.type` without its prefix.
pub(super) fn type_name(value: &Value) -> Option<&str> {
    value.get("@odata.type")?.as_str()?.strip_prefix("#microsoft.graph.")
}

/// Whether an address leads to this machine, where no TLS is needed and files are fetched.
pub(crate) fn is_loopback(uri: &str) -> bool {
    let rest = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://"));
    let Some(rest) = rest else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    matches!(host, "localhost" | "[::1]") || is_loopback_address(host)
}

fn is_loopback_address(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>()
        .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_needs_no_tls() {
        for (uri, here) in [
            ("http://127.0.0.1:3978/api/calls/x", true),
            ("https://localhost/prompt.wav?a=1", true),
            ("http://[::1]:80/", true),
            ("http://127.0.0.1.evil.example/", false),
            ("http://user@127.0.0.1/", false),
            ("ftp://127.0.0.1/", false),
            ("https://cdn.contoso.com/a.wav", false),
        ] {
            assert_eq!(is_loopback(uri), here, "{uri}");
        }
    }
}
