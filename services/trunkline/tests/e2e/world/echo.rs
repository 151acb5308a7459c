//! A bot without Trunkline: it answers calls of a simulated Teams with a leg that the test opens.

use std::sync::mpsc::{Receiver, channel};

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use trunkline_fleet::teams;
use trunkline_fleet::wait::PATIENCE;
use trunkline_fleet::web::client;
use trunkline_simulated_teams::{CallSettings, Handle, SimulatedBot, SimulatedTeamsConfig};

use super::media::{MediaWorld, WorkerEnd};

/// The bot and its Teams, as long as the test's process lives.
pub(crate) struct EchoBot {
    /// The chat page.
    pub(crate) page: String,
    teams: Handle,
    calls: Receiver<String>,
}

impl EchoBot {
    pub(crate) fn start() -> Self {
        let (ring, calls) = channel();
        let (ready, address) = channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    let ring = ring.clone();
                    let told = move |told: web::Json<Value>| {
                        for call in incoming(&told) {
                            ring.send(call).unwrap();
                        }
                        async { HttpResponse::Accepted().finish() }
                    };
                    App::new().default_service(web::post().to(told))
                });
                let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
                ready.send(server.addrs()[0]).unwrap();
                server.run().await.unwrap();
            });
        });
        let address = address.recv().unwrap();
        let teams = teams::start(SimulatedTeamsConfig {
            bot_endpoint: format!("http://{address}/api/messages"),
            calls: CallSettings {
                webhook: format!("http://{address}/api/calls"),
                ..CallSettings::default()
            },
            ..SimulatedTeamsConfig::default()
        });
        Self {
            page: teams.page_url(),
            teams,
            calls,
        }
    }

    /// Waits for a call.
    pub(crate) fn rings(&self) -> String {
        self.calls.recv_timeout(PATIENCE).expect("somebody calls")
    }

    /// Answers it with a leg of the media host, or leads it there once it is up. The leg, and who commands it.
    pub(crate) fn answers(&self, call: &str, world: &MediaWorld) -> (String, WorkerEnd) {
        let mut worker = WorkerEnd::connect(&world.control(), trunkline_cluster::channel::Connector::default).unwrap();
        let (leg, opened) = worker.opens();
        let blob = json!({ "whip": format!("{}{}", world.peers(), opened.path), "token": opened.token });
        let answer = json!({
            "acceptedModalities": ["audio"],
            "mediaConfig": { "@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": blob.to_string() },
        });
        let answered = client()
            .post(format!("{}/communications/calls/{call}/answer", self.teams.graph_url()))
            .bearer_auth(self.token())
            .json(&answer)
            .send()
            .unwrap();
        assert_eq!(answered.status(), 202, "{}", answered.text().unwrap());
        (leg, worker)
    }

    fn token(&self) -> String {
        let bot = SimulatedBot::default();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &bot.app_id),
            ("client_secret", &bot.app_secret),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        let answer: Value = client()
            .post(self.teams.token_endpoint())
            .form(&form)
            .send()
            .unwrap()
            .json()
            .unwrap();
        answer["access_token"].as_str().expect("a token").to_owned()
    }
}

/// Graph's ids of the calls that ring.
fn incoming(told: &Value) -> Vec<String> {
    let told = told["value"].as_array().into_iter().flatten();
    let ringing = told.filter(|told| told["resourceData"]["state"] == "incoming");
    let id = |told: &Value| {
        let url = told["resourceUrl"].as_str().or(told["resource"].as_str())?;
        Some(url.rsplit('/').next()?.to_owned())
    };
    ringing.filter_map(id).collect()
}
