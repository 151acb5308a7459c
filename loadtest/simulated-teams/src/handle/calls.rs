//! Telephony without a browser: people ring bots, press keys, speak and hang up; tests look at calls.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::Handle;
use crate::{
    calls::{
        CallCounters, CallFault, CallView, Callee, Caller, LineInvitation, MeetingView, RecorderInvitation, Ring,
        Speech,
    },
    error::SimulatedTeamsError,
    login::{Overlap, calling::CallClaims, key::SigningKey},
    world::{
        action::ActionRefusal,
        people::{BotNumber, PersonNumber},
    },
};

type Result<T> = std::result::Result<T, SimulatedTeamsError>;

impl Handle {
    /// Rings a bot, one to one, with audio, and gives the call's id.
    pub fn ring(&self, person: PersonNumber, bot: BotNumber) -> Result<String> {
        self.ring_as(Caller::Person(person), bot, (false, false), None)
    }

    /// The same with video.
    pub fn ring_with_video(&self, person: PersonNumber, bot: BotNumber) -> Result<String> {
        self.ring_as(Caller::Person(person), bot, (false, true), None)
    }

    /// The same for the bot's application instance, from which it may reach telephones.
    pub fn ring_instance(&self, person: PersonNumber, bot: BotNumber) -> Result<String> {
        self.ring_as(Caller::Person(person), bot, (true, false), None)
    }

    /// Rings the bot's number from a telephone (E.164).
    pub fn ring_from_phone(&self, number: &str, bot: BotNumber) -> Result<String> {
        self.ring_as(Caller::Phone(number.to_owned()), bot, (true, false), None)
    }

    /// Asks a bot into a meeting: an incoming call with the meeting's coordinates.
    pub fn ask_into_meeting(&self, person: PersonNumber, bot: BotNumber, meeting: usize) -> Result<String> {
        self.ring_as(Caller::Person(person), bot, (false, false), Some(meeting))
    }

    fn ring_as(
        &self,
        caller: Caller,
        bot: BotNumber,
        (by_instance, has_video): (bool, bool),
        meeting: Option<usize>,
    ) -> Result<String> {
        let ring = Ring {
            caller,
            bot,
            by_instance,
            has_video,
            meeting,
        };
        Ok(self.shared.with_calls(|calls, now| calls.ring(ring, now))?)
    }

    /// Invites a recorder, as a compliance recording policy does.
    pub fn invite_recorder(&self, invitation: &RecorderInvitation) -> Result<String> {
        Ok(self
            .shared
            .with_calls(|calls, now| calls.invite_recorder(invitation, now))?)
    }

    /// Presses a key: `0` to `9`, `*`, `#`, `A` to `D`.
    pub fn press_key(&self, call: &str, key: &str) -> Result<()> {
        Ok(self.shared.with_calls(|calls, now| calls.press_key(call, key, now))?)
    }

    /// Says something: into a recording that listens, else as soon as one does.
    pub fn speak(&self, call: &str, speech: Speech) -> Result<()> {
        Ok(self.shared.with_calls(|calls, now| calls.speak(call, speech, now))?)
    }

    /// Hangs up: the person of a one-to-one call, or all people of another one.
    pub fn hang_up(&self, call: &str) -> Result<()> {
        Ok(self.shared.with_calls(|calls, now| calls.hang_up(call, now))?)
    }

    /// Picks up a call of a bot, a transfer, a redirection or an invitation into a call.
    pub fn pick_up(&self, call: &str, person: PersonNumber) -> Result<()> {
        Ok(self
            .shared
            .with_calls(|calls, now| calls.decide(call, person, true, now))?)
    }

    /// Declines the same.
    pub fn decline(&self, call: &str, person: PersonNumber) -> Result<()> {
        Ok(self
            .shared
            .with_calls(|calls, now| calls.decide(call, person, false, now))?)
    }

    /// Breaks the audio of a call: it ends with 410/301005.
    pub fn lose_media(&self, call: &str) -> Result<()> {
        Ok(self.shared.with_calls(|calls, now| calls.lose_media(call, now))?)
    }

