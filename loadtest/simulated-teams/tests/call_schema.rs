//! Requests and answers of the calls API against the description that Microsoft's metadata gives, where it is at hand:
//! `calls/openapi-communications.json` in the directory that `TRUNKLINE_SAMPLES` names.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{env, fs, path::Path};

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Map, Value, json};
use support::{
    BOT, INES, PATIENCE, TOMASZ, World,
    telephone::{Answer, Graph, Webhook, target},
};
use trunkline_simulated_teams::CallView;

/// The description, with what OpenAPI 3.0 writes in its own way written as JSON Schema.
struct Description(Value);

impl Description {
    fn at_hand() -> Option<Self> {
        let directory = env::var_os("TRUNKLINE_SAMPLES")?;
        let file = Path::new(&directory).join("calls/openapi-communications.json");
        let mut description: Value = serde_json::from_str(&fs::read_to_string(file).ok()?).unwrap();
        as_json_schema(&mut description);
        Some(Self(description))
    }

    fn check(&self, schema: &Value, body: &Value, what: &str) {
        let mut whole = Map::new();
        whole.insert("allOf".to_owned(), json!([schema]));
        whole.insert("components".to_owned(), self.0["components"].clone());
        let validator: Validator = jsonschema::options().build(&Value::Object(whole)).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(body)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{what}: {errors:#?}\n{body:#}");
    }

    /// The operation that a path with ids names.
    fn operation(&self, method: &Method, path: &str) -> &Value {
        let wanted: Vec<&str> = path.split('/').collect();
        let paths = self.0["paths"].as_object().unwrap().iter();
        let fits = |template: &str| {
            let parts: Vec<&str> = template.split('/').collect();
            let same = |(part, wanted): (&&str, &&str)| part.starts_with('{') || part == wanted;
            parts.len() == wanted.len() && parts.iter().zip(&wanted).all(same)
        };
        // A literal segment is meant before a parameter.
        let found = paths
            .filter(|(template, _)| fits(template))
            .min_by_key(|(template, _)| template.matches('{').count());
        let (_, operations) = found.unwrap_or_else(|| panic!("{path} is not described"));
        &operations[method.as_str().to_lowercase()]
    }

    fn check_notifications(&self, body: &Value) {
        let schema = json!({ "$ref": "#/components/schemas/microsoft.graph.commsNotifications" });
        self.check(&schema, body, "notifications");
        for notification in body["value"].as_array().unwrap() {
            let data = &notification["resourceData"];
            let entities: Vec<&Value> = match data {
                Value::Array(entities) => entities.iter().collect(),
                Value::Null => Vec::new(),
                entity => vec![entity],
            };
            for entity in entities {
                let name = entity["@odata.type"].as_str().unwrap().trim_start_matches('#');
                let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
                self.check(&schema, entity, name);
            }
        }
    }
}

/// `nullable` becomes a choice, and enums lose their case, in which pages and metadata differ.
fn as_json_schema(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(as_json_schema),
        Value::Object(members) => {
            members.values_mut().for_each(as_json_schema);
            if members.get("enum").is_some_and(Value::is_array) {
                let words = members.remove("enum").unwrap();
                let words: Vec<&str> = words.as_array().unwrap().iter().filter_map(Value::as_str).collect();
                members.insert("pattern".to_owned(), format!("^(?i:{})$", words.join("|")).into());
            }
            if members.remove("nullable") == Some(Value::Bool(true)) {
                let plain = std::mem::take(members);
                members.insert("anyOf".to_owned(), json!([plain, { "type": "null" }]));
            }
        }
        _ => {}
    }
}

/// A client whose requests and answers are checked.
struct Checked<'a> {
    graph: Graph<'a>,
    description: &'a Description,
}

impl Checked<'_> {
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let operation = self
            .description
            .operation(&method, &format!("/communications/calls{path}"));
        let content = |of: &Value| of.pointer("/content/application~1json/schema").cloned();
        if let (Some(schema), Some(body)) = (content(&operation["requestBody"]), &body) {
            self.description
                .check(&schema, body, &format!("request {method} {path}"));
        }
        let answer = self.graph.call(method.clone(), path, body.as_ref()).await;
        let responses = &operation["responses"];
        let exact = &responses[answer.status.to_string()];
        let described = if exact.is_null() {
            &responses[format!("{}XX", answer.status / 100)]
        } else {
            exact
        };
        assert!(
            !described.is_null(),
            "{method} {path}: {} is not described",
            answer.status
        );
        match content(described) {
            Some(schema) => self
                .description
                .check(&schema, &answer.body, &format!("answer of {method} {path}")),
            None => assert_eq!(answer.body, Value::Null, "{method} {path}"),
        }
        answer
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        let answer = self.call(Method::POST, path, Some(body)).await;
        assert!(answer.status < 300, "{path}: {answer:?}");
        answer
    }
}

