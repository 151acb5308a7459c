//! Processes of the built binary: started, waited for, killed at any moment, started again.

use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How one process is started, each time anew.
pub(crate) struct Recipe {
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Where it runs: what it leaves behind goes with the test.
    directory: PathBuf,
    /// Where its output goes, appended over all its lives.
    log: PathBuf,
    /// Answers 200 once the process serves.
    ready_url: String,
}

impl Recipe {
    /// A process of this program that logs to `NAME.log` in `directory`.
    pub(crate) fn new(directory: &Path, name: &str, program: PathBuf, ready_url: String) -> Self {
        Self {
            program,
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: directory.to_owned(),
            log: directory.join(format!("{name}.log")),
            ready_url,
        }
    }

    pub(crate) fn arguments<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments.extend(arguments.into_iter().map(ToOwned::to_owned));
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Starts it and waits until it serves.
    pub(crate) async fn start(&self) -> Process {
        let mut process = self.spawn();
        let deadline = Instant::now() + Duration::from_secs(60);
        let client = reqwest::Client::new();
        loop {
            let answer = client.get(&self.ready_url).timeout(Duration::from_secs(1)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return process;
            }
            if let Some(status) = process.child.try_wait().unwrap() {
                panic!(
                    "{} ended with {status} before it was ready:\n{}",
                    self.name(),
                    self.logged()
                );
            }
            assert!(
                Instant::now() < deadline,
                "{} is not ready after 60 s:\n{}",
                self.name(),
                self.logged()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn spawn(&self) -> Process {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .unwrap();
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .current_dir(&self.directory)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", self.name()));
        Process { child }
    }

    /// What it wrote in all its lives.
    pub(crate) fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn name(&self) -> String {
        format!("{} {}", self.program.display(), self.arguments.join(" "))
    }
}

/// A process that runs; dropped means killed.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// SIGKILL: nothing of it runs after this returns.
    pub(crate) fn kill(mut self) {
        self.end().unwrap();
    }

    fn end(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Killed already: then there is nothing to end.
        let _ = self.end();
    }
}

/// A port that was free a moment ago: processes that are started again must come back at the same one.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
