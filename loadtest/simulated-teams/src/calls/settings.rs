//! What the calling half of a simulated Teams can be told. Durations are those of real Graph; [`CallSettings::pace`]
//! shortens them, but not those that the bot's HTTP has.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{config::FaultTime, world::people::PersonNumber};

/// Settings of Graph's calls API and of its notifications.
#[derive(Debug, Clone)]
pub struct CallSettings {
    /// The webhook of every bot's registration: incoming calls and recording invitations are posted there, and everything
    /// later of a call that named no `callbackUri`. Default `http://127.0.0.1:3978/api/calls`.
    pub webhook: String,
    /// `iss` of the tokens on notifications: `https://api.botframework.com` (documented; the default) or
    /// `https://graph.microsoft.com` (in the source of Microsoft's samples).
    pub issuer: String,
    /// How many times faster than real ones the clocks of calls run: limits, delays, prompts, recordings. Default 1. What HTTP
    /// may take ([`CallLimits::acknowledge`], [`CallLimits::notify`]) stays as it is.
    pub pace: f64,
    /// How enums are spelled. Default [`Casing::Page`].
    pub casing: Casing,
    /// How long things take.
    pub delays: CallDelays,
    /// What Graph enforces.
    pub limits: CallLimits,
    /// How often notifications go astray. Default: never.
    pub disorder: CallDisorder,
    /// Pauses before a later notification that was not accepted is sent again. Default 1, 2 and 4 s (inferred: Microsoft
    /// documents no retries).
    pub retries: Vec<Duration>,
    /// Faults of the calls API. Default: none.
    pub faults: Vec<CallFault>,
    /// What people do when they are called and [`CallSettings::callees`] does not name them. Default [`Callee::ByHand`].
    pub callee: Callee,
    /// What single people do when they are called.
    pub callees: Vec<(PersonNumber, Callee)>,
    /// What telephone numbers (E.164) do when they are called; others answer after a second.
    pub phones: Vec<(String, Callee)>,
    /// The length of a prompt that is not on this machine and therefore not fetched. Default 2 s.
    pub prompt_length: Duration,
    /// How many ended calls are kept for views. Default 20,000.
    pub kept: usize,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            webhook: "http://127.0.0.1:3978/api/calls".to_owned(),
            issuer: "https://api.botframework.com".to_owned(),
            pace: 1.0,
            casing: Casing::Page,
            delays: CallDelays::default(),
            limits: CallLimits::default(),
            disorder: CallDisorder::default(),
            retries: [1, 2, 4].map(Duration::from_secs).to_vec(),
            faults: Vec::new(),
            callee: Callee::ByHand,
            callees: Vec::new(),
            phones: Vec::new(),
            prompt_length: Duration::from_secs(2),
            kept: 20_000,
        }
    }
}

impl CallSettings {
    /// A duration as this simulation runs it, in milliseconds.
    pub(crate) fn span(&self, duration: Duration) -> u64 {
        let pace = if self.pace > 0.0 { self.pace } else { 1.0 };
        let scaled = duration.as_secs_f64() / pace;
        u64::try_from(Duration::try_from_secs_f64(scaled).unwrap_or(Duration::MAX).as_millis()).unwrap_or(u64::MAX)
    }
}

/// How enums are spelled on the wire; Microsoft's pages and observed logs differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Casing {
    /// `updated`, `established`, `completed`: as the pages write them.
    Page,
    /// `Updated`, `Established`, `Completed`, and the older `resource` beside `resourceUrl`: as logs show them.
    Log,
    /// Each call by chance.
    Mixed,
}

/// A duration between two bounds; each use draws another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between(pub Duration, pub Duration);

impl Between {
    /// Always the same.
    pub const fn always(duration: Duration) -> Self {
        Self(duration, duration)
    }

    const fn millis(least: u64, most: u64) -> Self {
        Self(Duration::from_millis(least), Duration::from_millis(most))
    }
}

/// How long things take. All inferred: Microsoft promises none of these.
#[derive(Debug, Clone, Copy)]
pub struct CallDelays {
    /// From the answer or the create to `establishing`. Default 50 to 300 ms.
    pub establishing: Between,
    /// From there to `established`. Default 200 to 1,500 ms.
    pub established: Between,
    /// From `established` to active audio. Default 0 to 500 ms.
    pub media: Between,
    /// From an operation without a length of its own to its completion, and between the steps of a transfer. Default 50 to
    /// 200 ms.
    pub operation: Between,
    /// From a hang-up to `deleted`. Default 20 to 150 ms.
    pub termination: Between,
}

