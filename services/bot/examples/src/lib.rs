//! Four bots that show what the author's surface can do, each in one file that reads from top to bottom.
//!
//! They know `trunkline-bot` and nothing of the host; what they need from outside stands behind a trait and has a stand-in that
//! works without a network. [`echo`] is the smallest: a counter, a timer. [`booking`] asks questions over several turns and
//! books a room once. [`poll`] answers a card's buttons in the HTTP response. [`assistant`] streams an answer that is paid for
//! once. Every one has its tests below `tests/`, with the test kit and with stored samples of older states.

pub mod assistant;
pub mod booking;
pub mod echo;
pub mod poll;
