//! Ids of calls, operations, participants and messages: GUIDs, lower case, new in each run.

use crate::world::id;

/// Hands out ids that differ from those of every other seed.
#[derive(Debug)]
pub(super) struct Ids {
    seed: String,
    count: u64,
}

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed: seed.to_string(),
            count: 0,
        }
    }

    /// A GUID.
    pub(super) fn uuid(&mut self, what: &str) -> String {
        self.count += 1;
        id::uuid(&[what, &self.seed, &self.count.to_string()])
    }

    /// 32 hex digits.
    pub(super) fn hex(&mut self, what: &str) -> String {
        self.count += 1;
        id::hex(&[what, &self.seed, &self.count.to_string()])
    }

    /// Nine decimal digits.
    pub(super) fn digits(&mut self, what: &str) -> String {
        let digits = self.hex(what);
        let number = u64::from_str_radix(&digits[..8], 16).unwrap_or(0);
        format!("{:09}", number % 1_000_000_000)
    }
}

/// The one spelling by which an id is found: lower case, without hyphens.
pub(super) fn normal(id: &str) -> String {
    id.replace('-', "").to_ascii_lowercase()
}
