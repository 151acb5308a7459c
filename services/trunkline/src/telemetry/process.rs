//! What this process takes of the machine, read from `/proc` at each scrape. Elsewhere than on Linux there is nothing to
//! read, and these metrics are absent.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Clock ticks a second in `/proc/self/stat`: 100 in every Linux that user space sees (`USER_HZ`, proc_pid_stat(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// Names and meanings are those of all Prometheus clients.
#[derive(Debug)]
pub(super) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Some(usage) = Usage::read() else { return Ok(()) };
        let cpu = ConstCounter::new(usage.cpu_seconds);
        cpu.encode(encoder.encode_descriptor(
            "process_cpu",
            "Processor time that this process has used",
            Some(&Unit::Seconds),
            cpu.metric_type(),
        )?)?;
        let memory = ConstGauge::new(usage.resident_bytes);
        memory.encode(encoder.encode_descriptor(
            "process_resident_memory",
            "Memory of this process that is not swapped out",
            Some(&Unit::Bytes),
            memory.metric_type(),
        )?)?;
        let files = ConstGauge::new(usage.open_files);
        files.encode(encoder.encode_descriptor(
            "process_open_fds",
            "Files and sockets that this process has open",
            None,
            files.metric_type(),
        )?)?;
        Ok(())
    }
}

struct Usage {
    cpu_seconds: f64,
    resident_bytes: i64,
    open_files: i64,
}

impl Usage {
    fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The name of the program stands in brackets and may hold spaces: fields are counted after it.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let user: f64 = fields.get(11)?.parse().ok()?;
        let system: f64 = fields.get(12)?.parse().ok()?;
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let resident_kib: i64 = resident.split_whitespace().next()?.parse().ok()?;
        Some(Self {
            cpu_seconds: (user + system) / TICKS_PER_SECOND,
            resident_bytes: resident_kib * 1024,
            open_files: i64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?,
        })
    }
}
