//! The processes under measurement, and what is read of them.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use trunkline_fleet::teams;

use crate::answers::Answers;
use crate::generator::{Load, Target};
use crate::outside::{MEASURED_CORE, OTHER_CORE, Outside, free_ports, get, ready};
use crate::processes::{Process, pin_this_process};

/// Which binary hosts which bot, and how.
#[derive(Clone)]
pub(crate) struct Hosting {
    pub(crate) program: PathBuf,
    pub(crate) bot: &'static str,
    pub(crate) arbiters: u64,
    /// Where the ingress runs; all others of ours share [`MEASURED_CORE`].
    pub(crate) ingress_core: usize,
    /// Further settings, as `NAME=VALUE`.
    pub(crate) settings: Vec<String>,
}

impl Hosting {
    /// A bot of [`crate::bot`], which this program hosts itself.
    pub(crate) fn own(bot: &'static str, arbiters: u64) -> io::Result<Self> {
        Ok(Self {
            program: std::env::current_exe()?,
            bot,
            arbiters,
            ingress_core: MEASURED_CORE,
            settings: Vec::new(),
        })
    }

    pub(crate) fn with(mut self, setting: &str) -> Self {
        self.settings.push(setting.to_owned());
        self
    }
}

/// An ingress and a worker, and everything that they talk to.
pub(crate) struct Setting {
    // Ended from top to bottom: nobody misses what it needs.
    ingress: Process,
    worker: Process,
    pub(crate) outside: Outside,
    hosting: Hosting,
    configuration: PathBuf,
    ports: Ports,
    target: Arc<Target>,
}

#[derive(Clone, Copy)]
struct Ports {
    worker: u16,
    ingress: u16,
    worker_admin: u16,
    ingress_admin: u16,
}

/// One run.
pub(crate) struct Measured {
    pub(crate) cpu: Cpu,
    pub(crate) batches: Batches,
    pub(crate) replies: u64,
    pub(crate) answers: Answers,
}

/// CPU time of each process, user and kernel.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    pub(crate) ingress: Duration,
    pub(crate) worker: Duration,
    pub(crate) redis: Duration,
}

impl Cpu {
    pub(crate) fn sum(self) -> Duration {
        self.ingress + self.worker + self.redis
    }

    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            ingress: self.ingress.saturating_sub(earlier.ingress),
            worker: self.worker.saturating_sub(earlier.worker),
            redis: self.redis.saturating_sub(earlier.redis),
        }
    }
}

/// Frames and deliveries from the ingress to the worker.
#[derive(Clone, Copy, Default)]
pub(crate) struct Batches {
    pub(crate) frames: f64,
    pub(crate) deliveries: f64,
}

/// What was used while nothing was asked for.
#[derive(Clone, Copy)]
pub(crate) struct Rest {
    pub(crate) cpu: Cpu,
    /// That Redis carried out.
    pub(crate) commands: f64,
    pub(crate) took: Duration,
}

impl Setting {
    /// Starts everything and waits until it serves.
    pub(crate) async fn start(hosting: Hosting) -> io::Result<Self> {
        let outside = Outside::start().await?;
        let [worker, ingress, worker_admin, ingress_admin] = free_ports()?;
        let ports = Ports {
            worker,
            ingress,
            worker_admin,
            ingress_admin,
        };
        let configuration = outside.directory.path().join("trunkline.toml");
        let redis = format!("redis://127.0.0.1:{}/0", outside.redis_port);
        let text = teams::configuration(hosting.bot, &redis, &outside.teams, "http://127.0.0.1");
        fs::write(&configuration, text)?;
        let worker = role("worker", &hosting, &configuration, ports)?;
        let ingress = role("ingress", &hosting, &configuration, ports)?;
        ready(ports.worker_admin).await?;
        ready(ports.ingress).await?;
        pin_this_process(OTHER_CORE)?;
        Ok(Self {
            ingress,
            worker,
            target: Arc::new(outside.target(ports.ingress)),
            outside,
            hosting,
            configuration,
            ports,
        })
    }

