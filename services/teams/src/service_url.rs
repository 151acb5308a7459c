//! Addresses of the Connector: how a service URL is read, trusted and joined with the path of a call.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Url};

/// What may stand unescaped in a segment of a path: the unreserved characters of RFC 3986, section 2.3. Ids of Teams hold `:`,
/// `@`, `;` and `=`, which all must be escaped.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Base of the Connector that serves a conversation, as an activity names it.
///
/// A bot's token is sent only to an address that somebody has vouched for: see [`Self::trusted`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceUrl {
    base: Url,
    trust: Option<Trust>,
}

/// Why a bot's token may go to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It came in an activity whose token was verified and named the same address.
    VerifiedActivity,
    /// The operator, or the list of the cloud's hosts, names it.
    AllowList,
}

/// Why an address of the Connector cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// No absolute URL.
    #[error("the service URL is no absolute URL: {0}")]
    NotAbsolute(#[from] url::ParseError),
    /// Neither `https` nor `http`, or no host.
    #[error("the service URL must begin with https:// and a host")]
    NotHttp,
    /// `http` outside the loopback network: the token would be readable on the way.
    #[error("the service URL of {host} is not https; plain http is for loopback and for hosts on the allow-list")]
    NotSecure {
        /// The host.
        host: String,
    },
    /// User name, password, query or fragment.
    #[error("the service URL holds more than scheme, host, port and path")]
    NotPlain,
    /// An id that is empty or would change the path.
    #[error("an id that is empty, `.` or `..` cannot stand in a path")]
    UnusableId,
    /// A page of an answer lies at another host.
    #[error("the answer goes on at another host")]
    Elsewhere,
}

impl ServiceUrl {
    /// Reads a base. It may end in one `/` or not (documents and traffic have both).
    ///
    /// # Errors
    /// It is no plain `https` or `http` URL.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let base = Url::parse(text.trim())?;
        if !matches!(base.scheme(), "https" | "http") || base.host().is_none() {
            return Err(AddressError::NotHttp);
        }
        let is_plain = base.username().is_empty()
            && base.password().is_none()
            && base.query().is_none()
            && base.fragment().is_none();
        if is_plain {
            Ok(Self { base, trust: None })
        } else {
            Err(AddressError::NotPlain)
        }
    }

    /// Marks the address as one that the bot's token may be sent to.
    ///
    /// # Errors
    /// It is plain `http` to another machine and not on the allow-list.
    pub fn trusted(mut self, because: Trust) -> Result<Self, AddressError> {
        if self.base.scheme() == "http" && !self.is_loopback() && because != Trust::AllowList {
            return Err(AddressError::NotSecure {
                host: self.host().to_owned(),
            });
        }
        self.trust = Some(because);
        Ok(self)
    }

    /// Why the bot's token may go there; `None` if it may not.
    pub fn trust(&self) -> Option<Trust> {
        self.trust
    }

    /// Name or address of the host.
    pub fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    /// The address without a slash at its end.
    pub fn as_str(&self) -> &str {
        let text = self.base.as_str();
        text.strip_suffix('/').unwrap_or(text)
    }

    /// Whether an address lies at the same scheme, host and port.
    pub(crate) fn has_origin_of(&self, url: &Url) -> bool {
        url.username().is_empty() && url.origin() == self.base.origin()
    }

    fn is_loopback(&self) -> bool {
        match self.base.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// Address of a call: the base and these segments, each escaped.
    ///
    /// # Errors
    /// A segment is empty or would be taken for a step in the path.
    pub(crate) fn join(&self, segments: &[&str]) -> Result<Url, AddressError> {
        let base = self.base.path();
        let base = base.strip_suffix('/').unwrap_or(base);
        let mut path = String::with_capacity(base.len() + 64 + segments.iter().map(|s| s.len()).sum::<usize>());
        path.push_str(base);
        for segment in segments {
            if matches!(*segment, "" | "." | "..") {
                return Err(AddressError::UnusableId);
            }
            path.push('/');
            path.extend(utf8_percent_encode(segment, SEGMENT));
        }
        // Only the path is read anew, not the host.
        let mut url = self.base.clone();
        url.set_path(&path);
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://smba.example/amer/t1/")]
    #[case("https://smba.example/amer/t1")]
    fn one_slash_at_the_end_makes_no_difference(#[case] base: &str) {
        let url = ServiceUrl::parse(base).unwrap().join(&["v3", "conversations"]).unwrap();
        assert_eq!(url.as_str(), "https://smba.example/amer/t1/v3/conversations");
    }

    #[test]
    fn ids_are_escaped() {
        let base = ServiceUrl::parse("http://127.0.0.1:1/_connector").unwrap();
        let url = base
            .join(&["v3", "19:abc@thread.tacv2;messageid=17", "a/b?c#d%é"])
            .unwrap();
        let expected =
            "http://127.0.0.1:1/_connector/v3/19%3Aabc%40thread.tacv2%3Bmessageid%3D17/a%2Fb%3Fc%23d%25%C3%A9";
        assert_eq!(url.as_str(), expected);
    }

    #[rstest]
    #[case("")]
    #[case(".")]
    #[case("..")]
    fn an_id_cannot_climb_in_the_path(#[case] id: &str) {
        let base = ServiceUrl::parse("https://smba.example/").unwrap();
        assert_eq!(base.join(&["v3", id]), Err(AddressError::UnusableId));
    }

    #[rstest]
    #[case("smba.example/amer")]
    #[case("ftp://smba.example/")]
    #[case("https://user@smba.example/")]
    #[case("https://smba.example/?a=b")]
    #[case("https://smba.example/#a")]
    #[case("")]
    fn other_addresses_are_refused(#[case] text: &str) {
        assert!(ServiceUrl::parse(text).is_err());
    }

    #[test]
    fn nobody_is_trusted_unless_somebody_says_so() {
        assert_eq!(ServiceUrl::parse("https://smba.example/").unwrap().trust(), None);
    }

    #[rstest]
    #[case("https://smba.example/", true, true)]
    #[case("http://smba.example/", false, true)]
    #[case("http://localhost:3979/", true, true)]
    #[case("http://[::1]:3979/", true, true)]
    #[case("http://127.0.0.1.example/", false, true)]
    fn plain_http_is_for_loopback_and_the_allow_list(#[case] url: &str, #[case] verified: bool, #[case] listed: bool) {
        let url = ServiceUrl::parse(url).unwrap();
        assert_eq!(url.clone().trusted(Trust::VerifiedActivity).is_ok(), verified);
        assert_eq!(url.trusted(Trust::AllowList).is_ok(), listed);
    }

    proptest! {
        #[test]
        fn every_id_stays_one_segment_and_can_be_read_back(id in "\\PC{1,40}") {
            prop_assume!(id != "." && id != "..");
            let url = ServiceUrl::parse("https://smba.example/amer/").unwrap().join(&["v3", &id, "end"]).unwrap();
            let segments: Vec<_> = url.path_segments().unwrap().collect();
            prop_assert_eq!(segments.len(), 4);
            let decoded = percent_encoding::percent_decode_str(segments[2]).decode_utf8().unwrap().into_owned();
            prop_assert_eq!(decoded, id);
        }
    }
}
