//! The protocol of the cluster as small models, searched breadth first for a way to break its invariants.
//!
//! Three models, because the product of all would not end: [`store`] (who may write, with failovers of the store),
//! [`inbox`] (acceptance of slow turns) and [`handoff`] (a shard that moves under load). The rules of the store are not copied:
//! every claim, release and commit is judged by [`trunkline_store::rules`], which the product runs. A model knows neither
//! time nor probability: whatever can happen late, twice or never is tried.
//!
//! A search says "no counterexample within these bounds", not "proved". The bounds and what was seen are in
//! `services/cluster/docs/model.md`.

mod explore;
pub mod handoff;
pub mod inbox;
pub mod store;
mod words;

pub use explore::{Explored, Found, Model, explore};
