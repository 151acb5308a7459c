//! The service that the example `courier` calls: it writes down every call and answers after a while, so that calls are in
//! flight whenever a process dies.
//!
//! A real one would answer a repeated key with the first number. This one gives each call a number of its own: so it shows
//! whose answer the bot went on with.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use rand::RngExt as _;
use serde::Deserialize;
use serde_json::json;

use trunkline_fleet::wait::wait_for;

/// Which step of the bot called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Collect,
    Deliver,
}

/// One call, as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) step: Step,
    pub(crate) key: String,
    /// Text of the message that the turn is about.
    pub(crate) parcel: String,
    /// The number that the bot says the first step got; named by the second step only.
    pub(crate) collection: Option<u64>,
    /// What this call is answered with: unique.
    pub(crate) number: u64,
}

#[derive(Deserialize)]
struct Order {
    parcel: String,
    collection: Option<u64>,
}

/// The service, running. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outside {
    calls: Arc<Mutex<Vec<Call>>>,
    address: SocketAddr,
}

impl Outside {
    /// Serves on a free loopback port in a thread of its own, as long as the test's process lives.
    pub(crate) fn start() -> Self {
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let shared = web::Data::from(Arc::clone(&calls));
        let (ready, address) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    App::new()
                        .app_data(shared.clone())
                        .route("/collections", web::post().to(collect))
                        .route("/deliveries", web::post().to(deliver))
                })
                .workers(1)
                .bind("127.0.0.1:0")
                .unwrap();
                ready.send(server.addrs()[0]).unwrap();
                server.run().await.unwrap();
            });
        });
        let address = address.recv().unwrap();
        Self { calls, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All calls, in order of arrival.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// Waits until somebody calls: turns run.
    pub(crate) fn next_call(&self) {
        let count = || self.calls.lock().unwrap().len();
        let before = count();
        wait_for("a call of the bot", || (count() > before).then_some(()));
    }
}

type Calls = web::Data<Mutex<Vec<Call>>>;

async fn collect(calls: Calls, request: HttpRequest, order: web::Json<Order>) -> HttpResponse {
    take(&calls, Step::Collect, &request, order.into_inner()).await
}

async fn deliver(calls: Calls, request: HttpRequest, order: web::Json<Order>) -> HttpResponse {
    take(&calls, Step::Deliver, &request, order.into_inner()).await
}

async fn take(calls: &Calls, step: Step, request: &HttpRequest, order: Order) -> HttpResponse {
    let key = request.headers().get("idempotency-key");
    let key = key.and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
    let number = {
        let mut calls = calls.lock().unwrap();
        let number = calls.len() as u64;
        calls.push(Call {
            step,
            key,
            parcel: order.parcel,
            collection: order.collection,
            number,
        });
        number
    };
    let thinking = rand::rng().random_range(0..60);
    tokio::time::sleep(Duration::from_millis(thinking)).await;
    HttpResponse::Ok().json(json!({ "number": number }))
}
