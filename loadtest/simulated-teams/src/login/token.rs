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

/// The Connector as the resource of a token; `scope` appends `/.default`.
const CONNECTOR: &str = "https://api.botframework.com";
/// Graph of the public cloud; this simulation's own Graph is one as well.
const GRAPH: &str = "https://graph.microsoft.com";
/// Tenants at which multi-tenant bots ask.
const BOT_FRAMEWORK: [&str; 2] = ["botframework.com", "d6d49420-f39b-4df7-a1dc-d59a935871db"];
/// Seconds.
const LIFE: u64 = 3_599;

/// The tenant that is asked by those who do not know theirs.
const COMMON: &str = "common";

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    Connector,
    Graph,
}

/// An access token that was issued.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    bot: BotNumber,
    resource: Resource,
    tenant: String,
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
    /// Scheme and authority of this simulation, below which its Graph is.
    pub(crate) origin: &'a str,
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
            Ok((bot, resource)) => self.access_token(request, form, bot, resource),
            Err(refusal) => (refusal.0, error_body(&refusal, request.now)),
        }
    }

    /// Whose bearer token this is at `now` (milliseconds since 1970), if it opens `resource`; and of which tenant.
    pub(crate) fn bearer(&self, token: &str, resource: Resource, now: u64) -> Option<(BotNumber, &str)> {
        self.issued
            .get(token)
            .filter(|issued| issued.resource == resource && now / 1_000 < issued.expires)
            .map(|issued| (issued.bot, issued.tenant.as_str()))
    }

    /// Forgets every token that was issued: the next call of each bot is answered 401.
    pub(crate) fn revoke_all(&mut self) {
        self.issued.clear();
    }

    fn access_token(
        &mut self,
        request: TokenRequest<'_>,
        form: &TokenForm,
        bot: BotNumber,
        resource: Resource,
    ) -> (u16, Value) {
        let second = request.now / 1_000;
        let is_home = request.asked_tenant.eq_ignore_ascii_case(request.home_tenant) || resource == Resource::Connector;
        // A Graph token is one of the tenant that was asked, and good for that tenant's calls only.
        let tenant = if is_home { request.home_tenant } else { BOT_FRAMEWORK[1] };
        self.issued.retain(|_, issued| second < issued.expires);
        self.count += 1;
        let claims = json!({
            "aud": form.scope.trim_end_matches("/.default"),
            "iss": format!("https://sts.windows.net/{tenant}/"),
            "iat": second, "nbf": second, "exp": second + LIFE,
            "appid": request.bots[bot.0].app_id, "tid": tenant, "ver": "1.0",
            "uti": self.count.to_string(),
        });
        match self.entra.sign(&claims) {
            Ok(token) => {
                self.issued.insert(
                    token.clone(),
                    Issued {
                        bot,
                        resource,
                        tenant: tenant.to_owned(),
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

fn authenticate(request: TokenRequest<'_>, form: &TokenForm) -> Result<(BotNumber, Resource), TokenRefusal> {
    let resource = resource(request, &form.scope);
    let asked = request.asked_tenant;
    let is_known = asked.eq_ignore_ascii_case(request.home_tenant)
        || BOT_FRAMEWORK.contains(&asked)
        || (resource == Some(Resource::Graph) && asked == COMMON);
    if !is_known {
        let text = format!("Tenant '{}' not found.", request.asked_tenant);
        return Err(TokenRefusal(400, "invalid_request", 90_002, text));
    }
    if form.grant_type != "client_credentials" {
        let text = format!("The grant type '{}' is not supported.", form.grant_type);
        return Err(TokenRefusal(400, "unsupported_grant_type", 70_003, text));
    }
    let Some(resource) = resource else {
        let text = format!(
            "The resource principal of scope '{}' was not found in the tenant.",
            form.scope
        );
        return Err(TokenRefusal(400, "invalid_resource", 500_011, text));
    };
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
        (Some(secret), _) if *secret == bot.app_secret => Ok((BotNumber(place), resource)),
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
                Ok((BotNumber(place), resource))
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

fn resource(request: TokenRequest<'_>, scope: &str) -> Option<Resource> {
    let resource = scope.strip_suffix("/.default")?;
    let own = resource
        .strip_prefix(request.origin)
        .map(|path| path.trim_end_matches('/'));
    match resource {
        CONNECTOR => Some(Resource::Connector),
        GRAPH => Some(Resource::Graph),
        _ if matches!(own, Some("" | "/graph" | "/graph/v1.0")) => Some(Resource::Graph),
        _ => None,
    }
}

fn error_body(TokenRefusal(_, error, code, text): &TokenRefusal, now: u64) -> Value {
    json!({
        "error": error, "error_description": format!("AADSTS{code}: {text}"), "error_codes": [code],
        "timestamp": time::utc(now, Precision::Event).replace('T', " "),
        "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
    })
}
