//! The verifier of an endpoint that serves any number of bots.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Refusal;
use super::bearer::bearer;
use super::body::{self, Body};
use super::claims::for_log;
use super::key_cache::RefreshSchedule;
use super::key_document::{KeyDocument, KeyStatus};
use super::memory::Memory;
use super::verify::{Rules, TokenFacts, unix_seconds, verify};
use crate::cloud::Cloud;

/// A bot, as far as it decides who may talk to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BotIdentity {
    /// Name in the configuration.
    pub name: String,
    /// App id (GUID): the audience of its tokens.
    pub app_id: String,
    /// Tenants that may talk to it; empty allows every tenant.
    pub allowed_tenants: Vec<String>,
    /// Accept requests without a token as this bot's. For tools on the own machine that have none, such as Microsoft 365
    /// Agents Playground: the caller of [`Verifier::new`] must make sure that nobody else reaches the endpoint. A token that
    /// does come is verified as always.
    pub accepts_unauthenticated: bool,
}

/// What a [`Verifier`] is made of.
#[derive(Clone, Debug)]
pub struct VerifierConfig {
    /// Where tokens come from.
    pub cloud: Cloud,
    /// Whom they may be for.
    pub bots: Vec<BotIdentity>,
    /// Endorsements that the signing key must have beside the activity's channel.
    pub required_endorsements: Vec<String>,
    /// How often the signing keys are read.
    pub refresh: RefreshSchedule,
    /// For one read of the signing keys, and for a request that waits for it. Teams waits 15 s for its answer.
    pub key_time_limit: Duration,
    /// How many verified tokens are remembered.
    pub remembered_tokens: usize,
    /// Whose tokens are accepted.
    pub sender: Sender,
}

/// Who signs the tokens that a [`Verifier`] accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The Connector of the cloud: its tokens name a service URL.
    Connector,
    /// The calling platform: its tokens name a tenant (`tid`) and no service URL.
    CallingPlatform {
        /// Any of these may have issued them.
        issuers: Vec<String>,
        /// Address of the document that names the keys.
        metadata: String,
    },
}

impl VerifierConfig {
    /// The documented rules for these bots in that cloud.
    pub fn new(cloud: Cloud, bots: Vec<BotIdentity>) -> Self {
        Self {
            cloud,
            bots,
            required_endorsements: Vec::new(),
            refresh: RefreshSchedule::default(),
            key_time_limit: Duration::from_secs(5),
            remembered_tokens: 4096,
            sender: Sender::Connector,
        }
    }

    /// For the webhook of calls: tokens of the calling platform, by any of these issuers, signed by the keys of that document,
    /// for those of the bots that take calls.
    pub fn for_calls(cloud: Cloud, issuers: Vec<String>, metadata: String, bots: Vec<BotIdentity>) -> Self {
        Self {
            sender: Sender::CallingPlatform { issuers, metadata },
            ..Self::new(cloud, bots)
        }
    }
}

/// Why a verifier cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifierConfigError {
    /// An app id is not a GUID.
    #[error("app id `{app_id}` of bot {bot} is not a GUID")]
    AppId {
        /// Name of the bot.
        bot: String,
        /// What was configured.
        app_id: String,
    },
    /// Two bots have one app id, so a token would not say whom it is for.
    #[error("bots {first} and {second} have the same app id")]
    SameAppId {
        /// Name of one bot.
        first: String,
        /// Name of the other.
        second: String,
    },
    /// A request without a token could be for either.
    #[error("bots {first} and {second} both accept unauthenticated requests, which do not say whom they are for")]
    SeveralUnauthenticated {
        /// Name of one bot.
        first: String,
        /// Name of the other.
        second: String,
    },
}

/// Verifies who sends requests. Shared by all threads; a token that was seen before costs no lock and no signature check.
#[derive(Debug)]
pub struct Verifier {
    bots: Box<[Arc<BotIdentity>]>,
    /// Place of the bot that accepts requests without a token.
    unauthenticated: Option<usize>,
    rules: Rules,
    required_endorsements: Vec<String>,
    keys: KeyDocument,
    memory: Memory,
}

