//! The leg of a call at a media host: where it is, what is asked of it instead of Graph, and what its events mean.
//!
//! What the leg tells is the twin of a notification: it is taken once, by its number, and means for the bot what Graph's word
//! would mean. The leg keeps its events, so nothing is lost between two owners.

mod command;
mod news;

use std::fmt;

use prost::{Enumeration, Message};
use trunkline_bot::logic::{CallEvent, CallLeg};
use trunkline_teams::calls::{CallState, CommsOperation, OperationStatus, Secret};
use trunkline_teams::graph::Operation;

pub(super) use self::command::on_leg;
pub use self::command::{AnswerToRecord, LegCommand, OnLeg};
pub use self::news::{AnswerEnd, Clip, LegDirection, LegEnd, LegNews};
use self::news::{CANCELLED, answered, failed, words_of};
use super::record::CallRecord;
use super::timeline::MomentKind;

/// Status and code of what is asked of a leg that is no more.
pub const LOST: (u16, &str) = (503, "TRUNKLINE_MEDIA_LOST");
/// Status and code of an answer, or of a call, for which no host had room.
pub const NO_HOST: (u16, &str) = (503, "TRUNKLINE_NO_MEDIA_HOST");
/// How long the call may be told over by Graph after its peer ended the leg.
const PEER_LEFT_MS: u64 = 2_000;
/// How long closing is tried: the host ends a leg that nobody is attached to after 60 s.
const CLOSING_MS: u64 = 60_000;

/// A leg as it is stored. What it prints leaves the secret out.
#[derive(Clone, PartialEq, Eq, Message)]
#[prost(skip_debug)]
pub struct Leg {
    /// How it stands.
    #[prost(enumeration = "LegState", tag = "1")]
    pub state: i32,
    /// Name of its host.
    #[prost(string, tag = "2")]
    pub host: String,
    /// Where that host is asked: host and port.
    #[prost(string, tag = "3")]
    pub address: String,
    /// The leg's name there.
    #[prost(string, tag = "4")]
    pub name: String,
    /// What lets the peer in, until Graph has it: a secret.
    #[prost(string, tag = "5")]
    pub blob: String,
    /// Number of the last event that was heard.
    #[prost(uint64, tag = "6")]
    pub last_event: u64,
    /// Number of the last command that was let out.
    #[prost(uint64, tag = "7")]
    pub last_command: u64,
    /// Lost: when that is told. Closing: when that is given up. In milliseconds since 1970; 0 for never.
    #[prost(fixed64, tag = "8")]
    pub due_ms: u64,
    /// Why it is no more, for people.
    #[prost(string, tag = "9")]
    pub why: String,
    /// While it is wanted: another call's leg that it should be near, and its host; empty for none.
    #[prost(string, tag = "10")]
    pub near: String,
    /// That host.
    #[prost(string, tag = "11")]
    pub near_host: String,
}

impl Leg {
    /// A leg that is wanted in place of this one.
    pub(super) fn after(lost: &Self) -> Self {
        Self {
            last_command: lost.last_command,
            ..Self::default()
        }
    }

    /// Another call's leg that it should be near.
    pub fn wanted_near(&self) -> Option<CallLeg> {
        (!self.near.is_empty()).then(|| CallLeg {
            host: self.near_host.clone(),
            leg: self.near.clone(),
        })
    }
}

/// How a leg stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum LegState {
    /// To be opened: the answer waits for it.
    Wanted = 0,
    /// A host has it.
    Open = 1,
    /// The call is over: to be closed.
    Closing = 2,
    /// No more.
    Gone = 3,
}

impl fmt::Debug for Leg {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Leg")
            .field("state", &self.state())
            .field("host", &self.host)
            .field("name", &self.name)
            .field("last_event", &self.last_event)
            .field("last_command", &self.last_command)
            .finish_non_exhaustive()
    }
}

/// A leg that a host has opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedLeg {
    /// Name of the host.
    pub host: String,
    /// Where it is asked: host and port.
    pub address: String,
    /// The leg's name there.
    pub name: String,
    /// What lets the peer in.
    pub blob: Secret,
}

impl CallRecord {
    /// Whether a leg carries the sound, carried it, or will.
    pub fn has_leg(&self) -> bool {
        self.leg.is_some()
    }

    fn leg_state(&self) -> Option<LegState> {
        self.leg.as_ref().map(Leg::state)
    }

