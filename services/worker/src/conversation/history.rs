//! The last turns of a conversation, for an operator who looks: in memory, 16 bytes each.

use super::event::{ArrivalKind, TurnResult};
use super::item::Item;
use super::work::Work;

/// Turns that are remembered.
const LAST: usize = 16;

/// What a turn was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnKind {
    /// A message or an event of Teams.
    Message,
    /// An invoke.
    Invoke,
    /// A timer.
    Timer,
    /// A signal of another conversation, or a timer that failed before.
    Signal,
    /// The id of a send became known.
    Sent,
    /// A turn or a send was given up.
    Failed,
    /// What is remembered of a person changed.
    Change,
    /// Something happened in the call.
    Call,
}

impl TurnKind {
    /// As operators read it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Invoke => "invoke",
            Self::Timer => "timer",
            Self::Signal => "signal",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Change => "change",
            Self::Call => "call",
        }
    }

    pub(super) fn of(item: &Item) -> Self {
        if item.timer.is_some() {
            return Self::Timer;
        }
        Self::of_work(&item.work, item.kind)
    }

    pub(super) fn of_work(work: &Work, kind: ArrivalKind) -> Self {
        match work {
            Work::Activity { .. } if kind == ArrivalKind::Invoke => Self::Invoke,
            Work::Activity { .. } => Self::Message,
            Work::Signal { .. } => Self::Signal,
            Work::Sent { .. } => Self::Sent,
            Work::Failed(_) => Self::Failed,
            Work::Change { .. } => Self::Change,
            Work::Call(_) | Work::StartCall(_) => Self::Call,
        }
    }
}

/// One turn that ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct PastTurn {
    /// Seconds since 1970.
    pub ended_s: u32,
    pub took_ms: u32,
    pub route: Option<u16>,
    pub kind: TurnKind,
    pub result: TurnResult,
}

/// The last turns, the newest last.
#[derive(Debug, Default)]
pub(super) struct History(Vec<PastTurn>);

impl History {
    pub(super) fn add(&mut self, kind: TurnKind, route: Option<usize>, result: TurnResult, took_ms: u64, wall_ms: u64) {
        if self.0.len() >= LAST {
            self.0.remove(0);
        }
        self.0.push(PastTurn {
            ended_s: u32::try_from(wall_ms / 1_000).unwrap_or(u32::MAX),
            took_ms: u32::try_from(took_ms).unwrap_or(u32::MAX),
            route: route.and_then(|route| u16::try_from(route).ok()),
            kind,
            result,
        });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &PastTurn> {
        self.0.iter()
    }
}
