//! `trunkline explain CODE`: what a code means, where it comes from, and what to do. Asks nobody.

mod refusals;
mod results;

use serde::Serialize;
use serde_json::json;

use super::{Exit, Output, print, report};

/// What one code means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Explanation {
    /// As it is written in logs.
    code: String,
    /// Its name in logs and metrics, empty for what has none.
    name: String,
    /// What bears the code.
    what: String,
    /// What it means.
    cause: String,
    /// What to do.
    remedy: String,
    /// How this is known.
    source: String,
}

/// Explains a code, or lists all.
pub fn run(code: Option<&str>, output: Output) -> Exit {
    let found: Vec<Explanation> = match code {
        Some(code) => found(code),
        None => all().collect(),
    };
    if let (Some(code), true) = (code, found.is_empty()) {
        report(&miette::MietteDiagnostic::new(unknown(code)));
        return Exit::Failed;
    }
    print(&match (output, code) {
        (Output::Json, _) => json!({ "explanations": found }).to_string(),
        (Output::Table, Some(_)) => found.iter().map(shown).collect::<Vec<_>>().join("\n"),
        (Output::Table, None) => listed(&found),
    });
    Exit::Done
}

/// Everything that can be explained.
fn all() -> impl Iterator<Item = Explanation> {
    refusals::all().chain(results::all())
}

/// Whatever this may mean: a number or a name of a refusal, or what Graph said of a call.
fn found(code: &str) -> Vec<Explanation> {
    let code = code.trim();
    let is_meant = |row: &Explanation| row.code.eq_ignore_ascii_case(code) || row.name.eq_ignore_ascii_case(code);
    refusals::all().filter(is_meant).chain(results::found(code)).collect()
}

fn unknown(code: &str) -> String {
    let reference = code.strip_prefix("TL-").filter(|rest| rest.len() == 5);
    match reference {
        Some(_) => format!(
            "{code} is no code but the reference of one piece of work that was given up, as its user saw it; \
             `trunkline parked list` names it"
        ),
        None => format!("nothing is known of {code}; `trunkline explain` lists what is"),
    }
}

fn shown(row: &Explanation) -> String {
    let name = if row.name.is_empty() {
        String::new()
    } else {
        format!(" {}", row.name)
    };
    format!(
        "{}{name}: {}\n  Meaning  {}\n  Remedy   {}\n  Source   {}\n",
        row.code, row.what, row.cause, row.remedy, row.source
    )
}

fn listed(rows: &[Explanation]) -> String {
    let mut table = super::operate::table(["CODE", "NAME", "WHAT", "MEANING"], &[]);
    for row in rows {
        table.add_row([&row.code, &row.name, &row.what, &row.cause]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_found_by_its_number_and_by_its_name() {
        let by_number = found("tl-1013");
        assert_eq!(by_number.len(), 1, "{by_number:?}");
        assert_eq!(by_number, found("tenant_not_allowed"));
        assert!(
            shown(&by_number[0]).contains("Remedy   The list of allowed tenants"),
            "{by_number:?}"
        );
    }

    #[test]
    fn a_result_of_a_call_is_found_as_logs_and_messages_write_it() {
        for written in ["8544", "408/8544", "408#8544"] {
            let rows = found(written);
            assert_eq!(rows.len(), 1, "{written}: {rows:?}");
            assert_eq!(
                (rows[0].code.as_str(), rows[0].source.as_str()),
                ("408/8544", "observed")
            );
        }
        let both = found("7000");
        assert!(
            both.len() > 1,
            "one means the bot's hang-up, one a failed transfer: {both:?}"
        );
    }

    #[test]
    fn a_reference_of_a_user_is_told_from_a_code() {
        assert!(found("TL-8K2PQ").is_empty());
        assert!(unknown("TL-8K2PQ").contains("trunkline parked list"));
        assert!(unknown("nonsense").contains("`trunkline explain` lists"));
    }
}
