//! Processes that are measured: started pinned to a core, read through `/proc`, ended with the benchmark.

use std::ffi::OsStr;
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A child process; dropped means killed.
pub(crate) struct Process {
    pub(crate) name: &'static str,
    child: Child,
}

impl Process {
    /// Starts `program` on `core` (any core when `None`); its output goes to the benchmark's standard error.
    pub(crate) fn start<A: AsRef<OsStr>>(
        name: &'static str,
        core: Option<usize>,
        program: &OsStr,
        arguments: &[A],
    ) -> io::Result<Self> {
        let mut command = match core {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.arg("--cpu-list").arg(core.to_string()).arg(program);
                command
            }
            None => Command::new(program),
        };
        let child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { name, child })
    }

    /// CPU time of all its threads so far, in user and kernel mode. Resolution 10 ms.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Fields 14 and 15 of proc(5); the name in field 2 may hold blanks, so counting starts behind it.
        let (_, fields) = stat
            .rsplit_once(')')
            .ok_or_else(|| io::Error::other("no name in /proc/PID/stat"))?;
        let ticks: u64 = fields
            .split_ascii_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
    }

    /// SIGTERM, as an operator stops it; returns when it has ended.
    pub(crate) async fn stop(mut self) -> io::Result<()> {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status()?;
        if !asked.success() {
            return Err(io::Error::other(format!("{} has ended already", self.name)));
        }
        let deadline = Instant::now() + LONGEST_STOP;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("{} does not stop", self.name)));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Memory that is in RAM, in bytes.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kilobytes: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|value| value.trim().trim_end_matches("kB").trim().parse().ok())
            .ok_or_else(|| io::Error::other("no VmRSS"))?;
        Ok(kilobytes * 1_024)
    }
}

/// A worker ends within 25 s of SIGTERM.
const LONGEST_STOP: Duration = Duration::from_secs(40);

/// `USER_HZ`, 100 on every Linux that Rust supports here.
const TICKS_PER_SECOND: u64 = 100;

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself: nothing left to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Moves all threads of this process to `core`, so that the generator and the measured processes do not share one.
pub(crate) fn pin_this_process(core: usize) -> io::Result<()> {
    let status = Command::new("taskset")
        .args([
            "--all-tasks",
            "--cpu-list",
            "--pid",
            &core.to_string(),
            &std::process::id().to_string(),
        ])
        .stdout(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other("taskset could not pin the benchmark"))
    }
}
