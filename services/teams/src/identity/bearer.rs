//! The one token of a request.

use super::{LONGEST_TOKEN, Refusal};

/// Takes the token out of the values of all `Authorization` headers.
///
/// Scheme in any case, exactly one header with exactly one token: what a second one means nobody defines.
pub(super) fn bearer<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Result<&'a str, Refusal> {
    let mut headers = headers.into_iter();
    let header = headers.next().ok_or(Refusal::NoToken)?;
    let others = headers.count();
    if others > 0 {
        return Err(Refusal::SeveralTokens { count: others + 1 });
    }
    let malformed = |reason| Refusal::Malformed { reason };
    let text = std::str::from_utf8(header)
        .map_err(|_| malformed("header is not ASCII"))?
        .trim();
    let (scheme, token) = text.split_once(' ').ok_or(malformed("no token after the scheme"))?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(malformed("scheme is not Bearer"));
    }
    let token = token.trim_start();
    if token.contains(',') {
        return Err(Refusal::SeveralTokens {
            count: token.split(',').count(),
        });
    }
    if token.len() > LONGEST_TOKEN {
        return Err(malformed("longer than 16 KB"));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(headers: &[&'a str]) -> Result<&'a str, Refusal> {
        bearer(headers.iter().map(|header| header.as_bytes()))
    }

    #[test]
    fn one_bearer_token_is_taken_in_any_case_of_the_scheme() {
        for header in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c", " Bearer a.b.c "] {
            assert_eq!(of(&[header]), Ok("a.b.c"), "{header:?}");
        }
    }

    #[test]
    fn no_header_and_several_headers_are_different_refusals() {
        assert_eq!(of(&[]), Err(Refusal::NoToken));
        assert_eq!(
            of(&["Bearer a.b.c", "Bearer a.b.c"]),
            Err(Refusal::SeveralTokens { count: 2 })
        );
        assert_eq!(
            of(&["Bearer a.b.c, Bearer d.e.f"]),
            Err(Refusal::SeveralTokens { count: 2 })
        );
    }

    #[test]
    fn what_is_no_bearer_token_is_malformed() {
        for header in ["", "Bearer", "Bearer ", "Basic YTpi", "a.b.c"] {
            assert!(matches!(of(&[header]), Err(Refusal::Malformed { .. })), "{header:?}");
        }
        assert!(matches!(bearer([&b"Bearer \xff"[..]]), Err(Refusal::Malformed { .. })));
        let long = format!("Bearer {}", "a".repeat(LONGEST_TOKEN + 1));
        assert_eq!(
            of(&[&long]),
            Err(Refusal::Malformed {
                reason: "longer than 16 KB"
            })
        );
    }
}
