//! Answers of which either the end is known or the file, and not both yet: as a value.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::leg::AnswerEnd;

/// An answer that ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EndedAnswer {
    pub(super) operation: u64,
    pub(super) reason: AnswerEnd,
    /// Its file and the SHA-256 of that, if it is kept.
    pub(super) kept: Option<(PathBuf, String)>,
}

/// The leg tells how an answer ended, the recorder when it is on the disk; in either order.
#[derive(Debug, Default)]
pub(super) struct Answers(BTreeMap<u64, Half>);

#[derive(Debug)]
enum Half {
    Ended(AnswerEnd),
    Written(PathBuf, Option<String>),
}

impl Answers {
    /// The leg told the end.
    pub(super) fn ended(&mut self, operation: u64, reason: AnswerEnd) -> Option<EndedAnswer> {
        if let Some(Half::Written(file, sha256)) = self.0.remove(&operation) {
            return Some(ended(operation, reason, file, sha256));
        }
        if reason.is_kept() {
            self.0.insert(operation, Half::Ended(reason));
            return None;
        }
        Some(EndedAnswer {
            operation,
            reason,
            kept: None,
        })
    }

    /// The recorder is done with the file.
    pub(super) fn written(&mut self, operation: u64, file: PathBuf, sha256: Option<String>) -> Option<EndedAnswer> {
        if let Some(Half::Ended(reason)) = self.0.remove(&operation) {
            return Some(ended(operation, reason, file, sha256));
        }
        // Of one that is not kept the end was told already; it is forgotten with the leg.
        self.0.insert(operation, Half::Written(file, sha256));
        None
    }

    /// The leg ended: what is not on the disk yet is cut.
    pub(super) fn cut(&mut self) -> Vec<EndedAnswer> {
        let cut = |(operation, half)| match half {
            Half::Ended(_) => Some(EndedAnswer {
                operation,
                reason: AnswerEnd::LegEnded,
                kept: None,
            }),
            Half::Written(..) => None,
        };
        std::mem::take(&mut self.0).into_iter().filter_map(cut).collect()
    }
}

fn ended(operation: u64, reason: AnswerEnd, file: PathBuf, sha256: Option<String>) -> EndedAnswer {
    let kept = sha256.filter(|_| reason.is_kept()).map(|sha256| (file, sha256));
    let is_lost = kept.is_none() && reason.is_kept();
    EndedAnswer {
        operation,
        reason: if is_lost { AnswerEnd::Failed } else { reason },
        kept,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn file() -> PathBuf {
        PathBuf::from("file")
    }

    #[test]
    fn an_answer_is_told_when_its_end_and_its_file_are_known() {
        let mut answers = Answers::default();
        assert_eq!(answers.ended(1, AnswerEnd::StopKey), None);
        let told = answers.written(1, file(), Some("hash".to_owned())).unwrap();
        assert_eq!(told.kept, Some((file(), "hash".to_owned())));
        // The recorder was faster.
        assert_eq!(answers.written(2, file(), Some("hash".to_owned())), None);
        assert_eq!(answers.ended(2, AnswerEnd::Silence).unwrap().kept, told.kept);
        assert_eq!(answers.cut(), []);
    }

    #[test]
    fn what_is_not_kept_is_told_at_once_and_what_is_lost_has_failed() {
        let mut answers = Answers::default();
        let nothing = answers.ended(1, AnswerEnd::NothingSaid).unwrap();
        assert_eq!((nothing.reason, nothing.kept), (AnswerEnd::NothingSaid, None));
        assert_eq!(answers.written(1, file(), None), None);
        answers.ended(2, AnswerEnd::Silence);
        let lost = answers.written(2, file(), None).unwrap();
        assert_eq!((lost.reason, lost.kept), (AnswerEnd::Failed, None));
        answers.ended(3, AnswerEnd::Silence);
        let cut: Vec<_> = answers.cut().iter().map(|cut| (cut.operation, cut.reason)).collect();
        assert_eq!(cut, [(3, AnswerEnd::LegEnded)]);
    }
}
