//! A command that is run for each finished part of a recording: it may upload it, index it, or whatever an operator needs.
//!
//! What has been done is known by a file beside the part, `FILE.json.done`: so a part whose command failed, or that a process
//! left behind which was killed, is done later. A command must bear to be run twice for one part.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::figures::RecorderFigures;
use super::recorder::ANSWERS;

/// How often parts are looked for whose command failed, or that nobody told of.
const EVERY: Duration = Duration::from_secs(60);
/// A command that takes longer is ended, and run again later.
const LONGEST: Duration = Duration::from_secs(600);
/// How often a command that runs is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Says that a part is finished.
pub(super) type Wake = Arc<dyn Fn() + Send + Sync>;

/// Runs a command for finished parts, one after the other, until it is dropped.
pub(super) struct Hook {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Hook {
    /// Looks after the recordings below a directory. The command gets two arguments: the part's file and its manifest.
    pub(super) fn start(directory: PathBuf, command: PathBuf, figures: Arc<RecorderFigures>) -> io::Result<Self> {
        // One that waits is enough: who is woken looks for all.
        let (wake, woken) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("recording-hook".to_owned())
            .spawn(move || run(&directory, &command, &woken, &figures))?;
        Ok(Self {
            wake: Some(wake),
            thread: Some(thread),
        })
    }

    /// What tells it that a part is finished.
    pub(super) fn waker(&self) -> Option<Wake> {
        let wake = self.wake.clone()?;
        Some(Arc::new(move || {
            // One that is woken already looks at everything.
            let _ = wake.try_send(());
        }))
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(directory: &Path, command: &Path, woken: &Receiver<()>, figures: &RecorderFigures) {
    loop {
        let waiting = finished_parts(directory);
        let mut left = waiting.len();
        figures.wait(left);
        for manifest in waiting {
            let is_ending = || matches!(woken.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected));
            if is_ending() {
                return;
            }
            match done_for(command, &manifest, is_ending) {
                Ok(()) => {
                    left -= 1;
                    figures.handed_one_on();
                    figures.wait(left);
                }
                Err(error) => {
                    figures.one_was_refused();
                    tracing::error!(manifest = %manifest.display(), %error, "the command for a finished recording failed and is run again later");
                }
            }
        }
        if woken.recv_timeout(EVERY) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

/// The manifests below a directory for whose parts nothing was done yet.
pub(super) fn finished_parts(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    look_below(directory, &mut found);
    found.sort();
    found
}

fn look_below(directory: &Path, found: &mut Vec<PathBuf>) {
    // Nothing has been recorded yet, or it was just deleted.
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        // Answers are for the bot that asked, and go soon.
        if path.is_dir() && path.ends_with(ANSWERS) {
            continue;
        }
        if path.is_dir() {
            look_below(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "json") && !mark_of(&path).exists() {
            found.push(path);
        }
    }
}

pub(super) fn mark_of(manifest: &Path) -> PathBuf {
    let mut mark = manifest.as_os_str().to_owned();
    mark.push(".done");
    mark.into()
}

/// Runs the command for a part, and notes that it was done.
fn done_for(command: &Path, manifest: &Path, is_ending: impl Fn() -> bool) -> io::Result<()> {
    let part = manifest.with_extension("");
    let mut child = Command::new(command)
        .arg(&part)
        .arg(manifest)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let status = wait(&mut child, is_ending)?;
    if !status.success() {
        return Err(io::Error::other(format!("{} ended with {status}", command.display())));
    }
    fs::write(mark_of(manifest), b"")
}

fn wait(child: &mut Child, is_ending: impl Fn() -> bool) -> io::Result<ExitStatus> {
    let until = Instant::now() + LONGEST;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= until || is_ending() {
            child.kill()?;
            return child.wait();
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn script(directory: &Path, text: &str) -> PathBuf {
        let path = directory.join("hook");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        path
    }

    fn until(what: &str, is_so: impl Fn() -> bool) {
        let until = Instant::now() + Duration::from_secs(20);
        while !is_so() {
            assert!(Instant::now() < until, "{what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn each_finished_part_is_done_once_and_those_left_behind_too() {
        let (place, recordings) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let command = script(
            place.path(),
            &format!("echo \"$1 $2\" >> {}/log", place.path().display()),
        );
        let part = |name: &str| recordings.path().join(name);
        fs::create_dir(part("call")).unwrap();
        fs::write(part("call/old.opus.json"), "{}").unwrap();
        let log = || fs::read_to_string(place.path().join("log")).unwrap_or_default();
        let figures = Arc::<RecorderFigures>::default();
        let hook = Hook::start(recordings.path().to_owned(), command, figures.clone()).unwrap();
        until("what was left behind is done", || log().contains("old.opus "));
        fs::write(part("call/new.opus.json"), "{}").unwrap();
        hook.waker().unwrap()();
        until("what is finished now is done", || log().contains("new.opus "));
        until("it is noted", || part("call/new.opus.json.done").exists());
        drop(hook);
        assert_eq!((figures.handed_on(), figures.waiting(), figures.refused()), (2, 0, 0));
        assert_eq!(log().lines().count(), 2, "{}", log());
        let (part, manifest) = (part("call/old.opus"), part("call/old.opus.json"));
        assert!(log().contains(&format!("{} {}", part.display(), manifest.display())));
    }

    #[test]
    fn a_command_that_fails_is_not_noted_as_done() {
        let (place, recordings) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let manifest = recordings.path().join("a.opus.json");
        fs::write(&manifest, "{}").unwrap();
        let failing = script(place.path(), "exit 3");
        let error = done_for(&failing, &manifest, || false).unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
        assert_eq!(finished_parts(recordings.path()), std::slice::from_ref(&manifest));
        assert!(done_for(Path::new("/nowhere"), &manifest, || false).is_err());
        // One that hangs when the host ends is ended.
        let hanging = script(place.path(), "exec sleep 600");
        assert!(done_for(&hanging, &manifest, || true).is_err());
    }
}
