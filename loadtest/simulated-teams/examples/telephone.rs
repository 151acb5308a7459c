//! The chat page with a small calling bot behind it, written against HTTP alone: `cargo run -p trunkline-simulated-teams
//! --example telephone`. Call it from its chat: 1 hands the call on, 2 records, 3 calls back, 9 cancels the prompt and plays another. It does not
//! verify tokens; real bots must.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "an example may say where it is and stop when it cannot go on"
)]

use std::{net::TcpListener, time::Duration};

use actix_web::{App, HttpResponse, HttpServer, web};
use reqwest::Client;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use trunkline_simulated_teams::{
    CallSettings, Handle, PersonNumber, SimulatedBot, SimulatedTeams, SimulatedTeamsConfig,
};

/// Samples in a second.
const RATE: u32 = 16_000;

struct Bot {
    client: Client,
    teams: Handle,
    registration: SimulatedBot,
    /// Scheme and authority of this bot.
    origin: String,
}

impl Bot {
    async fn graph(&self, path: &str, body: Value) -> Value {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.registration.app_id),
            ("client_secret", &self.registration.app_secret),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        let token = self
            .client
            .post(self.teams.token_endpoint())
            .form(&form)
            .send()
            .await
            .unwrap();
        let token: Value = token.json().await.unwrap();
        let url = format!("{}/communications/calls{path}", self.teams.graph_url());
        let request = self
            .client
            .post(url)
            .bearer_auth(token["access_token"].as_str().unwrap());
        let answer = request.json(&body).send().await.unwrap();
        answer.json().await.unwrap_or(Value::Null)
    }

    async fn play(&self, call: &str, prompt: &str) {
        let info = json!({ "uri": format!("{}/prompts/{prompt}.wav", self.origin), "resourceId": prompt });
        let prompts = json!([{ "@odata.type": "#microsoft.graph.mediaPrompt", "mediaInfo": info }]);
        self.graph(
            &format!("/{call}/playPrompt"),
            json!({ "prompts": prompts, "clientContext": prompt }),
        )
        .await;
    }

    fn own_media(&self) -> Value {
        json!({
            "callbackUri": format!("{}/api/calls", self.origin), "acceptedModalities": ["audio"],
            "requestedModalities": ["audio"], "mediaConfig": { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
        })
    }

    fn target(&self, person: usize) -> Value {
        let id = self.teams.object_id(PersonNumber(person)).unwrap();
        json!({ "@odata.type": "#microsoft.graph.invitationParticipantInfo", "identity": { "user": { "id": id } } })
    }

    async fn told(&self, notification: &Value) {
        let url = notification["resourceUrl"].as_str().unwrap_or("");
        let call = url.trim_start_matches('/').split('/').nth(2).unwrap_or("").to_owned();
        let data = &notification["resourceData"];
        let tone = data["toneInfo"]["tone"].as_str();
        if data["state"] == "incoming" {
            self.graph(&format!("/{call}/answer"), self.own_media()).await;
        } else if data["mediaState"]["audio"] == "active" {
            self.graph(&format!("/{call}/subscribeToTone"), json!({})).await;
            self.play(&call, "menu").await;
        } else if let Some(tone) = tone {
            self.pressed(&call, tone).await;
        }
    }

    async fn pressed(&self, call: &str, tone: &str) {
        match tone {
            "tone1" => {
                let target = json!({ "transferTarget": self.target(1) });
                self.graph(&format!("/{call}/transfer"), target).await;
            }
            "tone2" => {
                let record = json!({ "maxRecordDurationInSeconds": 20, "stopTones": ["#"], "bargeInAllowed": true });
                self.graph(&format!("/{call}/recordResponse"), record).await;
            }
            "tone3" => {
                let mut body = self.own_media();
                body["targets"] = json!([self.target(0)]);
                self.graph("", body).await;
            }
            "tone9" => {
                self.graph(&format!("/{call}/cancelMediaProcessing"), json!({})).await;
                self.play(call, "goodbye").await;
            }
            _ => self.play(call, "menu").await,
        }
    }
}

async fn receive(bot: web::Data<Bot>, body: web::Json<Value>) -> HttpResponse {
    let notifications = body["value"].as_array().cloned().unwrap_or_default();
    actix_web::rt::spawn(async move {
        for notification in &notifications {
            bot.told(notification).await;
        }
    });
    HttpResponse::Accepted().finish()
}

/// A melody of its own for each prompt.
async fn prompt(name: web::Path<String>) -> HttpResponse {
    let notes: &[u32] = if name.starts_with("menu") {
        &[40, 32, 27, 20]
    } else {
        &[27, 32, 40]
    };
    let note = |period: &u32| {
        let period = i32::try_from(*period).unwrap_or(40);
        let length = usize::try_from(RATE / 2).unwrap_or(0);
        let wave = (0..period).map(move |step| (step - period / 2).abs() * 12_000 / period - 3_000);
        wave.cycle().take(length)
    };
    let samples: Vec<u8> = notes
        .iter()
        .flat_map(note)
        .flat_map(|sample| i16::try_from(sample).unwrap_or(0).to_le_bytes())
        .collect();
    let size = u32::try_from(samples.len()).unwrap_or(0);
    let mut file = b"RIFF".to_vec();
    file.extend((size + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(RATE.to_le_bytes());
    file.extend((RATE * 2).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(size.to_le_bytes());
    file.extend(samples);
    HttpResponse::Ok().content_type("audio/wav").body(file)
}

#[actix_web::main]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let registration = SimulatedBot {
        name: "Switchboard".to_owned(),
        ..SimulatedBot::default()
    };
    let config = SimulatedTeamsConfig {
        listen: "127.0.0.1:3979".parse().unwrap(),
        bots: vec![registration.clone()],
        calls: CallSettings {
            webhook: format!("{origin}/api/calls"),
            ..CallSettings::default()
        },
        ..SimulatedTeamsConfig::default()
    };
    let teams = SimulatedTeams::bind(config).await.unwrap();
    println!("Telephone at {}", teams.handle().page_url());
    let bot = web::Data::new(Bot {
        client: Client::builder().timeout(Duration::from_secs(10)).build().unwrap(),
        teams: teams.handle(),
        registration,
        origin,
    });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(bot.clone())
            .route("/api/calls", web::post().to(receive))
            .route("/prompts/{name}", web::get().to(prompt))
    });
    let server = server.workers(1).listen(listener).unwrap().run();
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let (_, served) = tokio::join!(
        async move { server.await.map(|()| stop.cancel()) },
        teams.serve(shutdown)
    );
    served.unwrap();
}
