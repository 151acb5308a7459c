//! The HTTP edge: what happens to a request from its head to its answer.

mod admission;
mod answer;
mod body;
mod call_key;
mod calls;
mod deadline;
mod endpoint;
mod refusal_log;
mod rejection;

use actix_web::HttpResponse;
use actix_web::web::{self, Data, ServiceConfig};

use crate::config::IngressConfig;
pub(crate) use answer::Outcome;
pub(crate) use endpoint::{Edge, RequestKind, Shared};
pub(crate) use refusal_log::RefusalLog;
pub(crate) use rejection::RejectionCode;

/// The paths of an ingress: the messaging endpoint, the webhook of calls if there is one, and the two probes.
pub(crate) fn routes(config: &IngressConfig) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let calls = config.calls.as_ref().map(|calls| {
        let paths = vec![calls.path.clone(), format!("{}/{{call}}", calls.path)];
        web::resource(paths)
            .route(web::post().to(calls::notified))
            .default_service(web::to(endpoint::other_method))
    });
    let messages = web::resource(config.path.clone())
        .route(web::post().to(endpoint::messages))
        .default_service(web::to(endpoint::other_method));
    |config| {
        if let Some(calls) = calls {
            config.service(calls);
        }
        config
            .service(messages)
            .route("/livez", web::get().to(live))
            .route("/readyz", web::get().to(ready))
            .default_service(web::to(HttpResponse::NotFound));
    }
}

/// The process answers: nothing more is asked of it.
async fn live() -> HttpResponse {
    HttpResponse::Ok().body("live\n")
}

async fn ready(edge: Data<Edge>) -> HttpResponse {
    match edge.shared().readiness.check() {
        Ok(()) => HttpResponse::Ok().body("ready\n"),
        Err(reason) => HttpResponse::ServiceUnavailable().body(format!("not ready: {reason}\n")),
    }
}
