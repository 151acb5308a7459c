//! The login service: keys that vouch for Teams and for its calling platform towards bots, and tokens that vouch for bots
//! towards the Connector and towards Graph.

pub(crate) mod assertion;
pub(crate) mod calling;
pub(crate) mod key;
pub(crate) mod token;

use ahash::AHashMap;
use serde::Serialize;
use serde_json::{Value, json};

use self::key::SigningKey;
use crate::{error::SimulatedTeamsError, world::people::BotNumber};

/// How long a token for requests to the bot is valid, in seconds.
const CONNECTOR_TOKEN_LIFE: u64 = 3_600;

/// What happens to the keys that were published before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// They stay published: tokens signed with them are still good.
    KeepOld,
    /// They vanish at once.
    DropOld,
}

/// The claims of a token for requests to the bot: exactly these were seen on a live one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectorClaims {
    /// The bot's service URL, as in the activity.
    pub serviceurl: String,
    /// Not valid before: seconds since 1970.
    pub nbf: u64,
    /// Not valid after: seconds since 1970.
    pub exp: u64,
    /// Who signed.
    pub iss: String,
    /// The bot's application id.
    pub aud: String,
}

/// A key in the published document, with the channels that it may speak for.
#[derive(Debug)]
struct PublishedKey {
    key: SigningKey,
    endorsements: Vec<String>,
}

/// Keys and tokens.
#[derive(Debug)]
pub(crate) struct Login {
    issuer: String,
    /// The newest first; that one signs.
    published: Vec<PublishedKey>,
    entra: SigningKey,
    /// Access tokens that were issued and are not expired, and whose they are.
    issued: AHashMap<String, token::Issued>,
    /// The token that requests to a bot carry, until it is half as old as it may become.
    for_bots: AHashMap<BotNumber, (String, u64)>,
    count: u64,
}

impl Login {
    pub(crate) fn new(issuer: String) -> Result<Self, SimulatedTeamsError> {
        let published = vec![PublishedKey {
            key: SigningKey::generate()?,
            endorsements: vec!["msteams".to_owned()],
        }];
        Ok(Self {
            issuer,
            published,
            entra: SigningKey::generate()?,
            issued: AHashMap::new(),
            for_bots: AHashMap::new(),
            count: 0,
        })
    }

    /// `.well-known/openidconfiguration`.
    pub(crate) fn metadata(&self, keys_url: &str) -> Value {
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": "https://invalid.botframework.com",
            "jwks_uri": keys_url,
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        })
    }

    /// `.well-known/keys`.
    pub(crate) fn keys(&self) -> Value {
        let keys = self.published.iter().map(|published| {
            let mut key = published.key.public().clone();
            key["endorsements"] = published.endorsements.clone().into();
            key
        });
        json!({ "keys": keys.collect::<Vec<_>>() })
    }

    /// Signs with `key` from now on.
    pub(crate) fn rotate(&mut self, key: SigningKey, endorsements: Vec<String>, overlap: Overlap) {
        if overlap == Overlap::DropOld {
            self.published.clear();
        }
        self.published.insert(0, PublishedKey { key, endorsements });
        self.for_bots.clear();
    }

    /// Signs any claims with the newest key.
    pub(crate) fn sign<C: Serialize>(&self, claims: &C) -> Result<String, SimulatedTeamsError> {
        let published = self.published.first().ok_or(SimulatedTeamsError::NoKey)?;
        published.key.sign(claims)
    }

    /// The claims that a request to a bot carries at `now` (milliseconds since 1970).
    pub(crate) fn claims(&self, app_id: &str, service_url: &str, now: u64) -> ConnectorClaims {
        let second = now / 1_000;
        ConnectorClaims {
            serviceurl: service_url.to_owned(),
            nbf: second,
            exp: second + CONNECTOR_TOKEN_LIFE,
            iss: self.issuer.clone(),
            aud: app_id.to_owned(),
        }
    }

    /// A token for requests to this bot, signed anew when half of its life is over.
    pub(crate) fn token_for(
        &mut self,
        bot: BotNumber,
        app_id: &str,
        service_url: &str,
        now: u64,
    ) -> Result<String, SimulatedTeamsError> {
        if let Some((token, renew)) = self.for_bots.get(&bot)
            && now < *renew
        {
            return Ok(token.clone());
        }
        let token = self.sign(&self.claims(app_id, service_url, now))?;
        self.for_bots
            .insert(bot, (token.clone(), now + CONNECTOR_TOKEN_LIFE * 500));
        Ok(token)
    }
}
