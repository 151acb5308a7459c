//! What a bot does with a call as such: answer, reject, redirect, keep alive, hang up.

use serde_json::{Map, Value};

use super::{
    Calls,
    agenda::Step,
    body::Body,
    call::{CallEnd, CallKey, CallState, RingPurpose},
    create::{is_e164, media_mode, wants},
    party::Party,
    refusal::{No, Refusal},
    request::Done,
};

/// People to whom one call can be redirected.
const MOST_TARGETS: usize = 25;
/// Seconds for which they are rung; the default for one and for several.
const TIMEOUT: (u64, u64) = (15, 90);
const TIMEOUT_ONE: u64 = 55;
const TIMEOUT_SEVERAL: u64 = 60;
/// Calls that a recorder takes into one.
const MOST_CAPACITY: u64 = 2_147_483_647;

impl Calls {
    pub(super) fn answer(&mut self, key: CallKey, body: &Body, now: u64) -> Result<Done, Refusal> {
        let callback = body.callback()?;
        let mode = media_mode(body)?;
        let modalities = body.list("acceptedModalities")?;
        let known = |modality: &Value| {
            let words = ["audio", "video", "videoBasedScreenSharing", "data"];
            modality
                .as_str()
                .is_some_and(|word| words.iter().any(|known| known.eq_ignore_ascii_case(word)))
        };
        if !modalities.iter().all(known) {
            return Err(Refusal::argument("acceptedModalities has an unknown modality."));
        }
        let capacity = body.number("participantCapacity", 0, (0, MOST_CAPACITY))?;
        if self.answers_again(key, body, now) {
            return Ok(Done::empty(202));
        }
        self.undecided(key)?;
        let establishing = now + self.draw(self.settings.delays.establishing);
        let established = establishing + self.draw(self.settings.delays.established);
        let is_swapped = self.strikes(self.settings.disorder.swapped);
        let Some(call) = self.book.get_mut(&key) else {
            return Err(No::NotFound.into());
        };
        call.state = CallState::Establishing;
        call.answered = Some(now);
        call.is_swapped = is_swapped;
        call.callback = callback.or(call.callback.take());
        call.media.mode = Some(mode);
        call.leads_to(body.get("mediaConfig").cloned());
        call.wants_delta = wants(body, "isDeltaRosterEnabled");
        call.wants_sharing = wants(body, "isContentSharingNotificationEnabled");
        call.recorded.capacity = capacity;
        self.counters.answer_times.push(now - call.began);
        self.agenda.add(establishing, key, Step::Establishing);
        self.agenda.add(established, key, Step::Established);
        Ok(Done::empty(202))
    }

    pub(super) fn reject(&mut self, key: CallKey, body: &Body, now: u64) -> Result<Done, Refusal> {
        let callback = body.callback()?;
        let reason = body.text("reason")?.unwrap_or("none");
        if !["none", "busy", "forbidden"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(reason))
        {
            return Err(Refusal::argument("reason is not known."));
        }
        self.undecided(key)?;
        self.take_callback(key, callback);
        self.finish(key, CallEnd::silent(""), now);
        Ok(Done::empty(202))
    }

    pub(super) fn redirect(&mut self, key: CallKey, body: &Body, now: u64) -> Result<Done, Refusal> {
        let callback = body.callback()?;
        let targets = body.list("targets")?;
        if !(1..=MOST_TARGETS).contains(&targets.len()) {
            return Err(Refusal::argument(format!("targets must be 1 to {MOST_TARGETS}.")));
        }
        let default = if targets.len() == 1 {
            TIMEOUT_ONE
        } else {
            TIMEOUT_SEVERAL
        };
        let timeout = body.number("timeout", default, TIMEOUT)?;
        let parties: Option<Vec<Party>> = targets.iter().map(|target| self.parties.read(target)).collect();
        let parties = parties.ok_or_else(|| Refusal::argument("A target has no identity."))?;
        let phones = |party: &Party| matches!(party, Party::Phone(number) if !is_e164(number));
        if parties.iter().any(phones) {
            return Err(Refusal::argument("The phone number is not in E.164 format."));
        }
        self.undecided(key)?;
        self.take_callback(key, callback);
        if let Some(call) = self.book.get_mut(&key) {
            call.state = CallState::Redirecting;
        }
        let patience = self.settings.span(std::time::Duration::from_secs(timeout));
        for party in parties {
            self.ring_for(key, party, RingPurpose::Redirect, (now, patience));
        }
        Ok(Done::empty(202))
    }

    /// 45 minutes more.
    pub(super) fn keep_alive(&mut self, key: CallKey, now: u64) -> Done {
        let until = now + self.settings.span(self.settings.limits.keep_alive);
        if let Some(call) = self.book.get_mut(&key) {
            let has_timer = call.keep_alive_until > now;
            call.keep_alive_until = until;
            if !has_timer {
                self.agenda.add(until, key, Step::KeepAliveLimit);
            }
        }
        Done::empty(200)
    }

    /// The clock ran out, or was put forward meanwhile.
    pub(super) fn keep_alive_limit(&mut self, key: CallKey, now: u64) {
        let Some(call) = self.book.get(&key) else { return };
        if call.state.is_over() {
            return;
        }
        if call.keep_alive_until > now {
            self.agenda.add(call.keep_alive_until, key, Step::KeepAliveLimit);
            return;
        }
        let end = CallEnd::new(408, 8537, "Keep Alive timeout, cleaned up inactive call.");
        self.finish(key, end, now);
    }

    pub(super) fn hang_up_by_bot(&mut self, key: CallKey, now: u64) -> Done {
        // Before the call ends: the lane is closed by its end only.
        self.tell_state(key, CallState::Terminating, Map::new(), now);
        self.finish(key, CallEnd::new(200, 7000, "The call was ended by the bot."), now);
        Done::empty(204)
    }

    /// Whether the call still waits for the bot's decision.
    fn undecided(&self, key: CallKey) -> Result<(), Refusal> {
        match self.state(key) {
            Some(CallState::Incoming) => Ok(()),
            _ => Err(No::WrongState.into()),
        }
    }

    fn take_callback(&mut self, key: CallKey, callback: Option<String>) {
        if let Some(call) = self.book.get_mut(&key) {
            call.callback = callback.or(call.callback.take());
        }
    }
}
