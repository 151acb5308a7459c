//! Client assertions: a bot proves itself with the key of its certificate. Microsoft's page: "Microsoft identity platform
//! application authentication certificate credentials".

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

/// `client_assertion_type`.
pub(crate) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Seconds by which clocks may differ.
const SKEW: u64 = 300;

#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    iss: String,
    aud: String,
    nbf: u64,
    exp: u64,
}

/// Whether `assertion` was signed by one of `keys` (PEM) for this client and token endpoint, and is valid at `now`
/// (milliseconds since 1970).
pub(crate) fn is_good(assertion: &str, keys: &[String], client_id: &str, token_endpoint: &str, now: u64) -> bool {
    let Ok(header) = jsonwebtoken::decode_header(assertion) else {
        return false;
    };
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::PS256) {
        return false;
    }
    let mut validation = Validation::new(header.alg);
    // The clock is an input here, and the rest is compared below.
    validation.validate_exp = false;
    validation.validate_aud = false;
    let second = now / 1_000;
    keys.iter().any(|key| {
        let Ok(key) = DecodingKey::from_rsa_pem(key.as_bytes()) else {
            return false;
        };
        let Ok(token) = jsonwebtoken::decode::<Claims>(assertion, &key, &validation) else {
            return false;
        };
        let claims = token.claims;
        claims.iss == client_id
            && claims.sub == client_id
            && claims.aud == token_endpoint
            && claims.nbf <= second + SKEW
            && second < claims.exp + SKEW
    })
}
