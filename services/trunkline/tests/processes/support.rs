//! Real processes of the built binary, a simulated Teams, and waiting with a deadline.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What every wait ends at.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running process of the binary. Killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    out: Arc<Mutex<String>>,
    err: Arc<Mutex<String>>,
}

impl Process {
    /// Starts `trunkline` with these arguments in this directory; `environment` is added to an otherwise clean one.
    pub(crate) fn start(directory: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_trunkline"))
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = collected(child.stdout.take().unwrap());
        let err = collected(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    /// What it has printed to standard output.
    pub(crate) fn output(&self) -> String {
        self.out.lock().unwrap().clone()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.err.lock().unwrap().clone()
    }

    /// The rest of the first printed line that begins with `label`.
    pub(crate) fn printed(&mut self, label: &str) -> String {
        wait_for(&format!("{label:?} on standard output"), || {
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "the process ended:\n{}",
                self.log()
            );
            let output = self.output();
            output
                .lines()
                .find_map(|line| line.trim_start().strip_prefix(label).map(|rest| rest.trim().to_owned()))
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop and waits for its end.
    pub(crate) fn stop(mut self) -> (ExitStatus, String) {
        let killed = Command::new("kill")
            .args(["-TERM", &self.id().to_string()])
            .status()
            .unwrap();
        assert!(killed.success());
        let status = self.wait();
        (status, self.log())
    }

    /// Kills it as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_for("the end of the process", || self.child.try_wait().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- log of a process ---\n{}", self.log());
        }
    }
}

fn collected(pipe: impl std::io::Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&text);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut text = sink.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
        }
    });
    text
}

/// Asks again until there is an answer.
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {} s for {what}", PATIENCE.as_secs());
        thread::sleep(Duration::from_millis(10));
    }
}

/// The HTTP side of a simulated Teams: what the chat page does.
pub(crate) struct ChatPage {
    base: String,
    client: reqwest::blocking::Client,
}

impl ChatPage {
    pub(crate) fn at(base: &str) -> Self {
        let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
        Self {
            base: base.trim_end_matches('/').to_owned(),
            client,
        }
    }

    pub(crate) fn get(&self, path: &str) -> serde_json::Value {
        self.client
            .get(format!("{}{path}", self.base))
            .send()
            .unwrap()
            .json()
            .unwrap()
    }

    /// Each person's number and personal chat with the bot of this name.
    pub(crate) fn personal_chats(&self, bot: &str) -> Vec<(u64, String)> {
        let world = self.get("/api/world");
        let chats = world["conversations"].as_array().unwrap().iter();
        chats
            .filter(|chat| chat["kind"] == "personal" && chat["name"] == bot)
            .map(|chat| {
                (
                    chat["members"][0].as_u64().unwrap(),
                    chat["id"].as_str().unwrap().to_owned(),
                )
            })
            .collect()
    }

    /// The personal chat of the first person with the bot of this name.
    pub(crate) fn personal_chat(&self, bot: &str) -> String {
        let chats = self.personal_chats(bot);
        chats
            .into_iter()
            .find(|(person, _)| *person == 0)
            .expect("a personal chat")
            .1
    }

    /// The first person writes.
    pub(crate) fn say(&self, conversation: &str, text: &str) {
        self.say_as(0, conversation, text);
    }

    /// Somebody writes.
    pub(crate) fn say_as(&self, person: u64, conversation: &str, text: &str) {
        let action = serde_json::json!({ "do": "say", "person": person, "conversation": conversation, "text": text });
        let response = self
            .client
            .post(format!("{}/api/actions", self.base))
            .header("content-type", "application/json")
            .body(action.to_string())
            .send()
            .unwrap();
        assert!(response.status().is_success(), "{}", response.text().unwrap());
    }

    /// What bots have written there.
    pub(crate) fn replies(&self, conversation: &str) -> Vec<String> {
        let messages = self.get("/api/messages");
        messages
            .as_array()
            .unwrap()
            .iter()
            .filter(|message| message["conversation"] == conversation && message["from"]["kind"] == "bot")
            .map(|message| message["text"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Waits for a reply that satisfies `is_it`.
    pub(crate) fn reply(&self, conversation: &str, is_it: impl Fn(&str) -> bool) -> String {
        wait_for("a reply", || {
            self.replies(conversation).into_iter().find(|text| is_it(text))
        })
    }
}

/// Lets Prometheus' own tool judge names, help and form.
pub(crate) fn promtool_accepts(metrics: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is needed: apt-get install prometheus");
    promtool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.trim().is_empty(),
        "promtool: {said}\n{metrics}"
    );
}
