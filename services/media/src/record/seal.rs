//! Recordings that are encrypted at rest.
//!
//! A file is a head and records. The head names the key of the operator and holds the key of the file, which is random and wrapped
//! by it; each record is what was written at a time, a second of audio, so a file that is cut opens to its last whole record.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `TRNKREC1` |
//! | 1, and that many | the name of the operator's key, or of the tenant's: `TENANT/NAME` |
//! | 12 + 32 + 16 | nonce, the file's key encrypted with AES-256-GCM, tag; the bytes before are authenticated with it |
//! | 4 each record | length of what follows, little endian |
//! | n + 16 each record | AES-256-GCM with the file's key; the nonce is the number of the record, from 0, as 12 bytes big endian; authenticated with it is a byte, 1 for the last record of a file that was ended, else 0 |
//!
//! Records cannot be swapped, left out or taken from another file; only a cut at the end goes through, and is told.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};

use super::keys::{KeyError, Keys, WrappingKey};

const MAGIC: &[u8; 8] = b"TRNKREC1";
const KEY: usize = 32;
const TAG: usize = 16;
/// Bytes of a record: far above what a second of audio has.
const LONGEST_RECORD: usize = 16 * 1024 * 1024;

/// Why a recording cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// It was not encrypted by a recorder.
    #[error("this is no encrypted recording")]
    Format,
    /// Its key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key of that name is another one than it was, or the head was changed.
    #[error("the key {0} does not open it")]
    WrongKey(String),
    /// A record was changed, left out or put elsewhere.
    #[error("record {0} is not what was written")]
    Changed(u64),
}

/// Encrypts what is written to one file.
pub(super) struct Sealer {
    key: LessSafeKey,
    next: u64,
}

impl Sealer {
    /// A file with a key of its own; gives its head.
    pub(super) fn begin(wrapping: &WrappingKey) -> Result<(Self, Vec<u8>), Unspecified> {
        let random = SystemRandom::new();
        let (mut bytes, mut nonce) = ([0; KEY], [0; NONCE_LEN]);
        random.fill(&mut bytes)?;
        random.fill(&mut nonce)?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes)?);
        let mut head = MAGIC.to_vec();
        head.push(u8::try_from(wrapping.name.len()).map_err(|_| Unspecified)?);
        head.extend_from_slice(wrapping.name.as_bytes());
        let mut wrapped = bytes.to_vec();
        bytes.fill(0);
        let nonce_of_head = Nonce::assume_unique_for_key(nonce);
        wrapping
            .key
            .seal_in_place_append_tag(nonce_of_head, Aad::from(&head), &mut wrapped)?;
        head.extend_from_slice(&nonce);
        head.append(&mut wrapped);
        Ok((Self { key, next: 0 }, head))
    }

    /// A record of these bytes. Its number is spent, whether it is written or not: nothing else is ever encrypted under it.
    pub(super) fn record(&mut self, bytes: &[u8], is_last: bool) -> Result<Vec<u8>, Unspecified> {
        let mut sealed = bytes.to_vec();
        let aad = Aad::from([u8::from(is_last)]);
        self.key
            .seal_in_place_append_tag(nonce_of(self.next), aad, &mut sealed)?;
        self.next += 1;
        let mut record = u32::try_from(sealed.len())
            .map_err(|_| Unspecified)?
            .to_le_bytes()
            .to_vec();
        record.append(&mut sealed);
        Ok(record)
    }
}

