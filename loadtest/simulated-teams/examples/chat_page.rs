//! The chat page with a small bot behind it, written against HTTP alone: `cargo run -p trunkline-simulated-teams --example
//! chat_page`. It does not verify tokens; real bots must.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "an example may say where it is and stop when it cannot go on"
)]

use std::{net::TcpListener, sync::Arc, time::Duration};

use actix_web::{App, HttpResponse, HttpServer, web};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use trunkline_simulated_teams::{SimulatedBot, SimulatedTeams, SimulatedTeamsConfig};

const HELP: &str = "I know a few words:\n\n- `card` shows an **Adaptive Card**\n- `hero` shows a card of the older kind\n\
- `stream` answers bit by bit\n- `choose` offers suggested actions\n- `format` shows what text can look like\n\n\
Anything else comes back as it is.";

struct Connector {
    client: Client,
    token_endpoint: String,
    bot: SimulatedBot,
}

impl Connector {
    async fn call(&self, method: Method, activity: &Value, path: &str, body: &Value) -> Value {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.bot.app_id),
            ("client_secret", &self.bot.app_secret),
            ("scope", "https://api.botframework.com/.default"),
        ];
        let token = self.client.post(&self.token_endpoint).form(&form).send().await.unwrap();
        let token: Value = token.json().await.unwrap();
        let conversation = activity["conversation"]["id"].as_str().unwrap();
        let conversation = utf8_percent_encode(conversation, NON_ALPHANUMERIC);
        let url = format!(
            "{}v3/conversations/{conversation}/{path}",
            activity["serviceUrl"].as_str().unwrap()
        );
        let request = self
            .client
            .request(method, url)
            .bearer_auth(token["access_token"].as_str().unwrap());
        request
            .json(body)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap_or(Value::Null)
    }

    async fn send(&self, activity: &Value, body: Value) -> Value {
        self.call(Method::POST, activity, "activities", &body).await
    }

    async fn say(&self, activity: &Value, text: impl Into<String>) {
        self.send(activity, json!({ "type": "message", "text": text.into() }))
            .await;
    }

    async fn stream(&self, activity: &Value) {
        let info = |id: Option<&Value>, kind: &str, sequence: Option<u32>| {
            let mut info = json!({ "type": "streaminfo", "streamType": kind });
            if let Some(id) = id {
                info["streamId"] = id.clone();
            }
            if let Some(sequence) = sequence {
                info["streamSequence"] = sequence.into();
            }
            json!([info])
        };
        let part =
            |kind: &str, text: &str, entities: Value| json!({ "type": kind, "text": text, "entities": entities });
        let first = part(
            "typing",
            "Looking through the timetable\u{2026}",
            info(None, "informative", Some(1)),
        );
        let id = self.send(activity, first).await["id"].clone();
        let words = [
            "The ferry leaves at **08:40**",
            " from quay 3,",
            " and the crossing takes",
            " about 25 minutes.",
            "\n\nBring a coat.",
        ];
        let mut text = String::new();
        for (number, word) in (2..).zip(words) {
            tokio::time::sleep(Duration::from_millis(1_100)).await;
            text.push_str(word);
            let answer = self
                .send(
                    activity,
                    part("typing", &text, info(Some(&id), "streaming", Some(number))),
                )
                .await;
            if answer.get("error").is_some() {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let mut entities = info(Some(&id), "final", None);
        let generated = json!({ "type": "https://schema.org/Message", "@type": "Message", "additionalType": ["AIGeneratedContent"] });
        entities.as_array_mut().unwrap().push(generated);
        self.send(activity, part("message", &text, entities)).await;
    }
}

fn booking(status: &str, with_buttons: bool) -> Value {
    let mut card = json!({
        "type": "AdaptiveCard", "version": "1.5", "body": [
            { "type": "TextBlock", "size": "large", "weight": "bolder", "text": "Meeting room" },
            { "type": "TextBlock", "isSubtle": true, "spacing": "none", "wrap": true, "text": status },
            { "type": "FactSet", "facts": [ { "title": "Room", "value": "Lighthouse" }, { "title": "Seats", "value": "8" } ] },
        ],
    });
    if with_buttons {
        let body = card["body"].as_array_mut().unwrap();
        body.push(
            json!({ "type": "Input.ChoiceSet", "id": "day", "label": "Day", "value": "Tuesday", "choices": [
            { "title": "Monday", "value": "Monday" }, { "title": "Tuesday", "value": "Tuesday" } ] }),
        );
        body.push(json!({ "type": "Input.Text", "id": "note", "label": "Note", "placeholder": "What is it about?" }));
        card["actions"] = json!([
            { "type": "Action.Execute", "title": "Book it", "verb": "book", "style": "positive" },
            { "type": "Action.Submit", "title": "Ask a colleague", "data": { "ask": true } },
            { "type": "Action.OpenUrl", "title": "Map", "url": "https://example.com/map" },
        ]);
    }
    card
}

fn adaptive(card: &Value) -> Value {
    json!({ "type": "message", "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "content": card }] })
}

async fn turn(connector: Arc<Connector>, activity: Value) {
    let text = activity["text"].as_str().unwrap_or("").replace("<at>Pilot</at>", "");
    let kind = activity["type"].as_str().unwrap_or("");
    match (kind, text.trim()) {
        ("message", "help") => connector.say(&activity, HELP).await,
        ("message", "card") => {
            connector
                .send(&activity, adaptive(&booking("Pick a day and press a button", true)))
                .await;
        }
        ("message", "hero") => {
            let hero = json!({ "type": "message", "attachments": [{ "contentType": "application/vnd.microsoft.card.hero", "content": {
                "title": "Harbour tour", "subtitle": "Every day at noon", "text": "Ninety minutes around the docks.", "buttons": [
                    { "type": "imBack", "title": "Join", "value": "I want to join the tour" },
                    { "type": "messageBack", "title": "Later", "displayText": "Maybe later", "text": "later", "value": { "remind": true } },
                    { "type": "invoke", "title": "Count me", "value": { "count": 1 } } ] } }] });
            connector.send(&activity, hero).await;
        }
        ("message", "stream") => connector.stream(&activity).await,
        ("message", "choose") => {
            let actions = json!([{ "type": "imBack", "title": "By train", "value": "train" }, { "type": "imBack", "title": "By boat", "value": "boat" }]);
            connector.send(&activity, json!({ "type": "message", "text": "How do you get here?", "suggestedActions": { "to": [], "actions": actions } })).await;
        }
        ("message", "format") => {
            let text = "### Timetable\n\n| from | to | at |\n|---|---|---|\n| Quay 3 | Island | 08:40 |\n\n1. **Bold**, *italic*, ~~struck~~, `code`\n2. [A link](https://example.com)\n\n> Quoted, <b>never</b> HTML\n\n```\nlet tide = high;\n```";
            connector.say(&activity, text).await;
        }
        ("message", "") => {
            connector
                .say(&activity, format!("You filled in `{}`", activity["value"]))
                .await;
        }
        ("message", text) => {
            connector.send(&activity, json!({ "type": "typing" })).await;
            tokio::time::sleep(Duration::from_millis(700)).await;
            connector.say(&activity, format!("You said **{text}**")).await;
        }
        ("messageReaction", _) => connector.say(&activity, "Thank you for the reaction").await,
        ("installationUpdate", _) if activity["action"] == "add" => {
            connector.say(&activity, format!("Hello! {HELP}")).await;
        }
        _ => {}
    }
}

async fn receive(connector: web::Data<Connector>, activity: web::Json<Value>) -> HttpResponse {
    let activity = activity.into_inner();
    if activity["type"] == "invoke" {
        let data = &activity["value"]["action"]["data"];
        let day = data["day"].as_str().unwrap_or("some day");
        return HttpResponse::Ok().json(json!({
            "statusCode": 200, "type": "application/vnd.microsoft.card.adaptive", "value": booking(&format!("Booked for {day}"), false),
        }));
    }
    actix_web::rt::spawn(turn(connector.into_inner(), activity));
    HttpResponse::Ok().finish()
}

#[actix_web::main]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let bot = SimulatedBot {
        name: "Pilot".to_owned(),
        ..SimulatedBot::default()
    };
    let config = SimulatedTeamsConfig {
        listen: "127.0.0.1:3979".parse().unwrap(),
        bot_endpoint: format!("http://{}/api/messages", listener.local_addr().unwrap()),
        bots: vec![bot.clone()],
        ..SimulatedTeamsConfig::default()
    };
    let teams = SimulatedTeams::bind(config).await.unwrap();
    println!("Chat at {}", teams.handle().page_url());
    let connector = web::Data::new(Connector {
        client: Client::new(),
        token_endpoint: teams.handle().token_endpoint(),
        bot,
    });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(connector.clone())
            .route("/api/messages", web::post().to(receive))
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
