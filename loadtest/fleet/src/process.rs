//! Processes: started in an environment of their own, waited for, asked to stop, killed at any moment, started again.

use std::fs::File;
use std::net::TcpListener;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::wait::wait_for;
use crate::web;

/// What is taken over from the environment of the tests; any setting of ours in there would change what they test.
const INHERITED: [&str; 4] = ["PATH", "HOME", "TMPDIR", "RUST_BACKTRACE"];

/// How one process is started, each time anew.
#[derive(Clone, Debug)]
pub struct Recipe {
    program: PathBuf,
    /// The network namespace that it runs in.
    namespace: Option<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// Where it runs: what it leaves behind goes with the test.
    directory: PathBuf,
    output: PathBuf,
    log: PathBuf,
    ready_url: Option<String>,
}

impl Recipe {
    /// A process of this program that writes to `NAME.out` and `NAME.log` in `directory`.
    pub fn new(directory: &Path, name: &str, program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            namespace: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: directory.to_owned(),
            output: directory.join(format!("{name}.out")),
            log: directory.join(format!("{name}.log")),
            ready_url: None,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments.extend(arguments.into_iter().map(ToOwned::to_owned));
        self
    }

    /// Sets a variable; a later value wins.
    #[must_use]
    pub fn environment(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// What answers 200 once it serves; a start waits for that.
    #[must_use]
    pub fn ready_at(mut self, url: String) -> Self {
        self.ready_url = Some(url);
        self
    }

    /// Runs it in a network namespace of this name.
    #[must_use]
    pub fn in_namespace(mut self, name: &str) -> Self {
        self.namespace = Some(name.to_owned());
        self
    }

    /// Runs another program in its place, with the same arguments.
    #[must_use]
    pub fn of_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    fn command(&self) -> Command {
        let Some(namespace) = &self.namespace else {
            return Command::new(&self.program);
        };
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(&self.program);
        command
    }

    /// Starts it and waits until it serves.
    pub fn start(&self) -> Process {
        let mut process = self.spawn();
        if let Some(url) = &self.ready_url {
            wait_for(url, || {
                process.assert_alive();
                web::get(url).filter(|(status, _)| *status == 200)
            });
        }
        process
    }

    /// Starts it, whether it serves or not.
    pub fn spawn(&self) -> Process {
        let inherited = INHERITED
            .iter()
            .filter_map(|&name| Some((name, std::env::var_os(name)?)));
        let child = self
            .command()
            .args(&self.arguments)
            .current_dir(&self.directory)
            .env_clear()
            .envs(inherited)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(File::create(&self.output).unwrap())
            .stderr(File::create(&self.log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", self.program.display()));
        Process {
            child,
            output: self.output.clone(),
            log: self.log.clone(),
        }
    }
}

/// A process that runs; dropped means killed. The next life of its recipe writes over what this one wrote.
#[derive(Debug)]
pub struct Process {
    child: Child,
    output: PathBuf,
    log: PathBuf,
}

impl Process {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The rest of the first line on its standard output that begins with `label`.
    pub fn printed(&mut self, label: &str) -> String {
        wait_for(&format!("{label:?} on standard output"), || {
            self.assert_alive();
            let output = std::fs::read_to_string(&self.output).unwrap();
            // A line without its end is still being written.
            output
                .split_inclusive('\n')
                .filter_map(|line| line.strip_suffix('\n')?.trim_start().strip_prefix(label))
                .map(|rest| rest.trim().to_owned())
                .next()
        })
    }

    /// CPU time that it has used, user and kernel.
    pub fn cpu(&self) -> Duration {
        // Hundredths of a second on every Linux that this runs on (`getconf CLK_TCK`).
        const TICK: Duration = Duration::from_millis(10);
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        // The name in parentheses may hold blanks; user and kernel time are fields 14 and 15 (proc(5)).
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks: u32 = fields
            .split(' ')
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u32>().unwrap())
            .sum();
        TICK * ticks
    }

    /// Whether it ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    fn assert_alive(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("the process ended with {status}");
        }
    }

    /// SIGTERM, as an operator stops it; returns when it has ended.
    pub fn stop(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        (self.wait(), self.log())
    }

    /// SIGSTOP: it freezes wherever it is.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// SIGCONT: it goes on as if no time had passed.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let asked = Command::new("kill")
            .args([&format!("-{name}"), &self.id().to_string()])
            .status()
            .unwrap();
        assert!(asked.success(), "the process has ended already");
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        wait_for("the end of the process", || self.child.try_wait().unwrap())
    }

    /// SIGKILL: nothing of it runs after this returns.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already: then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            // The directory may have gone before.
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            println!("--- {} ---\n{log}", self.log.display());
        }
    }
}

/// Ports that Linux gives to no connection that goes out, as it is set up usually, and that media hosts may have.
const PORTS: Range<u32> = 16_384..32_000;

/// A port for a process that is told where to listen, and comes back there when it is started again. Nobody else of these tests gets
/// it, and no connection that goes out does: one of those may have any port that the system itself would choose.
pub fn free_port() -> u16 {
    static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(rand::random_range(PORTS)));
    let given = std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed));
    let within = given.map(|number| PORTS.start + number % (PORTS.end - PORTS.start));
    let mut ports = within.filter_map(|port| u16::try_from(port).ok()).take(PORTS.len());
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).expect("a port of this machine is free")
}
