//! Four bots that show what the author's surface can do, each in one file that reads from top to bottom.
//!
//! They know `trunkline-bot` and nothing of the host; what they need from outside stands behind a trait and has a stand-in that
//! works without a network. [`echo`] is the smallest: a counter, a timer.

pub mod echo;
