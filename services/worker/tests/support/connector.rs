//! A Connector that writes down what it gets, and fails as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};

/// One request to the Connector.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub traceparent: Option<String>,
    pub body: Value,
}

impl Request {
    pub fn text(&self) -> &str {
        self.body["text"].as_str().unwrap_or_default()
    }
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<Request>>,
    /// Answers for the next requests, before it begins to take them: (status, body).
    answers: Mutex<VecDeque<(u16, Value)>>,
}

/// The server; it ends with the test's system.
#[derive(Clone)]
pub struct FakeConnector {
    base: String,
    seen: Arc<Seen>,
}

impl FakeConnector {
    pub fn start() -> Self {
        let seen = Arc::new(Seen::default());
        let shared = web::Data::from(seen.clone());
        let server = HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(take)))
            .workers(1)
            .disable_signals()
            .bind("127.0.0.1:0")
            .unwrap();
        let base = format!("http://{}", server.addrs()[0]);
        actix_rt::spawn(server.run());
        Self { base, seen }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// The next requests are answered with these.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = (u16, Value)>) {
        self.seen.answers.lock().unwrap().extend(answers);
    }

    pub fn requests(&self) -> Vec<Request> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// Texts of the messages that came, in order.
    pub fn texts(&self) -> Vec<String> {
        let requests = self.requests().into_iter();
        let messages = requests.filter(|request| request.body["type"] == "message");
        messages.map(|request| request.text().to_owned()).collect()
    }
}

async fn take(request: HttpRequest, body: web::Bytes, seen: web::Data<Seen>) -> HttpResponse {
    let number = {
        let mut requests = seen.requests.lock().unwrap();
        let traceparent = request.headers().get("traceparent");
        requests.push(Request {
            method: request.method().to_string(),
            path: request.path().to_owned(),
            traceparent: traceparent.and_then(|value| Some(value.to_str().ok()?.to_owned())),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        });
        requests.len()
    };
    if let Some((status, body)) = seen.answers.lock().unwrap().pop_front() {
        return HttpResponse::build(status.try_into().unwrap()).json(body);
    }
    HttpResponse::Created().json(json!({ "id": format!("m{number}") }))
}
