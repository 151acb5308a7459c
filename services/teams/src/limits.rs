//! Sizes and limits of Teams, each with its source.

/// Most citations of one message; more are answered with 400.
/// Source: Teams "Bot messages with AI-generated content".
pub const CITATIONS: usize = 20;

/// Most buttons that are shown below a message; older pages say 3.
/// Source: Teams "Build conversational capability", suggested actions.
pub const SUGGESTED_ACTIONS: usize = 6;

/// Members on a page of the roster; the Connector takes the nearest of these.
/// Source: Teams "Get Teams-specific context for a bot".
pub const MEMBERS_PER_PAGE: std::ops::RangeInclusive<usize> = 50..=500;

/// Calls a second for one stream.
/// Source: Teams "Stream bot messages".
pub const STREAM_PARTS_PER_SECOND: u32 = 1;

/// Time from the first part of a stream to its end.
/// Source: Teams "Stream bot messages".
pub const STREAM_TIME: std::time::Duration = std::time::Duration::from_secs(120);

/// Largest outgoing message in bytes, counted as UTF-16 without pictures; larger ones are answered with 413.
/// Source: Teams "Format your bot messages".
pub const MESSAGE_BYTES: usize = 100 * 1024;
