//! Where the parts of a recording are.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::file::RecordingFile;
use super::keys::{KeyError, Keys, WrappingKey};
use crate::codec::Codec;

/// Where a part of a recording is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    directory: PathBuf,
    name: String,
    codec: Codec,
    part: u32,
    sealing: Option<Sealing>,
}

/// Whose key files are encrypted with.
#[derive(Debug, Clone)]
pub(super) struct Sealing {
    pub(super) keys: Keys,
    pub(super) tenant: String,
}

impl Place {
    /// The first part of a recording below a directory: of a direction, or of another kind. `None` for a name that leaves it.
    pub(super) fn first(
        directory: &Path,
        name: &str,
        kind: &str,
        codec: Codec,
        sealing: Option<Sealing>,
    ) -> Option<Self> {
        let is_below = Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        (is_below && !name.is_empty()).then(|| Self {
            directory: directory.to_owned(),
            name: format!("{name}-{kind}"),
            codec,
            part: 1,
            sealing,
        })
    }

    /// The part after it.
    pub(super) fn next(&self) -> Self {
        Self {
            part: self.part + 1,
            ..self.clone()
        }
    }

    /// Counts the parts, from 1.
    pub(super) fn part(&self) -> u32 {
        self.part
    }

    /// Its file.
    pub(super) fn path(&self) -> PathBuf {
        let sealed = if self.sealing.is_some() { ".sealed" } else { "" };
        let ending = format!("{}{sealed}", RecordingFile::extension(self.codec));
        let file = match self.part {
            1 => format!("{}.{ending}", self.name),
            part => format!("{}-{part}.{ending}", self.name),
        };
        self.directory.join(file)
    }

    /// The key that it is encrypted with; `None` where nothing is.
    pub(super) fn key(&self) -> Result<Option<WrappingKey>, KeyError> {
        let sealing = self.sealing.as_ref();
        sealing
            .map(|sealing| sealing.keys.of_tenant(&sealing.tenant))
            .transpose()
    }

    /// Opens its file, which must not be there yet, and writes the header.
    pub(super) fn open(&self, key: Option<&WrappingKey>) -> io::Result<RecordingFile> {
        RecordingFile::begin(create(&self.path())?, self.codec, rand::random(), key)
    }
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    OpenOptions::new().write(true).read(true).create_new(true).open(path)
}
