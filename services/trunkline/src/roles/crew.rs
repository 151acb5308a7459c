//! The threads of a process: one with an actix system for each role, owned, watched and joined.
//!
//! Roles stop in the opposite order of their start, so that what takes work in ends before what does it. A role that ends
//! unasked ends the process: a process without one of its roles would only look alive.

use std::future::Future;
use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::telemetry::Health;

/// Longest time for all roles together to end after a signal, beyond what a role drains for. Kubernetes kills after 30 s unless
/// told otherwise.
const STOP_WITHIN: Duration = Duration::from_secs(25);

/// The running roles.
pub struct Crew {
    health: Health,
    members: Vec<Member>,
    ended: Receiver<Ended>,
    report_end: Sender<Ended>,
    drains_for: Option<Duration>,
}

struct Member {
    name: &'static str,
    shutdown: CancellationToken,
    thread: JoinHandle<()>,
    has_ended: bool,
}

/// What a role's thread reports when it is over.
struct Ended {
    name: &'static str,
    result: anyhow::Result<()>,
}

/// What a role is given, and by which it tells that it has started.
pub struct Stage<T> {
    /// Cancelled when the role shall end.
    pub shutdown: CancellationToken,
    started: Sender<T>,
}

impl<T> Stage<T> {
    /// The role listens: `facts` go to whoever started it.
    pub fn started(&self, facts: T) {
        // Nobody waits any more only when the process is ending.
        let _ = self.started.send(facts);
    }
}

/// How the whole crew ended.
#[derive(Debug)]
pub enum CrewEnd {
    /// By a signal, in good order.
    Signal,
    /// A role failed or ended unasked.
    Failed(anyhow::Error),
}

impl Crew {
    /// Nobody yet. `health` is told when the process is stopping.
    pub fn new(health: Health) -> Self {
        let (report_end, ended) = mpsc::channel();
        Self {
            health,
            members: Vec::new(),
            ended,
            report_end,
            drains_for: None,
        }
    }

    /// A role may take so long to end, because people are on the telephone: nothing but Ctrl-C makes it shorter.
    pub fn drains_for(&mut self, longest: Duration) {
        self.drains_for = Some(longest);
    }

    /// Starts a role on a thread of its own and waits until it has started or failed.
    pub fn start<T, F, Role>(&mut self, name: &'static str, role: F) -> anyhow::Result<T>
    where
        T: Send + 'static,
        F: FnOnce(Stage<T>) -> Role + Send + 'static,
        Role: Future<Output = anyhow::Result<()>>,
    {
        let (started, facts) = mpsc::channel();
        let shutdown = CancellationToken::new();
        let stage = Stage {
            shutdown: shutdown.clone(),
            started,
        };
        let end = EndReport {
            name,
            report: self.report_end.clone(),
            result: None,
        };
        let thread = thread::Builder::new()
            .name(format!("trunkline-{name}"))
            .spawn(move || {
                let mut end = end;
                end.result = Some(actix_web::rt::System::new().block_on(role(stage)));
            })?;
        self.members.push(Member {
            name,
            shutdown,
            thread,
            has_ended: false,
        });
        // The sender is dropped when the role ends, so this returns in any case.
        if let Ok(facts) = facts.recv() {
            return Ok(facts);
        }
        let ended = self.ended.recv()?;
        self.note_end(ended.name);
        Err(ended
            .result
            .err()
            .unwrap_or_else(|| anyhow::anyhow!("the {name} ended while it started")))
    }

    /// Waits for a signal to stop or for a role to end, then ends all roles.
    pub fn run(mut self) -> CrewEnd {
        let signals = match Signals::watch(self.report_end.clone()) {
            Ok(signals) => signals,
            Err(error) => {
                let end = anyhow::Error::from(error).context("signals cannot be watched");
                return CrewEnd::Failed(
                    self.stop()
                        .err()
                        .map_or(end, |stop| stop.context("signals cannot be watched")),
                );
            }
        };
        let first = self.ended.recv();
        self.health.stopping();
        let mut end = match first {
            Ok(Ended { name, result: Ok(()) }) if [TERMINATE, INTERRUPT].contains(&name) => CrewEnd::Signal,
            Ok(Ended { name, result }) => {
                self.note_end(name);
                CrewEnd::Failed(match result {
                    Ok(()) => anyhow::anyhow!("the {name} ended unasked"),
                    Err(error) => error.context(format!("the {name} failed")),
                })
            }
            Err(error) => CrewEnd::Failed(error.into()),
        };
        if let Err(error) = self.stop()
            && matches!(end, CrewEnd::Signal)
        {
            end = CrewEnd::Failed(error);
        }
        signals.end();
        end
    }

    /// Ends all roles, the last started first.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let within = STOP_WITHIN + self.drains_for.unwrap_or_default();
        let deadline = Instant::now() + within;
        let mut outcome = Ok(());
        for place in (0..self.members.len()).rev() {
            let name = self.members[place].name;
            self.members[place].shutdown.cancel();
            while !self.members[place].has_ended {
                match self
                    .ended
                    .recv_timeout(deadline.saturating_duration_since(Instant::now()))
                {
                    Ok(ended) if ended.name == TERMINATE && self.drains_for.is_some() => {
                        tracing::info!("told to stop again; calls still have their time, Ctrl-C ends at once");
                    }
                    Ok(ended) if [TERMINATE, INTERRUPT].contains(&ended.name) => {
                        anyhow::bail!("stopped at once by a second signal")
                    }
                    Ok(ended) => {
                        if ended.name == name && ended.result.is_err() {
                            outcome = ended.result;
                        }
                        self.note_end(ended.name);
                    }
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                        anyhow::bail!("the {name} did not end within {} s", within.as_secs())
                    }
                }
            }
        }
        for member in self.members.drain(..) {
            if member.thread.join().is_err() {
                outcome = Err(anyhow::anyhow!("the {} panicked", member.name));
            }
        }
        outcome
    }

    fn note_end(&mut self, name: &str) {
        if let Some(member) = self.members.iter_mut().find(|member| member.name == name) {
            member.has_ended = true;
        }
    }
}

