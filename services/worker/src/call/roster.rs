//! The roster of a call: what its bot is told are differences.

use bytes::Bytes;
use trunkline_bot::logic::CallEvent;
use trunkline_teams::calls::{DeltaParticipants, Participant};

use super::record::{CallRecord, to_json};

/// Bytes of a roster that is told and kept as it came; of a larger one each participant is told and kept without what Graph
/// tells again: streams and metadata.
const WHOLE_BYTES: usize = 64 * 1024;
/// Bytes of a roster that is told and kept at all, about a thousand people: a record has a megabyte for everything. Whoever does
/// not fit is not told.
const MOST_BYTES: usize = 300 * 1024;

impl CallRecord {
    /// The whole roster was told: who is not in it has left.
    pub(super) fn compare(&mut self, roster: Vec<Participant>) -> Vec<CallEvent> {
        self.roster_sequence = None;
        self.become_known(roster)
    }

    /// Changes were told. A gap in their numbers, or a fall, means that some were lost: the whole roster is asked for.
    pub(super) fn change_roster(&mut self, changes: DeltaParticipants, now_ms: u64) -> Vec<CallEvent> {
        let number = changes.sequence_number;
        match (number, self.roster_sequence) {
            (Some(number), Some(last)) if number == last => return Vec::new(),
            (Some(number), Some(last)) if number != last + 1 => self.ask_roster(now_ms),
            _ => {}
        }
        let mut roster = self.roster();
        for changed in changes.participants {
            let id = changed.participant_id().map(str::to_owned);
            roster.retain(|other| other.participant_id() != id.as_deref());
            if changed.removed_state.is_none() {
                roster.push(changed);
            }
        }
        self.roster_sequence = number.or(self.roster_sequence);
        self.become_known(roster)
    }

    /// The roster is this one now: what has changed.
    fn become_known(&mut self, roster: Vec<Participant>) -> Vec<CallEvent> {
        let known = self.roster();
        let lobby = self.lobby(&roster);
        let (roster, stored) = fitting(roster);
        self.present = stored;
        let mut events = differences(&known, &roster);
        events.extend(lobby);
        events
    }

    /// Whether the bot itself went into the lobby, or was let in.
    fn lobby(&mut self, roster: &[Participant]) -> Option<CallEvent> {
        let me = self.about().my_participant_id?;
        let own = roster.iter().find(|one| one.participant_id() == Some(me.as_str()))?;
        let is_in_lobby = own.is_in_lobby.unwrap_or(false);
        let has_changed = std::mem::replace(&mut self.is_in_lobby, is_in_lobby) != is_in_lobby;
        has_changed.then_some(CallEvent::Lobby(is_in_lobby))
    }
}

/// As much of a roster as is told and kept, with its stored form.
fn fitting(roster: Vec<Participant>) -> (Vec<Participant>, Vec<Bytes>) {
    let whole: Vec<Bytes> = roster.iter().map(to_json).collect();
    if whole.iter().map(Bytes::len).sum::<usize>() <= WHOLE_BYTES {
        return (roster, whole);
    }
    let mut bytes = 0;
    let short = roster.iter().map(in_short).map(|one| (to_json(&one), one));
    let kept = short.take_while(|(stored, _)| {
        bytes += stored.len();
        bytes <= MOST_BYTES
    });
    let (stored, roster) = kept.unzip();
    (roster, stored)
}

/// Who somebody is and how they take part.
fn in_short(participant: &Participant) -> Participant {
    Participant {
        id: participant.id.clone(),
        info: participant.info.clone(),
        is_in_lobby: participant.is_in_lobby,
        is_muted: participant.is_muted,
        recording_info: participant.recording_info.clone(),
        meeting_role: participant.meeting_role.clone(),
        ..Participant::default()
    }
}

fn differences(known: &[Participant], roster: &[Participant]) -> Vec<CallEvent> {
    use std::collections::HashMap;
    let before: HashMap<&str, &Participant> = known.iter().filter_map(named).collect();
    let after: HashMap<&str, &Participant> = roster.iter().filter_map(named).collect();
    let mut joined = Vec::new();
    let mut muted = Vec::new();
    for (id, one) in roster.iter().filter_map(named) {
        match before.get(id) {
            None => joined.push(one.clone()),
            Some(other) if other.is_muted != one.is_muted => muted.push(one.clone()),
            Some(_) => {}
        }
    }
    let gone = known.iter().filter_map(named).filter(|(id, _)| !after.contains_key(id));
    let left: Vec<Participant> = gone.map(|(_, one)| one.clone()).collect();
    let some = |people: Vec<Participant>, event: fn(Vec<Participant>) -> CallEvent| {
        (!people.is_empty()).then(|| event(people))
    };
    [
        some(joined, CallEvent::Joined),
        some(left, CallEvent::Left),
        some(muted, CallEvent::Muted),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A participant without an id cannot be told from another.
fn named(participant: &Participant) -> Option<(&str, &Participant)> {
    participant.participant_id().map(|id| (id, participant))
}
