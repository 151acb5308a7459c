//! A chat and a telephone in memory, for tests of bots: simulated time, no runtime, no network.
//!
//! Every turn runs twice from the same state, with the steps that the first run kept, and both runs must ask for and remember
//! the same: a forgotten [`crate::Turn::once`], a look at the clock, a random id or state changed inside a step fail the first
//! test that comes by. State is stored and read back after each turn, every message and card is checked against the limits of
//! Teams, and a button that no route listens to fails.
//!
//! ```
//! # use trunkline_bot::prelude::*;
//! # #[derive(Default, Serialize, Deserialize)] struct Count { heard: u32 }
//! # impl State for Count {}
//! # async fn count(turn: &mut Turn, count: &mut Count, _: Message) -> Result {
//! #     count.heard += 1; turn.reply(format!("{}", count.heard)); Ok(())
//! # }
//! use trunkline_bot::test::Chat;
//!
//! let mut chat = Chat::with(Bot::new("count").on(message(), count));
//! chat.says("hi").says("hi");
//! assert_eq!(chat.last(), "2");
//! assert_eq!(chat.state().heard, 2);
//! ```
//!
//! [`Phone`] does the same for a [`crate::CallBot`]: people ring, press keys, listen, speak and hang up, Graph takes or refuses
//! what the bot asks for, and prompts end by simulated time.

// A kit for tests fails by panics, and takes what the test has at hand.
#![allow(clippy::missing_panics_doc, clippy::needless_pass_by_value)]

mod activity;
mod card;
mod chat;
mod compare;
mod happens;
mod line;
mod phone;
mod port;
mod screen;
mod turns;
mod wait;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;

pub use chat::{Chat, Crash};
pub use phone::Phone;

use crate::logic::StoredState;
use crate::state::{self, State};

/// Reads a stored sample of a state that a released version wrote: JSON with the members `version` and `state`. The path starts
/// at the folder of the crate under test.
///
/// # Panics
/// The sample is not there, or this code cannot read it.
pub fn reads<S: State>(path: impl AsRef<Path>) -> S {
    let path = in_crate(path.as_ref());
    let shown = path.display();
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("the stored sample {shown} is not there: {error}"));
    let sample: Value = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{shown} is not JSON: {error}"));
    let version = sample["version"]
        .as_u64()
        .and_then(|version| u32::try_from(version).ok());
    let stored = StoredState {
        version: version.unwrap_or_else(|| panic!("{shown} has no member `version`")),
        bytes: Bytes::from(sample["state"].to_string()),
    };
    state::read(Some(&stored)).unwrap_or_else(|problem| panic!("{shown}: {problem}"))
}

/// Compares a chat's transcript with a file in the folder `transcripts` of the crate under test. With `TRUNKLINE_BLESS=1` in the
/// environment the file is written instead.
#[macro_export]
macro_rules! assert_transcript {
    ($chat:expr, $file:expr) => {
        $crate::test::compare_transcript(&$chat.transcript(), $file)
    };
}

/// What [`crate::assert_transcript`] does.
///
/// # Panics
/// The transcript is another than the file, or the file cannot be read or written.
#[doc(hidden)]
pub fn compare_transcript(transcript: &str, file: &str) {
    let path = in_crate(&Path::new("transcripts").join(file));
    let shown = path.display();
    if std::env::var_os("TRUNKLINE_BLESS").is_some_and(|value| value == "1") {
        let folder = path.parent().unwrap_or(Path::new("."));
        let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, transcript));
        return written.unwrap_or_else(|error| panic!("{shown} cannot be written: {error}"));
    }
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{shown} cannot be read ({error}): TRUNKLINE_BLESS=1 writes it"));
    assert!(
        expected == transcript,
        "the transcript is not that of {shown} (TRUNKLINE_BLESS=1 writes it)\n--- expected\n{expected}\n--- is\n{transcript}"
    );
}

/// Cargo and nextest both tell a running test where its crate is.
fn in_crate(path: &Path) -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| path.to_owned(), |folder| Path::new(&folder).join(path))
}
