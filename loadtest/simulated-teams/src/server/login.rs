//! Routes of the login service.

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{self, Data, Form, Path, ServiceConfig},
};

use crate::{
    login::token::{TokenForm, TokenRequest},
    shared::Shared,
};

const KEYS: &str = "/v1/.well-known/keys";
/// The calling platform's own document, as the real one is on a host of its own.
pub(super) const CALLING_METADATA: &str = "/calling/v1/.well-known/OpenIdConfiguration";
const CALLING_KEYS: &str = "/calling/v1/.well-known/keys";

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/v1/.well-known/openidconfiguration", web::get().to(metadata))
        .route("/v1/.well-known/openid-configuration", web::get().to(metadata))
        .route(KEYS, web::get().to(keys))
        .route(CALLING_METADATA, web::get().to(calling_metadata))
        .route(CALLING_KEYS, web::get().to(calling_keys))
        .route("/{tenant}/oauth2/v2.0/token", web::post().to(token));
}

async fn metadata(shared: Data<Shared>) -> HttpResponse {
    let keys_url = format!("http://{}{KEYS}", shared.address);
    HttpResponse::Ok().json(shared.with(|state, _| state.login.metadata(&keys_url)))
}

async fn keys(shared: Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().json(shared.with(|state, _| state.login.keys()))
}

async fn calling_metadata(shared: Data<Shared>) -> HttpResponse {
    let keys_url = format!("http://{}{CALLING_KEYS}", shared.address);
    HttpResponse::Ok().json(shared.with(|state, _| state.calling_login.metadata(&keys_url)))
}

async fn calling_keys(shared: Data<Shared>) -> HttpResponse {
    match shared.with(|state, _| state.calling_login.keys()) {
        Ok(keys) => HttpResponse::Ok().json(keys),
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}

async fn token(shared: Data<Shared>, tenant: Path<String>, form: Form<TokenForm>) -> HttpResponse {
    let endpoint = format!("http://{}/{tenant}/oauth2/v2.0/token", shared.address);
    let origin = format!("http://{}", shared.address);
    let (status, body) = shared.with(|state, now| {
        let request = TokenRequest {
            asked_tenant: &tenant,
            home_tenant: &shared.config.tenant,
            endpoint: &endpoint,
            origin: &origin,
            bots: &shared.config.bots,
            now,
        };
        state.login.issue(request, &form)
    });
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status)
        .insert_header(("cache-control", "no-store"))
        .json(body)
}