    /// Whether a leg is to be opened.
    pub fn is_leg_wanted(&self) -> bool {
        self.leg_state() == Some(LegState::Wanted)
    }

    /// Whether a host has the leg, as far as is known.
    pub fn is_leg_open(&self) -> bool {
        self.leg_state() == Some(LegState::Open)
    }

    /// Whether the leg is to be closed.
    pub fn is_leg_closing(&self) -> bool {
        self.leg_state() == Some(LegState::Closing)
    }

    /// Whether there was a leg and is none any more.
    pub fn is_leg_gone(&self) -> bool {
        self.leg_state() == Some(LegState::Gone)
    }

    /// Where the sound is, while a leg carries it.
    pub fn open_leg(&self) -> Option<CallLeg> {
        let leg = self.leg.as_ref().filter(|leg| leg.state() == LegState::Open)?;
        Some(CallLeg {
            host: leg.host.clone(),
            leg: leg.name.clone(),
        })
    }

    /// What lets the peer in, while it is still to be told.
    pub fn leg_blob(&self) -> Option<Secret> {
        let blob = &self.leg.as_ref()?.blob;
        (!blob.is_empty()).then(|| Secret::new(blob.clone()))
    }

    /// Graph has it, or will never get it.
    pub fn forget_blob(&mut self) {
        if let Some(leg) = &mut self.leg {
            leg.blob.clear();
        }
    }

    /// What was asked for needs a leg.
    pub(super) fn want_leg_for(&mut self, operation: &Operation) {
        if operation.wants_media_host() {
            let leg = self.leg.get_or_insert_default();
            if let Some(near) = operation.near_leg() {
                leg.near = near.leg.clone().unwrap_or_default();
                leg.near_host = near.host.clone().unwrap_or_default();
            }
        }
    }

    /// A host has opened the leg. `false` when it is not wanted any more.
    pub fn leg_opened(&mut self, opened: OpenedLeg) -> bool {
        let Some(leg) = self.leg.as_mut().filter(|leg| leg.state() == LegState::Wanted) else {
            return false;
        };
        leg.set_state(LegState::Open);
        leg.host = opened.host;
        leg.address = opened.address;
        leg.name = opened.name;
        opened.blob.expose().clone_into(&mut leg.blob);
        true
    }

    /// Number of the next command, which rises for the life of the leg.
    pub fn next_leg_command(&mut self) -> u64 {
        let Some(leg) = &mut self.leg else { return 0 };
        leg.last_command += 1;
        leg.last_command
    }

    /// Takes what the leg tells. `None` when nothing is to be kept of it: it was heard before, or means nothing.
    pub fn hear_leg(&mut self, name: &str, number: u64, news: LegNews, now_ms: u64) -> Option<Vec<CallEvent>> {
        let is_over = self.is_over();
        let leg = self
            .leg
            .as_mut()
            .filter(|leg| leg.name == name && number > leg.last_event)?;
        leg.last_event = number;
        if leg.state() != LegState::Open || is_over {
            return None;
        }
        let mut told = |what: String| self.note(MomentKind::Host, what, now_ms);
        Some(match news {
            LegNews::Other(what) => {
                told(format!("leg: {what}"));
                return None;
            }
            LegNews::Connected => {
                told("leg: connected".to_owned());
                self.is_audio_active = true;
                let mut events: Vec<CallEvent> = self.connect(now_ms).into_iter().collect();
                events.extend(self.reopened());
                events
            }
            LegNews::Tone(tone) => {
                told("leg: a tone".to_owned());
                vec![CallEvent::Tone(tone)]
            }
            LegNews::Finished { command, how } => {
                told(format!("leg: command {command} {how:?}"));
                self.leg_operation_ended(command, how)
            }
            LegNews::Answered { command, how, clip } => {
                told(format!("leg: answer {command} {how:?}"));
                self.operation_ended(Some(&command.to_string()), answered(how, clip))
            }
            LegNews::Speech(speaks) => vec![CallEvent::Speech(speaks)],
            LegNews::Trouble(trouble) => {
                told(format!("leg: {}", words_of(trouble)));
                vec![CallEvent::Trouble(trouble)]
            }
            LegNews::BridgeEnded => {
                told("leg: the bridge ended".to_owned());
                vec![CallEvent::BridgeEnded]
            }
            LegNews::RecordingGap {
                command,
                direction,
                packets,
            } => {
                told(format!(
                    "leg: {packets} packets are missing in the recording of what was {}",
                    direction.name()
                ));
                self.keeping_lacks(command, direction, packets).into_iter().collect()
            }
            LegNews::RecordingEnded {
                command,
                direction,
                end,
            } => {
                let how = end
                    .as_ref()
                    .map_or_else(|why| format!("failed: {why}"), |_| "ended".to_owned());
                told(format!("leg: the recording of what was {} {how}", direction.name()));
                self.recording_ended(command, direction, end, now_ms)
            }
            LegNews::HostEnds(within_ms) => {
                told(format!("leg: its host ends in {within_ms} ms"));
                vec![CallEvent::MediaEnds(within_ms)]
            }
            LegNews::Ended { reason, by_peer } => self.lose_leg(&reason, by_peer, now_ms),
        })
    }

