//! The size of a message as Teams counts it.

use std::borrow::Cow;

/// Size of a message in bytes of UTF-16, without the pictures that stand inside it as `data:image/..;base64,` texts.
/// Compared with [`super::MESSAGE_BYTES`].
pub fn message_size(json: &[u8]) -> usize {
    let whole = utf16_bytes(json);
    // Looking for pictures costs more than counting: only a message that is too large otherwise is looked at.
    if whole <= super::MESSAGE_BYTES {
        whole
    } else {
        utf16_bytes(&without_pictures(json))
    }
}

/// Bytes of a UTF-8 text in UTF-16: 2 for each character, 4 for those outside the Basic Multilingual Plane.
fn utf16_bytes(text: &[u8]) -> usize {
    let units = |byte: &u8| match byte {
        // The second and later bytes of a character.
        0x80..=0xbf => 0,
        // The first byte of a character of four bytes: a surrogate pair.
        0xf0.. => 2,
        _ => 1_usize,
    };
    2 * text.iter().map(units).sum::<usize>()
}

/// The JSON without the content of pictures.
fn without_pictures(json: &[u8]) -> Cow<'_, [u8]> {
    const PICTURE: &[u8] = b"\"data:image/";
    let mut kept = Vec::new();
    let mut rest = json;
    while let Some(start) = rest.windows(PICTURE.len()).position(|window| window == PICTURE) {
        let content = &rest[start + PICTURE.len()..];
        // Base64 holds no quotes and no escapes: the next quote ends the text.
        let Some(end) = content.iter().position(|byte| *byte == b'"') else {
            break;
        };
        let is_base64 = content[..end].windows(8).any(|window| window == b";base64,");
        kept.extend_from_slice(&rest[..=start]);
        if !is_base64 {
            kept.extend_from_slice(&rest[start + 1..start + PICTURE.len() + end]);
        }
        rest = &content[end..];
    }
    if kept.is_empty() {
        return Cow::Borrowed(json);
    }
    kept.extend_from_slice(rest);
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::limits::MESSAGE_BYTES;

    #[test]
    fn a_picture_does_not_count() {
        let picture = "A".repeat(MESSAGE_BYTES);
        let json = format!(r#"{{"text":"hi","contentUrl":"data:image/png;base64,{picture}","name":"x"}}"#);
        let rest = r#"{"text":"hi","contentUrl":"","name":"x"}"#;
        assert_eq!(message_size(json.as_bytes()), 2 * rest.len());
    }

    #[test]
    fn a_text_that_only_looks_like_a_picture_counts() {
        let text = format!(r#"{{"text":"data:image/ {}"}}"#, "a".repeat(MESSAGE_BYTES));
        assert_eq!(message_size(text.as_bytes()), 2 * text.len());
        let open = format!(r#"{{"text":"data:image/{}"#, "a".repeat(MESSAGE_BYTES));
        assert_eq!(message_size(open.as_bytes()), 2 * open.len());
    }

    proptest! {
        #[test]
        fn the_count_is_that_of_utf_16(text in "\\PC{0,200}") {
            prop_assert_eq!(message_size(text.as_bytes()), 2 * text.encode_utf16().count());
        }
    }
}
