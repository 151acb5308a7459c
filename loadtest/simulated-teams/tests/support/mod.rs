//! A tiny bot and a client of the Connector, written against HTTP only.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    reason = "tests, each of which uses a part"
)]

pub(crate) mod telephone;

use std::{net::TcpListener, sync::Arc, time::Duration};

use actix_web::{App, HttpResponse, HttpServer, web};
use reqwest::{Client, Method, Response};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use trunkline_simulated_teams::{
    BotNumber, Handle, PersonNumber, Repeats, Running, SimulatedBot, SimulatedTeams, SimulatedTeamsConfig,
};

pub(crate) const BOT: BotNumber = BotNumber(0);
pub(crate) const INES: PersonNumber = PersonNumber(0);
pub(crate) const TOMASZ: PersonNumber = PersonNumber(1);
pub(crate) const PRIYA: PersonNumber = PersonNumber(2);
pub(crate) const SAMUEL: PersonNumber = PersonNumber(3);
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What the bot got: headers in lower case, and the activity.
pub(crate) struct Received {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) activity: Value,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }
}

type Answer = Arc<dyn Fn(usize, &Value) -> (Duration, u16, Value) + Send + Sync>;

/// A bot endpoint that keeps what it gets and answers as `answer` says.
pub(crate) struct Endpoint {
    pub(crate) url: String,
    received: mpsc::UnboundedReceiver<Received>,
}

impl Endpoint {
    /// Answers each request, counted from 0, after a pause with a status and a body.
    pub(crate) fn answering(answer: impl Fn(usize, &Value) -> (Duration, u16, Value) + Send + Sync + 'static) -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let answer: Answer = Arc::new(answer);
        let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/api/messages", listener.local_addr().unwrap());
        let server = HttpServer::new(move || {
            let (sender, answer, count) = (sender.clone(), Arc::clone(&answer), Arc::clone(&count));
            let handler = move |request: actix_web::HttpRequest, activity: web::Json<Value>| {
                let (sender, answer) = (sender.clone(), Arc::clone(&answer));
                let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                async move {
                    let headers = request.headers().iter();
                    let headers = headers
                        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                        .collect();
                    let (pause, status, body) = answer(number, &activity);
                    let _ = sender.send(Received {
                        headers,
                        activity: activity.into_inner(),
                    });
                    tokio::time::sleep(pause).await;
                    HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).json(body)
                }
            };
            App::new().route("/api/messages", web::post().to(handler))
        });
        actix_rt::spawn(server.workers(1).disable_signals().listen(listener).unwrap().run());
        Self { url, received }
    }

    pub(crate) fn accepting() -> Self {
        Self::answering(|_, _| (Duration::ZERO, 200, Value::Null))
    }

    pub(crate) async fn next(&mut self) -> Received {
        tokio::time::timeout(PATIENCE, self.received.recv())
            .await
            .expect("the bot got nothing")
            .unwrap()
    }

    pub(crate) fn got_nothing_more(&mut self) -> bool {
        self.received.try_recv().is_err()
    }
}

pub(crate) fn config(endpoint: &str) -> SimulatedTeamsConfig {
    SimulatedTeamsConfig {
        bot_endpoint: endpoint.to_owned(),
        bots: vec![SimulatedBot {
            name: "Pilot".to_owned(),
            ..SimulatedBot::default()
        }],
        repeats: Repeats {
            after: Duration::from_millis(300),
            ..Repeats::default()
        },
        ..SimulatedTeamsConfig::default()
    }
}

/// A simulated Teams and a client that calls it as the bot does.
pub(crate) struct World {
    pub(crate) running: Running,
    pub(crate) teams: Handle,
    pub(crate) client: Client,
    pub(crate) token: String,
}

impl World {
    pub(crate) async fn start(config: SimulatedTeamsConfig) -> Self {
        let bot = config.bots[0].clone();
        let running = SimulatedTeams::start(config).await.unwrap();
        let teams = running.handle();
        let client = Client::builder().no_proxy().build().unwrap();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &bot.app_id),
            ("client_secret", &bot.app_secret),
            ("scope", "https://api.botframework.com/.default"),
        ];
        let answer = client.post(teams.token_endpoint()).form(&form).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let token = answer["access_token"].as_str().unwrap().to_owned();
        Self {
            running,
            teams,
            client,
            token,
        }
    }

    pub(crate) fn chat(&self) -> String {
        self.teams.personal_chat(INES, BOT).unwrap()
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        let request = self
            .client
            .request(method, format!("{}{path}", self.teams.service_url()));
        let request = request.bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        request.send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        read(self.call(Method::POST, path, Some(body)).await).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        read(self.call(Method::GET, path, None).await).await
    }

    pub(crate) async fn send(&self, conversation: &str, activity: &Value) -> (u16, Value) {
        self.post(
            &format!("v3/conversations/{}/activities", encode(conversation)),
            activity,
        )
        .await
    }

    pub(crate) async fn say(&self, conversation: &str, text: &str) -> (u16, Value) {
        self.send(conversation, &json!({ "type": "message", "text": text }))
            .await
    }
}

pub(crate) async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

/// An id as one segment of a path.
pub(crate) fn encode(id: &str) -> String {
    id.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

pub(crate) fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or("")
}

pub(crate) fn no_inputs() -> Map<String, Value> {
    Map::new()
}
