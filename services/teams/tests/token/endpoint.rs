//! A token endpoint whose answers a test writes down in advance.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, HttpServer, rt, web};
use serde_json::{Value, json};
use trunkline_teams::cloud::Cloud;
use trunkline_teams::token::{ClientCredentials, ClientCredentialsConfig, Proof, Secret, login_client};

pub(crate) const CLIENT_ID: &str = "5b0a3c1e-7d52-4c0b-9a6f-2f8e4d1c7a90";
pub(crate) const TENANT: &str = "8a0c2f6e-0000-4bbb-8ccc-1d2e3f405162";
pub(crate) const OTHER_TENANT: &str = "lusitania.example";
/// Has what a form must encode.
pub(crate) const SECRET: &str = "s3cr~t+with/odd&signs=%20";

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: u16,
    retry_after: Option<u32>,
    body: Value,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Answer>,
    forms: Vec<HashMap<String, String>>,
    given: u32,
}

/// The running endpoint.
#[derive(Clone)]
pub(crate) struct Endpoint {
    state: Arc<Mutex<State>>,
    origin: String,
}

impl Answer {
    /// A refusal as Microsoft Entra ID writes it.
    pub(crate) fn refusal(status: u16, error: &str, code: u32) -> Self {
        let body = json!({
            "error": error, "error_description": format!("AADSTS{code}: text that nobody reads"), "error_codes": [code],
            "trace_id": "trace-1", "correlation_id": "correlation-1",
        });
        Self {
            status,
            retry_after: None,
            body,
        }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            retry_after: None,
            body: json!("no object"),
        }
    }

    pub(crate) fn after(self, seconds: u32) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    pub(crate) fn body(body: Value) -> Self {
        Self {
            status: 200,
            retry_after: None,
            body,
        }
    }
}

impl Endpoint {
    /// Gives these answers and then `token 1`, `token 2`, ... for an hour each.
    pub(crate) fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let state = State {
            answers: answers.into_iter().collect(),
            ..State::default()
        };
        let state = Arc::new(Mutex::new(state));
        let shared = web::Data::from(Arc::clone(&state));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .route("/{tenant}/oauth2/v2.0/token", web::post().to(answer))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", server.addrs()[0]);
        rt::spawn(server.run());
        Self { state, origin }
    }

    /// The forms that came, in order.
    pub(crate) fn forms(&self) -> Vec<HashMap<String, String>> {
        self.state.lock().unwrap().forms.clone()
    }

    pub(crate) fn address(&self) -> String {
        self.cloud().token_endpoint_for(TENANT)
    }

    pub(crate) fn cloud(&self) -> Cloud {
        Cloud {
            token_endpoint: format!("{}/{{tenant}}/oauth2/v2.0/token", self.origin),
            ..Cloud::public()
        }
    }

    pub(crate) fn provider(&self) -> ClientCredentials {
        self.provider_with(Proof::ClientSecret(Secret::new(SECRET)))
    }

    pub(crate) fn provider_with(&self, proof: Proof) -> ClientCredentials {
        let config = ClientCredentialsConfig::new(&self.cloud(), Some(TENANT), CLIENT_ID, proof);
        ClientCredentials::new(config, login_client().unwrap())
    }
}

async fn answer(
    tenant: web::Path<String>,
    form: web::Form<HashMap<String, String>>,
    state: web::Data<Mutex<State>>,
) -> HttpResponse {
    assert!([TENANT, OTHER_TENANT].contains(&tenant.as_str()), "{tenant}");
    let mut state = state.lock().unwrap();
    state.forms.push(form.into_inner());
    let Some(answer) = state.answers.pop_front() else {
        state.given += 1;
        let access_token = format!("token-{}", state.given);
        return HttpResponse::Ok()
            .json(json!({"token_type": "Bearer", "expires_in": 3599, "access_token": access_token}));
    };
    let mut response = HttpResponse::build(StatusCode::from_u16(answer.status).unwrap());
    if let Some(seconds) = answer.retry_after {
        response.insert_header(("Retry-After", seconds.to_string()));
    }
    response.json(answer.body)
}
