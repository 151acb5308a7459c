//! The parts of a token, read without trust.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Refusal;

/// JOSE header of a token (RFC 7515 section 4.1), as far as it decides anything.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    #[serde(default)]
    pub(super) kid: Option<String>,
    /// Extensions that must be understood: none is, so its presence is a refusal.
    #[serde(default)]
    pub(super) crit: Option<serde_json::Value>,
}

/// Claims of a token, as far as they decide anything. One published token of the Connector holds all but `tid`.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    #[serde(default)]
    pub(super) iss: Option<String>,
    #[serde(default)]
    pub(super) aud: Option<String>,
    #[serde(default)]
    pub(super) exp: Option<u64>,
    #[serde(default)]
    pub(super) nbf: Option<u64>,
    #[serde(default, rename = "serviceurl")]
    pub(super) service_url: Option<String>,
    /// Tokens of the calling platform have it, those of the Connector do not.
    #[serde(default)]
    pub(super) tid: Option<String>,
}

/// A token in its three parts, nothing of it verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    header: &'a str,
    claims: &'a str,
    /// What the signature signs: header, dot, claims.
    pub(super) signed: &'a str,
    /// The signature as base64url text.
    pub(super) signature: &'a str,
}

impl<'a> Parts<'a> {
    /// Cuts a token at its two dots.
    pub(super) fn cut(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        (!claims.contains('.')).then_some(Self {
            header,
            claims,
            signed,
            signature,
        })
    }

    pub(super) fn header(&self) -> Result<Header, Refusal> {
        decode(self.header).ok_or(Refusal::Malformed {
            reason: "header is not the JSON of a token",
        })
    }

    pub(super) fn claims(&self) -> Result<Claims, Refusal> {
        decode(self.claims).ok_or(Refusal::Malformed {
            reason: "claims are not the JSON of a token",
        })
    }
}

fn decode<T: DeserializeOwned>(part: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&json).ok()
}

/// What the log shows of a refused token. Nobody has verified it: it is what the caller claims.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoggedClaims {
    /// `alg` of the header.
    pub algorithm: Option<String>,
    /// `kid` of the header.
    pub key: Option<String>,
    /// `iss`
    pub issuer: Option<String>,
    /// `aud`
    pub audience: Option<String>,
    /// `nbf`, Unix seconds.
    pub not_before: Option<u64>,
    /// `exp`, Unix seconds.
    pub expires: Option<u64>,
    /// `serviceurl`
    pub service_url: Option<String>,
    /// `tid`: Connector tokens have none, tokens of Microsoft Entra ID do.
    pub tenant: Option<String>,
    /// `appid` or `azp`: the calling app in tokens of Microsoft Entra ID.
    pub app: Option<String>,
}

/// Extracts what the log may show from the values of the `Authorization` headers; never the token or its signature.
///
/// `None` when there is no single token whose parts are JSON. Texts are cut at 256 characters and hold no control
/// characters, because a stranger wrote them.
pub fn logged_claims<'a>(authorization: impl IntoIterator<Item = &'a [u8]>) -> Option<LoggedClaims> {
    let token = super::bearer::bearer(authorization).ok()?;
    let parts = Parts::cut(token)?;
    let header: serde_json::Value = decode(parts.header)?;
    let claims: serde_json::Value = decode(parts.claims)?;
    let text = |value: &serde_json::Value, name: &str| value.get(name)?.as_str().map(for_log);
    let number = |name: &str| claims.get(name)?.as_u64();
    Some(LoggedClaims {
        algorithm: text(&header, "alg"),
        key: text(&header, "kid"),
        issuer: text(&claims, "iss"),
        audience: text(&claims, "aud"),
        not_before: number("nbf"),
        expires: number("exp"),
        service_url: text(&claims, "serviceurl"),
        tenant: text(&claims, "tid"),
        app: text(&claims, "appid").or_else(|| text(&claims, "azp")),
    })
}

/// A stranger's text, made harmless for a log line.
pub(super) fn for_log(text: &str) -> String {
    text.chars()
        .take(256)
        .map(|symbol| if symbol.is_control() { '\u{fffd}' } else { symbol })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn header_of(header: &serde_json::Value, claims: &serde_json::Value) -> String {
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("Bearer {}.{}.c2lnbmF0dXJl", part(header), part(claims))
    }

    #[test]
    fn the_log_gets_the_claims_and_never_the_token() {
        let header = header_of(
            &json!({"alg": "RS256", "kid": "k1"}),
            &json!({"iss": "https://issuer.example", "aud": "a", "exp": 20, "nbf": 10, "azp": "caller", "tid": "t"}),
        );
        let claims = logged_claims([header.as_bytes()]).unwrap();
        assert_eq!(claims.key.as_deref(), Some("k1"));
        assert_eq!(claims.issuer.as_deref(), Some("https://issuer.example"));
        assert_eq!((claims.not_before, claims.expires), (Some(10), Some(20)));
        assert_eq!(
            (claims.app.as_deref(), claims.tenant.as_deref()),
            (Some("caller"), Some("t"))
        );
        assert!(!format!("{claims:?}").contains("c2lnbmF0dXJl"));
    }

    #[test]
    fn a_stranger_cannot_write_lines_into_the_log() {
        let header = header_of(
            &json!({"alg": "x\ny"}),
            &json!({"aud": "a\r\nlevel=info all is well", "iss": "i".repeat(10_000), "exp": "soon"}),
        );
        let claims = logged_claims([header.as_bytes()]).unwrap();
        assert_eq!(claims.algorithm.as_deref(), Some("x\u{fffd}y"));
        assert_eq!(
            claims.audience.as_deref(),
            Some("a\u{fffd}\u{fffd}level=info all is well")
        );
        assert_eq!(claims.issuer.unwrap().len(), 256);
        assert_eq!(claims.expires, None);
    }

    #[test]
    fn what_is_no_token_has_no_claims() {
        for header in ["", "Bearer", "Bearer abc", "Bearer a.b.c", "Basic YTpi"] {
            assert_eq!(logged_claims([header.as_bytes()]), None, "{header}");
        }
        assert_eq!(logged_claims([]), None);
    }

    #[test]
    fn a_token_has_exactly_three_parts() {
        assert!(Parts::cut("a.b.c").is_some());
        for wrong in ["", "a", "a.b", "a.b.c.d"] {
            assert!(Parts::cut(wrong).is_none(), "{wrong}");
        }
    }
}
