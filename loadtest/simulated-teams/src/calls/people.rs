//! What people do on the telephone: ring a bot, press keys, speak, pick up, hang up, meet.

use thiserror::Error;

use super::{
    Calls,
    call::{CallDirection, CallEnd, CallKey, CallState, ConferenceKey, RingOutcome},
    clip::Speech,
    conference::{MeetingView, Member},
    media::MediaMode,
    party::Party,
    prompt::TONES,
    settings::{CallFault, Callee},
    view::{CallEvent, Deed},
};
use crate::world::people::{BotNumber, PersonNumber};

/// Why somebody cannot do something on the telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CallRefusal {
    /// No call has this id, or it has ended.
    #[error("there is no such call")]
    NoSuchCall,
    /// No meeting has this number.
    #[error("there is no such meeting")]
    NoSuchMeeting,
    /// The number names nobody.
    #[error("there is no such person")]
    NoSuchPerson,
    /// The number names no bot.
    #[error("there is no such bot")]
    NoSuchBot,
    /// The call is not, or not any more, where this can be done.
    #[error("the call is not in a state for this")]
    NotNow,
    /// The key is none of `0` to `9`, `*`, `#`, `A` to `D`.
    #[error("there is no such key")]
    NoSuchKey,
    /// Graph hosts the call's media, or what the bot wrote for its peer cannot be read.
    #[error("the call has no line: its media are hosted by Graph, or the bot's blob names no address and token")]
    NoLine,
    /// The person is not being rung, or is not in the call.
    #[error("the person is not part of the call")]
    NotThere,
}

/// What a person's action told the one who asked.
pub(crate) type Told<T> = Result<T, CallRefusal>;

impl Calls {
    /// Presses a key in an established call.
    pub(crate) fn press_key(&mut self, id: &str, sign: &str, now: u64) -> Told<()> {
        let key = self.talking(id)?;
        let found = TONES.iter().find(|(_, other)| other.eq_ignore_ascii_case(sign));
        let (tone, sign) = found.ok_or(CallRefusal::NoSuchKey)?;
        self.press(key, tone, sign, now);
        Ok(())
    }

    /// Speaks: into a recording that listens, else at the next chance.
    pub(crate) fn speak(&mut self, id: &str, speech: Speech, now: u64) -> Told<()> {
        let key = self.talking(id)?;
        self.note_person(key, format!("speaks for {:?}", speech.length()), now);
        self.say(key, speech, now);
        Ok(())
    }

    /// The person hangs up: before the bot has answered, or later; in a call of several everybody does.
    pub(crate) fn hang_up(&mut self, id: &str, now: u64) -> Told<()> {
        let key = self.live(id)?;
        let call = &self.book[&key];
        let is_phone = matches!(call.other, Some(Party::Phone(_)));
        let end = match (call.state, call.direction) {
            (CallState::Incoming | CallState::Redirecting, _) => CallEnd::new(487, 0, "The caller cancelled the call."),
            (_, CallDirection::Incoming) if is_phone => {
                CallEnd::new(200, 540_000, "The call was ended by the PSTN user.")
            }
            (_, CallDirection::Outgoing) if is_phone => {
                CallEnd::new(200, 560_000, "The call was ended by the PSTN user.")
            }
            _ if call.has_roster() => CallEnd::new(200, 5003, "The conversation has ended."),
            _ => CallEnd::new(200, 4521, "The call was ended by the other participant."),
        };
        self.note_person(key, "hangs up".to_owned(), now);
        self.finish(key, end, now);
        Ok(())
    }

    /// Somebody who is rung for a call picks up, or declines.
    pub(crate) fn decide(&mut self, id: &str, person: PersonNumber, accepts: bool, now: u64) -> Told<()> {
        let key = self.live(id)?;
        let mut ringing = self.book[&key].ringing.iter();
        let number = ringing
            .rfind(|ringing| ringing.party == Party::Person(person))
            .map(|ringing| ringing.number);
        let number = number.ok_or(CallRefusal::NotThere)?;
        let (word, outcome) = if accepts {
            ("picks up", RingOutcome::Answered)
        } else {
            ("declines", RingOutcome::Declined)
        };
        let name = self.parties.name(&Party::Person(person));
        self.note_person(key, format!("{name} {word}"), now);
        self.callee(key, number, outcome, now);
        Ok(())
    }

    /// Audio breaks off for good.
    pub(crate) fn lose_media(&mut self, id: &str, now: u64) -> Told<()> {
        let key = self.talking(id)?;
        self.finish(key, CallEnd::new(410, 301_005, "Media connectivity was lost."), now);
        Ok(())
    }

    /// Somebody lets the bot in that waits in the lobby.
    pub(crate) fn admit(&mut self, id: &str, now: u64) -> Told<()> {
        let key = self.live(id)?;
        if !self.is_in_lobby(key) {
            return Err(CallRefusal::NotNow);
        }
        let conference = self.book[&key].conference.ok_or(CallRefusal::NotNow)?;
        let is_it = |member: &Member| member.call == Some(key);
        self.change_member(conference, is_it, |member| member.is_in_lobby = false, now);
        self.media_flows(key, now);
        Ok(())
    }

