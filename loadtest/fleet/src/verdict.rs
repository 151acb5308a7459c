//! What replies of the form `POSITION. TEXT` prove about the state: each message's text must stand at one position, and
//! each acknowledged message at exactly one.

use crate::crowd::Said;
use std::collections::BTreeMap;

/// What was found in one conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Acknowledged, and in the state.
    pub acknowledged: usize,
    /// Never answered.
    pub unanswered: usize,
    /// Unanswered, yet in the state: allowed.
    pub unanswered_but_applied: usize,
    /// The same reply more than once: allowed, and counted.
    pub replies_repeated: usize,
    /// Acknowledged, but no reply shows it in the state.
    pub lost: Vec<String>,
    /// In the state at more than one position.
    pub applied_twice: Vec<String>,
    /// Two messages at one position: a state was lost and built again.
    pub position_shared: Vec<u64>,
    /// First copies of replies that came in another order than their positions.
    pub out_of_order: Vec<u64>,
    /// Acknowledged messages that stand before one that was acknowledged before they were sent.
    pub overtaken: Vec<String>,
    /// Positions below the newest one that no reply names: a reply, or more, was lost.
    pub silent: Vec<u64>,
}

impl Verdict {
    /// Judges one conversation by what was said and what the bot replied.
    ///
    /// # Panics
    /// When a reply is not of the form `POSITION. TEXT`.
    pub fn of(said: &[Said], replies: &[String]) -> Self {
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
        for Said { text, acknowledged, .. } in said {
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
        verdict.overtaken = overtaken(said, &positions);
        verdict.silent = (1..newest).filter(|position| !texts.contains_key(position)).collect();
        verdict
    }

    /// Takes another conversation's verdict into the sum.
    pub fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.unanswered += other.unanswered;
        self.unanswered_but_applied += other.unanswered_but_applied;
        self.replies_repeated += other.replies_repeated;
        self.lost.extend_from_slice(&other.lost);
        self.applied_twice.extend_from_slice(&other.applied_twice);
        self.position_shared.extend_from_slice(&other.position_shared);
        self.out_of_order.extend_from_slice(&other.out_of_order);
        self.overtaken.extend_from_slice(&other.overtaken);
        self.silent.extend_from_slice(&other.silent);
    }

    /// Whether no promise was broken.
    pub fn is_correct(&self) -> bool {
        self.lost.is_empty()
            && self.applied_twice.is_empty()
            && self.position_shared.is_empty()
            && self.out_of_order.is_empty()
            && self.overtaken.is_empty()
            && self.silent.is_empty()
    }
}

/// Requests that did not overlap keep their order: whoever was acknowledged before another was sent stands before it.
fn overtaken(said: &[Said], positions: &BTreeMap<&str, Vec<u64>>) -> Vec<String> {
    let mut placed: Vec<(&Said, u64)> = said
        .iter()
        .filter(|said| said.acknowledged)
        .filter_map(|said| Some((said, *positions.get(said.text.as_str())?.first()?)))
        .collect();
    let mut by_end = placed.clone();
    by_end.sort_by_key(|(said, _)| said.ended);
    placed.sort_by_key(|(said, _)| said.began);
    let mut ended = by_end.into_iter().peekable();
    let mut highest = 0;
    let mut overtaken = Vec::new();
    for (said, position) in placed {
        while let Some((_, earlier)) = ended.next_if(|(earlier, _)| earlier.ended < said.began) {
            highest = highest.max(earlier);
        }
        if position < highest {
            overtaken.push(said.text.clone());
        }
    }
    overtaken
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn said(text: &str, began: u64, ended: u64, acknowledged: bool) -> Said {
        Said {
            text: text.to_owned(),
            planned: Duration::from_millis(began),
            began: Duration::from_millis(began),
            ended: Duration::from_millis(ended),
            acknowledged,
            failures: Vec::new(),
        }
    }

    fn verdict(said: &[Said], replies: &[&str]) -> Verdict {
        let replies: Vec<String> = replies.iter().map(ToString::to_string).collect();
        Verdict::of(said, &replies)
    }

    #[test]
    fn what_is_allowed_is_counted_and_correct() {
        let said = [said("a", 0, 1, true), said("b", 2, 3, false), said("c", 4, 5, true)];
        let verdict = verdict(&said, &["1. a", "1. a", "2. b", "3. c"]);
        assert!(verdict.is_correct(), "{verdict:?}");
        assert_eq!(
            (
                verdict.acknowledged,
                verdict.unanswered_but_applied,
                verdict.replies_repeated
            ),
            (2, 1, 1)
        );
    }

    #[test]
    fn every_broken_promise_is_found() {
        let both = [said("a", 0, 1, true), said("b", 2, 3, true)];
        assert_eq!(verdict(&both, &["1. a"]).lost, ["b"]);
        assert_eq!(verdict(&both, &["1. a", "2. b", "3. a"]).applied_twice, ["a"]);
        assert_eq!(verdict(&both, &["1. a", "1. b"]).position_shared, [1]);
        assert_eq!(verdict(&both, &["2. b", "1. a"]).out_of_order, [1]);
        assert_eq!(verdict(&both, &["1. b", "2. a"]).overtaken, ["b"]);
        assert_eq!(verdict(&both, &["1. a", "3. b"]).silent, [2]);
    }

    #[test]
    fn requests_that_overlap_have_no_promised_order() {
        let said = [said("a", 0, 5, true), said("b", 2, 3, true)];
        assert!(verdict(&said, &["1. b", "2. a"]).is_correct());
    }
}
