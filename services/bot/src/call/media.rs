//! Prompts, and what is asked for when something is recorded or pressed.

use std::time::Duration;

use serde::Deserialize;
use trunkline_teams::calls::{MediaInfo, MediaPrompt, Tone};
use trunkline_teams::graph::{Operation, PlayPrompt, RecordResponse, SendDtmfTones};
use xxhash_rust::xxh3::xxh3_128;

use super::problem::{CallProblem, count, seconds};

/// Most prompts of one operation. Source: Graph, `call: playPrompt`.
const PROMPTS: u64 = 20;
/// Longest silence or recording in seconds. Source: Graph, `call: recordResponse`.
const RECORD_SECONDS: u64 = 120;

/// Something to be played: a WAV file at an address that Graph reaches over the public internet; one channel, 16 bit, 16 kHz.
///
/// Read from a plain text in settings: its address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "String")]
pub struct Prompt {
    address: String,
    version: Option<String>,
}

impl Prompt {
    /// The prompt at an address.
    pub fn at(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            version: None,
        }
    }

    /// Says that the content has changed though the address has not: Graph plays a prompt that it knows from its cache.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Where it lies.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// As Graph wants it; its cache key is made of address and version.
    pub(crate) fn media(&self) -> Result<MediaInfo, CallProblem> {
        let lower = self.address.to_ascii_lowercase();
        if !lower.starts_with("https://") && !lower.starts_with("http://") {
            return Err(CallProblem::PromptAddress(self.address.clone()));
        }
        let version = self.version.as_deref().unwrap_or_default();
        let id = xxh3_128(format!("{}\0{version}", self.address).as_bytes());
        Ok(MediaInfo::new(&self.address, format!("{id:032x}")))
    }

    fn wire(&self) -> Result<MediaPrompt, CallProblem> {
        Ok(self.media()?.into())
    }
}

impl From<String> for Prompt {
    fn from(address: String) -> Self {
        Self::at(address)
    }
}

impl From<&str> for Prompt {
    fn from(address: &str) -> Self {
        Self::at(address)
    }
}

impl From<&Prompt> for Prompt {
    fn from(prompt: &Prompt) -> Self {
        prompt.clone()
    }
}

/// One to 20 prompts, played one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompts(Vec<Prompt>);

impl Prompts {
    pub(crate) fn operation(&self) -> Result<Operation, CallProblem> {
        count("the prompts of one play", self.0.len(), 1, PROMPTS)?;
        let prompts = self.0.iter().map(Prompt::wire).collect::<Result<_, _>>()?;
        Ok(Operation::PlayPrompt(Box::new(PlayPrompt {
            prompts,
            client_context: None,
        })))
    }
}

impl From<Prompt> for Prompts {
    fn from(prompt: Prompt) -> Self {
        Self(vec![prompt])
    }
}

impl From<&Prompt> for Prompts {
    fn from(prompt: &Prompt) -> Self {
        Self(vec![prompt.clone()])
    }
}

impl From<Vec<Prompt>> for Prompts {
    fn from(prompts: Vec<Prompt>) -> Self {
        Self(prompts)
    }
}

impl<const N: usize> From<[Prompt; N]> for Prompts {
    fn from(prompts: [Prompt; N]) -> Self {
        Self(prompts.into())
    }
}

impl<const N: usize> From<[&Prompt; N]> for Prompts {
    fn from(prompts: [&Prompt; N]) -> Self {
        Self(prompts.map(Prompt::clone).into())
    }
}

/// How an answer is recorded. Times are whole seconds, 1 to 120; what is not said is Graph's: 5 s each, with a beep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    prompt: Option<Prompt>,
    barge_in: bool,
    first_silence: Option<Duration>,
    silence: Option<Duration>,
    at_most: Option<Duration>,
    no_beep: bool,
    stop_keys: String,
}

impl Record {
    /// Records for at most this long.
    pub fn at_most(length: Duration) -> Self {
        Self {
            at_most: Some(length),
            ..Self::default()
        }
    }

    /// Plays this first; Graph takes one at most.
    #[must_use]
    pub fn after(mut self, prompt: impl Into<Prompt>) -> Self {
        self.prompt = Some(prompt.into());
        self
    }

    /// Cuts off prompts that play or wait.
    #[must_use]
    pub fn barge_in(mut self) -> Self {
        self.barge_in = true;
        self
    }

    /// Ends if nobody has begun to speak so long after the prompt.
    #[must_use]
    pub fn first_silence(mut self, longest: Duration) -> Self {
        self.first_silence = Some(longest);
        self
    }

    /// Ends if somebody who spoke is silent for so long.
    #[must_use]
    pub fn silence(mut self, longest: Duration) -> Self {
        self.silence = Some(longest);
        self
    }

    /// Ends by any of these keys: `"#*"`.
    #[must_use]
    pub fn stop_keys(mut self, keys: &str) -> Self {
        keys.clone_into(&mut self.stop_keys);
        self
    }

    /// Begins without a beep.
    #[must_use]
    pub fn without_beep(mut self) -> Self {
        self.no_beep = true;
        self
    }

