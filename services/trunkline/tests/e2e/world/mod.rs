//! The world around the processes: a Connector that records, people who insist, a Redis, an outside service, processes that
//! die.

pub(crate) mod chance;
pub(crate) mod crowd;
pub(crate) mod deployment;
pub(crate) mod house;
pub(crate) mod login;
pub(crate) mod outside;
pub(crate) mod page;
pub(crate) mod people;
pub(crate) mod process;
pub(crate) mod recorder;
pub(crate) mod redis;
pub(crate) mod verdict;
pub(crate) mod wait;
pub(crate) mod web;