/// A request whose sender is known: for which bot, and what its token allows. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Verified {
    bot_index: usize,
    bot: Arc<BotIdentity>,
    facts: Option<Arc<TokenFacts>>,
}

impl Verifier {
    /// A verifier without keys yet: [`Verifier::keep_keys_fresh`] must run for it.
    ///
    /// `http` reads the metadata and the keys; [`crate::token::login_client`] is made for such hosts.
    pub fn new(config: VerifierConfig, http: reqwest::Client) -> Result<Self, VerifierConfigError> {
        check_bots(&config.bots)?;
        let VerifierConfig {
            cloud,
            bots,
            required_endorsements,
            refresh,
            key_time_limit,
            remembered_tokens,
            sender,
        } = config;
        let bots: Box<[_]> = bots.into_iter().map(Arc::new).collect();
        let app_ids = bots.iter().map(|bot| bot.app_id.as_str());
        let (rules, metadata, issuer) = match sender {
            Sender::Connector => {
                let rules = Rules::new(&cloud.connector_issuer, app_ids);
                (rules, cloud.connector_metadata, cloud.connector_issuer)
            }
            Sender::CallingPlatform { issuers, metadata } => {
                let first = issuers.first().cloned().unwrap_or_default();
                (Rules::calling(issuers, app_ids), metadata, first)
            }
        };
        Ok(Self {
            unauthenticated: bots.iter().position(|bot| bot.accepts_unauthenticated),
            rules,
            required_endorsements,
            memory: Memory::with_room_for(remembered_tokens),
            keys: KeyDocument::new(metadata, issuer, refresh, key_time_limit, http),
            bots,
        })
    }

    /// Whether a bot accepts requests without a token: then nobody else may reach the endpoint.
    pub fn accepts_unauthenticated(&self) -> bool {
        self.unauthenticated.is_some()
    }

    /// Reads the signing keys now and whenever they are due, until `shutdown` completes. Run it in a task of its own.
    pub async fn keep_keys_fresh(&self, shutdown: impl Future<Output = ()>) {
        self.keys.keep_fresh(shutdown).await;
    }

    /// Verifies the token of a request; `authorization` are the values of all its `Authorization` headers.
    ///
    /// Waits for the network only when the token is plausible and its key is not known, and then no longer than
    /// [`VerifierConfig::key_time_limit`]. Dropping the future is safe.
    pub async fn check<'a>(
        &self,
        authorization: impl IntoIterator<Item = &'a [u8]>,
        now: SystemTime,
    ) -> Result<Verified, Refusal> {
        let token = match (bearer(authorization), self.unauthenticated) {
            (Err(Refusal::NoToken), Some(bot)) => return Ok(self.verified(bot, None)),
            (token, _) => token?,
        };
        let fingerprint = self.memory.fingerprint(token);
        if let Some(facts) = self.memory.recall(fingerprint)
            && facts.is_valid_at(unix_seconds(now))
            && self.keys.keys().holds(&facts.key)
        {
            return Ok(self.verified(facts.bot, Some(facts)));
        }
        let facts = Arc::new(self.verify(token, now).await?);
        self.memory.remember(fingerprint, Arc::clone(&facts));
        Ok(self.verified(facts.bot, Some(facts)))
    }

    /// Compares a verified request with the activity in its body. To be asked for every request, never remembered.
    pub fn check_body(&self, verified: &Verified, body: &Body<'_>) -> Result<(), Refusal> {
        if let Some(facts) = &verified.facts {
            body::check_token(facts, body, &self.required_endorsements)?;
        }
        body::check_tenant(&verified.bot.name, &verified.bot.allowed_tenants, body.tenant)
    }

    /// Compares a verified request of the calling platform with the tenant that one of its notifications names, if it does: it
    /// is the token's, and one that the bot serves. Gives the tenant, empty only where no token was demanded. To be asked for
    /// every notification, never remembered.
    pub fn check_call<'a>(&self, verified: &'a Verified, named: Option<&'a str>) -> Result<&'a str, Refusal> {
        let named = named.filter(|named| !named.is_empty());
        let proven = verified.tenant();
        if let (Some(proven), Some(named)) = (proven, named)
            && !proven.eq_ignore_ascii_case(named)
        {
            return Err(Refusal::TenantMismatch {
                seen: for_log(named),
                token: for_log(proven),
            });
        }
        let tenant = proven.or(named);
        body::check_tenant(&verified.bot.name, &verified.bot.allowed_tenants, tenant)?;
        Ok(tenant.unwrap_or_default())
    }

    /// How the signing keys are.
    pub fn key_status(&self) -> KeyStatus {
        self.keys.status()
    }

    /// Verifies with the keys that there are, and once more after a read of the document if the key is not among them.
    async fn verify(&self, token: &str, now: SystemTime) -> Result<TokenFacts, Refusal> {
        let first = verify(token, &self.keys.keys(), &self.rules, now);
        let Err(Refusal::KeyUnknown { kid, .. }) = first else {
            return first;
        };
        let refreshed = self.keys.wait_for_unknown_key().await;
        let keys = self.keys.keys();
        if keys.keys().is_empty() {
            return Err(Refusal::KeysUnavailable);
        }
        match verify(token, &keys, &self.rules, now) {
            Err(Refusal::KeyUnknown { .. }) => Err(Refusal::KeyUnknown { kid, refreshed }),
            second => second,
        }
    }

    fn verified(&self, bot_index: usize, facts: Option<Arc<TokenFacts>>) -> Verified {
        Verified {
            bot_index,
            bot: Arc::clone(&self.bots[bot_index]),
            facts,
        }
    }
}

