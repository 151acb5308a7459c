//! A webhook for calls, prompts as files, and a client of the calls API, written against HTTP only.

use std::{net::TcpListener, sync::Arc};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use trunkline_simulated_teams::{Between, CallDelays, CallSettings, Callee, SimulatedTeamsConfig};

use super::{PATIENCE, World, config};

/// What the webhook got.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Told {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The only notification of the body.
    pub(crate) fn one(&self) -> &Value {
        assert_eq!(self.body["value"].as_array().map(Vec::len), Some(1), "{}", self.body);
        &self.body["value"][0]
    }
}

type Status = Arc<dyn Fn(&Value) -> u16 + Send + Sync>;

/// A webhook that keeps what it gets, and serves `/prompt.wav`, one second long.
pub(crate) struct Webhook {
    pub(crate) origin: String,
    told: mpsc::UnboundedReceiver<Told>,
}

impl Webhook {
    pub(crate) fn accepting() -> Self {
        Self::answering(|_| 202)
    }

    /// Answers a notification's body with a status.
    pub(crate) fn answering(status: impl Fn(&Value) -> u16 + Send + Sync + 'static) -> Self {
        let (sender, told) = mpsc::unbounded_channel();
        let status: Status = Arc::new(status);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let server = HttpServer::new(move || {
            let (sender, status) = (sender.clone(), Arc::clone(&status));
            let handler = move |request: HttpRequest, body: web::Json<Value>| {
                let (sender, status) = (sender.clone(), Arc::clone(&status));
                async move {
                    let headers = request.headers().iter();
                    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
                    let code = status(&body);
                    let is_joining = body.to_string().contains("participantJoiningNotification");
                    let _ = sender.send(Told {
                        path: request.path().to_owned(),
                        headers: headers.collect(),
                        body: body.into_inner(),
                    });
                    let mut response = HttpResponse::build(actix_web::http::StatusCode::from_u16(code).unwrap());
                    if is_joining && code == 200 {
                        response.json(json!({ "@odata.type": "#microsoft.graph.acceptJoinResponse" }))
                    } else {
                        response.finish()
                    }
                }
            };
            let prompt = || async { HttpResponse::Ok().content_type("audio/wav").body(prompt()) };
            App::new()
                .route("/prompt.wav", web::get().to(prompt))
                .default_service(web::post().to(handler))
        });
        actix_rt::spawn(server.workers(1).disable_signals().listen(listener).unwrap().run());
        Self { origin, told }
    }

    pub(crate) async fn next(&mut self) -> Told {
        tokio::time::timeout(PATIENCE, self.told.recv())
            .await
            .expect("the webhook got nothing")
            .unwrap()
    }

    /// What has come already.
    pub(crate) fn now(&mut self) -> Option<Told> {
        self.told.try_recv().ok()
    }

    /// The next notification with this `changeType` whose data has this type and, if it is a call, this state.
    pub(crate) async fn until(&mut self, change: &str, type_name: &str, state: Option<&str>) -> Value {
        loop {
            let told = self.next().await;
            for notification in told.body["value"].as_array().unwrap() {
                let data = &notification["resourceData"];
                let fits = notification["changeType"] == change
                    && data["@odata.type"] == format!("#microsoft.graph.{type_name}")
                    && state.is_none_or(|state| data["state"] == state);
                if fits {
                    return notification.clone();
                }
            }
        }
    }

    pub(crate) fn settings(&self) -> SimulatedTeamsConfig {
        SimulatedTeamsConfig {
            calls: CallSettings {
                webhook: format!("{}/api/calls", self.origin),
                delays: CallDelays {
                    establishing: Between::always(std::time::Duration::from_millis(5)),
                    ..CallDelays::none()
                },
                callee: Callee::Answers {
                    after: std::time::Duration::from_millis(20),
                },
                ..CallSettings::default()
            },
            ..config("http://127.0.0.1:1/")
        }
    }

    pub(crate) fn prompts(&self, context: &str) -> Value {
        let uri = format!("{}/prompt.wav", self.origin);
        json!({ "clientContext": context, "prompts": [{
            "@odata.type": "#microsoft.graph.mediaPrompt",
            "mediaInfo": { "@odata.type": "#microsoft.graph.mediaInfo", "uri": uri, "resourceId": "hello" },
        }] })
    }

    pub(crate) fn answer(&self) -> Value {
        json!({
            "callbackUri": format!("{}/api/calls/one", self.origin), "acceptedModalities": ["audio"],
            "mediaConfig": { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
        })
    }

    pub(crate) fn create(&self, object_id: &str) -> Value {
        json!({
            "@odata.type": "#microsoft.graph.call", "callbackUri": format!("{}/api/calls/two", self.origin),
            "targets": [target(object_id)], "requestedModalities": ["audio"],
            "mediaConfig": { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
        })
    }
}

pub(crate) fn target(object_id: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.invitationParticipantInfo",
        "identity": {
            "@odata.type": "#microsoft.graph.identitySet",
            "user": { "@odata.type": "#microsoft.graph.identity", "id": object_id },
        },
    })
}

/// A WAV of one second: 16 kHz, 16 bit, one channel.
fn prompt() -> Vec<u8> {
    let bytes = 32_000_u32;
    let mut file = b"RIFF".to_vec();
    file.extend((bytes + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(16_000_u32.to_le_bytes());
    file.extend(32_000_u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(bytes.to_le_bytes());
    file.resize(file.len() + bytes as usize, 0);
    file
}

/// An answer of Graph.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        super::code(&self.body)
    }

    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }
}

/// A client of the calls API, with a token.
pub(crate) struct Graph<'a> {
    world: &'a World,
    pub(crate) token: String,
}

impl<'a> Graph<'a> {
    pub(crate) async fn of(world: &'a World) -> Self {
        let endpoint = world.teams.token_endpoint();
        Self {
            world,
            token: token(world, &endpoint, "https://graph.microsoft.com/.default").await,
        }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let url = format!("{}/communications/calls{path}", self.world.teams.graph_url());
        let request = self.world.client.request(method, url).bearer_auth(&self.token);
        let request = request.header("scenario-id", "5d6330aa-e7ce-49ed-a979-75666251d2bd");
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status, headers, body }
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn empty(&self, path: &str) -> Answer {
        self.call(Method::POST, path, None).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }
}

/// A token of the bot's, from this endpoint, for this scope.
pub(crate) async fn token(world: &World, endpoint: &str, scope: &str) -> String {
    let bot = world.teams.bots().remove(0);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &bot.app_id),
        ("client_secret", "a secret for this machine only"),
        ("scope", scope),
    ];
    let answer = world.client.post(endpoint).form(&form).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}
