//! What reading and writing a message costs: the envelope at the ingress, the activity at the worker.
//!
//! `cargo bench -p trunkline-teams --bench parse`

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::Value;
use trunkline_teams::activity::Activity;
use trunkline_teams::envelope::{DEFAULT_DEPTH, Envelope};

/// About 1 KB when written without blanks, like a plain message of a personal chat.
const MESSAGE: &str = include_str!("../tests/fixtures/activities/message-personal.json");
/// A mention, an HTML attachment and a team.
const CHANNEL_MESSAGE: &str = include_str!("../tests/fixtures/activities/message-channel-root.json");

fn without_blanks(json: &str) -> Vec<u8> {
    let value: Value = serde_json::from_str(json).unwrap_or_default();
    value.to_string().into_bytes()
}

fn bench(criterion: &mut Criterion) {
    for (name, text) in [("personal", MESSAGE), ("channel", CHANNEL_MESSAGE)] {
        let body = without_blanks(text);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("envelope", |bencher| {
            bencher.iter(|| Envelope::parse(black_box(&body), DEFAULT_DEPTH));
        });
        group.bench_function("envelope and repeat key", |bencher| {
            bencher
                .iter(|| Envelope::parse(black_box(&body), DEFAULT_DEPTH).map(|envelope| envelope.repeat_key(&body)));
        });
        group.bench_function("activity", |bencher| bencher.iter(|| Activity::parse(black_box(&body))));
        group.bench_function("serde_json::Value", |bencher| {
            bencher.iter(|| serde_json::from_slice::<Value>(black_box(&body)));
        });
        if let Ok(activity) = Activity::parse(&body) {
            group.bench_function("activity to JSON", |bencher| {
                bencher.iter(|| black_box(&activity).to_json());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
