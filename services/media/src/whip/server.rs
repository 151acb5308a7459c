//! The HTTP server: methods, types, sizes and statuses; what they mean is decided by the leg's actor.

use std::collections::HashMap;
use std::net::{IpAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::dev::{Server, ServiceRequest};
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpRequest, HttpResponse, HttpResponseBuilder, HttpServer, web};
use rustls::ServerConfig;
use serde::Serialize;
use tokio::sync::oneshot;

use super::SessionRefusal;
use crate::control::{Host, LegId};
use crate::control::{Message, Patched, PeerRefusal};
use crate::ice::Budget;
use crate::sdp::{OFFER_LIMIT, SdpError};

/// Requests of an address in a second.
const REQUESTS_A_SECOND: u32 = 10;
/// Addresses whose rate is known. Beyond them the oldest are forgotten at once: the bound is on memory.
const ADDRESSES: usize = 10_000;
const CONNECTIONS: usize = 1_024;
/// A head and a body have so long to come.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// An actor answers within milliseconds; one that loads a prompt meanwhile within seconds.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// The settings of the server.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Origins of pages that may call (CORS), as `https://host`. Others get no such header.
    pub origins: Vec<String>,
}

struct Shared {
    host: Arc<Host>,
    settings: Settings,
    rates: Mutex<HashMap<IpAddr, Budget>>,
}

/// Serves the legs of a host on a bound listener, over TLS; without it in the clear, which is for one machine or behind a proxy
/// that ends TLS. The server runs while it is awaited.
///
/// # Errors
/// The listener cannot be used.
pub fn serve(
    host: Arc<Host>,
    listener: TcpListener,
    tls: Option<ServerConfig>,
    settings: Settings,
) -> std::io::Result<Server> {
    let shared = web::Data::new(Shared {
        host,
        settings,
        rates: Mutex::default(),
    });
    let app = move || {
        App::new()
            .app_data(shared.clone())
            .app_data(web::PayloadConfig::new(OFFER_LIMIT))
            .wrap(from_fn(limited))
            .service(web::resource("/legs/{name}").route(web::to(leg)))
            .service(web::resource("/clips/{name}").route(web::get().to(clip)))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .max_connections(CONNECTIONS)
        .client_request_timeout(REQUEST_TIME)
        .disable_signals();
    let listening = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
        None => server.listen(listener)?,
    };
    Ok(listening.run())
}

/// Refuses who asks too often, and says who may read the answer.
async fn limited(
    request: ServiceRequest,
    next: Next<impl actix_web::body::MessageBody + 'static>,
) -> Result<actix_web::dev::ServiceResponse<impl actix_web::body::MessageBody>, actix_web::Error> {
    let shared = request.app_data::<web::Data<Shared>>().cloned();
    let address = request.peer_addr().map(|address| address.ip());
    let origin = request.headers().get(header::ORIGIN).cloned();
    if let (Some(shared), Some(address)) = (&shared, address)
        && !shared.may_ask(address, Instant::now())
    {
        let refused = problem(StatusCode::TOO_MANY_REQUESTS, "too many requests", None);
        shared.host.tally().requested(StatusCode::TOO_MANY_REQUESTS.as_u16());
        return Ok(request.into_response(refused.response()).map_into_right_body());
    }
    let mut response = next.call(request).await?.map_into_left_body();
    if let Some(shared) = &shared {
        shared.host.tally().requested(response.status().as_u16());
    }
    if let (Some(shared), Some(origin)) = (shared, origin) {
        shared.allow_origin(response.headers_mut(), origin);
    }
    Ok(response)
}

impl Shared {
    fn may_ask(&self, address: IpAddr, now: Instant) -> bool {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        if rates.len() >= ADDRESSES && !rates.contains_key(&address) {
            rates.clear();
        }
        let budget = rates
            .entry(address)
            .or_insert_with(|| Budget::new(REQUESTS_A_SECOND, now));
        budget.spend(now)
    }

