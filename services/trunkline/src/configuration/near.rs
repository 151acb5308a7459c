//! The name that somebody probably meant.

/// The candidate nearest to what was written, if one is near enough to be meant.
pub(super) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .map(|candidate| {
            let name = candidate.to_lowercase().replace('-', "_");
            (strsim::damerau_levenshtein(&written, &name), candidate)
        })
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_misspelt_name_finds_the_one_that_was_meant() {
        assert_eq!(nearest("lisen", ["listen", "path"]), Some("listen"));
        assert_eq!(nearest("body-limit", ["body_limit", "json_depth"]), Some("body_limit"));
    }

    #[test]
    fn a_name_far_from_all_finds_none() {
        assert_eq!(nearest("colour", ["listen", "path"]), None);
    }
}
