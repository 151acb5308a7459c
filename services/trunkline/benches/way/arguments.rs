//! The words of the command line.

use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// What stands behind the mode.
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    /// The mode and the rest; `known` are the flags that a mode takes.
    pub(crate) fn read() -> (String, Self) {
        // Cargo adds `--bench`.
        let mut words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
        let mode = match words.first() {
            Some(word) if !word.starts_with("--") => words.remove(0),
            _ => "cost".to_owned(),
        };
        (mode, Self(words))
    }

    /// Refuses flags that the mode does not know.
    pub(crate) fn only(self, known: &[&str]) -> io::Result<Self> {
        for pair in self.0.chunks(2) {
            if !known.contains(&pair[0].as_str()) {
                return Err(wrong(format!("{} is unknown; there are {}", pair[0], known.join(", "))));
            }
            if pair.len() == 1 {
                return Err(wrong(format!("{} needs a value", pair[0])));
            }
        }
        Ok(self)
    }

    /// The number behind a flag, or what it is without.
    pub(crate) fn number<T: FromStr>(&self, flag: &str, default: T) -> io::Result<T> {
        match self.text(flag) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| wrong(format!("{flag} is a number, not {text:?}"))),
        }
    }

    pub(crate) fn seconds(&self, flag: &str, default: u64) -> io::Result<Duration> {
        self.number(flag, default).map(Duration::from_secs)
    }

    /// The binary that is measured: another build's, or this one's.
    pub(crate) fn trunkline(&self) -> PathBuf {
        self.text("--trunkline")
            .unwrap_or(env!("CARGO_BIN_EXE_trunkline"))
            .into()
    }

    fn text(&self, flag: &str) -> Option<&str> {
        let place = self.0.iter().position(|word| word == flag)?;
        self.0.get(place + 1).map(String::as_str)
    }
}

fn wrong(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, problem)
}
