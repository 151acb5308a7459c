//! The normal form of the ids that Graph gives, and the names that this side gives to calls of its own.

/// A GUID in lower case with hyphens, however it is spelt: notifications show one call also as 32 upper-case digits
/// (documented). `None` for anything else. Calls, operations and participants have such ids.
pub fn normal_id(text: &str) -> Option<String> {
    let is_hyphenated = text.len() == 36 && [8, 13, 18, 23].iter().all(|place| text.as_bytes()[*place] == b'-');
    let digits: String = text.chars().filter(|symbol| *symbol != '-').collect();
    let is_hex = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !(is_hyphenated || text.len() == 32) {
        return None;
    }
    let lower = digits.to_ascii_lowercase();
    Some([&lower[..8], &lower[8..12], &lower[12..16], &lower[16..20], &lower[20..]].join("-"))
}

/// What our own names of calls begin with: no spelling of an id of Graph does.
pub const OWN_KEY: char = 'o';

/// Whether a text is a name that this side gave to a call of its own: [`OWN_KEY`] and 25 to 63 of `a-z` and `0-9`, random enough
/// that nobody guesses one. It stands in the callback address of the call.
pub fn is_own_key(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.starts_with(OWN_KEY) && (26..=64).contains(&text.len()) && text.bytes().all(is_plain)
}
