//! What replies of the form `POSITION. TEXT` prove about the state: each message's text must stand at one position, and
//! each acknowledged message at exactly one.

use std::collections::BTreeMap;

use super::people::Said;

/// What was found in one conversation.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) acknowledged: usize,
    pub(crate) unanswered: usize,
    /// Unanswered, yet in the state: allowed.
    pub(crate) unanswered_but_applied: usize,
    /// The same reply more than once: allowed, and counted.
    pub(crate) replies_repeated: usize,
    /// Acknowledged, but no reply shows it in the state.
    pub(crate) lost: Vec<String>,
    /// In the state at more than one position.
    pub(crate) applied_twice: Vec<String>,
    /// Two messages at one position: a state was lost and built again.
    pub(crate) position_shared: Vec<u64>,
    /// First copies of replies that came in another order than their positions.
    pub(crate) out_of_order: Vec<u64>,
    /// Positions below the newest one that no reply names: a reply, or more, was lost.
    pub(crate) silent: Vec<u64>,
}

impl Verdict {
    pub(crate) fn of(said: &[Said], replies: &[String]) -> Self {
        let mut positions: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        let mut texts: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
        let mut verdict = Self::default();
        let mut newest = 0;
        for reply in replies {
            let (position, text) = reply
                .split_once(". ")
                .unwrap_or_else(|| panic!("not a reply of echo: {reply}"));
            let position: u64 = position.parse().unwrap();
            let seen = positions.entry(text).or_default();
            if seen.contains(&position) {
                verdict.replies_repeated += 1;
                continue;
            }
            seen.push(position);
            texts.entry(position).or_default().push(text);
            if position < newest {
                verdict.out_of_order.push(position);
            }
            newest = newest.max(position);
        }
        for Said { text, acknowledged } in said {
            let applied = positions.get(text.as_str()).map_or(0, Vec::len);
            match acknowledged {
                true if applied == 0 => verdict.lost.push(text.clone()),
                true => verdict.acknowledged += 1,
                false => {
                    verdict.unanswered += 1;
                    verdict.unanswered_but_applied += usize::from(applied == 1);
                }
            }
            if applied > 1 {
                verdict.applied_twice.push(text.clone());
            }
        }
        verdict.position_shared = texts
            .iter()
            .filter(|(_, texts)| texts.len() > 1)
            .map(|(&position, _)| position)
            .collect();
        verdict.silent = (1..newest).filter(|position| !texts.contains_key(position)).collect();
        verdict
    }

    pub(crate) fn is_correct(&self) -> bool {
        self.lost.is_empty()
            && self.applied_twice.is_empty()
            && self.position_shared.is_empty()
            && self.out_of_order.is_empty()
            && self.silent.is_empty()
    }
}
