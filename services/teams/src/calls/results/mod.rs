//! What the codes and sub-codes of calls mean: for logs, audit records and `trunkline explain`.
//!
//! One table in two files: how calls end (`ends.rs`), and what Graph says of operations (`operations.rs`). `code` looks like an
//! HTTP status, `subcode` is the reason; a refused request carries the status and the reason as `error.code`; messages end in
//! `DiagCode: {code}#{subcode}`. The words are ours; each entry has the [`Mark`] of where its meaning comes from.

mod ends;
mod operations;

use std::fmt;

/// One result in plain words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Like an HTTP status: 0 and 2xx are good, 4xx the caller's, 5xx the service's, 6xx final. `None` where only the sub-code is
    /// known.
    pub code: Option<i64>,
    /// The reason; 0 where there is none or any.
    pub subcode: i64,
    /// What it says.
    pub what: &'static str,
    /// How that comes about.
    pub cause: &'static str,
    /// What to do; empty if nothing is wrong.
    pub remedy: &'static str,
    /// Where this is known from.
    pub mark: Mark,
}

/// Where the meaning of a result is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Graph's documentation ("Delete call" and the pages of the operations).
    Documented,
    /// Documented for Azure Communication Services ("Troubleshooting call end response codes"), which run on the same calling
    /// service and share its numbers.
    Twin,
    /// Observed: public reports about Microsoft's samples of calling bots.
    Observed,
    /// Inferred.
    Inferred,
}

impl Explanation {
    /// `408/8544`, or the sub-code alone.
    pub fn number(&self) -> String {
        match self.code {
            Some(code) => format!("{code}/{}", self.subcode),
            None => self.subcode.to_string(),
        }
    }

    /// Good ends come with 200 in the pages and with 0 in samples.
    fn has_code(&self, code: i64) -> bool {
        let is_good = |code| matches!(code, 0 | 200);
        self.code
            .is_some_and(|known| known == code || is_good(known) && is_good(code))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Documented => "documented by Microsoft",
            Self::Twin => "documented for Azure Communication Services, which share the numbers",
            Self::Observed => "observed",
            Self::Inferred => "inferred",
        })
    }
}

/// A part of the table: `code/subcode mark "what" "cause" "remedy";`, with `any` where the code is not known.
macro_rules! results {
    (@code any) => { None };
    (@code $code:literal) => { Some($code) };
    ($( $code:tt / $subcode:literal $mark:ident $what:literal $cause:literal $remedy:literal; )*) => {
        &[$( $crate::calls::results::Explanation {
            code: $crate::calls::results::results!(@code $code),
            subcode: $subcode,
            what: $what,
            cause: $cause,
            remedy: $remedy,
            mark: $crate::calls::results::Mark::$mark,
        }, )*]
    };
}
use results;

/// Every entry: first the ends of calls, then what is said of operations, each by code and sub-code.
pub fn all() -> impl Iterator<Item = &'static Explanation> {
    ends::TABLE.iter().chain(operations::TABLE)
}

/// The explanation of a result: that of code and sub-code; else that of the sub-code, if it means one thing only; else that of
/// the code alone.
pub fn explain(code: i64, subcode: i64) -> Option<&'static Explanation> {
    let exact = all().find(|known| known.has_code(code) && known.subcode == subcode);
    exact
        .or_else(|| the_only(all().filter(|known| subcode != 0 && known.subcode == subcode)))
        .or_else(|| all().find(|known| known.has_code(code) && known.subcode == 0))
}

/// What a person may mean who types `8544`, `408/8544` or, as in messages, `408#8544`: nothing, one entry or several.
pub fn lookup(text: &str) -> Vec<&'static Explanation> {
    let number = |text: &str| text.trim().parse::<i64>().ok();
    match text.split_once(['/', '#']) {
        Some((code, subcode)) => {
            let found = number(code).zip(number(subcode));
            found
                .and_then(|(code, subcode)| explain(code, subcode))
                .into_iter()
                .collect()
        }
        None => number(text).map_or(Vec::new(), |number| {
            all()
                .filter(|known| number != 0 && (known.subcode == number || known.code == Some(number)))
                .collect()
        }),
    }
}

fn the_only(mut all: impl Iterator<Item = &'static Explanation>) -> Option<&'static Explanation> {
    all.next().filter(|_| all.next().is_none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(408, 8544, 8544)]
    #[case(0, 7015, 7015)]
    #[case(200, 7015, 7015)]
    #[case(0, 8544, 8544)]
    #[case(404, 999, 0)]
    fn a_result_is_found_by_both_numbers_or_by_one(#[case] code: i64, #[case] subcode: i64, #[case] found: i64) {
        assert_eq!(explain(code, subcode).unwrap().subcode, found);
    }

    #[test]
    fn a_sub_code_with_two_meanings_needs_its_code() {
        assert!(explain(200, 7000).unwrap().what.contains("bot"));
        assert!(explain(500, 7000).unwrap().what.contains("transfer"));
        assert_eq!(explain(486, 7000).map(|known| known.subcode), Some(0));
        assert_eq!(explain(999, 7000), None);
    }

    #[rstest]
    #[case("8544", 1)]
    #[case(" 408/8544", 1)]
    #[case("408#8544", 1)]
    #[case("7000", 2)]
    #[case("0", 0)]
    #[case("eight", 0)]
    #[case("408/", 0)]
    #[case("", 0)]
    #[case("77777777777777777777", 0)]
    fn what_a_person_types_is_looked_up(#[case] text: &str, #[case] entries: usize) {
        assert_eq!(lookup(text).len(), entries, "{:?}", lookup(text));
    }

    #[test]
    fn a_code_alone_shows_all_its_reasons() {
        let found = lookup("408");
        assert!(found.len() > 4 && found.iter().all(|known| known.code == Some(408)));
    }

    #[test]
    fn every_entry_is_whole_stands_once_and_is_found() {
        let mut seen = std::collections::HashSet::new();
        for entry in all() {
            let name = entry.number();
            assert!(seen.insert(name.clone()), "{name} stands twice");
            assert!(!entry.what.is_empty() && !entry.cause.is_empty(), "{name}");
            assert_eq!(
                entry.remedy.is_empty(),
                entry.code == Some(200),
                "{name} has a remedy or is good"
            );
            for text in [entry.what, entry.cause, entry.remedy] {
                let starts_well = text.chars().next().is_none_or(|first| !first.is_whitespace());
                assert!(starts_well && !text.ends_with('.'), "{name}: {text}");
            }
            assert_eq!(explain(entry.code.unwrap_or(400), entry.subcode), Some(entry), "{name}");
            assert!(lookup(&name).contains(&entry), "{name}");
        }
        assert!(seen.len() > 110, "{}", seen.len());
    }

    proptest! {
        #[test]
        fn whatever_comes_is_explained_or_not(code in any::<i64>(), subcode in any::<i64>(), text in "[0-9/# -]{0,20}|\\PC*") {
            let _ = (explain(code, subcode), lookup(&text));
        }
    }
}
