//! Content that people share: who shares, whom it is told to, and what a bot reads of it.

use serde_json::{Value, json};

use super::{
    Calls,
    call::{CallKey, CallState, ConferenceKey},
    notify::Note,
    party::Party,
    people::Told,
    refusal::{No, Refusal},
    request::Done,
};
use crate::{calls::CallRefusal, world::people::PersonNumber};

/// Somebody shares something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sharing {
    /// 64 upper-case hex digits, as in the samples of notifications.
    id: String,
    by: Party,
}

impl Calls {
    /// Somebody in a meeting begins or stops to share content.
    pub(crate) fn share(&mut self, number: usize, person: PersonNumber, shares: bool, now: u64) -> Told<()> {
        let key = self.meeting_key(number)?;
        let by = Party::Person(self.person(person)?);
        if !self.conference(key).members.iter().any(|member| member.party == by) {
            return Err(CallRefusal::NotThere);
        }
        let known = self
            .conference(key)
            .sharings
            .iter()
            .position(|sharing| sharing.by == by);
        match (shares, known) {
            (true, None) => {
                let id = format!("{}{}", self.ids.hex("sharing"), self.ids.hex("sharing")).to_uppercase();
                self.conferences[key.0].sharings.push(Sharing { id: id.clone(), by });
                self.tell_sharing(key, &id, true, now);
                Ok(())
            }
            (false, Some(place)) => {
                let sharing = self.conferences[key.0].sharings.remove(place);
                self.tell_sharing(key, &sharing.id, false, now);
                Ok(())
            }
            _ => Err(CallRefusal::NotNow),
        }
    }

    /// Who leaves shares nothing any more.
    pub(super) fn stop_sharing_of(&mut self, key: ConferenceKey, party: &Party, now: u64) {
        let sharings = &mut self.conferences[key.0].sharings;
        let over: Vec<Sharing> = sharings.extract_if(.., |sharing| sharing.by == *party).collect();
        for sharing in over {
            self.tell_sharing(key, &sharing.id, false, now);
        }
    }

    /// Told to those bots that asked for it (`isContentSharingNotificationEnabled`, documented).
    fn tell_sharing(&mut self, key: ConferenceKey, id: &str, begins: bool, now: u64) {
        for call in self.calls_in(key) {
            let hears = |call: &super::call::Call| call.wants_sharing && call.state == CallState::Established;
            if !self.book.get(&call).is_some_and(hears) {
                continue;
            }
            let data = json!([session(id)]);
            let note = if begins {
                Note::created("content sharing".to_owned(), Some(data))
            } else {
                Note::deleted("content sharing".to_owned(), data)
            };
            self.tell(call, note.below("/contentsharingsessions"), now);
        }
    }

    pub(super) fn list_sharings(&self, key: CallKey) -> Result<Done, Refusal> {
        self.established_call(key)?;
        let sharings: Vec<Value> = self.sharings(key).iter().map(|sharing| session(&sharing.id)).collect();
        Ok(Done::with(200, json!({ "value": sharings })))
    }

    pub(super) fn get_sharing(&self, key: CallKey, id: &str) -> Result<Done, Refusal> {
        self.established_call(key)?;
        let found = self
            .sharings(key)
            .iter()
            .find(|sharing| sharing.id.eq_ignore_ascii_case(id));
        let found = found.ok_or(No::NotFound)?;
        Ok(Done::with(200, session(&found.id)))
    }

    fn sharings(&self, key: CallKey) -> &[Sharing] {
        let conference = self.book[&key].conference;
        conference.map_or(&[], |conference| &self.conference(conference).sharings)
    }
}

fn session(id: &str) -> Value {
    json!({ "@odata.type": "#microsoft.graph.contentSharingSession", "id": id })
}
