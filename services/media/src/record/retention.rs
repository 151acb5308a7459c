//! Deletes recordings that were kept long enough.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

/// How often old recordings are looked for.
const EVERY: Duration = Duration::from_secs(3_600);
/// What a recorder writes.
const ENDINGS: [&str; 5] = ["opus", "wav", "sealed", "json", "done"];

/// Deletes old recordings again and again, until it is dropped.
pub(super) struct Retention {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Retention {
    /// Keeps the recordings below a directory for `kept` after they were last written.
    pub(super) fn start(directory: PathBuf, kept: Duration) -> io::Result<Self> {
        let (end, ended) = channel();
        let thread = std::thread::Builder::new()
            .name("retention".to_owned())
            .spawn(move || {
                loop {
                    sweep(&directory, SystemTime::now() - kept);
                    if ended.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                        return;
                    }
                }
            })?;
        Ok(Self {
            end: Some(end),
            thread: Some(thread),
        })
    }
}

impl Drop for Retention {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn sweep(directory: &Path, before: SystemTime) {
    let mut deleted = 0;
    match sweep_below(directory, before, &mut deleted) {
        Ok(_) if deleted == 0 => {}
        Ok(_) => tracing::info!(deleted, "recordings were kept long enough and are deleted"),
        // Nothing has been recorded yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::error!(%error, deleted, "old recordings cannot be deleted"),
    }
}

/// Deletes what was last written before that time; `true` when the directory is empty then. What a recorder did not write, and
/// links, are left alone.
fn sweep_below(directory: &Path, before: SystemTime, deleted: &mut u64) -> io::Result<bool> {
    let mut is_empty = true;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, facts) = (entry.path(), entry.metadata()?);
        let is_ours = path
            .extension()
            .is_some_and(|ending| ENDINGS.iter().any(|ours| ending == *ours));
        if facts.is_dir() {
            // Somebody may just put a file into it: then it stays.
            let is_gone =
                sweep_below(&path, before, deleted)? && facts.modified()? < before && fs::remove_dir(&path).is_ok();
            is_empty &= is_gone;
        } else if facts.is_file() && is_ours && facts.modified()? < before {
            fs::remove_file(&path)?;
            *deleted += 1;
        } else {
            is_empty = false;
        }
    }
    Ok(is_empty)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn write(path: &Path, age: Duration) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    #[test]
    fn what_was_kept_long_enough_goes_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for old in ["a/call/leg-sent.opus", "a/call/leg-sent.opus.json", "b/leg-sent.wav"] {
            write(&at(old), 31 * DAY);
        }
        for kept in ["b/leg-received.wav", "c/leg-sent.opus"] {
            write(&at(kept), 29 * DAY);
        }
        write(&at("notes.txt"), 400 * DAY);
        let mut deleted = 0;
        let before = SystemTime::now() - 30 * DAY;
        assert!(!sweep_below(directory.path(), before, &mut deleted).unwrap());
        assert_eq!(deleted, 3);
        for there in ["b/leg-received.wav", "c/leg-sent.opus", "notes.txt", "a"] {
            assert!(at(there).exists(), "{there}");
        }
        // Its directories were written just now, by the deletion.
        sweep(directory.path(), SystemTime::now() + DAY);
        assert!(!at("a").exists() && !at("c").exists());
        assert!(at("notes.txt").exists());
    }
}