impl Verified {
    /// Place of the bot that the request is for, in [`VerifierConfig::bots`].
    pub fn bot_index(&self) -> usize {
        self.bot_index
    }

    /// Name of the bot that the request is for.
    pub fn bot(&self) -> &str {
        &self.bot.name
    }

    /// App id of that bot.
    pub fn app_id(&self) -> &str {
        &self.bot.app_id
    }

    /// Whether a token was verified; `false` only for a bot that [accepts unauthenticated
    /// requests](BotIdentity::accepts_unauthenticated).
    pub fn is_verified(&self) -> bool {
        self.facts.is_some()
    }

    /// `serviceurl` of the token: where answers may be sent.
    pub fn service_url(&self) -> Option<&str> {
        self.facts.as_ref().map(|facts| &*facts.service_url)
    }

    /// `tid` of the token; tokens of the calling platform have one.
    pub fn tenant(&self) -> Option<&str> {
        self.facts.as_ref()?.tenant.as_deref()
    }

    /// Id of the key that signed the token.
    pub fn kid(&self) -> Option<&str> {
        self.facts.as_ref().map(|facts| facts.key.kid())
    }

    /// When the token expires, without skew.
    pub fn expires(&self) -> Option<SystemTime> {
        self.facts
            .as_ref()
            .map(|facts| UNIX_EPOCH + Duration::from_secs(facts.expires))
    }
}

fn check_bots(bots: &[BotIdentity]) -> Result<(), VerifierConfigError> {
    for (place, bot) in bots.iter().enumerate() {
        let is_guid = bot.app_id.len() == 36 && uuid::Uuid::try_parse(&bot.app_id).is_ok();
        if !is_guid {
            return Err(VerifierConfigError::AppId {
                bot: bot.name.clone(),
                app_id: bot.app_id.clone(),
            });
        }
        for earlier in &bots[..place] {
            let (first, second) = (earlier.name.clone(), bot.name.clone());
            if earlier.app_id.eq_ignore_ascii_case(&bot.app_id) {
                return Err(VerifierConfigError::SameAppId { first, second });
            }
            if earlier.accepts_unauthenticated && bot.accepts_unauthenticated {
                return Err(VerifierConfigError::SeveralUnauthenticated { first, second });
            }
        }
    }
    Ok(())
}
