//! A Graph that takes what it is asked, writes it down, and fails as it is told. It tells nothing by itself: notifications are
//! the test's.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use trunkline_teams::connector::http_client;
use trunkline_teams::graph::Client;

/// One request to Graph.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// Below `/v1.0/communications/calls`, without slash.
    pub path: String,
    pub body: Value,
}

impl Asked {
    /// The last part of the path: what is asked for.
    pub fn what(&self) -> &str {
        match (self.method.as_str(), self.path.as_str()) {
            (_, "") => "create",
            ("DELETE", _) => "delete",
            (_, path) => path.rsplit_once('/').map_or("get", |(_, what)| what),
        }
    }
}

#[derive(Default)]
struct Seen {
    asked: Mutex<Vec<Asked>>,
    /// Answers for the next requests, before it begins to take them: status and body; 0 closes the connection late.
    answers: Mutex<VecDeque<(u16, Value)>>,
    /// What every request waits for.
    delay: Mutex<Duration>,
}

/// The server; it ends with the test's system.
#[derive(Clone)]
pub struct FakeGraph {
    base: String,
    seen: Arc<Seen>,
}

/// Graph's id of every call that is made here.
pub const MADE: &str = "6d1f00c6-5d3f-4df2-9d0b-1f2d8f0d0001";

impl FakeGraph {
    pub fn start() -> Self {
        let seen = Arc::new(Seen::default());
        let shared = web::Data::from(seen.clone());
        let server = HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(take)))
            .workers(1)
            .disable_signals()
            .bind("127.0.0.1:0")
            .unwrap();
        let base = format!("http://{}/v1.0/", server.addrs()[0]);
        actix_rt::spawn(server.run());
        Self { base, seen }
    }

    /// A client that shows no token.
    pub fn client(&self) -> Client {
        Client::new(http_client().build().unwrap(), &self.base, None, "test").unwrap()
    }

    pub fn answer_next(&self, answers: impl IntoIterator<Item = (u16, Value)>) {
        self.seen.answers.lock().unwrap().extend(answers);
    }

    /// From now on every request waits so long.
    pub fn delay(&self, delay: Duration) {
        *self.seen.delay.lock().unwrap() = delay;
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.seen.asked.lock().unwrap().clone()
    }

    /// What was asked for, in order.
    pub fn list(&self) -> Vec<String> {
        self.asked().iter().map(|asked| asked.what().to_owned()).collect()
    }

    pub fn count(&self, what: &str) -> usize {
        self.asked().iter().filter(|asked| asked.what() == what).count()
    }

    /// The last request of that kind.
    pub fn last(&self, what: &str) -> Asked {
        let asked = self.asked();
        let last = asked.iter().rev().find(|asked| asked.what() == what);
        last.unwrap_or_else(|| panic!("{what} was not asked, but {asked:?}"))
            .clone()
    }
}

async fn take(request: HttpRequest, body: web::Bytes, seen: web::Data<Seen>) -> HttpResponse {
    let path = request.path().trim_start_matches("/v1.0/communications/calls");
    let asked = Asked {
        method: request.method().to_string(),
        path: path.trim_start_matches('/').to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let context = asked.body["clientContext"].clone();
    let what = asked.what().to_owned();
    seen.asked.lock().unwrap().push(asked);
    let delay = *seen.delay.lock().unwrap();
    tokio::time::sleep(delay).await;
    let answer = seen.answers.lock().unwrap().pop_front();
    if let Some((status, body)) = answer {
        return HttpResponse::build(status.try_into().unwrap()).json(body);
    }
    let operation = |status: &str| json!({ "id": "0fe0623f-d628-42ed-b4bd-8ac290072cc5", "status": status, "clientContext": context });
    match what.as_str() {
        "create" => HttpResponse::Created().json(json!({ "id": MADE, "state": "establishing" })),
        "delete" => HttpResponse::NoContent().finish(),
        "get" => HttpResponse::Ok().json(json!({ "state": "established", "mediaState": { "audio": "active" } })),
        "keepAlive" => HttpResponse::Ok().finish(),
        "answer" | "reject" | "redirect" | "transfer" => HttpResponse::Accepted().finish(),
        "subscribeToTone" | "mute" | "unmute" | "cancelMediaProcessing" | "updateRecordingStatus" => {
            HttpResponse::Ok().json(operation("completed"))
        }
        _ => HttpResponse::Ok().json(operation("running")),
    }
}
