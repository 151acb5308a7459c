//! Time of one plan for 1,000 nodes and 4,096 shards. `cargo bench -p trunkline-cluster`; figures in `docs/plan.md`.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use trunkline_cluster::map::{MapNode, ShardMap};
use trunkline_cluster::plan::{Candidate, Limits, Requests, Standing, plan};
use trunkline_store::contract::{Incarnation, MapVersion};

const NODES: u64 = 1_000;
const SHARDS: u32 = 4_096;

/// Nodes of four weights in three zones.
fn candidates(incarnations: impl Iterator<Item = u64>) -> Vec<Candidate> {
    incarnations
        .map(|incarnation| Candidate {
            node: MapNode {
                incarnation: Incarnation(incarnation),
                name: format!("worker-{incarnation}"),
                address: format!("worker-{incarnation}.cluster.local:7400"),
                zone: ["a", "b", "c"][incarnation as usize % 3].to_owned(),
                reads: 3,
                weight: 100 + 50 * (incarnation as u32 % 4),
            },
            standing: Standing::Serving,
        })
        .collect()
}

fn plans(criterion: &mut Criterion) {
    let all = candidates(1..=NODES);
    let requests = Requests::default();
    let empty = ShardMap::empty(SHARDS);
    let mut planned = |name: &str, previous: &ShardMap, now: &[Candidate]| {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| plan(black_box(previous), black_box(now), &requests, Limits::default()));
        });
    };
    let settled = plan(&empty, &all, &requests, Limits::default())
        .publish(MapVersion(1))
        .unwrap();
    planned("the first map", &empty, &all);
    planned("nothing changed", &settled, &all);
    planned("one node died", &settled, &all[1..]);
    planned("one node joined", &settled, &candidates(1..=NODES + 1));
    planned("a third of the nodes died", &settled, &all[NODES as usize / 3..]);
    let mut draining = all.clone();
    draining[0].standing = Standing::Draining;
    planned("one node drains", &settled, &draining);
}

criterion_group!(benches, plans);
criterion_main!(benches);