impl Default for CallDelays {
    fn default() -> Self {
        Self {
            establishing: Between::millis(50, 300),
            established: Between::millis(200, 1_500),
            media: Between::millis(0, 500),
            operation: Between::millis(50, 200),
            termination: Between::millis(20, 150),
        }
    }
}

impl CallDelays {
    /// No delay anywhere.
    pub const fn none() -> Self {
        let none = Between::always(Duration::ZERO);
        Self {
            establishing: none,
            established: none,
            media: none,
            operation: none,
            termination: none,
        }
    }
}

/// What Graph enforces.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// How long the bot may take to acknowledge an incoming call over HTTP. Default 5 s (observed).
    pub acknowledge: Duration,
    /// How long any later notification may take. Default 15 s (inferred).
    pub notify: Duration,
    /// How long the bot may take to answer, reject or redirect. Default 15 s (documented).
    pub answer: Duration,
    /// The same for a recording invitation. Default 5 s (documented).
    pub answer_recording: Duration,
    /// How long a call lives after its start or its last keep-alive. Default 45 min (documented).
    pub keep_alive: Duration,
    /// How long people are rung that do not answer. Default 60 s (observed for invitations).
    pub ring: Duration,
    /// How long somebody may wait in the lobby. Default 15 min (a limit is documented, its length is not).
    pub lobby: Duration,
    /// Calls of one bot at a time; a create beyond it is refused with 8530. Default 100 (documented); `None`: no limit.
    pub concurrent: Option<usize>,
    /// Calls that one bot may create, a month in reality and a run here; then 8529. Default 10,000 (documented).
    pub monthly: Option<u64>,
    /// Requests of one bot in a second; then 429. Default `None` (no documented number).
    pub rate: Option<u32>,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            acknowledge: Duration::from_secs(5),
            notify: Duration::from_secs(15),
            answer: Duration::from_secs(15),
            answer_recording: Duration::from_secs(5),
            keep_alive: Duration::from_secs(45 * 60),
            ring: Duration::from_secs(60),
            lobby: Duration::from_secs(15 * 60),
            concurrent: Some(100),
            monthly: Some(10_000),
            rate: None,
        }
    }
}

/// How often notifications go astray: shares from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CallDisorder {
    /// Calls whose `established` comes before `establishing` (documented).
    pub swapped: f64,
    /// Notifications that come twice, with another message id (in the source of Microsoft's samples).
    pub repeated: f64,
    /// Notifications that share their body with another one to the same address (the type allows it).
    pub batched: f64,
    /// Requests whose answer waits until the first notification about them was sent (inferred).
    pub early: f64,
    /// Notifications that leave their lane and come later than others after them (observed).
    pub late: f64,
    /// How much later.
    pub late_by: Duration,
    /// Calls whose first notification carries no `Scenario-Id` (observed).
    pub nameless: f64,
    /// Notifications whose ids are spelled as 32 upper-case hex digits (documented).
    pub compact: f64,
    /// Incoming calls that come in the older Skype format first and again in Graph's after a 204 (documented).
    pub legacy: f64,
    /// Delta rosters that are lost, so that the sequence number jumps (inferred).
    pub roster_gap: f64,
}

impl CallDisorder {
    /// A busy day: every oddity, rarely.
    pub fn some() -> Self {
        Self {
            swapped: 0.01,
            repeated: 0.005,
            batched: 0.01,
            early: 0.05,
            late: 0.002,
            late_by: Duration::from_secs(2),
            nameless: 0.05,
            compact: 0.05,
            legacy: 0.0,
            roster_gap: 0.01,
        }
    }
}

/// A fault of the calls API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallFault {
    /// The operation that fails, as its path names it (`create`, `answer`, `playPrompt`); `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The answer's status: 429, 500, 502, 503 or 504.
    pub status: u16,
    /// Whether the request has had its effect when it is answered so.
    pub when: FaultTime,
    /// The share of requests that fail, 0 to 1.
    pub share: f64,
    /// How many requests fail before the fault is over; `None`: it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// `Retry-After` of the answer, in seconds; real ones are fractional at times (observed: `2.128`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<f64>,
}

/// What somebody does when the telephone rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "does", rename_all = "camelCase")]
pub enum Callee {
    /// Waits for the page or a [`Handle`](crate::Handle) to decide.
    ByHand,
    /// Picks up.
    Answers {
        /// After this long.
        after: Duration,
    },
    /// Declines.
    Declines {
        /// After this long.
        after: Duration,
    },
    /// Is in another call.
    Busy,
    /// Lets it ring.
    Silent,
    /// Has no client that runs.
    Unreachable,
}

impl Callee {
    /// Picks up after a second.
    pub const fn answers() -> Self {
        Self::Answers {
            after: Duration::from_secs(1),
        }
    }
}