    /// Opens a meeting that nobody is in yet.
    pub(crate) fn open_meeting(&mut self, organizer: PersonNumber, has_lobby: bool) -> Told<MeetingView> {
        let organizer = self.person(organizer)?;
        let key = self.open_conference(Some(organizer), has_lobby);
        self.meeting_view(key).ok_or(CallRefusal::NoSuchMeeting)
    }

    /// A meeting by its number.
    pub(crate) fn meeting(&self, number: usize) -> Told<MeetingView> {
        let key = self.meeting_key(number)?;
        self.meeting_view(key).ok_or(CallRefusal::NoSuchMeeting)
    }

    /// Somebody joins or leaves a meeting.
    pub(crate) fn attend(&mut self, number: usize, person: PersonNumber, joins: bool, now: u64) -> Told<()> {
        let key = self.meeting_key(number)?;
        let party = Party::Person(self.person(person)?);
        let is_in = self.conference(key).members.iter().any(|member| member.party == party);
        match (joins, is_in) {
            (true, false) => {
                self.enter(key, party, None, None);
                self.tell_roster(key, &[], now);
            }
            (false, true) => self.leave(key, |member| member.party == party, now),
            _ => return Err(CallRefusal::NotNow),
        }
        Ok(())
    }

    /// Somebody in a meeting mutes or unmutes themselves.
    pub(crate) fn mute_person(&mut self, number: usize, person: PersonNumber, mutes: bool, now: u64) -> Told<()> {
        let key = self.meeting_key(number)?;
        let party = Party::Person(self.person(person)?);
        let change = |member: &mut Member| member.is_muted = mutes;
        if self.change_member(key, |member| member.party == party, change, now) {
            Ok(())
        } else {
            Err(CallRefusal::NotThere)
        }
    }

    /// The organizer ends the meeting for everybody.
    pub(crate) fn end_meeting(&mut self, number: usize, now: u64) -> Told<()> {
        let key = self.meeting_key(number)?;
        for call in self.calls_in(key) {
            self.finish(call, CallEnd::new(200, 5003, "The conversation has ended."), now);
        }
        Ok(())
    }

    /// Replaces what somebody does when called.
    pub(crate) fn set_callee(&mut self, person: PersonNumber, callee: Callee) -> Told<()> {
        let person = self.person(person)?;
        self.parties.people[person.0].callee = callee;
        Ok(())
    }

    /// Replaces what a telephone does when called.
    pub(crate) fn set_phone(&mut self, number: String, callee: Callee) {
        self.phones.insert(number, callee);
    }

    /// Replaces the faults of the API.
    pub(crate) fn set_faults(&mut self, faults: Vec<CallFault>) {
        self.gate.set(faults);
    }

    /// The faults of the API that are in force.
    pub(crate) fn faults(&self) -> Vec<CallFault> {
        self.gate.in_force().to_vec()
    }

    /// The object id of the application instance of a bot.
    pub(crate) fn instance(&self, bot: BotNumber) -> Told<String> {
        let bot = self.bot(bot)?;
        Ok(self.parties.bots[bot.0].instance.clone())
    }

    /// The object id of somebody.
    pub(crate) fn object_id(&self, person: PersonNumber) -> Told<String> {
        let person = self.person(person)?;
        Ok(self.parties.people[person.0].object_id.clone())
    }

    pub(super) fn note_person(&mut self, key: CallKey, what: String, now: u64) {
        if let Some(call) = self.book.get_mut(&key) {
            call.note(CallEvent {
                at: now,
                deed: Deed::Person { what },
            });
        }
        self.changed(key);
    }

    pub(super) fn live(&self, id: &str) -> Told<CallKey> {
        let key = self.find(id).ok_or(CallRefusal::NoSuchCall)?;
        if self.book[&key].state.is_over() {
            Err(CallRefusal::NoSuchCall)
        } else {
            Ok(key)
        }
    }

    fn talking(&self, id: &str) -> Told<CallKey> {
        let key = self.live(id)?;
        let call = &self.book[&key];
        let is_up = call.state == CallState::Established;
        if is_up && (call.media.is_active || call.media.mode == Some(MediaMode::App)) {
            Ok(key)
        } else {
            Err(CallRefusal::NotNow)
        }
    }

    pub(super) fn person(&self, person: PersonNumber) -> Told<PersonNumber> {
        let is_known = person.0 < self.parties.people.len();
        is_known.then_some(person).ok_or(CallRefusal::NoSuchPerson)
    }

    pub(super) fn bot(&self, bot: BotNumber) -> Told<BotNumber> {
        let is_known = bot.0 < self.parties.bots.len();
        is_known.then_some(bot).ok_or(CallRefusal::NoSuchBot)
    }

    pub(super) fn meeting_key(&self, number: usize) -> Told<ConferenceKey> {
        let conference = self.conferences.get(number).filter(|conference| conference.is_meeting);
        conference
            .map(|_| ConferenceKey(number))
            .ok_or(CallRefusal::NoSuchMeeting)
    }
}
