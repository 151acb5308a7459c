//! The keys that recordings are encrypted with at rest: files that an operator puts into a directory.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};

/// Ending of a key's file.
const ENDING: &str = "key";
/// Bytes of a key.
const LENGTH: usize = 32;
/// Characters of a key's name.
const NAME: usize = 64;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The directory or a file in it cannot be read.
    #[error("the keys of recordings in {0} cannot be read")]
    Read(PathBuf, #[source] std::io::Error),
    /// There is none.
    #[error("there is no NAME.key in {0}: recordings cannot be encrypted")]
    None(PathBuf),
    /// A file holds something else.
    #[error("{0} is no key: 64 hexadecimal digits, of which `openssl rand -hex 32` makes some")]
    Broken(PathBuf),
    /// A recording was encrypted with a key that is not there.
    #[error("the key {0} is not in {1}")]
    Missing(String, PathBuf),
    /// A name that no file of ours has.
    #[error("{0} is no name of a key")]
    Name(String),
}

/// A key that wraps the keys of files.
pub(super) struct WrappingKey {
    pub(super) name: String,
    pub(super) key: LessSafeKey,
}

impl fmt::Debug for WrappingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "WrappingKey({})", self.name)
    }
}

/// A directory of keys: `NAME.key`, each of 64 hexadecimal digits. Files that begin are encrypted with the one whose name comes
/// last in the order of the alphabet; the others open what was encrypted with them. The directory is read each time, so
/// a new key is used for the next file, and one that is taken away opens nothing any more.
#[derive(Debug, Clone)]
pub struct Keys {
    directory: PathBuf,
}

impl Keys {
    /// The keys of a directory.
    ///
    /// # Errors
    /// There is none, or the newest is no key: told at the start rather than with the first recording.
    pub fn new(directory: PathBuf) -> Result<Self, KeyError> {
        let keys = Self { directory };
        keys.newest()?;
        Ok(keys)
    }

    /// The key that new files are encrypted with.
    pub(super) fn newest(&self) -> Result<WrappingKey, KeyError> {
        let read = |error| KeyError::Read(self.directory.clone(), error);
        let mut newest: Option<String> = None;
        for entry in fs::read_dir(&self.directory).map_err(read)? {
            let path = entry.map_err(read)?.path();
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            let is_key = path.extension().is_some_and(|ending| ending == ENDING);
            if is_key && newest.as_deref().is_none_or(|newest| newest < name) {
                newest = Some(name.to_owned());
            }
        }
        let newest = newest.ok_or_else(|| KeyError::None(self.directory.clone()))?;
        self.named(&newest)
    }

    /// The key of that name.
    pub(super) fn named(&self, name: &str) -> Result<WrappingKey, KeyError> {
        let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        if name.is_empty() || name.len() > NAME || !name.chars().all(is_plain) {
            return Err(KeyError::Name(name.to_owned()));
        }
        let path = self.directory.join(format!("{name}.{ENDING}"));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(KeyError::Missing(name.to_owned(), self.directory.clone()));
            }
            Err(error) => return Err(KeyError::Read(self.directory.clone(), error)),
        };
        let key = key_of(text.trim()).ok_or_else(|| KeyError::Broken(path.clone()))?;
        Ok(WrappingKey {
            name: name.to_owned(),
            key,
        })
    }

    /// Where they lie.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

fn key_of(digits: &str) -> Option<LessSafeKey> {
    let mut bytes = [0; LENGTH];
    if digits.len() != 2 * LENGTH || !digits.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    let key = UnboundKey::new(&AES_256_GCM, &bytes).ok().map(LessSafeKey::new);
    bytes.fill(0);
    key
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn put(directory: &Path, name: &str, byte: u8) {
        let digits = format!("{byte:02x}").repeat(LENGTH);
        fs::write(directory.join(format!("{name}.key")), format!("{digits}\n")).unwrap();
    }

    #[test]
    fn the_last_by_name_is_used_and_the_others_open() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().to_owned();
        assert!(matches!(Keys::new(at.clone()), Err(KeyError::None(_))));
        put(&at, "2026-01", 1);
        let keys = Keys::new(at.clone()).unwrap();
        put(&at, "2026-02", 2);
        fs::write(at.join("notes.txt"), "x").unwrap();
        assert_eq!(keys.newest().unwrap().name, "2026-02");
        assert_eq!(keys.named("2026-01").unwrap().name, "2026-01");
        assert!(matches!(keys.named("2025-12"), Err(KeyError::Missing(..))));
        assert!(matches!(keys.named("../2026-01"), Err(KeyError::Name(_))));
    }

    #[test]
    fn what_is_no_key_is_said_at_the_start() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().to_owned();
        for wrong in ["", "abcd", &"x".repeat(64), &"ä".repeat(32)] {
            fs::write(at.join("a.key"), wrong).unwrap();
            assert!(matches!(Keys::new(at.clone()), Err(KeyError::Broken(_))), "{wrong}");
        }
        assert!(matches!(Keys::new(at.join("nowhere")), Err(KeyError::Read(..))));
    }
}
