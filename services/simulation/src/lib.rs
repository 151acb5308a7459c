//! The pure cores of a whole cluster, joined under one seeded scheduler with simulated time, so that a mistake at a seam is
//! found: a delivery that is held for a shard that moved on, an answer from a conversation whose record was not
//! confirmed, a resend of something that has committed.
//!
//! **What is real**: the ingress' `Exchange`; the cluster's `Node` (membership, leader, map, leases, claims, hand-off) and the
//! plan in it; the worker's `ShardTable`, `Agenda`, `Conversation` with its outbox and record, what it announces to streams and
//! the credits that it gives; the rules by which a store judges claims, releases, commits, beats, leaders and maps.
//!
//! **What is modelled**, each in a file of its own:
//! - `store`: one store with those rules in memory. It answers late or not at all, its clock steps, it goes away, and it fails
//!   over to a copy of itself that lacks the last writes, fences and maps included. It notes what that lost.
//! - `network`: the way there and back. What is asked is late, lost, done twice, or done without an answer.
//! - `worker`: a process with a node, a directory and streams; what the shells of the product do with threads, actors and
//!   sockets, done in order and at once. It is killed, comes back as another incarnation, stands still, drains, leaves.
//! - `ingress`: a thread with its exchange and its connections, which break, are slow, or fall silent. It dies, too.
//! - `turns`: a bot whose turns are slow, fail, or kill their process, and a Connector that refuses or takes a message without
//!   saying so.
//! - `callers`: Teams. It repeats what was not acknowledged, and sometimes what was.
//!
//! **What is checked** has the names of the design: I1 one incarnation holds a token that a commit is accepted with; I2 no commit
//! removes an activity from state; I3 an activity is applied at most once; I4 what was acknowledged is applied, in the
//! order of requests that did not overlap, unless a failover lost it; I5 a reply is sent only for a committed turn, at least once, in
//! order; I6 every shard is served again once nothing fails; I7 the map of a cluster at rest does not change; I8 one ingress
//! has requests of a shard outstanding at one worker only. `broken` says what each means here.
//!
//! **What is not in it**: calls, signals between conversations and user state, records of another version, a store with
//! `wait_replicas`, several arbiters in a process, and the shells themselves: sockets, actors, Redis. Their own tests and
//! `loadtest/fleet` are for those.
//!
//! A seed that fails is printed. `TRUNKLINE_SEED=n` runs it alone and tells all that happened, `TRUNKLINE_SEEDS=n` runs more.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")
)]

#[cfg(test)]
mod bot;
#[cfg(test)]
mod broken;
#[cfg(test)]
mod callers;
#[cfg(test)]
mod chat;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod ingress;
#[cfg(test)]
mod network;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod store;
#[cfg(test)]
mod tally;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod turns;
#[cfg(test)]
mod worker;
#[cfg(test)]
mod world;
