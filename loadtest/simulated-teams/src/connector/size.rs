//! How big a message is in the eyes of Teams: the whole payload as UTF-16, without pictures in base64.

/// About 100 KB; Microsoft's page "Format your bot messages" gives no exact figure.
pub(crate) const LARGEST: usize = 100 * 1024;

/// Bytes that `body` counts for.
pub(crate) fn counted(body: &str) -> usize {
    let mut size = 0;
    let mut rest = body;
    while let Some(start) = rest.find("data:image/") {
        let picture = &rest[start..];
        let end = picture.find('"').unwrap_or(picture.len());
        size += utf16(&rest[..start]);
        if !picture[..end].contains(";base64,") {
            size += utf16(&picture[..end]);
        }
        rest = &picture[end..];
    }
    size + utf16(rest)
}

fn utf16(text: &str) -> usize {
    text.chars().map(|character| character.len_utf16() * 2).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_counts_as_utf_16() {
        assert_eq!(counted("abc"), 6);
        assert_eq!(counted("\u{e4}"), 2);
        assert_eq!(counted("\u{1f600}"), 4);
    }

    #[test]
    fn pictures_in_base64_are_not_counted() {
        assert_eq!(
            counted(r#"{"url":"data:image/png;base64,AAAA"}"#),
            counted(r#"{"url":""}"#)
        );
        assert_eq!(
            counted("data:image/svg+xml,<svg/>"),
            2 * "data:image/svg+xml,<svg/>".len()
        );
    }
}
