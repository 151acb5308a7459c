//! The world around the processes: a Connector that records, people who insist, a Redis, processes that die.

pub(crate) mod login;
pub(crate) mod people;
pub(crate) mod process;
pub(crate) mod recorder;
pub(crate) mod redis;
pub(crate) mod verdict;
