//! What is told once of content that is shared and of people who are recorded: their notifications have no number, so the ids that
//! were heard of are remembered.

use trunkline_bot::logic::{CallEvent, RecordedLeft};
use trunkline_teams::calls::{CallDirection, ChangeType, ContentSharingSession, ParticipantJoining, ParticipantLeft};

use super::life::about_of;
use super::record::CallRecord;

/// Ids that are remembered of each; the oldest are forgotten beyond it.
const MOST: usize = 256;

impl CallRecord {
    /// Content is shared, or no longer. An end whose beginning was not heard of is not told: the content was shared before the bot
    /// came, or the end was told already.
    pub(super) fn hear_sharing(&mut self, sessions: Vec<ContentSharingSession>, change: &ChangeType) -> Vec<CallEvent> {
        let ids = sessions.into_iter().filter_map(|session| session.id);
        ids.filter_map(|id| match change {
            ChangeType::Created => keep(&mut self.sharings, &id).then_some(CallEvent::SharingStarted(id)),
            ChangeType::Deleted => {
                let place = self.sharings.iter().position(|known| *known == id)?;
                self.sharings.remove(place);
                Some(CallEvent::SharingEnded(id))
            }
            // What an update says is not documented.
            _ => None,
        })
        .collect()
    }

    /// Another person is recorded by this call.
    pub(super) fn hear_joining(&mut self, joining: ParticipantJoining) -> Option<CallEvent> {
        let about = about_of(*joining.call?, CallDirection::Incoming);
        let participant = about.observed_participant()?;
        keep(&mut self.recorded, participant).then(|| CallEvent::RecordedJoins(Box::new(about)))
    }

    /// A recorded person left.
    pub(super) fn hear_left(&mut self, left: ParticipantLeft) -> Option<CallEvent> {
        let participant = left.participant_id?;
        let result = left.call.and_then(|call| call.result_info);
        keep(&mut self.recorded_left, &participant)
            .then_some(CallEvent::RecordedLeft(RecordedLeft { participant, result }))
    }
}

/// Remembers an id; whether it is new.
fn keep(known: &mut Vec<String>, id: &str) -> bool {
    if known.iter().any(|known| known == id) {
        return false;
    }
    if known.len() >= MOST {
        known.remove(0);
    }
    known.push(id.to_owned());
    true
}