#[actix_web::test]
async fn every_operation_and_notification_is_as_described() {
    let Some(description) = Description::at_hand() else {
        return;
    };
    let mut webhook = Webhook::accepting();
    let world = World::start(webhook.settings()).await;
    let graph = Checked {
        graph: Graph::of(&world).await,
        description: &description,
    };
    one_to_one(&world, &webhook, &graph).await;
    decisions(&world, &webhook, &graph).await;
    meeting(&world, &webhook, &graph).await;
    for call in world.teams.calls() {
        let told = |call: &CallView| call.notified().contains(&"deleted terminated");
        world.teams.call_when(&call.id, PATIENCE, told).await.unwrap();
    }
    let mut count = 0;
    while let Some(told) = webhook.now() {
        description.check_notifications(&told.body);
        count += 1;
    }
    assert!(count > 30, "{count}");
}

async fn one_to_one(world: &World, webhook: &Webhook, graph: &Checked<'_>) {
    let id = world.teams.ring(INES, BOT).unwrap();
    graph.post(&format!("/{id}/answer"), webhook.answer()).await;
    world
        .teams
        .call_when(&id, PATIENCE, |call| call.is_audio_active)
        .await
        .unwrap();
    graph.call(Method::GET, &format!("/{id}"), None).await;
    graph.call(Method::POST, &format!("/{id}/keepAlive"), None).await;
    graph
        .post(&format!("/{id}/subscribeToTone"), json!({ "clientContext": "tones" }))
        .await;
    world.teams.press_key(&id, "*").unwrap();
    graph
        .post(&format!("/{id}/playPrompt"), webhook.prompts("prompt"))
        .await;
    let mut record = webhook.prompts("record");
    for (name, value) in [
        ("bargeInAllowed", json!(true)),
        ("initialSilenceTimeoutInSeconds", json!(1)),
        ("maxSilenceTimeoutInSeconds", json!(1)),
        ("maxRecordDurationInSeconds", json!(5)),
        ("playBeep", json!(true)),
        ("stopTones", json!(["#"])),
    ] {
        record[name] = value;
    }
    graph.post(&format!("/{id}/recordResponse"), record).await;
    let tones = json!({ "tones": ["tone1", "pound"], "delayBetweenTonesMs": 10, "clientContext": "dtmf" });
    graph.post(&format!("/{id}/sendDtmfTones"), tones).await;
    graph
        .post(
            &format!("/{id}/cancelMediaProcessing"),
            json!({ "clientContext": "stop" }),
        )
        .await;
    let transfer = json!({ "transferTarget": target(&world.teams.object_id(TOMASZ).unwrap()) });
    graph.post(&format!("/{id}/transfer"), transfer).await;
    world
        .teams
        .call_when(&id, PATIENCE, |call| call.end.is_some())
        .await
        .unwrap();
    let gone = graph.call(Method::GET, &format!("/{id}"), None).await;
    assert_eq!(gone.status, 404);
}

async fn decisions(world: &World, webhook: &Webhook, graph: &Checked<'_>) {
    let person = world.teams.object_id(TOMASZ).unwrap();
    let id = world.teams.ring(INES, BOT).unwrap();
    graph.post(&format!("/{id}/reject"), json!({ "reason": "busy" })).await;
    let id = world.teams.ring(INES, BOT).unwrap();
    graph
        .post(
            &format!("/{id}/redirect"),
            json!({ "targets": [target(&person)], "timeout": 30 }),
        )
        .await;
    let created = graph.post("", webhook.create(&person)).await;
    let id = created.id();
    world
        .teams
        .call_when(&id, PATIENCE, |call| call.is_audio_active)
        .await
        .unwrap();
    let invite = json!({ "participants": [target(&world.teams.object_id(INES).unwrap())], "clientContext": "invite" });
    graph.post(&format!("/{id}/participants/invite"), invite).await;
    world
        .teams
        .call_when(&id, PATIENCE, |call| call.participants.len() == 3)
        .await
        .unwrap();
    assert_eq!(graph.call(Method::DELETE, &format!("/{id}"), None).await.status, 204);
}

