//! What a failover with asynchronous replication may take, and nothing else: writes of the last moments before it. A state then
//! goes back to an earlier position and goes on from there.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::crowd::Said;
use crate::verdict::Verdict;

/// What one conversation, or all of them, lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Acknowledged messages that are in no state.
    pub messages: usize,
    /// Positions that were taken back and given to another message.
    pub positions: usize,
    /// Messages that were taken back, and stand in the state since they were said again.
    pub applied_again: usize,
}

impl Loss {
    /// What a verdict shows as lost, when the writes of the time from `since` to `until` may be.
    ///
    /// # Errors
    /// What no such loss explains.
    pub fn explain(
        verdict: &Verdict,
        said: &[Said],
        replies: &[String],
        since: Duration,
        until: Duration,
    ) -> Result<Self, String> {
        let loss = Self {
            messages: verdict.lost.len(),
            positions: verdict.position_shared.len(),
            applied_again: verdict.applied_twice.len(),
        };
        if !verdict.silent.is_empty() {
            return Err(format!("no reply names the positions {:?}", verdict.silent));
        }
        if loss.messages + loss.positions == 0 && !verdict.is_correct() {
            return Err(format!("wrong without a loss: {verdict:?}"));
        }
        let said: BTreeMap<&str, &Said> = said.iter().map(|said| (said.text.as_str(), said)).collect();
        for text in &verdict.lost {
            let said = said[text.as_str()];
            if said.ended < since || said.ended > until {
                return Err(format!("{text} was lost, acknowledged at {:?}", said.ended));
            }
        }
        for reply in replies {
            let Some((position, text)) = reply.split_once(". ") else {
                continue;
            };
            let is_shared = verdict
                .position_shared
                .iter()
                .any(|shared| shared.to_string() == position);
            let is_old = said.get(text).is_some_and(|said| said.ended < since);
            if is_shared && is_old {
                return Err(format!("{reply} was taken back, long after it was acknowledged"));
            }
        }
        Ok(loss)
    }

    /// Takes another conversation's loss into the sum.
    pub fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.positions += other.positions;
        self.applied_again += other.applied_again;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Said one after the other, each acknowledged a second after the one before.
    fn explain(texts: &[&str], replies: &[&str]) -> Result<Loss, String> {
        let said: Vec<Said> = (1..)
            .zip(texts)
            .map(|(second, text)| Said {
                text: (*text).to_owned(),
                planned: Duration::from_secs(second - 1),
                began: Duration::from_secs(second - 1),
                ended: Duration::from_secs(second),
                acknowledged: true,
                failures: Vec::new(),
            })
            .collect();
        let replies: Vec<String> = replies.iter().map(ToString::to_string).collect();
        let verdict = Verdict::of(&said, &replies);
        Loss::explain(
            &verdict,
            &said,
            &replies,
            Duration::from_millis(1_500),
            Duration::from_millis(2_500),
        )
    }

    #[test]
    fn the_last_writes_may_be_lost() {
        assert_eq!(explain(&["a", "b"], &["1. a", "2. b"]), Ok(Loss::default()));
        assert_eq!(explain(&["a", "b", "c"], &["1. a", "2. c"]).unwrap().messages, 1);
        let loss = explain(&["a", "b", "c"], &["1. a", "2. b", "2. c"]).unwrap();
        assert_eq!((loss.messages, loss.positions), (0, 1));
    }

    #[test]
    fn earlier_writes_later_ones_and_anything_else_may_not() {
        assert!(explain(&["a", "b"], &["1. b"]).is_err());
        assert!(explain(&["a", "b", "c"], &["1. a", "2. b"]).is_err());
        assert!(explain(&["a", "b"], &["1. a", "1. b"]).is_err());
        assert!(explain(&["a", "b"], &["1. a", "2. b", "3. a"]).is_err());
        assert!(explain(&["a", "b"], &["1. a", "3. b"]).is_err());
    }
}
