//! The normal form of the ids that Graph gives.

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
