//! The telephone of the page: calls as people see them, and what people do with them.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    http::header::CACHE_CONTROL,
    web::{self, Json, Path, ServiceConfig},
};
use serde::Deserialize;
use serde_json::json;

use super::origin::Own;
use crate::{
    calls::Speech,
    error::SimulatedTeamsError,
    handle::Handle,
    world::people::{BotNumber, PersonNumber},
};

/// Seconds that somebody can speak at once.
const LONGEST_SPEECH: u64 = 120;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/api/calls", web::get().to(calls))
        .route("/api/calls", web::post().to(act))
        .route("/api/calls/{id}", web::get().to(call))
        .route("/api/calls/{id}/line", web::get().to(line));
}

/// What a person does with the telephone.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
enum CallAction {
    Ring { person: PersonNumber, bot: BotNumber },
    Press { call: String, key: String },
    Speak { call: String, seconds: u64 },
    HangUp { call: String },
    PickUp { call: String, person: PersonNumber },
    Decline { call: String, person: PersonNumber },
    LineConnected { call: String, whip: String },
    LineLost { call: String, whip: String },
}

async fn calls(Own(handle): Own) -> HttpResponse {
    HttpResponse::Ok().json(handle.calls())
}

async fn call(Own(handle): Own, id: Path<String>) -> HttpResponse {
    match handle.call(&id) {
        Some(call) => HttpResponse::Ok().json(call),
        None => HttpResponse::NotFound().finish(),
    }
}

/// What lets the page into the bot's media host. It is a secret, and told to the page alone.
async fn line(Own(handle): Own, id: Path<String>) -> HttpResponse {
    match handle.line_invitation(&id) {
        Ok(invitation) => HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "no-store"))
            .json(invitation),
        Err(error) => HttpResponse::NotFound().json(json!({ "error": error.to_string() })),
    }
}

async fn act(Own(handle): Own, action: Json<CallAction>) -> HttpResponse {
    match perform(&handle, action.into_inner()) {
        Ok(call) => HttpResponse::Ok().json(json!({ "call": call })),
        Err(SimulatedTeamsError::Call(refusal)) => {
            HttpResponse::UnprocessableEntity().json(json!({ "error": refusal.to_string() }))
        }
        Err(error) => HttpResponse::ServiceUnavailable().json(json!({ "error": error.to_string() })),
    }
}

/// Does it, and gives the id of the call.
fn perform(handle: &Handle, action: CallAction) -> Result<String, SimulatedTeamsError> {
    match action {
        CallAction::Ring { person, bot } => handle.ring(person, bot),
        CallAction::Press { call, key } => handle.press_key(&call, &key).map(|()| call),
        CallAction::Speak { call, seconds } => {
            let speech = Speech::hum(Duration::from_secs(seconds.min(LONGEST_SPEECH)));
            handle.speak(&call, speech).map(|()| call)
        }
        CallAction::HangUp { call } => handle.hang_up(&call).map(|()| call),
        CallAction::PickUp { call, person } => handle.pick_up(&call, person).map(|()| call),
        CallAction::Decline { call, person } => handle.decline(&call, person).map(|()| call),
        CallAction::LineConnected { call, whip } => handle.line_connected(&call, &whip).map(|()| call),
        CallAction::LineLost { call, whip } => handle.line_lost(&call, &whip).map(|()| call),
    }
}
