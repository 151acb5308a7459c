//! The chat page and its API.

use actix_web::{
    HttpResponse,
    http::header,
    web::{self, Json, Path, ServiceConfig},
};
use serde_json::json;

use super::{events, origin};
use crate::{config::Fault, error::SimulatedTeamsError, world::action::UserAction};

/// Scripts and styles come from here only; bots may show pictures from anywhere secure, and play prompts from this machine, where
/// their media hosts are as well. No inline code, no frames, no forms that leave.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; \
     media-src 'self' http://127.0.0.1:* http://localhost:* https://127.0.0.1:* https://localhost:*; \
     connect-src 'self' http://127.0.0.1:* http://localhost:* https://127.0.0.1:* https://localhost:*; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page, bundled into the binary.
struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($name:literal: $kind:literal),* $(,)?) => {
        &[$(Asset { name: $name, kind: $kind, bytes: include_bytes!(concat!("../../page/", $name)) }),*]
    };
}

const ASSETS: &[Asset] = assets! {
    "index.html": "text/html; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "style.css": "text/css; charset=utf-8",
    "messages.css": "text/css; charset=utf-8",
    "cards.css": "text/css; charset=utf-8",
    "calls.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "api.js": "text/javascript; charset=utf-8",
    "calls.js": "text/javascript; charset=utf-8",
    "cards.js": "text/javascript; charset=utf-8",
    "composer.js": "text/javascript; charset=utf-8",
    "dom.js": "text/javascript; charset=utf-8",
    "line.js": "text/javascript; charset=utf-8",
    "inspector.js": "text/javascript; charset=utf-8",
    "markdown.js": "text/javascript; charset=utf-8",
    "messages.js": "text/javascript; charset=utf-8",
    "sidebar.js": "text/javascript; charset=utf-8",
    "state.js": "text/javascript; charset=utf-8",
    "vendor/adaptivecards.min.js": "text/javascript; charset=utf-8",
    "vendor/adaptivecards.LICENSE.txt": "text/plain; charset=utf-8",
};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/", web::get().to(index))
        .route("/page/{file:.*}", web::get().to(file))
        .route("/api/world", web::get().to(world))
        .route("/api/messages", web::get().to(messages))
        .route("/api/traffic", web::get().to(traffic))
        .route("/api/events", web::get().to(events))
        .route("/api/actions", web::post().to(act))
        .route("/api/faults", web::put().to(set_faults));
}

async fn index() -> HttpResponse {
    asset("index.html")
}

async fn file(name: Path<String>) -> HttpResponse {
    asset(&name)
}

fn asset(name: &str) -> HttpResponse {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return HttpResponse::NotFound().finish();
    };
    HttpResponse::Ok()
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type(asset.kind)
        .body(asset.bytes)
}

async fn world(origin::Own(handle): origin::Own) -> HttpResponse {
    let config = &handle.shared.config;
    HttpResponse::Ok().json(json!({
        "people": handle.people(), "bots": handle.bots(), "conversations": handle.conversations(),
        "tenant": config.tenant, "botEndpoint": config.bot_endpoint, "serviceUrl": handle.service_url(),
        "faults": handle.faults(),
    }))
}

/// Every message of every conversation: a laptop's worth.
async fn messages(origin::Own(handle): origin::Own) -> HttpResponse {
    let conversations = handle.conversations().into_iter();
    let messages: Vec<_> = conversations
        .filter_map(|chat| handle.transcript(&chat.id).ok())
        .flatten()
        .collect();
    HttpResponse::Ok().json(messages)
}

async fn traffic(origin::Own(handle): origin::Own) -> HttpResponse {
    HttpResponse::Ok().json(handle.traffic())
}

async fn events(origin::Own(handle): origin::Own) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(events::lines(handle.shared.watch_pages()))
}

/// An action is answered at once, unless a button was pressed: that one is answered with what the bot answered.
async fn act(origin::Own(handle): origin::Own, action: Json<UserAction>) -> HttpResponse {
    let sent = match handle.act(&action) {
        Ok(sent) => sent,
        Err(SimulatedTeamsError::Action(refusal)) => {
            return HttpResponse::UnprocessableEntity().json(json!({ "error": refusal.to_string() }));
        }
        Err(error) => return HttpResponse::ServiceUnavailable().json(json!({ "error": error.to_string() })),
    };
    let message = sent.message;
    if !matches!(*action, UserAction::Press { .. }) {
        return HttpResponse::Ok().json(json!({ "message": message }));
    }
    match sent.outcomes().await {
        Ok(outcomes) => {
            let invoke = outcomes.into_iter().find_map(|outcome| outcome.invoke);
            HttpResponse::Ok().json(json!({ "message": message, "invoke": invoke }))
        }
        Err(error) => HttpResponse::ServiceUnavailable().json(json!({ "error": error.to_string() })),
    }
}

async fn set_faults(origin::Own(handle): origin::Own, faults: Json<Vec<Fault>>) -> HttpResponse {
    handle.set_faults(faults.into_inner());
    HttpResponse::NoContent().finish()
}
