//! Where the bytes of a recording go: a file as it is, or encrypted.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use aws_lc_rs::error::Unspecified;

use super::keys::WrappingKey;
use super::seal::Sealer;

/// A file that grows. After an error a write may be tried again: nothing is in the file twice.
pub(super) struct Sink {
    file: File,
    sealer: Option<Sealer>,
    /// Bytes that are to be in the file at its end, and are perhaps there in part.
    unwritten: Vec<u8>,
    /// What is in the file for sure.
    length: u64,
}

impl Sink {
    /// Begins a file, with a head of its own if it is encrypted.
    pub(super) fn begin(file: File, key: Option<&WrappingKey>) -> io::Result<Self> {
        let (sealer, unwritten) = match key {
            None => (None, Vec::new()),
            Some(key) => {
                let (sealer, head) = Sealer::begin(key).map_err(not_encrypted)?;
                (Some(sealer), head)
            }
        };
        let mut sink = Self {
            file,
            sealer,
            unwritten,
            length: 0,
        };
        sink.write_out()?;
        Ok(sink)
    }

    /// Whether what was written can be written over.
    pub(super) fn is_plain(&self) -> bool {
        self.sealer.is_none()
    }

    /// Writes the bytes and takes them away. When it fails they are taken all the same if they are under way already.
    pub(super) fn write(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        self.write_out()?;
        if bytes.is_empty() {
            return Ok(());
        }
        match &mut self.sealer {
            None => self.unwritten.append(bytes),
            Some(sealer) => {
                self.unwritten = sealer.record(bytes, false).map_err(not_encrypted)?;
                bytes.clear();
            }
        }
        self.write_out()
    }

    /// Writes over the beginning of a plain file.
    pub(super) fn write_head(&mut self, head: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(head)
    }

    /// Makes sure that it survives a loss of power.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Ends the file.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.write_out()?;
        if let Some(mut sealer) = self.sealer.take() {
            self.unwritten = sealer.record(&[], true).map_err(not_encrypted)?;
            self.write_out()?;
        }
        self.file.sync_all()
    }

    /// Bytes of a plain file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    fn write_out(&mut self) -> io::Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(&self.unwritten)?;
        self.length += self.unwritten.len() as u64;
        self.unwritten.clear();
        Ok(())
    }
}

fn not_encrypted(_: Unspecified) -> io::Error {
    io::Error::other("it cannot be encrypted")
}