    /// Stops the worker in order and starts another with these settings beside the others: what is only stored leaves memory.
    pub(crate) async fn with_a_new_worker(self, settings: &[&str]) -> io::Result<Self> {
        self.worker.stop().await?;
        let mut hosting = self.hosting.clone();
        hosting.settings.extend(settings.iter().map(ToString::to_string));
        let worker = role("worker", &hosting, &self.configuration, self.ports)?;
        ready(self.ports.worker_admin).await?;
        ready(self.ports.ingress).await?;
        Ok(Self { worker, ..self })
    }

    /// Sends a load and says what it cost, the replies included, of which there is one for each accepted activity.
    pub(crate) async fn run(&self, load: Load) -> io::Result<Measured> {
        self.run_with(load, 1).await
    }

    /// Sends a load that is not replied to.
    pub(crate) async fn run_unreplied(&self, load: Load) -> io::Result<Measured> {
        self.run_with(load, 0).await
    }

    async fn run_with(&self, load: Load, replies_each: u64) -> io::Result<Measured> {
        let (cpu_before, batches_before) = (self.cpu()?, self.batches().await?);
        let (answers, replies) = self.outside.send(&self.target, load, replies_each).await?;
        let batches = self.batches().await?;
        Ok(Measured {
            cpu: self.cpu()?.since(cpu_before),
            batches: Batches {
                frames: batches.frames - batches_before.frames,
                deliveries: batches.deliveries - batches_before.deliveries,
            },
            replies,
            answers,
        })
    }

    /// Does nothing for a while, and says what that cost.
    pub(crate) async fn rest(&self, time: Duration) -> io::Result<Rest> {
        let (cpu, commands) = (self.cpu()?, self.redis_commands().await?);
        let began = Instant::now();
        tokio::time::sleep(time).await;
        Ok(Rest {
            cpu: self.cpu()?.since(cpu),
            commands: self.redis_commands().await? - commands,
            took: began.elapsed(),
        })
    }

    /// Memory of the worker that is in RAM, in bytes.
    pub(crate) fn worker_resident(&self) -> io::Result<u64> {
        self.worker.resident()
    }

    /// CPU time of all processes so far.
    pub(crate) fn cpu(&self) -> io::Result<Cpu> {
        Ok(Cpu {
            ingress: self.ingress.cpu()?,
            worker: self.worker.cpu()?,
            redis: self.outside.redis.cpu()?,
        })
    }

    /// A metric of the worker, its series added up.
    pub(crate) async fn worker_says(&self, name: &str) -> io::Result<f64> {
        Ok(sum_of(&get(self.ports.worker_admin, "/metrics").await?, name))
    }

    async fn batches(&self) -> io::Result<Batches> {
        let metrics = get(self.ports.ingress_admin, "/metrics").await?;
        Ok(Batches {
            frames: sum_of(&metrics, "trunkline_ingress_stream_frame_deliveries_count"),
            deliveries: sum_of(&metrics, "trunkline_ingress_stream_frame_deliveries_sum"),
        })
    }

    async fn redis_commands(&self) -> io::Result<f64> {
        let commands = self.outside.redis_says("total_commands_processed").await?;
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        Ok(commands as f64)
    }
}

fn role(name: &'static str, hosting: &Hosting, configuration: &std::path::Path, ports: Ports) -> io::Result<Process> {
    let (admin, core) = if name == "worker" {
        (ports.worker_admin, MEASURED_CORE)
    } else {
        (ports.ingress_admin, hosting.ingress_core)
    };
    let mut arguments = vec![
        name.to_owned(),
        format!("--config={}", configuration.display()),
        format!("--set=ingress.listen=127.0.0.1:{}", ports.ingress),
        "--set=ingress.threads=1".to_owned(),
        format!("--set=ingress.workers=127.0.0.1:{}", ports.worker),
        format!("--set=worker.listen=127.0.0.1:{}", ports.worker),
        format!("--set=worker.arbiters={}", hosting.arbiters),
        format!("--set=admin.listen=127.0.0.1:{admin}"),
        "--set=log.filter=warn".to_owned(),
    ];
    arguments.extend(hosting.settings.iter().map(|setting| format!("--set={setting}")));
    Process::start(name, Some(core), hosting.program.as_ref(), &arguments)
}

/// The series of a metric, added up.
fn sum_of(metrics: &str, name: &str) -> f64 {
    let series = metrics.lines().filter_map(|line| line.strip_prefix(name));
    series
        .filter(|rest| rest.starts_with([' ', '{']))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}
