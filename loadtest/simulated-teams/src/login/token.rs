//! The token endpoint: client credentials by secret or assertion. Errors carry Entra's numbers.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Login, assertion};
use crate::{
    config::SimulatedBot,
    world::{
        people::BotNumber,
        time::{self, Precision},
    },
};

/// The resource that a bot's token is for; `scope` appends `/.default`.
const RESOURCE: &str = "https://api.botframework.com";
/// Tenants at which multi-tenant bots ask.
const BOT_FRAMEWORK: [&str; 2] = ["botframework.com", "d6d49420-f39b-4df7-a1dc-d59a935871db"];
/// Seconds.
const LIFE: u64 = 3_599;

/// An access token that was issued.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Issued {
    bot: BotNumber,
    /// Seconds since 1970.
    expires: u64,
}

/// The form that is posted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TokenForm {
    pub(crate) grant_type: String,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    pub(crate) client_secret: Option<String>,
    pub(crate) client_assertion_type: Option<String>,
    pub(crate) client_assertion: Option<String>,
}

/// What the endpoint knows beside the form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenRequest<'a> {
    /// The tenant of the path.
    pub(crate) asked_tenant: &'a str,
    /// The tenant in which the bots are registered.
    pub(crate) home_tenant: &'a str,
    /// The address that was asked: the audience of an assertion.
    pub(crate) endpoint: &'a str,
    pub(crate) bots: &'a [SimulatedBot],
    /// Milliseconds since 1970.
    pub(crate) now: u64,
}

/// A refusal: HTTP status, OAuth error, Entra's number and its text.
struct TokenRefusal(u16, &'static str, u32, String);

impl Login {
    /// Answers a request for a token with status and body.
    pub(crate) fn issue(&mut self, request: TokenRequest<'_>, form: &TokenForm) -> (u16, Value) {
        match authenticate(request, form) {
            Ok(bot) => self.access_token(request, bot),
            Err(refusal) => (refusal.0, error_body(&refusal, request.now)),
        }
    }

    /// Whose bearer token this is at `now` (milliseconds since 1970).
    pub(crate) fn bearer(&self, token: &str, now: u64) -> Option<BotNumber> {
        self.issued
            .get(token)
            .filter(|issued| now / 1_000 < issued.expires)
            .map(|issued| issued.bot)
    }

    /// Forgets every token that was issued: the next call of each bot is answered 401.
    pub(crate) fn revoke_all(&mut self) {
        self.issued.clear();
    }

    fn access_token(&mut self, request: TokenRequest<'_>, bot: BotNumber) -> (u16, Value) {
        let second = request.now / 1_000;
        self.issued.retain(|_, issued| second < issued.expires);
        self.count += 1;
        let claims = json!({
            "aud": RESOURCE,
            "iss": format!("https://sts.windows.net/{}/", request.home_tenant),
            "iat": second, "nbf": second, "exp": second + LIFE,
            "appid": request.bots[bot.0].app_id, "tid": request.home_tenant, "ver": "1.0",
            "uti": self.count.to_string(),
        });
        match self.entra.sign(&claims) {
            Ok(token) => {
                self.issued.insert(
                    token.clone(),
                    Issued {
                        bot,
                        expires: second + LIFE,
                    },
                );
                let body = json!({
                    "token_type": "Bearer", "expires_in": LIFE, "ext_expires_in": LIFE, "access_token": token,
                });
                (200, body)
            }
            Err(_) => (503, json!({ "error": "temporarily_unavailable" })),
        }
    }
}

fn authenticate(request: TokenRequest<'_>, form: &TokenForm) -> Result<BotNumber, TokenRefusal> {
    let known =
        request.asked_tenant.eq_ignore_ascii_case(request.home_tenant) || BOT_FRAMEWORK.contains(&request.asked_tenant);
    if !known {
        let text = format!("Tenant '{}' not found.", request.asked_tenant);
        return Err(TokenRefusal(400, "invalid_request", 90_002, text));
    }
    if form.grant_type != "client_credentials" {
        let text = format!("The grant type '{}' is not supported.", form.grant_type);
        return Err(TokenRefusal(400, "unsupported_grant_type", 70_003, text));
    }
    if form.scope.strip_suffix("/.default") != Some(RESOURCE) {
        let text = format!(
            "The resource principal of scope '{}' was not found in the tenant.",
            form.scope
        );
        return Err(TokenRefusal(400, "invalid_resource", 500_011, text));
    }
    let place = request
        .bots
        .iter()
        .position(|bot| bot.app_id.eq_ignore_ascii_case(&form.client_id));
    let Some(place) = place else {
        let text = format!(
            "Application with identifier '{}' was not found in the directory.",
            form.client_id
        );
        return Err(TokenRefusal(400, "unauthorized_client", 700_016, text));
    };
    let bot = &request.bots[place];
    match (&form.client_secret, &form.client_assertion) {
        (Some(secret), _) if *secret == bot.app_secret => Ok(BotNumber(place)),
        (Some(_), _) => Err(TokenRefusal(
            401,
            "invalid_client",
            7_000_215,
            "Invalid client secret provided.".to_owned(),
        )),
        (None, Some(assertion)) => {
            let is_typed = form.client_assertion_type.as_deref() == Some(assertion::TYPE);
            let keys = &bot.assertion_keys;
            if is_typed && assertion::is_good(assertion, keys, &form.client_id, request.endpoint, request.now) {
                Ok(BotNumber(place))
            } else {
                let text = "Client assertion failed signature validation.".to_owned();
                Err(TokenRefusal(401, "invalid_client", 700_027, text))
            }
        }
        (None, None) => {
            let text = "The request body must contain 'client_assertion' or 'client_secret'.".to_owned();
            Err(TokenRefusal(401, "invalid_client", 7_000_218, text))
        }
    }
}

fn error_body(TokenRefusal(_, error, code, text): &TokenRefusal, now: u64) -> Value {
    json!({
        "error": error, "error_description": format!("AADSTS{code}: {text}"), "error_codes": [code],
        "timestamp": time::utc(now, Precision::Event).replace('T', " "),
        "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
    })
}
