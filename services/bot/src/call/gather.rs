//! Gathers keys: a pure machine of keys, the end of a prompt, and a timer.
//!
//! Graph only reports single keys, so the digits of one answer have to be kept from turn to turn. They stand in the stored
//! state beside the author's own, from the first key to the event that hands them over; the commit of that event drops them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use trunkline_teams::calls::Tone;

use super::media::Prompt;
use super::problem::{CallProblem, within};

/// Name of the timer that ends a gathering; reserved.
pub(crate) const TIMER: &str = "trunkline:gather";
/// Name of the event in which gathered keys reach their handler; reserved.
pub(crate) const GATHERED: &str = "trunkline:gathered";

/// Most keys of one answer.
const MOST_KEYS: u64 = 64;
/// Longest wait for a key in seconds.
const WAIT_SECONDS: u64 = 300;

/// What keys are wanted: as many as are expected, or until a stop key, or until nobody presses any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digits {
    most: u8,
    stop: Option<char>,
    first_within: Duration,
    next_within: Duration,
    pub(super) prompt: Option<Prompt>,
}

impl Digits {
    /// Ends after so many keys (1 to 64), or earlier by the key `#`; 10 s for the first key, 5 s for each next one.
    pub fn up_to(most: u8) -> Self {
        Self {
            most,
            stop: Some('#'),
            first_within: Duration::from_secs(10),
            next_within: Duration::from_secs(5),
            prompt: None,
        }
    }

    /// Plays this first. The first key cuts it off, together with everything else that plays or waits.
    #[must_use]
    pub fn after(mut self, prompt: impl Into<Prompt>) -> Self {
        self.prompt = Some(prompt.into());
        self
    }

    /// Ends by this key, which does not count.
    #[must_use]
    pub fn stop_key(mut self, key: char) -> Self {
        self.stop = Some(key);
        self
    }

    /// No key ends it: `#` counts like the others.
    #[must_use]
    pub fn without_stop_key(mut self) -> Self {
        self.stop = None;
        self
    }

    /// How long the first key is waited for, after the prompt if there is one; up to 300 s.
    #[must_use]
    pub fn first_within(mut self, longest: Duration) -> Self {
        self.first_within = longest;
        self
    }

    /// How long each next key is waited for; up to 300 s.
    #[must_use]
    pub fn next_within(mut self, longest: Duration) -> Self {
        self.next_within = longest;
        self
    }

    pub(super) fn check(&self) -> Result<(), CallProblem> {
        within("the keys to gather", self.most.into(), 1, MOST_KEYS)?;
        for wait in [self.first_within, self.next_within] {
            super::problem::seconds("the wait for a key in seconds", wait, 1, WAIT_SECONDS)?;
        }
        match self.stop {
            Some(key) if Tone::from_key(key).is_none() => Err(CallProblem::Key(key)),
            _ => Ok(()),
        }
    }
}

/// Why gathering ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GatherEnd {
    /// All keys that were wanted.
    Complete,
    /// By the stop key.
    StopKey,
    /// Nobody pressed in time; some keys may be there.
    TimedOut,
}

/// Keys that are being gathered. Stored between turns.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Gather {
    /// Name of the operation.
    pub(crate) key: String,
    most: u8,
    stop: Option<char>,
    first_within_ms: u64,
    next_within_ms: u64,
    /// Name of the prompt that plays; no time runs while it does.
    prompt: Option<String>,
    /// When patience ends, in milliseconds since 1970.
    until_ms: Option<u64>,
    keys: String,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing.
    Nothing,
    /// The timer is set.
    Wait(SystemTime),
    /// The timer is set and the prompt is cut off.
    CutOff(SystemTime),
    /// It is over.
    Over(GatherEnd),
}

impl Gather {
    /// Gathering that waits for its prompt, or from now on.
    pub(super) fn begin(key: &str, digits: &Digits, prompt: Option<String>) -> Self {
        Self {
            key: key.to_owned(),
            most: digits.most,
            stop: digits.stop.map(|key| key.to_ascii_uppercase()),
            first_within_ms: milliseconds(digits.first_within),
            next_within_ms: milliseconds(digits.next_within),
            prompt,
            until_ms: None,
            keys: String::new(),
        }
    }

    /// Time for the first key begins.
    pub(super) fn waits_from(&mut self, now: SystemTime) -> SystemTime {
        self.waits(now, self.first_within_ms)
    }

    /// Whether this is the prompt that it waits for.
    pub(super) fn plays(&self, prompt: &str) -> bool {
        self.prompt.as_deref() == Some(prompt)
    }

    pub(super) fn prompt_ended(&mut self, now: SystemTime) -> Heard {
        self.prompt = None;
        Heard::Wait(self.waits_from(now))
    }

