//! What a simulated Teams can be told.

use std::{fmt, net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::calls::CallSettings;

/// Settings of a [`SimulatedTeams`](crate::SimulatedTeams); [`Default`] is what a bot author wants on a laptop.
#[derive(Debug, Clone)]
pub struct SimulatedTeamsConfig {
    /// Where login, Connector and page are served. Default `127.0.0.1:0`: a free port.
    pub listen: SocketAddr,
    /// Where activities are posted. Default `http://127.0.0.1:3978/api/messages`.
    pub bot_endpoint: String,
    /// The bots that are registered; all of them are reached at `bot_endpoint`.
    pub bots: Vec<SimulatedBot>,
    /// The tenant that all people belong to.
    pub tenant: String,
    /// The first part of the service URL's path. Default `amer`.
    pub region: String,
    /// Who lives in the tenant. Everybody has a personal chat with each bot; all but the last are in the group chat and in
    /// the team, when there are more than three.
    pub people: Vec<SimulatedPerson>,
    /// Whether the bots are installed everywhere from the start, without telling them. Default true.
    pub installed: bool,
    /// `iss` of the tokens that the bot receives. Default: the constant of the public cloud.
    pub issuer: String,
    /// Whether the Connector refuses what is over the documented rates. Default [`Limits::Real`].
    pub limits: Limits,
    /// What happens when the bot does not answer.
    pub repeats: Repeats,
    /// Faults of the Connector. Default: none.
    pub faults: Vec<Fault>,
    /// The calling half: Graph and its notifications.
    pub calls: CallSettings,
    /// Where chance starts (faults, ids of events). Default: another one at each start.
    pub seed: Option<u64>,
    /// How many threads serve HTTP. Default 1.
    pub threads: usize,
    /// How many requests and answers are kept for the inspector. Default 300; 0 keeps none, which is faster.
    pub inspected: usize,
}

impl Default for SimulatedTeamsConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            bot_endpoint: "http://127.0.0.1:3978/api/messages".to_owned(),
            bots: vec![SimulatedBot::default()],
            tenant: "b7c61c7e-5d0c-4f83-9a55-3f1f0c2d9e61".to_owned(),
            region: "amer".to_owned(),
            people: SimulatedPerson::neighbours(),
            installed: true,
            issuer: "https://api.botframework.com".to_owned(),
            limits: Limits::Real,
            repeats: Repeats::default(),
            faults: Vec::new(),
            calls: CallSettings::default(),
            seed: None,
            threads: 1,
            inspected: 300,
        }
    }
}

/// A bot's registration.
#[derive(Clone)]
pub struct SimulatedBot {
    /// The name that people see and mention.
    pub name: String,
    /// The application id: the audience of the tokens that the bot receives.
    pub app_id: String,
    /// The client secret that the token endpoint accepts.
    pub app_secret: String,
    /// RSA public keys (PEM, `BEGIN PUBLIC KEY`) whose signature the token endpoint accepts as a client assertion.
    pub assertion_keys: Vec<String>,
}

impl Default for SimulatedBot {
    fn default() -> Self {
        Self {
            name: "Trunkline bot".to_owned(),
            app_id: "3d0a6f52-91b4-4c27-8e6d-c5b0a417f2de".to_owned(),
            app_secret: "a secret for this machine only".to_owned(),
            assertion_keys: Vec::new(),
        }
    }
}

impl fmt::Debug for SimulatedBot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SimulatedBot")
            .field("name", &self.name)
            .field("app_id", &self.app_id)
            .field("app_secret", &"...")
            .field("assertion_keys", &self.assertion_keys.len())
            .finish()
    }
}

/// Somebody who talks to the bots.
#[derive(Debug, Clone)]
pub struct SimulatedPerson {
    /// Given name and surname.
    pub name: String,
    /// BCP 47, for example `en-GB`.
    pub locale: String,
    /// IANA name of the time zone.
    pub time_zone: String,
    /// What `clientInfo.platform` says: `Web`, `Windows`, `Mac`, `iOS` or `Android`.
    pub platform: String,
}

impl SimulatedPerson {
    /// A person with a client in English on the web, in UTC.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            locale: "en-GB".to_owned(),
            time_zone: "UTC".to_owned(),
            platform: "Web".to_owned(),
        }
    }

    fn neighbours() -> Vec<Self> {
        let person = |name: &str, locale: &str, time_zone: &str, platform: &str| Self {
            name: name.to_owned(),
            locale: locale.to_owned(),
            time_zone: time_zone.to_owned(),
            platform: platform.to_owned(),
        };
        vec![
            person("Ines Marchetti", "it-IT", "Europe/Rome", "Web"),
            person("Tomasz Okafor", "en-GB", "Europe/London", "Windows"),
            person("Priya Lindqvist", "sv-SE", "Europe/Stockholm", "Mac"),
            person("Samuel Achterberg", "en-US", "America/Chicago", "iOS"),
        ]
    }
}

/// Whether rates are limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Limits {
    /// As Microsoft's page "Optimize your bot with rate limiting in Teams" says; see `docs/limits.md`.
    #[default]
    Real,
    /// As [`Limits::Real`], but the answers carry no `Retry-After`, which real ones lack at times.
    RealWithoutRetryAfter,
    /// Every rate is accepted.
    Off,
}

/// What Teams does about a request that the bot did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeats {
    /// How long an answer is waited for; a later one is dropped. Default 15 s.
    pub after: Duration,
    /// How often the same activity, with the same id, is sent again. Default 1.
    pub same_id: u32,
    /// How often the activity is then sent again under a new id and timestamp, as was seen with invokes. Default 0.
    pub new_id: u32,
    /// Whether a refused or broken connection and the answers 502, 503 and 504 count as no answer; else the person is told
    /// at once. The pause before the repeat is a tenth of `after` then. Default false.
    pub after_failure: bool,
}

impl Default for Repeats {
    fn default() -> Self {
        Self {
            after: Duration::from_secs(15),
            same_id: 1,
            new_id: 0,
            after_failure: false,
        }
    }
}

/// A fault of the Connector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// The answer's status: 412, 429, 500, 502, 503 or 504.
    pub status: u16,
    /// Whether the call has had its effect when it is answered so.
    pub when: FaultTime,
    /// The share of calls that fail, 0 to 1.
    pub share: f64,
    /// How many calls fail before the fault is over; `None`: it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// `Retry-After` of the answer, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

/// When a [`Fault`] strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FaultTime {
    /// Nothing was stored: a retry shows the message once.
    BeforeStore,
    /// The message was stored: a retry shows it twice.
    AfterStore,
}
