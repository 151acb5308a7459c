//! Names of calls in paths, and ids in headers.

use trunkline_teams::calls::{is_own_key, normal_id};

/// The key that a path names: Graph's id of an incoming call, or a name that we gave to a call of our own.
pub(super) fn key_of_path(segment: &str) -> Option<String> {
    if is_own_key(segment) {
        Some(segment.to_owned())
    } else {
        normal_id(segment)
    }
}

/// Whether a header's value may be sent back and hashed: what looks like a GUID, and nothing of a stranger's making.
pub(super) fn is_id(text: &str) -> bool {
    normal_id(text).is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "57dab8b1-894c-409a-b240-bd8beae78896";

    #[test]
    fn a_path_names_a_call_or_nothing() {
        let own = format!("o{}", "7".repeat(25));
        assert_eq!(key_of_path(&own), Some(own.clone()));
        assert_eq!(key_of_path(&ID.to_uppercase()), Some(ID.to_owned()));
        for none in [
            "",
            "o7",
            "x",
            &format!("p{}", "7".repeat(30)),
            &own.to_uppercase(),
            &"o".repeat(65),
            "..%2f",
        ] {
            assert_eq!(key_of_path(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_a_key_or_not(text in "\\PC*") {
            let _ = (key_of_path(&text), is_id(&text));
        }
    }
}