async fn meeting(world: &World, webhook: &Webhook, graph: &Checked<'_>) {
    let meeting = world.teams.open_meeting(INES, false).unwrap();
    world.teams.join(meeting.number, TOMASZ).unwrap();
    let mut join = webhook.create("nobody");
    join["targets"] = json!([]);
    join["meetingInfo"] = json!({
        "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
        "joinMeetingId": meeting.join_id, "passcode": meeting.passcode,
    });
    join["mediaConfig"] = json!({ "@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "opaque" });
    let id = graph.post("", join).await.id();
    world
        .teams
        .call_when(&id, PATIENCE, |call| call.is_audio_active)
        .await
        .unwrap();
    graph
        .post(&format!("/{id}/mute"), json!({ "clientContext": "mute" }))
        .await;
    graph.post(&format!("/{id}/unmute"), json!({})).await;
    graph
        .post(&format!("/{id}/changeScreenSharingRole"), json!({ "role": "viewer" }))
        .await;
    graph
        .post(
            &format!("/{id}/addLargeGalleryView"),
            json!({ "clientContext": "gallery" }),
        )
        .await;
    let roster = graph.call(Method::GET, &format!("/{id}/participants"), None).await;
    let participant = roster.body["value"][0]["id"].as_str().unwrap().to_owned();
    let member = format!("/{id}/participants/{participant}");
    graph.call(Method::GET, &member, None).await;
    graph
        .post(&format!("{member}/mute"), json!({ "clientContext": "mute" }))
        .await;
    graph
        .post(&format!("{member}/startHoldMusic"), json!({ "clientContext": "hold" }))
        .await;
    graph
        .post(&format!("{member}/stopHoldMusic"), json!({ "clientContext": "back" }))
        .await;
    let routes = format!("/{id}/audioRoutingGroups");
    let other = roster.body["value"][1]["id"].clone();
    let whisper = json!({
        "id": "whisper", "routingMode": "oneToOne", "sources": [participant], "receivers": [other],
    });
    graph.post(&routes, whisper.clone()).await;
    graph.call(Method::GET, &routes, None).await;
    graph.call(Method::GET, &format!("{routes}/whisper"), None).await;
    graph
        .call(Method::PATCH, &format!("{routes}/whisper"), Some(whisper))
        .await;
    graph.call(Method::DELETE, &format!("{routes}/whisper"), None).await;
    let operations = graph.call(Method::GET, &format!("/{id}/operations"), None).await;
    let operation = operations.body["value"][0]["id"].as_str().unwrap().to_owned();
    graph
        .call(Method::GET, &format!("/{id}/operations/{operation}"), None)
        .await;
    world.teams.share(meeting.number, TOMASZ, true).unwrap();
    let sessions = graph
        .call(Method::GET, &format!("/{id}/contentSharingSessions"), None)
        .await;
    let session = sessions.body["value"][0]["id"].as_str().unwrap().to_owned();
    graph
        .call(Method::GET, &format!("/{id}/contentSharingSessions/{session}"), None)
        .await;
    let quality = json!({ "quality": { "@odata.type": "#microsoft.graph.teleconferenceDeviceQuality", "deviceName": "Board room" } });
    graph.post("/logTeleconferenceDeviceQuality", quality).await;
    assert_eq!(graph.call(Method::DELETE, &member, None).await.status, 204);
    world.teams.end_meeting(meeting.number).unwrap();
    let invitation = trunkline_simulated_teams::RecorderInvitation {
        person: INES,
        other: TOMASZ,
        bot: BOT,
        is_callee: false,
    };
    let id = world.teams.invite_recorder(&invitation).unwrap();
    graph.post(&format!("/{id}/answer"), webhook.answer()).await;
    world
        .teams
        .call_when(&id, PATIENCE, |call| call.is_audio_active)
        .await
        .unwrap();
    graph
        .post(
            &format!("/{id}/updateRecordingStatus"),
            json!({ "status": "recording" }),
        )
        .await;
    graph.call(Method::DELETE, &format!("/{id}"), None).await;
}