/// Reports the end of a role also when it panics.
struct EndReport {
    name: &'static str,
    report: Sender<Ended>,
    result: Option<anyhow::Result<()>>,
}

impl Drop for EndReport {
    fn drop(&mut self) {
        let result = self
            .result
            .take()
            .unwrap_or_else(|| Err(anyhow::anyhow!("the {} panicked", self.name)));
        // Nobody listens only when the process is ending.
        let _ = self.report.send(Ended {
            name: self.name,
            result,
        });
    }
}

/// The names of signals among the ends of roles.
const TERMINATE: &str = "SIGTERM";
const INTERRUPT: &str = "SIGINT";

/// A thread that waits for SIGTERM and SIGINT.
struct Signals {
    end: CancellationToken,
    thread: JoinHandle<()>,
}

impl Signals {
    fn watch(report: Sender<Ended>) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut terminate, mut interrupt) = {
            let _entered = runtime.enter();
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
        };
        let end = CancellationToken::new();
        let ended = end.clone();
        let thread = thread::Builder::new()
            .name("trunkline-signals".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    loop {
                        let name = tokio::select! {
                            _ = terminate.recv() => TERMINATE,
                            _ = interrupt.recv() => INTERRUPT,
                            () = ended.cancelled() => return,
                        };
                        if report.send(Ended { name, result: Ok(()) }).is_err() {
                            return;
                        }
                    }
                });
            })?;
        Ok(Self { end, thread })
    }

    fn end(self) {
        self.end.cancel();
        // Its only work is to wait; it cannot fail.
        let _ = self.thread.join();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::sync::{Arc, Mutex};

    use super::{Crew, CrewEnd};
    use crate::telemetry::Health;

    #[test]
    fn roles_end_in_the_opposite_order_of_their_start() {
        let ended = Arc::new(Mutex::new(Vec::new()));
        let mut crew = Crew::new(Health::default());
        for name in ["admin", "worker", "ingress"] {
            let ended = Arc::clone(&ended);
            crew.start(name, move |stage| async move {
                stage.started(());
                stage.shutdown.cancelled().await;
                ended.lock().unwrap().push(name);
                Ok(())
            })
            .unwrap();
        }
        crew.stop().unwrap();
        assert_eq!(*ended.lock().unwrap(), ["ingress", "worker", "admin"]);
    }

    #[test]
    fn a_role_that_cannot_start_says_why_and_the_others_can_be_ended() {
        let mut crew = Crew::new(Health::default());
        crew.start("admin", |stage| async move {
            stage.started(());
            stage.shutdown.cancelled().await;
            Ok(())
        })
        .unwrap();
        let failed = crew.start::<(), _, _>("worker", |_| async { anyhow::bail!("the store is away") });
        assert_eq!(failed.expect_err("it failed").to_string(), "the store is away");
        crew.stop().unwrap();
    }

    #[test]
    fn a_role_that_panics_ends_the_process_and_readiness_before() {
        let health = Health::default();
        let mut crew = Crew::new(health.clone());
        crew.start("worker", |stage| async move {
            stage.started(());
            panic!("on purpose")
        })
        .unwrap();
        let CrewEnd::Failed(error) = crew.run() else {
            panic!("it ended well")
        };
        assert!(error.to_string().contains("worker"), "{error}");
        assert_eq!(health.reasons(), ["stopping"]);
    }
}
