//! Our own refusals, as their documentation pages explain them: tests of the crates that refuse hold the pages to the code.

use super::Explanation;

/// Every refusal that has a number.
pub(super) fn all() -> impl Iterator<Item = Explanation> {
    let pages = [
        trunkline_teams::identity::REFUSALS_PAGE,
        trunkline_ingress::REFUSALS_PAGE,
    ];
    pages.into_iter().flat_map(str::lines).filter_map(of_row)
}

/// Reads `| TL-1001 | name | status | severity | meaning | remedy |`.
fn of_row(line: &str) -> Option<Explanation> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let ["", number, name, status, severity, cause, remedy, ""] = cells[..] else {
        return None;
    };
    number.starts_with("TL-").then(|| Explanation {
        code: number.to_owned(),
        name: name.trim_matches('`').to_owned(),
        what: format!("a request that we refused with {status} (in the log: {severity})"),
        cause: cause.replace('`', ""),
        remedy: remedy.replace('`', ""),
        source: "our own".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn every_row_of_the_pages_is_read() {
        let pages = [
            trunkline_teams::identity::REFUSALS_PAGE,
            trunkline_ingress::REFUSALS_PAGE,
        ];
        let rows = pages.iter().flat_map(|page| page.lines());
        let rows = rows.filter(|line| line.starts_with("| TL-")).count();
        assert!(rows > 30, "{rows}");
        assert_eq!(all().count(), rows);
        assert!(all().all(|row| !row.cause.is_empty() && !row.remedy.is_empty() && !row.name.is_empty()));
    }
}
