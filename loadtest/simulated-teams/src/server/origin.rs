//! Who may use the page's API: this page, and programs that are no browser. Without this, any web site that a developer
//! visits could talk to a port on loopback.

use std::{
    future::{Ready, ready},
    net::SocketAddr,
    sync::Arc,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, error, http::header, web::Data};

use crate::{handle::Handle, shared::Shared};

/// A handle for a request that comes from our own page or from no browser; others are answered 403.
pub(super) struct Own(pub(super) Handle);

impl FromRequest for Own {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(shared) = request.app_data::<Data<Shared>>() else {
            return ready(Err(error::ErrorInternalServerError("the application lacks its state")));
        };
        let text = |name: header::HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
        let own = is_own(shared.address, text(header::HOST), text(header::ORIGIN));
        ready(if own {
            Ok(Self(Handle {
                shared: Arc::clone(shared),
            }))
        } else {
            Err(error::ErrorForbidden("only the page itself may ask"))
        })
    }
}

/// A name that an attacker points at loopback shows in `Host`; another site shows in `Origin`.
fn is_own(address: SocketAddr, host: Option<&str>, origin: Option<&str>) -> bool {
    let is_ours = |host: &str| {
        let Some((name, port)) = host.rsplit_once(':') else {
            return false;
        };
        let is_here = address.to_string().eq_ignore_ascii_case(host);
        is_here || (port == address.port().to_string() && matches!(name, "localhost" | "127.0.0.1" | "[::1]"))
    };
    host.is_some_and(is_ours) && origin.is_none_or(|origin| origin.strip_prefix("http://").is_some_and(is_ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_sites_and_other_names_are_strangers() {
        let here = SocketAddr::from(([127, 0, 0, 1], 4000));
        assert!(is_own(here, Some("127.0.0.1:4000"), None));
        assert!(is_own(here, Some("localhost:4000"), Some("http://localhost:4000")));
        assert!(!is_own(here, Some("evil.example:4000"), None));
        assert!(!is_own(here, Some("127.0.0.1:4000"), Some("https://evil.example")));
        assert!(!is_own(here, Some("127.0.0.1:4000"), Some("http://127.0.0.1:9")));
        assert!(!is_own(here, Some("127.0.0.1:4000"), Some("null")));
        assert!(!is_own(here, None, None));
    }
}
