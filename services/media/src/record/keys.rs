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
///
/// A directory in it that is named by a tenant's id, in lower case, has the keys of that tenant, by the same rule: its files are encrypted
/// with none but those, and a key in a head is then named `TENANT/NAME`. Where the directory is there and gives no key nothing is
/// recorded of that tenant: neither the operator's key takes its place nor another tenant's.
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
        keys.newest("")?;
        for (tenant, error) in keys.tenants_without_key()? {
            tracing::error!(
                tenant,
                error = &error as &dyn std::error::Error,
                "nothing of a tenant is recorded: its own keys cannot be used"
            );
        }
        Ok(keys)
    }

    /// Tenants with keys of their own that give none, and why.
    fn tenants_without_key(&self) -> Result<Vec<(String, KeyError)>, KeyError> {
        let read = |error| KeyError::Read(self.directory.clone(), error);
        let mut without = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(read)? {
            let entry = entry.map_err(read)?;
            let tenant = entry.file_name().to_string_lossy().into_owned();
            if is_plain(&tenant)
                && entry.path().is_dir()
                && let Err(error) = self.newest(&tenant)
            {
                without.push((tenant, error));
            }
        }
        Ok(without)
    }

    /// The key that new files of a tenant are encrypted with: its own where it has some, else the operator's.
    pub(super) fn of_tenant(&self, tenant: &str) -> Result<WrappingKey, KeyError> {
        let tenant = tenant.to_ascii_lowercase();
        if !is_plain(&tenant) {
            return self.newest("");
        }
        let own = self.directory.join(&tenant);
        match fs::symlink_metadata(&own) {
            Ok(_) => self.newest(&tenant),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.newest(""),
            Err(error) => Err(KeyError::Read(own, error)),
        }
    }

    /// The newest key of a tenant's directory, or of the operator's.
    fn newest(&self, tenant: &str) -> Result<WrappingKey, KeyError> {
        let directory = self.directory.join(tenant);
        let read = |error| KeyError::Read(directory.clone(), error);
        let mut newest: Option<String> = None;
        for entry in fs::read_dir(&directory).map_err(read)? {
            let path = entry.map_err(read)?.path();
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            let is_key = path.extension().is_some_and(|ending| ending == ENDING);
            if is_key && newest.as_deref().is_none_or(|newest| newest < name) {
                newest = Some(name.to_owned());
            }
        }
        let newest = newest.ok_or_else(|| KeyError::None(directory.clone()))?;
        let of_tenant = || format!("{tenant}/{newest}");
        self.named(&if tenant.is_empty() { newest.clone() } else { of_tenant() })
    }

    /// The key of that name, which for a tenant's begins with the tenant and a slash.
    pub(super) fn named(&self, name: &str) -> Result<WrappingKey, KeyError> {
        let parts: Vec<&str> = name.split('/').collect();
        if parts.len() > 2 || !parts.iter().copied().all(is_plain) {
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

/// A name without a way out of its directory.
fn is_plain(name: &str) -> bool {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    (1..=NAME).contains(&name.len()) && !name.starts_with('.') && name.chars().all(is_plain)
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
        assert_eq!(keys.of_tenant("any").unwrap().name, "2026-02");
        assert_eq!(keys.named("2026-01").unwrap().name, "2026-01");
        assert!(matches!(keys.named("2025-12"), Err(KeyError::Missing(..))));
        assert!(matches!(keys.named("../2026-01"), Err(KeyError::Name(_))));
    }

    #[test]
    fn a_tenant_with_keys_of_its_own_has_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().to_owned();
        put(&at, "operator", 1);
        for tenant in ["blue", "green", "none", "broken"] {
            fs::create_dir(at.join(tenant)).unwrap();
        }
        put(&at.join("blue"), "a", 2);
        put(&at.join("blue"), "b", 3);
        put(&at.join("green"), "a", 4);
        fs::write(at.join("broken/a.key"), "abcd").unwrap();
        // The start is not refused for the sake of one tenant.
        let keys = Keys::new(at.clone()).unwrap();
        let name = |tenant: &str| keys.of_tenant(tenant).map(|key| key.name);
        assert_eq!(name("blue").unwrap(), "blue/b");
        assert_eq!(name("BLUE").unwrap(), "blue/b");
        assert_eq!(name("green").unwrap(), "green/a");
        for tenant in ["red", "", "..", "a/b"] {
            assert_eq!(name(tenant).unwrap(), "operator", "{tenant}");
        }
        assert!(matches!(name("none"), Err(KeyError::None(_))));
        assert!(matches!(name("broken"), Err(KeyError::Broken(_))));
        let without: Vec<String> = keys
            .tenants_without_key()
            .unwrap()
            .into_iter()
            .map(|(tenant, _)| tenant)
            .collect();
        assert!(
            without.len() == 2
                && without
                    .iter()
                    .all(|tenant| ["none", "broken"].contains(&tenant.as_str()))
        );
        // A file in the place of the directory is no way to the operator's key.
        fs::write(at.join("file"), "").unwrap();
        assert!(matches!(name("file"), Err(KeyError::Read(..))));
        assert_eq!(keys.named("blue/a").unwrap().name, "blue/a");
        for wrong in ["blue/../operator", "/operator", "blue/", "a/b/c"] {
            assert!(matches!(keys.named(wrong), Err(KeyError::Name(_))), "{wrong}");
        }
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
