//! The port for operators: `/metrics`, `/livez`, `/readyz`.

use std::net::SocketAddr;

use actix_web::dev::Server;
use actix_web::http::header::ACCEPT;
use actix_web::web::Data;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Responder, get};
use futures_util::future::join;
use tokio_util::sync::CancellationToken;

use super::{Health, Metrics, STOP_WITHIN};

/// The admin server, listening.
pub struct Admin {
    server: Server,
    addresses: Vec<SocketAddr>,
}

/// Why the admin server cannot listen or has ended.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        reason: std::io::Error,
    },
    /// The server failed.
    #[error("the admin server failed")]
    Serve(#[source] std::io::Error),
}

impl Admin {
    /// Listens. Needs an actix system around it.
    pub fn bind(address: SocketAddr, metrics: Metrics, health: Health) -> Result<Self, AdminError> {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(Data::new(metrics.clone()))
                .app_data(Data::new(health.clone()))
                .service(scrape)
                .service(alive)
                .service(ready)
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(STOP_WITHIN.as_secs())
        .bind(address)
        .map_err(|reason| AdminError::Bind { address, reason })?;
        let addresses = server.addrs();
        Ok(Self {
            server: server.run(),
            addresses,
        })
    }

    /// Where it listens; the port is the real one when 0 was asked for.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Answers until it is told to stop.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), AdminError> {
        let handle = self.server.handle();
        let mut server = std::pin::pin!(self.server);
        let outcome = tokio::select! {
            ended = &mut server => ended,
            () = shutdown.cancelled() => join(server, handle.stop(true)).await.0,
        };
        outcome.map_err(AdminError::Serve)
    }
}

#[get("/metrics")]
async fn scrape(request: HttpRequest, metrics: Data<Metrics>) -> impl Responder {
    let accept = request
        .headers()
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match metrics.exposition(accept) {
        Ok(exposition) => HttpResponse::Ok()
            .content_type(exposition.content_type)
            .body(exposition.body),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

#[get("/livez")]
async fn alive() -> impl Responder {
    HttpResponse::Ok().content_type("text/plain").body("alive\n")
}

#[get("/readyz")]
async fn ready(health: Data<Health>) -> impl Responder {
    let reasons = health.reasons();
    if reasons.is_empty() {
        HttpResponse::Ok().content_type("text/plain").body("ready\n")
    } else {
        HttpResponse::ServiceUnavailable()
            .content_type("text/plain")
            .body(reasons.join("\n") + "\n")
    }
}