    fn leg_operation_ended(&mut self, command: u64, how: LegEnd) -> Vec<CallEvent> {
        let id = command.to_string();
        let operation = match how {
            LegEnd::Done => CommsOperation {
                status: Some(OperationStatus::Completed),
                ..CommsOperation::default()
            },
            LegEnd::Stopped => failed(400, CANCELLED, "it was stopped"),
            LegEnd::Cut => failed(i64::from(LOST.0), 0, "the leg ended"),
        };
        self.operation_ended(Some(&id), operation)
    }

    /// The leg is no more though the call is: what was under way on it has failed, and the bot is told; where the peer ended the leg, only
    /// if Graph does not soon say that the call is over. Teams is told that a recording by policy failed.
    pub fn lose_leg(&mut self, why: &str, by_peer: bool, now_ms: u64) -> Vec<CallEvent> {
        let Some(leg) = self.leg.as_mut().filter(|leg| leg.state() == LegState::Open) else {
            return Vec::new();
        };
        leg.set_state(LegState::Gone);
        why.clone_into(&mut leg.why);
        leg.due_ms = if by_peer { now_ms + PEER_LEFT_MS } else { now_ms.max(1) };
        self.is_audio_active = false;
        self.note(MomentKind::Host, format!("the leg is gone: {why}"), now_ms);
        if !by_peer && self.is_of_policy() && self.goes_on_without_sound() {
            self.say_that_recording_failed(now_ms);
        }
        let mut events = self.end_pending_of_leg(&failed(i64::from(LOST.0), 0, why));
        events.extend(self.lose_kept(why));
        events
    }

    /// The loss of the leg, when it is time to tell it.
    pub fn lost_leg(&mut self, now_ms: u64) -> Option<CallEvent> {
        let leg = self.leg.as_mut()?;
        let is_due = leg.state() == LegState::Gone && leg.due_ms > 0 && leg.due_ms <= now_ms;
        is_due.then(|| {
            leg.due_ms = 0;
            CallEvent::MediaLost(leg.why.clone())
        })
    }

    /// Whether a bot could still do something about a call without sound.
    pub fn goes_on_without_sound(&self) -> bool {
        matches!(self.state(), CallState::Established | CallState::Hold)
    }

    /// The call is over, or will never have a leg.
    pub(super) fn end_leg(&mut self, now_ms: u64) {
        let Some(leg) = &mut self.leg else { return };
        leg.blob.clear();
        if leg.state() == LegState::Open {
            leg.set_state(LegState::Closing);
            leg.due_ms = now_ms + CLOSING_MS;
        } else {
            leg.set_state(LegState::Gone);
            leg.due_ms = 0;
        }
    }

    /// No host takes the leg.
    pub fn no_leg(&mut self) {
        if let Some(leg) = &mut self.leg {
            leg.set_state(LegState::Gone);
        }
    }

    /// The leg is closed, or the host ends it by itself.
    pub fn leg_closed(&mut self) {
        if let Some(leg) = self.leg.as_mut().filter(|leg| leg.state() == LegState::Closing) {
            leg.set_state(LegState::Gone);
            leg.due_ms = 0;
        }
    }

    /// Closing has been tried for long enough.
    pub fn gives_up_closing(&mut self, now_ms: u64) {
        if self.leg.as_ref().is_some_and(|leg| leg.due_ms <= now_ms) {
            self.leg_closed();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
