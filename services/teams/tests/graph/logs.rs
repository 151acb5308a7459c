//! Every request to Graph can be found in the log by the ids that Graph has of it.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;
use trunkline_teams::graph::Operation;

use crate::support::{Loopback, Reply};
use crate::{CHAIN, client_at, errand, errand_within, perform, world};

/// What the process logs. The tests beside add their own lines: each request has an id of its own.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// As the product logs unless it is configured otherwise: JSON lines from `info` upwards. A subscriber for one thread alone can miss
/// lines whose place in the code another thread reaches first.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let lines = tracing_subscriber::fmt().json().flatten_event(true);
    lines
        .with_max_level(tracing::Level::INFO)
        .with_writer(log.clone())
        .init();
    log
});

impl Log {
    fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Each request that the server got has a line with the ids of its headers.
    fn knows(&self, server: &Loopback) {
        for request in server.requests() {
            let (scenario, id) = (request.header("scenario-id"), request.header("client-request-id"));
            let (scenario, id) = (scenario.unwrap(), id.unwrap());
            let is_it = |line: &Value| line["scenario_id"] == scenario && line["client_request_id"] == id;
            assert!(self.lines().iter().any(is_it), "{id} in {:#?}", self.lines());
        }
    }
}

#[tokio::test]
async fn each_request_and_each_repeat_is_logged_with_its_scenario_and_its_own_id() {
    let log = &*LOG;
    let taken = Reply::Answer(200, &[("request-id", "r-7")], "");
    let script = [
        Reply::Answer(401, &[], ""),
        Reply::Answer(503, &[], ""),
        Reply::Close,
        taken,
    ];
    let (server, client) = world(script).await;
    perform(&client, &Operation::KeepAlive).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    assert!(
        requests
            .iter()
            .all(|request| request.header("scenario-id") == Some(CHAIN))
    );
    log.knows(&server);
    let id = requests[3].header("client-request-id").unwrap();
    let last = log
        .lines()
        .into_iter()
        .find(|line| line["client_request_id"] == id)
        .unwrap();
    assert_eq!(
        (
            last["operation"].as_str(),
            last["status"].as_u64(),
            last["request_id"].as_str()
        ),
        (Some("keepAlive"), Some(200), Some("r-7")),
        "a request that was taken has a line, too: {last}"
    );
}

#[tokio::test]
async fn a_request_that_nobody_answers_is_logged_with_its_ids() {
    let log = &*LOG;
    let server = Loopback::start([Reply::Silence]).await;
    let client = client_at(&server.origin()).with_attempt_time(Duration::from_millis(200));
    let errand = errand_within(Duration::from_millis(300));
    client.perform(&Operation::Get, &errand).await.unwrap_err();
    log.knows(&server);
}

#[tokio::test]
async fn no_line_of_the_log_holds_a_token() {
    let log = &*LOG;
    let (server, client) = world([Reply::Answer(401, &[], ""), Reply::Answer(200, &[], "")]).await;
    client.perform(&Operation::KeepAlive, &errand()).await.unwrap();
    for request in server.requests() {
        let token = request
            .header("authorization")
            .unwrap()
            .trim_start_matches("Bearer ")
            .to_owned();
        assert!(
            !log.lines().iter().any(|line| line.to_string().contains(&token)),
            "{token}"
        );
    }
}
