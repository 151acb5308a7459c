//! What every mode prints: the command and the machine, tables, and figures with their spread.

use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;

/// The same thing measured several times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spread(Vec<f64>);

impl FromIterator<f64> for Spread {
    fn from_iter<T: IntoIterator<Item = f64>>(figures: T) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        Self(figures)
    }
}

impl Spread {
    /// The middle one; of an even number the upper of both.
    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// A part of the figures is not larger.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "places of a list"
    )]
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        let place = (self.0.len() as f64 * quantile) as usize;
        let last = self.0.len().saturating_sub(1);
        self.0.get(place.min(last)).copied().unwrap_or(f64::NAN)
    }

    /// The median, and the smallest and the largest behind it: `45.1 us (41.0 to 52.3)`.
    pub(crate) fn show(&self, digits: usize, unit: &str) -> String {
        let middle = self.median();
        let unit = if unit.is_empty() {
            String::new()
        } else {
            format!(" {unit}")
        };
        match (self.0.first(), self.0.last()) {
            (Some(least), Some(most)) if self.0.len() > 1 => {
                format!("{middle:.digits$}{unit} ({least:.digits$} to {most:.digits$})")
            }
            (Some(_), Some(_)) => format!("{middle:.digits$}{unit}"),
            _ => "none".to_owned(),
        }
    }
}

/// An empty table.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header.iter().copied());
    table
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// CPU time for each of so many things.
pub(crate) fn microseconds_each(time: Duration, things: u64) -> f64 {
    time.as_secs_f64() * 1e6 / ratio(things, 1)
}

/// CPU time in a second of time.
pub(crate) fn milliseconds_a_second(cpu: Duration, time: Duration) -> f64 {
    milliseconds(cpu) / time.as_secs_f64()
}

#[allow(clippy::cast_precision_loss, reason = "figures for people, far below 2^52")]
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The command, the machine, and how quiet it is.
pub(crate) struct Machine {
    time: SystemTime,
}

/// Where the machine's time went since it was started, in ticks.
#[derive(Clone, Copy)]
struct SystemTime {
    all: u64,
    stolen: u64,
}

impl Machine {
    /// Prints the command and the machine.
    pub(crate) fn describe() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
        println!("cargo bench -p trunkline --bench way -- {}", arguments.join(" "));
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or("unknown", |(_, model)| model);
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        println!("{cores} cores of {model}; load {} before", load());
        if cfg!(debug_assertions) {
            println!("A debug build: its figures mean nothing.");
        }
        Self {
            time: SystemTime::read(),
        }
    }

    /// Prints what else the machine did meanwhile.
    pub(crate) fn noise(&self) {
        let now = SystemTime::read();
        let stolen = ratio(now.stolen - self.time.stolen, now.all - self.time.all);
        println!(
            "load {} after; {:.1} % of the time was another machine's",
            load(),
            stolen * 100.0
        );
    }
}

impl SystemTime {
    /// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)).
    fn read() -> Self {
        let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let ticks: Vec<u64> = text
            .lines()
            .next()
            .into_iter()
            .flat_map(str::split_ascii_whitespace)
            .skip(1)
            .take(8)
            .filter_map(|field| field.parse().ok())
            .collect();
        Self {
            all: ticks.iter().sum(),
            stolen: ticks.get(7).copied().unwrap_or_default(),
        }
    }
}

/// Processes that ran or wanted to, on average over 1, 5 and 15 minutes.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_ascii_whitespace().take(3).collect::<Vec<_>>().join(" ")
}
