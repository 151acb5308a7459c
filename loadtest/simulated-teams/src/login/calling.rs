//! The calling platform's own keys: they vouch for Graph towards the webhooks of bots, and are not the Connector's.

use ahash::AHashMap;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Overlap, key::SigningKey};
use crate::{error::SimulatedTeamsError, world::people::BotNumber};

/// How long a token of a notification is valid, in seconds: 65 minutes in Microsoft's sample.
const LIFE: u64 = 3_900;

/// The claims of a token on a notification, as Microsoft's page shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallClaims {
    /// The bot's application id.
    pub aud: String,
    /// Who signed.
    pub iss: String,
    /// When it was made: seconds since 1970.
    pub iat: u64,
    /// Not valid before: seconds since 1970.
    pub nbf: u64,
    /// Not valid after: seconds since 1970.
    pub exp: u64,
    /// The tenant of the call.
    pub tid: String,
}

/// Keys and tokens of the calling platform.
#[derive(Debug)]
pub(crate) struct CallingLogin {
    issuer: String,
    tenant: String,
    /// The newest first; that one signs. None until a call needs one: most simulations have no calls, and a key takes time.
    published: Vec<SigningKey>,
    /// The token of each bot's notifications, until it is half as old as it may become.
    tokens: AHashMap<BotNumber, (String, u64)>,
}

impl CallingLogin {
    pub(crate) fn new(issuer: String, tenant: String) -> Self {
        Self {
            issuer,
            tenant,
            published: Vec::new(),
            tokens: AHashMap::new(),
        }
    }

    /// The OpenID metadata.
    pub(crate) fn metadata(&self, keys_url: &str) -> Value {
        json!({
            "issuer": self.issuer,
            "jwks_uri": keys_url,
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        })
    }

    /// The published keys.
    pub(crate) fn keys(&mut self) -> Result<Value, SimulatedTeamsError> {
        self.newest()?;
        let keys: Vec<&Value> = self.published.iter().map(SigningKey::public).collect();
        Ok(json!({ "keys": keys }))
    }

    /// Signs with `key` from now on.
    pub(crate) fn rotate(&mut self, key: SigningKey, overlap: Overlap) {
        if overlap == Overlap::DropOld {
            self.published.clear();
        }
        self.published.insert(0, key);
        self.tokens.clear();
    }

    /// The claims of a notification at `now` (milliseconds since 1970).
    pub(crate) fn claims(&self, app_id: &str, now: u64) -> CallClaims {
        let second = now / 1_000;
        CallClaims {
            aud: app_id.to_owned(),
            iss: self.issuer.clone(),
            iat: second,
            nbf: second,
            exp: second + LIFE,
            tid: self.tenant.clone(),
        }
    }

    /// Signs any claims with the newest key.
    pub(crate) fn sign<C: Serialize>(&mut self, claims: &C) -> Result<String, SimulatedTeamsError> {
        self.newest()?.sign(claims)
    }

    fn newest(&mut self) -> Result<&SigningKey, SimulatedTeamsError> {
        if self.published.is_empty() {
            self.published.push(SigningKey::generate()?);
        }
        self.published.first().ok_or(SimulatedTeamsError::NoKey)
    }

    /// A token for notifications to this bot.
    pub(crate) fn token_for(&mut self, bot: BotNumber, app_id: &str, now: u64) -> Result<String, SimulatedTeamsError> {
        if let Some((token, renew)) = self.tokens.get(&bot)
            && now < *renew
        {
            return Ok(token.clone());
        }
        let token = self.sign(&self.claims(app_id, now))?;
        self.tokens.insert(bot, (token.clone(), now + LIFE * 500));
        Ok(token)
    }
}
