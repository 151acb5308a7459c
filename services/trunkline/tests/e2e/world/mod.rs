//! The world around the processes: what is particular to these tests. Processes, people and the verdict come from
//! `trunkline-fleet`.

pub(crate) mod deployment;
pub(crate) mod echo;
pub(crate) mod house;
pub(crate) mod media;
pub(crate) mod outside;
pub(crate) mod page;
