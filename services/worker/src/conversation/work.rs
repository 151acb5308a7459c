//! What a turn is about, on its way between the wire, the inbox and the bot.

use bytes::Bytes;
use trunkline_bot::SentRef;
use trunkline_bot::logic::{CallEvent, FailedWork, Failure, Input};
use trunkline_teams::activity::Activity;

use crate::record::{AcceptedWork, WorkKind};

/// What a turn is about.
#[derive(Clone, Debug)]
pub enum Work {
    /// Something that Teams sent.
    Activity {
        /// Byte for byte.
        body: Bytes,
        /// Verified base of the Connector.
        service_url: String,
        /// Whether that came with a verified token.
        is_verified: bool,
        /// The body, read once; given to the turn. `None` after a turn took it: then it is read again.
        parsed: Option<Box<Activity>>,
    },
    /// A signal, or a timer.
    Signal {
        /// Name of the signal.
        name: String,
        /// Its key.
        key: String,
        /// JSON.
        payload: Bytes,
    },
    /// The id of a send is known.
    Sent {
        /// Which send.
        sequence: u64,
        /// The activity id.
        activity_id: String,
    },
    /// A turn or a send was given up.
    Failed(Failure),
    /// What is remembered of a person changes.
    Change {
        /// Kind of user state.
        name: String,
        /// JSON.
        change: Bytes,
    },
    /// Something happened in the call: a [`CallEvent`] as JSON.
    Call(Bytes),
    /// A call is to begin: told to its actor, whose record it becomes.
    StartCall(Box<StartCall>),
}

/// A call that is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartCall {
    /// Entra tenant of the call.
    pub tenant: String,
    /// Base of the Connector that serves the tenant; may be empty.
    pub service_url: String,
    /// The [`trunkline_teams::calls::Call`] as JSON.
    pub call: Bytes,
    /// Name of the signal that its bot gets first.
    pub name: String,
    /// Key of the signal.
    pub key: String,
    /// The signal as JSON.
    pub payload: Bytes,
}

impl Work {
    /// The activity, read again if a turn has taken it.
    pub fn activity(&mut self) -> Option<&Activity> {
        let Self::Activity { body, parsed, .. } = self else {
            return None;
        };
        if parsed.is_none() {
            *parsed = Activity::parse(body).ok().map(Box::new);
        }
        parsed.as_deref()
    }

    /// Whether Teams sent it.
    pub fn is_activity(&self) -> bool {
        matches!(self, Self::Activity { .. })
    }

    /// What the bot is told; `None` for what no turn sees (a change, a call that begins), and for a body that cannot be read.
    pub fn input(&mut self) -> Option<Input> {
        Some(match self {
            Self::Activity { body, parsed, .. } => {
                let activity = match parsed.take() {
                    Some(activity) => activity,
                    None => Box::new(Activity::parse(body).ok()?),
                };
                Input::Activity(activity)
            }
            Self::Signal { name, key, payload } => Input::Signal {
                name: name.clone(),
                key: key.clone(),
                payload: payload.clone(),
            },
            Self::Sent { sequence, activity_id } => Input::Sent {
                sent: SentRef(*sequence),
                activity_id: activity_id.clone(),
            },
            Self::Failed(failure) => Input::Failed(failure.clone()),
            Self::Call(event) => Input::Call(Box::new(serde_json::from_slice::<CallEvent>(event).ok()?)),
            Self::Change { .. } | Self::StartCall(_) => return None,
        })
    }

    /// Bytes of its body.
    pub fn body_bytes(&self) -> usize {
        match self {
            Self::Activity { body, .. }
            | Self::Signal { payload: body, .. }
            | Self::Change { change: body, .. }
            | Self::Call(body) => body.len(),
            Self::StartCall(start) => start.call.len() + start.payload.len(),
            Self::Sent { .. } | Self::Failed(_) => 0,
        }
    }

    /// The stored form.
    pub fn to_accepted(&self) -> AcceptedWork {
        match self {
            Self::Activity {
                body,
                service_url,
                is_verified,
                ..
            } => AcceptedWork {
                kind: WorkKind::Activity as i32,
                body: body.clone(),
                service_url: service_url.clone(),
                is_verified: *is_verified,
                ..AcceptedWork::default()
            },
            Self::Signal { name, key, payload } => AcceptedWork {
                kind: WorkKind::Signal as i32,
                body: payload.clone(),
                name: name.clone(),
                key: key.clone(),
                ..AcceptedWork::default()
            },
            Self::Sent { sequence, activity_id } => AcceptedWork {
                kind: WorkKind::Sent as i32,
                key: activity_id.clone(),
                sequence: *sequence,
                ..AcceptedWork::default()
            },
            Self::Failed(failure) => {
                let (key, sequence) = match &failure.what {
                    FailedWork::Send(sent) => (String::new(), sent.0),
                    FailedWork::Turn(route) => (route.clone(), 0),
                    _ => (String::new(), 0),
                };
                AcceptedWork {
                    kind: WorkKind::Failed as i32,
                    name: failure.reference.clone(),
                    key,
                    sequence,
                    attempts: failure.attempts,
                    ..AcceptedWork::default()
                }
            }
            Self::Change { name, change } => AcceptedWork {
                kind: WorkKind::Change as i32,
                body: change.clone(),
                name: name.clone(),
                ..AcceptedWork::default()
            },
            Self::Call(event) => AcceptedWork {
                kind: WorkKind::Call as i32,
                body: event.clone(),
                ..AcceptedWork::default()
            },
            Self::StartCall(start) => AcceptedWork {
                kind: WorkKind::StartCall as i32,
                body: start.payload.clone(),
                service_url: start.service_url.clone(),
                name: start.name.clone(),
                key: start.key.clone(),
                tenant: start.tenant.clone(),
                call: start.call.clone(),
                ..AcceptedWork::default()
            },
        }
    }

    /// Reads the stored form.
    pub fn from_accepted(stored: AcceptedWork) -> Self {
        match stored.kind() {
            WorkKind::Activity => Self::Activity {
                body: stored.body,
                service_url: stored.service_url,
                is_verified: stored.is_verified,
                parsed: None,
            },
            WorkKind::Signal => Self::Signal {
                name: stored.name,
                key: stored.key,
                payload: stored.body,
            },
            WorkKind::Sent => Self::Sent {
                sequence: stored.sequence,
                activity_id: stored.key,
            },
            WorkKind::Failed => Self::Failed(Failure {
                what: if stored.sequence == 0 {
                    FailedWork::Turn(stored.key)
                } else {
                    FailedWork::Send(SentRef(stored.sequence))
                },
                attempts: stored.attempts,
                reference: stored.name,
            }),
            WorkKind::Change => Self::Change {
                name: stored.name,
                change: stored.body,
            },
            WorkKind::Call => Self::Call(stored.body),
            WorkKind::StartCall => Self::StartCall(Box::new(StartCall {
                tenant: stored.tenant,
                service_url: stored.service_url,
                call: stored.call,
                name: stored.name,
                key: stored.key,
                payload: stored.body,
            })),
        }
    }
}
