//! Sizes and limits of Teams, each with its source, and the check of an outgoing activity against them.
//!
//! Teams refuses some of what goes beyond a limit, cuts some and ignores the rest without a word. A bot should learn of all
//! of it where it is written, which is why [`check`] is stricter than the service.

mod check;
mod size;

use std::ops::RangeInclusive;
use std::time::Duration;

pub use check::{Violation, check, check_size};
pub use size::message_size;

/// Largest message: the whole JSON counted in UTF-16, pictures inside it left out. Documents say "about 100 KB".
/// Source: Teams "Messages in bot conversations", message size.
pub const MESSAGE_BYTES: usize = 100 * 1024;

/// Most citations of one message; more are answered with 400.
/// Source: Teams "Bot messages with AI-generated content".
pub const CITATIONS: usize = 20;
/// Longest name of a cited source in UTF-16 units. Source as [`CITATIONS`].
pub const CITATION_NAME: usize = 80;
/// Longest abstract of a cited source in UTF-16 units. Source as [`CITATIONS`].
pub const CITATION_ABSTRACT: usize = 160;
/// Most keywords of a cited source. Source as [`CITATIONS`].
pub const CITATION_KEYWORDS: usize = 3;
/// Longest keyword in UTF-16 units. Source as [`CITATIONS`].
pub const CITATION_KEYWORD: usize = 28;

/// Most buttons that are shown below a message; older pages say 3.
/// Source: Teams "Build conversational capability", suggested actions.
pub const SUGGESTED_ACTIONS: usize = 6;

/// Most people for whom a card refreshes itself.
/// Source: Adaptive Cards "Universal Action Model".
pub const REFRESH_USERS: usize = 60;

/// Members on a page of the roster; the Connector takes the nearest of these.
/// Source: Teams "Get Teams-specific context for a bot".
pub const MEMBERS_PER_PAGE: RangeInclusive<usize> = 50..=500;

/// Calls a second for one stream.
/// Source: Teams "Stream bot messages".
pub const STREAM_PARTS_PER_SECOND: u32 = 1;

/// Time from the first part of a stream to its end.
/// Source: Teams "Stream bot messages".
pub const STREAM_TIME: Duration = Duration::from_secs(120);
