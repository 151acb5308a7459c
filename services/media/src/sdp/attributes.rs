//! Attributes of a session description, read into values.

use rtc_sdp::{MediaDescription, SessionDescription};

/// The value of an attribute of a section, or else of the session.
pub(super) fn value<'a>(section: &'a MediaDescription, session: &'a SessionDescription, key: &str) -> Option<&'a str> {
    values(section, key)
        .next()
        .or_else(|| session_values(session, key).next())
}

/// All values of an attribute of a section.
pub(super) fn values<'a>(section: &'a MediaDescription, key: &str) -> impl Iterator<Item = &'a str> {
    let attributes = section.attributes.iter().filter(move |attribute| attribute.key == key);
    attributes.filter_map(|attribute| attribute.value.as_deref())
}

/// All values of an attribute of the session.
pub(super) fn session_values<'a>(session: &'a SessionDescription, key: &str) -> impl Iterator<Item = &'a str> {
    let attributes = session.attributes.iter().filter(move |attribute| attribute.key == key);
    attributes.filter_map(|attribute| attribute.value.as_deref())
}

/// Whether the session has an attribute.
pub(super) fn session_has(session: &SessionDescription, key: &str) -> bool {
    session.attributes.iter().any(|attribute| attribute.key == key)
}

/// A SHA-256 fingerprint (RFC 8122 section 5); `None` for another hash or a broken one.
pub(super) fn sha256_fingerprint(text: &str) -> Option<[u8; 32]> {
    let (hash, digits) = text.split_once(' ')?;
    if !hash.eq_ignore_ascii_case("sha-256") {
        return None;
    }
    let mut bytes = [0; 32];
    let mut pairs = digits.trim().split(':');
    for byte in &mut bytes {
        let pair = pairs.next().filter(|pair| pair.len() == 2)?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    pairs.next().is_none().then_some(bytes)
}

/// A user fragment that ICE allows (RFC 8839 section 5.4).
pub(super) fn is_user_fragment(text: &str) -> bool {
    (4..=256).contains(&text.len()) && text.bytes().all(is_ice_character)
}

/// A password that ICE allows.
pub(super) fn is_password(text: &str) -> bool {
    (22..=256).contains(&text.len()) && text.bytes().all(is_ice_character)
}

fn is_ice_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}
