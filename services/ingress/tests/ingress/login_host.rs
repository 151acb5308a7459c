//! A login host: OpenID metadata and a key document that tests can change and break.

use std::sync::{Arc, Mutex};

use actix_web::{App, HttpResponse, HttpServer, rt, web};
use serde_json::{Value, json};
use trunkline_teams::cloud::Cloud;

use crate::signer::{ISSUER, OTHER_CHANNEL, TEAMS};

/// The running host.
#[derive(Clone)]
pub(crate) struct LoginHost(Arc<Mutex<State>>);

struct State {
    address: String,
    /// `None` answers 500.
    keys: Option<Vec<Value>>,
}

impl LoginHost {
    /// With the keys of the signers that are published.
    pub(crate) fn start() -> Self {
        let keys = vec![TEAMS.jwk.clone(), OTHER_CHANNEL.jwk.clone()];
        let host = Self(Arc::new(Mutex::new(State {
            address: String::new(),
            keys: Some(keys),
        })));
        let shared = host.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(shared.clone()))
                .route("/metadata", web::get().to(metadata))
                .route("/keys", web::get().to(keys_document))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        host.0.lock().unwrap().address = format!("http://{}", server.addrs()[0]);
        rt::spawn(server.run());
        host
    }

    pub(crate) fn set_keys(&self, keys: Option<Vec<Value>>) {
        self.0.lock().unwrap().keys = keys;
    }

    /// The worldwide cloud with this host's metadata.
    pub(crate) fn cloud(&self) -> Cloud {
        let connector_metadata = format!("{}/metadata", self.0.lock().unwrap().address);
        Cloud {
            connector_metadata,
            ..Cloud::public()
        }
    }
}

async fn metadata(host: web::Data<LoginHost>) -> HttpResponse {
    let keys = format!("{}/keys", host.0.lock().unwrap().address);
    HttpResponse::Ok().json(json!({
        "issuer": ISSUER, "jwks_uri": keys, "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn keys_document(host: web::Data<LoginHost>) -> HttpResponse {
    match &host.0.lock().unwrap().keys {
        Some(keys) => HttpResponse::Ok().json(json!({ "keys": keys })),
        None => HttpResponse::InternalServerError().finish(),
    }
}