    /// What lets the peer of a call in whose sound the bot handles itself.
    pub fn line_invitation(&self, call: &str) -> Result<LineInvitation> {
        Ok(self.shared.with_calls(|calls, _| calls.line_invitation(call))?)
    }

    /// Somebody has connected to the bot's media host for this call, at the address `whip` of [`Handle::line_invitation`]. Nothing where
    /// the sound goes elsewhere by now.
    pub fn line_connected(&self, call: &str, whip: &str) -> Result<()> {
        Ok(self
            .shared
            .with_calls(|calls, now| calls.line_connected(call, whip, now))?)
    }

    /// That connection broke, or did not come about: the call ends with 410/301005. Nothing where the sound goes elsewhere by now.
    pub fn line_lost(&self, call: &str, whip: &str) -> Result<()> {
        Ok(self.shared.with_calls(|calls, now| calls.line_lost(call, whip, now))?)
    }

    /// Lets a bot in that waits in the lobby.
    pub fn admit(&self, call: &str) -> Result<()> {
        Ok(self.shared.with_calls(|calls, now| calls.admit(call, now))?)
    }

    /// Sets what somebody does when called.
    pub fn set_callee(&self, person: PersonNumber, callee: Callee) -> Result<()> {
        Ok(self.shared.with_calls(|calls, _| calls.set_callee(person, callee))?)
    }

    /// Sets what a telephone (E.164) does when called.
    pub fn set_phone(&self, number: &str, callee: Callee) {
        self.shared
            .with_calls(|calls, _| calls.set_phone(number.to_owned(), callee));
    }

    /// Opens a meeting; with a lobby, guests wait until they are let in.
    pub fn open_meeting(&self, organizer: PersonNumber, has_lobby: bool) -> Result<MeetingView> {
        Ok(self
            .shared
            .with_calls(|calls, _| calls.open_meeting(organizer, has_lobby))?)
    }

    /// A meeting, and who is in.
    pub fn meeting(&self, meeting: usize) -> Result<MeetingView> {
        Ok(self.shared.with_calls(|calls, _| calls.meeting(meeting))?)
    }

    /// Joins a meeting.
    pub fn join(&self, meeting: usize, person: PersonNumber) -> Result<()> {
        Ok(self
            .shared
            .with_calls(|calls, now| calls.attend(meeting, person, true, now))?)
    }

    /// Leaves a meeting.
    pub fn leave(&self, meeting: usize, person: PersonNumber) -> Result<()> {
        Ok(self
            .shared
            .with_calls(|calls, now| calls.attend(meeting, person, false, now))?)
    }

    /// Mutes or unmutes oneself in a meeting.
    pub fn mute(&self, meeting: usize, person: PersonNumber, mutes: bool) -> Result<()> {
        Ok(self
            .shared
            .with_calls(|calls, now| calls.mute_person(meeting, person, mutes, now))?)
    }

    /// Begins or stops to share content in a meeting.
    pub fn share(&self, meeting: usize, person: PersonNumber, shares: bool) -> Result<()> {
        Ok(self
            .shared
            .with_calls(|calls, now| calls.share(meeting, person, shares, now))?)
    }

    /// Another person of the recording policy wants to join the call that a recorder has answered with room for several.
    pub fn record_another(&self, call: &str, person: PersonNumber) -> Result<()> {
        Ok(self
            .shared
            .with_calls(|calls, now| calls.record_another(call, person, now))?)
    }

    /// A recorded person leaves.
    pub fn stop_recording_of(&self, call: &str, person: PersonNumber) -> Result<()> {
        Ok(self
            .shared
            .with_calls(|calls, now| calls.stop_recording_of(call, person, now))?)
    }

    /// Ends a meeting for everybody.
    pub fn end_meeting(&self, meeting: usize) -> Result<()> {
        Ok(self.shared.with_calls(|calls, now| calls.end_meeting(meeting, now))?)
    }