    pub(crate) fn operation(&self) -> Result<Operation, CallProblem> {
        let time =
            |what, given: Option<Duration>| given.map(|given| seconds(what, given, 1, RECORD_SECONDS)).transpose();
        let stop_tones = self.stop_keys.chars().map(|key| match Tone::from_key(key) {
            Some(_) => Ok(key.to_ascii_uppercase().to_string()),
            None => Err(CallProblem::Key(key)),
        });
        Ok(Operation::RecordResponse(Box::new(RecordResponse {
            prompts: self.prompt.iter().map(Prompt::wire).collect::<Result<_, _>>()?,
            barge_in_allowed: self.barge_in.then_some(true),
            initial_silence_timeout_in_seconds: time("the first silence in seconds", self.first_silence)?,
            max_silence_timeout_in_seconds: time("a silence in seconds", self.silence)?,
            max_record_duration_in_seconds: time("the length of a recording in seconds", self.at_most)?,
            play_beep: self.no_beep.then_some(false),
            stop_tones: stop_tones.collect::<Result<_, _>>()?,
            client_context: None,
        })))
    }
}

/// Keys that the bot presses. Graph tells nowhere how many it takes at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tones {
    keys: String,
    pause: Option<Duration>,
}

impl Tones {
    /// These keys: `"12#"`.
    pub fn keys(keys: impl Into<String>) -> Self {
        Self {
            keys: keys.into(),
            pause: None,
        }
    }

    /// Waits so long between two keys.
    #[must_use]
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = Some(pause);
        self
    }

    pub(crate) fn operation(&self) -> Result<Operation, CallProblem> {
        count("the keys to press", self.keys.chars().count(), 1, u64::MAX)?;
        let tones = self
            .keys
            .chars()
            .map(|key| Tone::from_key(key).ok_or(CallProblem::Key(key)));
        let pause = self
            .pause
            .map(|pause| i32::try_from(pause.as_millis()).unwrap_or(i32::MAX));
        Ok(Operation::SendDtmfTones(SendDtmfTones {
            tones: tones.collect::<Result<_, _>>()?,
            delay_between_tones_ms: pause,
            client_context: None,
        }))
    }
}

impl From<&str> for Tones {
    fn from(keys: &str) -> Self {
        Self::keys(keys)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn body(operation: &Operation) -> Value {
        serde_json::to_value(operation).unwrap()["with"].take()
    }

    #[test]
    fn at_most_twenty_prompts_are_played_at_once() {
        let prompts = |many| Prompts::from(vec![Prompt::at("https://bot.example/a.wav"); many]);
        assert!(prompts(20).operation().is_ok());
        let problem = prompts(21).operation().unwrap_err().to_string();
        assert_eq!(problem, "the prompts of one play can be 1 to 20, not 21");
        assert!(prompts(0).operation().is_err());
    }

    #[test]
    fn a_prompt_is_an_address_that_can_be_fetched() {
        let problem = Prompts::from(Prompt::at("menu.wav"))
            .operation()
            .unwrap_err()
            .to_string();
        assert!(problem.contains("\"menu.wav\""), "{problem}");
        let prompt: Prompt = serde_json::from_value(json!("https://bot.example/a.wav")).unwrap();
        assert_eq!(prompt.address(), "https://bot.example/a.wav");
    }

    #[test]
    fn a_prompt_of_another_version_has_another_cache_key() {
        let first = Prompt::at("https://bot.example/a.wav");
        let key = |prompt: &Prompt| prompt.media().unwrap().resource_id;
        assert_eq!(key(&first), key(&first.clone()));
        assert_ne!(key(&first), key(&first.clone().version("2")));
    }

    #[test]
    fn what_is_said_of_a_recording_is_asked_for_and_the_rest_is_left_to_graph() {
        let record = Record::at_most(Duration::from_secs(30))
            .stop_keys("#")
            .silence(Duration::from_secs(3));
        assert_eq!(
            body(&record.operation().unwrap()),
            json!({"maxSilenceTimeoutInSeconds": 3, "maxRecordDurationInSeconds": 30, "stopTones": ["#"]})
        );
    }

    #[test]
    fn a_recording_is_two_minutes_at_most() {
        let problem = |record: Record| record.operation().unwrap_err().to_string();
        assert_eq!(
            problem(Record::at_most(Duration::from_secs(121))),
            "the length of a recording in seconds can be 1 to 120, not 121"
        );
        assert!(problem(Record::default().silence(Duration::ZERO)).contains("1 to 120, not 0"));
        assert!(problem(Record::default().stop_keys("x")).contains("'x'"));
    }

    #[test]
    fn keys_become_the_names_of_tones() {
        let tones = Tones::keys("1#").pause(Duration::from_millis(500));
        assert_eq!(
            body(&tones.operation().unwrap()),
            json!({"tones": ["tone1", "pound"], "delayBetweenTonesMs": 500})
        );
        assert_eq!(Tones::keys("1?").operation(), Err(CallProblem::Key('?')));
        assert!(Tones::keys("").operation().is_err());
    }
}