    fn allow_origin(&self, headers: &mut HeaderMap, origin: HeaderValue) {
        let is_known = origin
            .to_str()
            .is_ok_and(|origin| self.settings.origins.iter().any(|known| known == origin));
        if !is_known {
            return;
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        let fixed = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, PATCH, DELETE, OPTIONS"),
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "authorization, content-type, if-match",
            ),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, "location, etag"),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

async fn leg(
    request: HttpRequest,
    name: web::Path<String>,
    shared: web::Data<Shared>,
    body: web::Payload,
) -> HttpResponse {
    let result = match *request.method() {
        Method::POST => post(&request, &name, &shared, body).await,
        Method::PATCH => patch(&request, &name, &shared, body).await,
        Method::DELETE => delete(&request, &name, &shared).await,
        Method::OPTIONS => Ok(HttpResponse::Ok()
            .insert_header(("Accept-Post", "application/sdp"))
            .finish()),
        _ => Err(problem(
            StatusCode::METHOD_NOT_ALLOWED,
            "POST, PATCH, DELETE or OPTIONS",
            None,
        )),
    };
    result.unwrap_or_else(|refusal| refusal.response())
}

/// The recording of an answer, for the bot that asked for it.
async fn clip(request: HttpRequest, name: web::Path<String>, shared: web::Data<Shared>) -> HttpResponse {
    let result = match bearer(&request) {
        Ok(bearer) => shared.host.clip(&name, &bearer).await,
        Err(refusal) => return refusal.response(),
    };
    match result {
        Some(Ok(wav)) => HttpResponse::Ok().content_type("audio/wav").body(wav),
        Some(Err(error)) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, source, "the recording of an answer cannot be given");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "the recording cannot be read", None).response()
        }
        // An unknown recording and a wrong token are one answer.
        None => unauthorised().response(),
    }
}

async fn post(request: &HttpRequest, name: &str, shared: &Shared, body: web::Payload) -> Result<HttpResponse, Refusal> {
    let bearer = bearer(request)?;
    if shared.host.is_draining() {
        return Err(draining());
    }
    expect_type(request, "application/sdp")?;
    let offer = text(body).await?;
    // An unknown leg and a wrong token are one answer.
    let actor = shared.host.by_name(&LegId::of(name)).ok_or_else(unauthorised)?;
    let answered = ask(&actor, |reply| Message::Post { bearer, offer, reply }).await?;
    Ok(HttpResponse::Created()
        .content_type("application/sdp")
        .insert_header((header::LOCATION, format!("/legs/{}", answered.location)))
        .insert_header((header::ETAG, answered.tag))
        .body(answered.answer))
}

async fn patch(
    request: &HttpRequest,
    name: &str,
    shared: &Shared,
    body: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let bearer = bearer(request)?;
    expect_type(request, "application/trickle-ice-sdpfrag")?;
    let fragment = text(body).await?;
    let condition = request
        .headers()
        .get(header::IF_MATCH)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let actor = shared.host.by_location(name).ok_or_else(not_found)?;
    let patched = ask(&actor, |reply| Message::Patch {
        bearer,
        condition,
        fragment,
        reply,
    });
    Ok(match patched.await? {
        Patched::NothingToDo => HttpResponse::NoContent().finish(),
        Patched::Restarted { tag, fragment } => HttpResponse::Ok()
            .content_type("application/trickle-ice-sdpfrag")
            .insert_header((header::ETAG, tag))
            .body(fragment),
    })
}

async fn delete(request: &HttpRequest, name: &str, shared: &Shared) -> Result<HttpResponse, Refusal> {
    let bearer = bearer(request)?;
    let actor = shared.host.by_location(name).ok_or_else(not_found)?;
    ask(&actor, |reply| Message::Delete { bearer, reply }).await?;
    Ok(HttpResponse::Ok().finish())
}

async fn ask<T>(
    actor: &tokio::sync::mpsc::Sender<Message>,
    message: impl FnOnce(oneshot::Sender<Result<T, PeerRefusal>>) -> Message,
) -> Result<T, Refusal> {
    let (reply, answer) = oneshot::channel();
    let asked = async {
        actor.send(message(reply)).await.ok()?;
        answer.await.ok()
    };
    match tokio::time::timeout(ANSWER_TIME, asked).await {
        Ok(Some(Ok(answer))) => Ok(answer),
        Ok(Some(Err(refusal))) => Err(refused(&refusal)),
        // It ended while we asked.
        Ok(None) => Err(not_found()),
        Err(_) => Err(no_room()),
    }
}

