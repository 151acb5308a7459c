//! Where it is kept who took part in which recorded call: a file of lines, and whatever a company has for it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Names the call.
    pub call: String,
    /// The policy that asked for the recording.
    pub policy: String,
    /// The participant who is recorded.
    pub observed: String,
    /// When it happened.
    pub at: SystemTime,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// Graph has taken the word that the bot records.
    Began {
        /// Who was there.
        present: Vec<String>,
    },
    /// These came.
    Joined {
        /// Who.
        people: Vec<String>,
    },
    /// These went.
    Left {
        /// Who.
        people: Vec<String>,
    },
    /// The recording was ended before the call.
    Stopped,
    /// The call is over.
    Ended {
        /// Graph's code and sub-code.
        result: Option<(i64, i64)>,
    },
}

/// Why something was not kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The file does not take it.
    #[error("the ledger {path} cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Keeps what happened. The same key is one line, however often it comes.
pub trait Ledger: Send + Sync + 'static {
    /// Adds a line.
    ///
    /// # Errors
    /// It is not kept, and the turn is tried again.
    fn append(&self, entry: &Entry, key: &str) -> Result<(), LedgerError>;
}

/// A file of JSON lines, each with its key. A line that was written just before the process died may stand there twice, with the
/// same key.
#[derive(Debug)]
pub struct FileLedger {
    path: PathBuf,
    /// Lines of two calls do not mix.
    writing: Mutex<()>,
}

#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    #[serde(flatten)]
    entry: &'a Entry,
}

impl FileLedger {
    /// A file, which is made with the first line.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            writing: Mutex::new(()),
        }
    }

    fn write(&self, entry: &Entry, key: &str) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(&Line { key, entry })?;
        line.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(&line)?;
        file.sync_data()
    }
}

impl Ledger for FileLedger {
    fn append(&self, entry: &Entry, key: &str) -> Result<(), LedgerError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(entry, key).map_err(|source| LedgerError::Write {
            path: self.path.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_are_added_with_their_keys() {
        let path = std::env::temp_dir().join(format!("trunkline-ledger-{}.jsonl", std::process::id()));
        let ledger = FileLedger::new(&path);
        let entry = Entry {
            call: "c1".to_owned(),
            policy: "trading desk".to_owned(),
            observed: "p1".to_owned(),
            at: SystemTime::UNIX_EPOCH,
            what: What::Stopped,
        };
        ledger.append(&entry, "k1").unwrap();
        ledger.append(&entry, "k2").unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let lines: Vec<Entry> = written
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines, [entry.clone(), entry]);
        assert!(written.starts_with(r#"{"key":"k1","call":"c1""#), "{written}");
    }
}
