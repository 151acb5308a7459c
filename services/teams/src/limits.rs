//! Sizes and limits of Teams, each with its source.

/// Most citations of one message; more are answered with 400.
/// Source: Teams "Bot messages with AI-generated content".
pub const CITATIONS: usize = 20;

/// Most buttons that are shown below a message; older pages say 3.
/// Source: Teams "Build conversational capability", suggested actions.
pub const SUGGESTED_ACTIONS: usize = 6;