fn bearer(request: &HttpRequest) -> Result<String, Refusal> {
    let value = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = value
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    token.map(|(_, token)| token.trim().to_owned()).ok_or_else(unauthorised)
}

fn expect_type(request: &HttpRequest, expected: &str) -> Result<(), Refusal> {
    let value = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = value
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim();
    if kind.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(problem(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        &format!("the body must be {expected}"),
        None,
    ))
}

async fn text(body: web::Payload) -> Result<String, Refusal> {
    let too_large = || {
        problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("at most {OFFER_LIMIT} bytes are read"),
            None,
        )
    };
    let broken = || problem(StatusCode::BAD_REQUEST, "the body is no text", None);
    let read = tokio::time::timeout(REQUEST_TIME, body.to_bytes_limited(OFFER_LIMIT)).await;
    let late = |_| problem(StatusCode::REQUEST_TIMEOUT, "the body did not come in time", None);
    let bytes = read.map_err(late)?.map_err(|_| too_large())?.map_err(|_| broken())?;
    String::from_utf8(bytes.to_vec()).map_err(|_| broken())
}

fn refused(refusal: &PeerRefusal) -> Refusal {
    match refusal {
        PeerRefusal::NoRoom => no_room(),
        PeerRefusal::Session(SessionRefusal::Unauthorised) => unauthorised(),
        PeerRefusal::Session(SessionRefusal::NotFound) => not_found(),
        PeerRefusal::Session(SessionRefusal::Conflict) => problem(StatusCode::CONFLICT, "the leg has a peer", None),
        PeerRefusal::Session(SessionRefusal::NoCondition) => {
            problem(StatusCode::PRECONDITION_REQUIRED, "If-Match is missing", None)
        }
        PeerRefusal::Session(SessionRefusal::OtherState) => {
            problem(StatusCode::PRECONDITION_FAILED, "the session is in another state", None)
        }
        PeerRefusal::Offer(error @ SdpError::NotSdp(_)) => problem(StatusCode::BAD_REQUEST, &error.to_string(), None),
        PeerRefusal::Offer(error @ SdpError::TooLarge { .. }) => {
            problem(StatusCode::PAYLOAD_TOO_LARGE, &error.to_string(), None)
        }
        PeerRefusal::Offer(SdpError::Unacceptable { line, reason }) => {
            problem(StatusCode::UNPROCESSABLE_ENTITY, reason, *line)
        }
    }
}

fn unauthorised() -> Refusal {
    problem(StatusCode::UNAUTHORIZED, "the token is not valid", None)
}

fn not_found() -> Refusal {
    problem(StatusCode::NOT_FOUND, "there is no such session", None)
}

fn no_room() -> Refusal {
    problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "there is no room for another leg",
        None,
    )
}

fn draining() -> Refusal {
    problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "the host takes no new calls: it is about to end",
        None,
    )
}

/// A refusal, written as RFC 9457 says.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    title: String,
    line: Option<usize>,
}

#[derive(Serialize)]
struct Problem<'a> {
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
}

fn problem(status: StatusCode, title: &str, line: Option<usize>) -> Refusal {
    Refusal {
        status,
        title: title.to_owned(),
        line,
    }
}

impl Refusal {
    fn response(&self) -> HttpResponse {
        let problem = Problem {
            title: &self.title,
            status: self.status.as_u16(),
            line: self.line,
        };
        let mut response = HttpResponseBuilder::new(self.status);
        let header = match self.status {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, "1")),
            StatusCode::METHOD_NOT_ALLOWED => Some((header::ALLOW, "POST, PATCH, DELETE, OPTIONS")),
            _ => None,
        };
        if let Some(header) = header {
            response.insert_header(header);
        }
        let body = serde_json::to_string(&problem).unwrap_or_default();
        response.content_type("application/problem+json").body(body)
    }
}
