//! Bots that show what the author's surface can do, each in one file that reads from top to bottom.
//!
//! They know `trunkline-bot` and nothing of the host; what they need from outside stands behind a trait and has a stand-in that
//! works without a network. [`echo`] is the smallest: a counter, a timer. [`booking`] asks questions over several turns and
//! books a room once. [`poll`] answers a card's buttons in the HTTP response. [`assistant`] streams an answer that is paid for
//! once.
//!
//! Four take part in calls. [`reception`] is a menu by keys, with a transfer and a message that is kept. [`meeting`] joins by a
//! link and tells a chat who is there. [`notifier`] calls a list of people from a chat. [`recorder`] is asked by a recording
//! policy and keeps who took part.
//!
//! Every one has its tests below `tests/`, with the test kit and with stored samples of older states.

pub mod assistant;
pub mod booking;
pub mod echo;
pub mod meeting;
pub mod notifier;
pub mod poll;
pub mod reception;
pub mod recorder;
