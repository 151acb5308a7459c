//! Tables of what was measured.

use std::ops::Sub;
use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;

use crate::generator::Answers;

/// One run.
pub(crate) struct Measured {
    pub(crate) cpu: [(&'static str, Duration); 3],
    pub(crate) batches: Batches,
    pub(crate) replies: u64,
    pub(crate) answers: Answers,
}

/// Frames and deliveries from the ingress to the worker.
#[derive(Clone, Copy, Default)]
pub(crate) struct Batches {
    pub(crate) frames: u64,
    pub(crate) deliveries: u64,
}

/// What many conversations take.
pub(crate) struct Memory {
    pub(crate) conversations: u64,
    pub(crate) worker: u64,
    pub(crate) redis: u64,
}

impl Batches {
    /// Reads the histogram of deliveries a frame from the ingress' metrics.
    pub(crate) fn read(metrics: &str) -> Self {
        let value = |name: &str| {
            metrics
                .lines()
                .filter_map(|line| line.strip_prefix(name)?.rsplit(' ').next()?.parse::<f64>().ok())
                .sum::<f64>()
        };
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "counters are whole and not negative"
        )]
        let count = |name: &str| value(name) as u64;
        Self {
            frames: count("trunkline_ingress_stream_frame_deliveries_count"),
            deliveries: count("trunkline_ingress_stream_frame_deliveries_sum"),
        }
    }
}

impl Sub for Batches {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            frames: self.frames - earlier.frames,
            deliveries: self.deliveries - earlier.deliveries,
        }
    }
}

/// CPU time and rates of runs, side by side.
pub(crate) fn print(runs: &[(&str, &Measured)]) {
    let mut table = table(&[
        "",
        "ingress",
        "worker",
        "redis-server",
        "sum",
        "activities/s",
        "deliveries/frame",
        "p50",
        "p99",
    ]);
    for (name, run) in runs {
        let each = |cpu: Duration| micros(cpu, run.answers.accepted);
        let sum: Duration = run.cpu.iter().map(|(_, cpu)| *cpu).sum();
        let mut row = vec![(*name).to_owned()];
        row.extend(run.cpu.iter().map(|(_, cpu)| format!("{:.1} us", each(*cpu))));
        row.push(format!("{:.1} us", each(sum)));
        row.push(format!(
            "{:.0}",
            ratio(run.answers.accepted, 1) / run.answers.took.as_secs_f64()
        ));
        row.push(format!("{:.1}", ratio(run.batches.deliveries, run.batches.frames)));
        row.push(format!("{:.1} ms", milliseconds(run, 0.50)));
        row.push(format!("{:.1} ms", milliseconds(run, 0.99)));
        table.add_row(row);
    }
    println!("{table}");
    for (name, run) in runs {
        println!(
            "{name}: {} accepted, {} refused, {} replies",
            run.answers.accepted, run.answers.refused, run.replies
        );
    }
}

/// Bytes a conversation.
pub(crate) fn print_memory(memory: &Memory) {
    let mut table = table(&["", "bytes a conversation"]);
    table.add_row([
        "active in the worker",
        &format!("{:.0}", ratio(memory.worker, memory.conversations)),
    ]);
    table.add_row([
        "stored in Redis",
        &format!("{:.0}", ratio(memory.redis, memory.conversations)),
    ]);
    println!("{table}");
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header.iter().copied());
    table
}

fn milliseconds(run: &Measured, quantile: f64) -> f64 {
    ratio(run.answers.latency.value_at_quantile(quantile), 1_000)
}

fn micros(time: Duration, activities: u64) -> f64 {
    time.as_secs_f64() * 1e6 / ratio(activities, 1)
}

#[allow(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}