fn nonce_of(record: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 8..].copy_from_slice(&record.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// What was encrypted.
#[derive(Debug, PartialEq, Eq)]
pub struct Unsealed {
    /// The file as it would have been without encryption.
    pub bytes: Vec<u8>,
    /// Whether its end is there: else it was cut, and what is here are its whole records.
    pub is_whole: bool,
}

/// Whether a file was encrypted by a recorder.
pub fn is_sealed(file: &[u8]) -> bool {
    file.starts_with(MAGIC)
}

/// Decrypts a file.
///
/// # Errors
/// It is none, its key is not there, or it was changed.
pub fn unseal(file: &[u8], keys: &Keys) -> Result<Unsealed, SealError> {
    let length = *file
        .get(MAGIC.len())
        .filter(|_| is_sealed(file))
        .ok_or(SealError::Format)?;
    let end_of_name = MAGIC.len() + 1 + usize::from(length);
    let name = file.get(MAGIC.len() + 1..end_of_name).ok_or(SealError::Format)?;
    let name = std::str::from_utf8(name).map_err(|_| SealError::Format)?;
    let end_of_head = end_of_name + NONCE_LEN + KEY + TAG;
    let wrapped = file.get(end_of_name..end_of_head).ok_or(SealError::Format)?;
    let key = unwrapped(&file[..end_of_name], wrapped, &keys.named(name)?)
        .map_err(|_| SealError::WrongKey(name.to_owned()))?;
    records(&file[end_of_head..], &key)
}

fn unwrapped(head: &[u8], wrapped: &[u8], wrapping: &WrappingKey) -> Result<LessSafeKey, Unspecified> {
    let (nonce, wrapped) = wrapped.split_at(NONCE_LEN);
    let mut wrapped = wrapped.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(nonce)?;
    let bytes = wrapping.key.open_in_place(nonce, Aad::from(head), &mut wrapped)?;
    let key = UnboundKey::new(&AES_256_GCM, bytes).map(LessSafeKey::new);
    wrapped.fill(0);
    key
}

fn records(mut rest: &[u8], key: &LessSafeKey) -> Result<Unsealed, SealError> {
    let mut bytes = Vec::with_capacity(rest.len());
    for number in 0.. {
        let Some((length, after)) = rest.split_first_chunk::<4>() else {
            break;
        };
        let length = u32::from_le_bytes(*length) as usize;
        if !(TAG..=LONGEST_RECORD).contains(&length) {
            return Err(SealError::Changed(number));
        }
        let Some((record, after)) = after.split_at_checked(length) else {
            break;
        };
        rest = after;
        let open = |is_last: u8| {
            let mut record = record.to_vec();
            let opened = key.open_in_place(nonce_of(number), Aad::from([is_last]), &mut record)?;
            Ok::<_, Unspecified>(opened.to_vec())
        };
        if let Ok(opened) = open(0) {
            bytes.extend_from_slice(&opened);
            continue;
        }
        let last = open(1).map_err(|_| SealError::Changed(number))?;
        bytes.extend_from_slice(&last);
        // What somebody wrote behind the end is not ours.
        return if rest.is_empty() {
            Ok(Unsealed { bytes, is_whole: true })
        } else {
            Err(SealError::Changed(number + 1))
        };
    }
    Ok(Unsealed { bytes, is_whole: false })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::super::keys::tests::put;
    use super::*;

    fn keys() -> (Keys, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        put(directory.path(), "one", 1);
        (Keys::new(directory.path().to_owned()).unwrap(), directory)
    }

    /// Three records, and where each ends.
    fn sealed(keys: &Keys) -> (Vec<u8>, Vec<usize>) {
        let (mut sealer, mut file) = Sealer::begin(&keys.of_tenant("").unwrap()).unwrap();
        let mut ends = vec![file.len()];
        for (bytes, is_last) in [("first", false), ("second", false), ("", true)] {
            file.extend(sealer.record(bytes.as_bytes(), is_last).unwrap());
            ends.push(file.len());
        }
        (file, ends)
    }

    #[test]
    fn what_was_sealed_is_opened_with_its_key_and_no_other() {
        let (keys, directory) = keys();
        let (file, _) = sealed(&keys);
        assert!(is_sealed(&file) && !file.windows(5).any(|window| window == b"first"));
        let whole = Unsealed {
            bytes: b"firstsecond".to_vec(),
            is_whole: true,
        };
        assert_eq!(unseal(&file, &keys).unwrap(), whole);
        // Another key is used from now on, the old one still opens.
        put(directory.path(), "two", 2);
        assert_eq!(unseal(&file, &keys).unwrap(), whole);
        put(directory.path(), "one", 3);
        assert!(matches!(unseal(&file, &keys), Err(SealError::WrongKey(name)) if name == "one"));
        std::fs::remove_file(directory.path().join("one.key")).unwrap();
        assert!(matches!(
            unseal(&file, &keys),
            Err(SealError::Key(KeyError::Missing(..)))
        ));
    }

    #[test]
    fn the_head_finds_the_key_of_the_tenant() {
        let (keys, directory) = keys();
        std::fs::create_dir(directory.path().join("blue")).unwrap();
        put(&directory.path().join("blue"), "one", 7);
        let (mut sealer, mut file) = Sealer::begin(&keys.of_tenant("blue").unwrap()).unwrap();
        file.extend(sealer.record(b"of blue", true).unwrap());
        assert_eq!(unseal(&file, &keys).unwrap().bytes, b"of blue");
        std::fs::remove_file(directory.path().join("blue/one.key")).unwrap();
        // The operator's key has the same name in its own place.
        assert!(matches!(
            unseal(&file, &keys),
            Err(SealError::Key(KeyError::Missing(..)))
        ));
    }

    #[test]
    fn a_cut_file_opens_to_its_last_whole_record() {
        let (keys, _directory) = keys();
        let (file, ends) = sealed(&keys);
        for cut in ends[0]..file.len() {
            let opened = unseal(&file[..cut], &keys).unwrap();
            let records = ends[1..].iter().filter(|end| **end <= cut).count();
            assert_eq!(opened.bytes, ["", "first", "firstsecond"][records].as_bytes());
            assert!(!opened.is_whole, "cut to {cut}");
        }
        assert!(matches!(unseal(&file[..20], &keys), Err(SealError::Format)));
    }

    #[test]
    fn records_cannot_be_left_out_swapped_or_added() {
        let (keys, _directory) = keys();
        let (file, ends) = sealed(&keys);
        let mut without_first = file[..ends[0]].to_vec();
        without_first.extend_from_slice(&file[ends[1]..]);
        assert!(matches!(unseal(&without_first, &keys), Err(SealError::Changed(0))));
        let mut swapped = file[..ends[0]].to_vec();
        swapped.extend_from_slice(&file[ends[1]..ends[2]]);
        swapped.extend_from_slice(&file[ends[0]..ends[1]]);
        assert!(matches!(unseal(&swapped, &keys), Err(SealError::Changed(0))));
        let mut longer = file.clone();
        longer.extend_from_slice(&file[ends[0]..ends[1]]);
        assert!(matches!(unseal(&longer, &keys), Err(SealError::Changed(3))));
    }

    proptest! {
        /// A bit that was changed anywhere is noticed, or cuts the file where a length was changed.
        #[test]
        fn a_changed_bit_never_gives_other_audio(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let (keys, _directory) = keys();
            let (mut file, _) = sealed(&keys);
            let at = at.index(file.len());
            file[at] ^= 1 << bit;
            if let Ok(opened) = unseal(&file, &keys) {
                prop_assert!(!opened.is_whole);
                prop_assert!(b"firstsecond".starts_with(&opened.bytes));
            }
        }
    }
}
