//! What is written beside each part of a recording when it ends.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, Digest, SHA256, digest};
use serde::Serialize;

/// What is written beside a part of a recording when it ends, as JSON in `FILE.json`.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Manifest {
    /// Name of the file, without its directory.
    pub file: String,
    /// Counts the parts of the recording, from 1.
    pub part: u32,
    /// `received`, `sent`, or `mixed` of both.
    pub direction: &'static str,
    /// Entra tenant of the call; absent if that is not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tenant: String,
    /// What confirmed that it may be recorded; absent if nothing had to.
    pub confirmed_by: Option<String>,
    /// When its first packet came, in milliseconds since 1970; absent without packets.
    pub began_unix_ms: Option<u64>,
    /// Packets in it.
    pub packets: u64,
    /// Times 20 ms of which nothing came: lost, or the sender was silent.
    pub missing: u64,
    /// Packets that came too late or twice.
    pub late: u64,
    /// Packets that were dropped because the recorder was slow.
    pub dropped: u64,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// SHA-256 of the manifest of the part before; absent in the first. So nobody takes a part away unseen.
    pub previous_sha256: Option<String>,
}

impl Manifest {
    /// Writes it beside its file, whole or not at all. Gives its own SHA-256.
    pub(super) fn write(&self, file: &Path) -> io::Result<String> {
        let text = serde_json::to_vec_pretty(self)?;
        let mut beside = file.to_owned().into_os_string();
        beside.push(".json");
        let unfinished = PathBuf::from(&beside).with_extension("json.new");
        std::fs::write(&unfinished, &text)?;
        std::fs::rename(unfinished, beside)?;
        Ok(digits(digest(&SHA256, &text).as_ref()))
    }
}

/// SHA-256 of a file, in hexadecimal digits.
pub(super) fn hash_of(path: &Path) -> io::Result<String> {
    hash_bytes_of(path).map(|hash| digits(hash.as_ref()))
}

/// The same as it is.
pub(super) fn hash_bytes_of(path: &Path) -> io::Result<Digest> {
    let mut context = Context::new(&SHA256);
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => break,
            length => context.update(&buffer[..length]),
        }
    }
    Ok(context.finish())
}

fn digits(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(64), |mut digits, byte| {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
