//! The prompts of a process: made once, kept while there is room.

use std::collections::HashMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};

use super::Prompt;
use crate::audio::FileError;
use crate::codec::Codec;

/// Bytes of a prompt's file.
const FILE_LIMIT: u64 = 256 * 1024 * 1024;

/// Why a prompt cannot be played. Told when it is asked for, not when it would be heard.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// A name that leaves the directory of prompts.
    #[error("a prompt is named by a path below the directory of prompts")]
    Name,
    /// The file cannot be read.
    #[error("the prompt {0} cannot be read")]
    Read(String, #[source] std::io::Error),
    /// The file is larger than prompts may be.
    #[error("the prompt {0} is larger than 256 MB")]
    TooLarge(String),
    /// The file is no prompt.
    #[error("the prompt {0} cannot be played")]
    File(String, #[source] FileError),
}

/// The bytes of a file that stands in for one that is not there, by its name.
#[derive(Clone)]
pub struct StandIn(Arc<MakeFile>);

type MakeFile = dyn Fn(&str) -> Vec<u8> + Send + Sync;

impl StandIn {
    /// Made by a function, each time anew.
    pub fn new(make: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }
}

impl fmt::Debug for StandIn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StandIn")
    }
}

type Name = ([u8; 32], Codec);

#[derive(Default)]
struct Kept {
    prompts: HashMap<Name, (Arc<Prompt>, u64)>,
    bytes: usize,
    /// Counts uses, to find the one that was not used for longest.
    clock: u64,
}

/// Prompts by the hash of their file and their codec.
pub struct Library {
    directory: PathBuf,
    limit: usize,
    stand_in: Option<StandIn>,
    kept: Mutex<Kept>,
}

impl Library {
    /// Bytes of prompts unless set otherwise.
    pub const DEFAULT_LIMIT: usize = 256 * 1024 * 1024;

    /// Prompts of a directory; `limit` bytes of them are kept.
    pub fn new(directory: PathBuf, limit: usize) -> Self {
        Self {
            directory,
            limit,
            stand_in: None,
            kept: Mutex::default(),
        }
    }

    /// The same with something to play in the place of files that are not there.
    #[must_use]
    pub fn with_stand_in(self, stand_in: Option<StandIn>) -> Self {
        Self { stand_in, ..self }
    }

    /// A prompt by the name of its file. Reads, and encodes at its first use: for a thread that may block.
    pub fn prompt(&self, name: &str, codec: Codec) -> Result<Arc<Prompt>, PromptError> {
        let file = self.read(name)?;
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &file).as_ref());
        if let Some(prompt) = self.kept().find((hash, codec)) {
            return Ok(prompt);
        }
        // Two that ask at once encode twice, and one of the results is kept.
        let prompt = Prompt::of_file(&file, codec).map_err(|error| PromptError::File(name.to_owned(), error))?;
        self.kept().keep((hash, codec), &prompt, self.limit);
        Ok(prompt)
    }

    /// A beep, made at its first use: for a thread that may block.
    pub fn beep(&self, codec: Codec) -> Result<Arc<Prompt>, PromptError> {
        // No file has this hash, as far as anybody knows.
        let name = ([0; 32], codec);
        if let Some(beep) = self.kept().find(name) {
            return Ok(beep);
        }
        let beep = Prompt::beep(codec).map_err(|error| PromptError::File("beep".to_owned(), error))?;
        self.kept().keep(name, &beep, self.limit);
        Ok(beep)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, PromptError> {
        let path = self.path(name)?;
        let read = |error| PromptError::Read(name.to_owned(), error);
        let length = match (std::fs::metadata(&path), &self.stand_in) {
            (Ok(facts), _) => facts.len(),
            (Err(error), Some(stand_in)) if error.kind() == ErrorKind::NotFound => return Ok((stand_in.0)(name)),
            (Err(error), _) => return Err(read(error)),
        };
        if length > FILE_LIMIT {
            return Err(PromptError::TooLarge(name.to_owned()));
        }
        std::fs::read(&path).map_err(read)
    }

    fn path(&self, name: &str) -> Result<PathBuf, PromptError> {
        let relative = Path::new(name);
        let is_below = relative
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        if name.is_empty() || !is_below {
            return Err(PromptError::Name);
        }
        Ok(self.directory.join(relative))
    }

    /// Bytes of prompts that are kept.
    pub fn bytes(&self) -> usize {
        self.kept().bytes
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Whoever panicked left a whole map: every change of it is one step.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn find(&mut self, name: Name) -> Option<Arc<Prompt>> {
        self.clock += 1;
        let (prompt, used) = self.prompts.get_mut(&name)?;
        *used = self.clock;
        Some(prompt.clone())
    }

    fn keep(&mut self, name: Name, prompt: &Arc<Prompt>, limit: usize) {
        if self.find(name).is_some() {
            return;
        }
        self.bytes += prompt.size();
        self.prompts.insert(name, (prompt.clone(), self.clock));
        while self.bytes > limit {
            // A prompt that is playing is in somebody's hands.
            let idle = self
                .prompts
                .iter()
                .filter(|(_, (prompt, _))| Arc::strong_count(prompt) == 1);
            let Some(oldest) = idle.min_by_key(|(_, (_, used))| *used).map(|(name, _)| *name) else {
                return;
            };
            if let Some((dropped, _)) = self.prompts.remove(&oldest) {
                self.bytes -= dropped.size();
            }
        }
    }
}
