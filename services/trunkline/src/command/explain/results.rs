//! Results of calls, as Graph tells them: the table of the crate of the wire.

use trunkline_teams::calls::results;

use super::Explanation;

/// Every result that is known.
pub(super) fn all() -> impl Iterator<Item = Explanation> {
    results::all().map(of_table)
}

/// What `8544`, `408/8544` or `408#8544` may mean.
pub(super) fn found(code: &str) -> impl Iterator<Item = Explanation> {
    results::lookup(code).into_iter().map(of_table)
}

fn of_table(row: &results::Explanation) -> Explanation {
    Explanation {
        code: row.number(),
        name: String::new(),
        what: format!("a result of a call: {}", row.what),
        cause: row.cause.to_owned(),
        remedy: if row.remedy.is_empty() {
            "none is needed".to_owned()
        } else {
            row.remedy.to_owned()
        },
        source: row.mark.to_string(),
    }
}