    pub(super) fn pressed(&mut self, key: char, now: SystemTime) -> Heard {
        if self.stop == Some(key) {
            return self.over(GatherEnd::StopKey);
        }
        self.keys.push(key);
        if self.keys.len() >= usize::from(self.most) {
            return self.over(GatherEnd::Complete);
        }
        let until = self.waits(now, self.next_within_ms);
        match self.prompt.take() {
            Some(_) => Heard::CutOff(until),
            None => Heard::Wait(until),
        }
    }

    /// The timer went off; one that was set before the last key is too early.
    pub(super) fn timed_out(&mut self, now: SystemTime) -> Heard {
        match self.until_ms {
            Some(until) if until <= since_1970(now) => Heard::Over(GatherEnd::TimedOut),
            _ => Heard::Nothing,
        }
    }

    /// Whether its prompt still plays when it is over.
    pub(super) fn still_plays(&self) -> bool {
        self.prompt.is_some()
    }

    /// The keys, at the end.
    pub(super) fn into_keys(self) -> String {
        self.keys
    }

    fn over(&mut self, end: GatherEnd) -> Heard {
        self.until_ms = None;
        Heard::Over(end)
    }

    fn waits(&mut self, now: SystemTime, wait_ms: u64) -> SystemTime {
        let until = since_1970(now) + wait_ms;
        self.until_ms = Some(until);
        UNIX_EPOCH + Duration::from_millis(until)
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn since_1970(time: SystemTime) -> u64 {
    milliseconds(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000 + seconds)
    }

    fn gather(digits: &Digits) -> Gather {
        let mut gather = Gather::begin("o1", digits, None);
        gather.waits_from(at(0));
        gather
    }

    #[test]
    fn as_many_keys_as_are_wanted_end_it() {
        let mut gather = gather(&Digits::up_to(2));
        assert_eq!(gather.pressed('1', at(1)), Heard::Wait(at(6)));
        assert_eq!(gather.pressed('2', at(2)), Heard::Over(GatherEnd::Complete));
        assert_eq!(gather.into_keys(), "12");
    }

    #[test]
    fn the_stop_key_ends_it_and_does_not_count() {
        let mut gather = gather(&Digits::up_to(9));
        gather.pressed('1', at(1));
        assert_eq!(gather.pressed('#', at(2)), Heard::Over(GatherEnd::StopKey));
        assert_eq!(gather.into_keys(), "1");
        let mut gather = self::gather(&Digits::up_to(9).without_stop_key());
        assert_eq!(gather.pressed('#', at(1)), Heard::Wait(at(6)));
    }

    #[test]
    fn a_timer_that_was_set_before_the_last_key_is_too_early() {
        let mut gather = gather(&Digits::up_to(9));
        assert_eq!(gather.pressed('1', at(9)), Heard::Wait(at(14)));
        assert_eq!(gather.timed_out(at(10)), Heard::Nothing);
        assert_eq!(gather.timed_out(at(14)), Heard::Over(GatherEnd::TimedOut));
    }

    #[test]
    fn no_time_runs_while_the_prompt_plays_and_the_first_key_cuts_it_off() {
        let digits = Digits::up_to(3).after("https://bot.example/a.wav");
        let mut gather = Gather::begin("o1", &digits, Some("g1".to_owned()));
        assert_eq!(gather.timed_out(at(60)), Heard::Nothing);
        let mut cut = gather.clone();
        assert_eq!(cut.pressed('1', at(1)), Heard::CutOff(at(6)));
        assert_eq!(cut.pressed('2', at(2)), Heard::Wait(at(7)));
        assert!(gather.plays("g1"));
        assert_eq!(gather.prompt_ended(at(60)), Heard::Wait(at(70)));
    }

    #[test]
    fn a_gathering_that_a_release_stored_goes_on() {
        let stored = r##"{"key":"o1","most":4,"stop":"#","firstWithinMs":10000,"nextWithinMs":5000,"prompt":null,"untilMs":1005000,"keys":"47"}"##;
        let mut gather: Gather = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&gather).unwrap(), stored);
        assert_eq!(gather.pressed('#', at(1)), Heard::Over(GatherEnd::StopKey));
        assert_eq!(gather.into_keys(), "47");
    }

    #[test]
    fn what_cannot_be_gathered_is_refused() {
        let problem = |digits: Digits| digits.check().unwrap_err().to_string();
        assert_eq!(problem(Digits::up_to(0)), "the keys to gather can be 1 to 64, not 0");
        assert!(problem(Digits::up_to(1).stop_key('x')).contains("'x'"));
        assert!(problem(Digits::up_to(1).first_within(Duration::from_secs(301))).contains("1 to 300, not 301"));
        assert!(Digits::up_to(64).check().is_ok());
    }
}
