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

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/v1/.well-known/openidconfiguration", web::get().to(metadata))
        .route("/v1/.well-known/openid-configuration", web::get().to(metadata))
        .route(KEYS, web::get().to(keys))
        .route("/{tenant}/oauth2/v2.0/token", web::post().to(token));
}

async fn metadata(shared: Data<Shared>) -> HttpResponse {
    let keys_url = format!("http://{}{KEYS}", shared.address);
    HttpResponse::Ok().json(shared.with(|state, _| state.login.metadata(&keys_url)))
}

async fn keys(shared: Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().json(shared.with(|state, _| state.login.keys()))
}

async fn token(shared: Data<Shared>, tenant: Path<String>, form: Form<TokenForm>) -> HttpResponse {
    let endpoint = format!("http://{}/{tenant}/oauth2/v2.0/token", shared.address);
    let (status, body) = shared.with(|state, now| {
        let request = TokenRequest {
            asked_tenant: &tenant,
            home_tenant: &shared.config.tenant,
            endpoint: &endpoint,
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
