//! Makes one file of both directions of each recording that has ended.
//!
//! The recorder says when the last direction of a recording has ended. What a process left undone the next one finds: a recording
//! of both directions without the manifest of a mixed file. A mixed file without its manifest was cut, and is made anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use serde::Deserialize;

use super::hook::Wake;
use super::keys::Keys;
use super::manifest::{Manifest, hash_of};
use super::mix::{MixError, Part, mix};
use super::place::{Place, Sealing};
use super::recorder::Subject;
use super::tap::Direction;
use crate::codec::Codec;

/// As it stands in names of files and in manifests.
const MIXED: &str = "mixed";

/// Mixes recordings, one after the other, until it is dropped: what waits then is left to the next process.
pub(super) struct Mixer {
    ended: Option<Sender<Subject>>,
    is_ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What a mixer needs of its recorder.
pub(super) struct Mixing {
    pub(super) directory: PathBuf,
    pub(super) keys: Option<Keys>,
    /// Whom a finished file is told.
    pub(super) finished: Option<Wake>,
}

impl Mixer {
    /// Starts the thread, which looks first for what was left undone.
    ///
    /// # Errors
    /// The system has no thread.
    pub(super) fn start(mixing: Mixing) -> io::Result<Self> {
        let (ended, receiver) = channel();
        let is_ending = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_ending);
        let thread = std::thread::Builder::new()
            .name("mixer".to_owned())
            .spawn(move || mixing.run(&receiver, &ends))?;
        Ok(Self {
            ended: Some(ended),
            is_ending,
            thread: Some(thread),
        })
    }

    /// Where it is told that all directions of a recording have ended.
    pub(super) fn ended(&self) -> Option<Sender<Subject>> {
        self.ended.clone()
    }
}

impl Drop for Mixer {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::Relaxed);
        self.ended = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Mixing {
    fn run(&self, ended: &Receiver<Subject>, is_ending: &AtomicBool) {
        let left = left_undone(&self.directory).into_iter();
        for subject in left.chain(std::iter::from_fn(|| ended.recv().ok())) {
            if is_ending.load(Ordering::Relaxed) {
                return;
            }
            self.make(&subject, is_ending);
        }
    }

    fn make(&self, subject: &Subject, is_ending: &AtomicBool) {
        match self.try_to_make(subject, is_ending) {
            Ok(true) => {
                if let Some(finished) = &self.finished {
                    finished();
                }
            }
            Ok(false) | Err(MixError::Ending) => {}
            Err(error) => tracing::error!(
                recording = subject.name,
                error = &error as &dyn std::error::Error,
                "a recording has no mixed file; its directions are kept as they are"
            ),
        }
    }

    /// `false` where there is nothing to mix, or it was mixed before.
    fn try_to_make(&self, subject: &Subject, is_ending: &AtomicBool) -> Result<bool, MixError> {
        let directions = [Direction::Received, Direction::Sent];
        let directions = directions.map(|direction| parts(&self.directory, &subject.name, direction));
        let began_unix_ms = directions.iter().flatten().map(|part| part.began_unix_ms).min();
        let sealing = self.keys.clone().map(|keys| Sealing {
            keys,
            tenant: subject.tenant.clone(),
        });
        let place = Place::first(&self.directory, &subject.name, MIXED, Codec::Opus, sealing);
        let Some(place) = place.filter(|_| directions.iter().all(|parts| !parts.is_empty())) else {
            return Ok(false);
        };
        let path = place.path();
        if beside(&path).exists() {
            return Ok(false);
        }
        // What was cut.
        let _ = fs::remove_file(&path);
        let key = place.key()?;
        let mut file = place.open(key.as_ref()).map_err(MixError::Write)?;
        let packets = mix(directions.into(), self.keys.as_ref(), &mut file, is_ending).inspect_err(|_| {
            let _ = fs::remove_file(&path);
        })?;
        let manifest = Manifest {
            file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            part: 1,
            direction: MIXED,
            tenant: subject.tenant.clone(),
            confirmed_by: Some(subject.confirmed_by.clone()).filter(|by| !by.is_empty()),
            began_unix_ms,
            packets,
            missing: 0,
            late: 0,
            dropped: 0,
            sha256: hash_of(&path).map_err(MixError::Write)?,
            previous_sha256: None,
        };
        manifest.write(&path).map_err(MixError::Write)?;
        Ok(true)
    }
}

fn beside(file: &Path) -> PathBuf {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".json");
    beside.into()
}

/// What is read of a manifest.
#[derive(Deserialize)]
struct Finished {
    file: String,
    part: u32,
    direction: String,
    #[serde(default)]
    tenant: String,
    confirmed_by: Option<String>,
    began_unix_ms: Option<u64>,
}

/// The manifests in a directory.
fn manifests(directory: &Path) -> Vec<Finished> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let files = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    files
        .filter_map(|file| serde_json::from_slice(&fs::read(file).ok()?).ok())
        .collect()
}

/// The finished parts of a direction that hold something, oldest first.
fn parts(directory: &Path, name: &str, direction: Direction) -> Vec<Part> {
    let stem = directory.join(name);
    let (Some(directory), Some(name)) = (stem.parent(), stem.file_name()) else {
        return Vec::new();
    };
    let begins = format!("{}-{}", name.to_string_lossy(), direction.name());
    let is_of = |finished: &Finished| {
        let rest = finished.file.strip_prefix(&begins);
        finished.direction == direction.name() && rest.is_some_and(|rest| rest.starts_with(['.', '-']))
    };
    let mut found: Vec<_> = manifests(directory).into_iter().filter(is_of).collect();
    found.sort_by_key(|finished| finished.part);
    let part = |finished: Finished| {
        Some(Part {
            began_unix_ms: finished.began_unix_ms?,
            path: directory.join(finished.file),
        })
    };
    found.into_iter().filter_map(part).collect()
}

/// Recordings whose first part of what was received is finished: those that need a mixed file are among them.
fn left_undone(directory: &Path) -> Vec<Subject> {
    let mut subjects = Vec::new();
    look_below(directory, Path::new(""), &mut subjects);
    subjects
}

fn look_below(directory: &Path, below: &Path, subjects: &mut Vec<Subject>) {
    let here = directory.join(below);
    for finished in manifests(&here) {
        let ending = format!("-{}.", Direction::Received.name());
        if finished.direction != Direction::Received.name() || finished.part != 1 {
            continue;
        }
        if let Some((name, _)) = finished.file.rsplit_once(&ending) {
            subjects.push(Subject {
                name: below.join(name).to_string_lossy().into_owned(),
                tenant: finished.tenant,
                confirmed_by: finished.confirmed_by.unwrap_or_default(),
            });
        }
    }
    let entries = fs::read_dir(here).into_iter().flatten().flatten();
    // Links lead elsewhere.
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        look_below(directory, &below.join(entry.file_name()), subjects);
    }
}
