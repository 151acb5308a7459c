//! The models, searched.
#![allow(
    clippy::print_stderr,
    reason = "the figures of a search are what a reader wants to see"
)]

mod handoff;
mod inbox;
mod store;

use std::time::Instant;

use trunkline_cluster_model::{Found, Model, explore};

fn search<M: Model>(name: &str, model: &M) -> Found<M::Step> {
    let began = Instant::now();
    let found = explore(model);
    let (what, explored) = match &found {
        Found::Nothing(explored) => ("no counterexample".to_owned(), explored),
        Found::Counterexample {
            broken,
            steps,
            explored,
        } => (format!("{broken}, in {} steps", steps.len()), explored),
    };
    eprintln!(
        "{name}: {what}; {} states, depth {}, {:.1} s",
        explored.states,
        explored.depth,
        began.elapsed().as_secs_f64()
    );
    found
}

fn must_hold<M: Model>(name: &str, model: &M) {
    if let Found::Counterexample { broken, steps, .. } = search(name, model) {
        panic!("{name}: {broken}: {steps:#?}");
    }
}

/// A wrong variant must break the invariant that its rule is there for.
fn must_break<M: Model>(name: &str, model: &M, invariant: &str) {
    match search(name, model) {
        Found::Nothing(explored) => panic!("{name}: not found among {explored:?}"),
        Found::Counterexample { broken, steps, .. } => {
            assert!(broken.starts_with(invariant), "{name}: {broken}: {steps:#?}");
            eprintln!("{steps:?}");
        }
    }
}

fn is_large() -> bool {
    std::env::var_os("TRUNKLINE_MODEL").is_some_and(|bounds| bounds == "large")
}