    /// A call by its id, in any spelling.
    pub fn call(&self, call: &str) -> Option<CallView> {
        self.shared.with_calls(|calls, _| calls.view(call))
    }

    /// All calls that are kept, in the order in which they began.
    pub fn calls(&self) -> Vec<CallView> {
        self.shared.with_calls(|calls, _| calls.views())
    }

    /// What was counted since the start.
    pub fn call_counters(&self) -> CallCounters {
        self.shared.with_calls(|calls, _| calls.counters().clone())
    }

    /// Waits at most `deadline` until the call with this id, spelled as it was given, is as wanted.
    pub async fn call_when(
        &self,
        call: &str,
        deadline: Duration,
        is_so: impl Fn(&CallView) -> bool,
    ) -> Result<CallView> {
        let found = self.shared.find_at_call(call, || self.call(call).filter(&is_so));
        let found = tokio::time::timeout(deadline, found).await;
        found.map_err(|_| SimulatedTeamsError::NothingCame { waited: deadline })
    }

    /// Waits at most `deadline` until any call is as wanted: for calls that bots make. Looks at all calls at every change, so
    /// it is not for thousands of them.
    pub async fn any_call_when(&self, deadline: Duration, is_so: impl Fn(&CallView) -> bool) -> Result<CallView> {
        let look = || self.calls().into_iter().find(&is_so);
        let mut version = self.shared.watch_version();
        let found = tokio::time::timeout(deadline, async {
            loop {
                version.borrow_and_update();
                if let Some(found) = look() {
                    return Ok(found);
                }
                version.changed().await.map_err(|_| SimulatedTeamsError::NotDelivered)?;
            }
        });
        found
            .await
            .map_err(|_| SimulatedTeamsError::NothingCame { waited: deadline })?
    }

    /// Replaces the faults of the calls API.
    pub fn set_call_faults(&self, faults: Vec<CallFault>) {
        self.shared.with_calls(|calls, _| calls.set_faults(faults));
    }

    /// The faults of the calls API that are in force.
    pub fn call_faults(&self) -> Vec<CallFault> {
        self.shared.with_calls(|calls, _| calls.faults())
    }

    /// Posts any body to the registered webhook, or to `url`, with a good token: for notifications that no call makes. Gives
    /// the status.
    pub async fn notify(&self, bot: BotNumber, url: Option<&str>, body: &Value) -> Result<u16> {
        let token = self.sign_call(&self.call_claims(bot)?)?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(SimulatedTeamsError::Client)?;
        let url = url.unwrap_or(&self.shared.config.calls.webhook);
        let request = client.post(url).bearer_auth(token).json(body);
        let answer = request.send().await.map_err(SimulatedTeamsError::Notify)?;
        Ok(answer.status().as_u16())
    }

    /// The claims that a notification to this bot carries now, to be changed and signed.
    pub fn call_claims(&self, bot: BotNumber) -> Result<CallClaims> {
        self.shared.with(|state, now| {
            let bot = state.world.bots.get(bot.0).ok_or(ActionRefusal::NoSuchBot)?;
            Ok(state.calling_login.claims(&bot.app_id, now))
        })
    }

    /// Signs any claims with the calling platform's key.
    pub fn sign_call<C: Serialize>(&self, claims: &C) -> Result<String> {
        self.shared.with(|state, _| state.calling_login.sign(claims))
    }

    /// Signs notifications with a new key from now on.
    pub fn rotate_call_keys(&self, overlap: Overlap) -> Result<()> {
        let key = SigningKey::generate()?;
        self.shared.with(|state, _| state.calling_login.rotate(key, overlap));
        Ok(())
    }

    /// The object id of a bot's application instance, which is the source of calls to telephones.
    pub fn application_instance(&self, bot: BotNumber) -> Result<String> {
        Ok(self.shared.with_calls(|calls, _| calls.instance(bot))?)
    }

    /// The object id by which a bot calls somebody.
    pub fn object_id(&self, person: PersonNumber) -> Result<String> {
        Ok(self.shared.with_calls(|calls, _| calls.object_id(person))?)
    }
}
