//! From an entry of the record to what is asked of the Connector or of another actor.

use bytes::Bytes;
use trunkline_store::key::{ActorKind, Triple};

use super::{Fallback, Unsendable};
use crate::conversation::{StartCall, Work};
use crate::record::{Entry, EntryKind, Names, Place, PlaceKind, Record};

/// A try of one entry.
#[derive(Clone, Debug)]
pub struct SendWork {
    /// Which entry.
    pub sequence: u64,
    /// When its turn asked for it: with the sequence it names the entry also where a store that failed over gave that out again.
    pub queued_ms: u64,
    /// What to do.
    pub operation: Operation,
    /// Trace context of the turn that asked for it.
    pub traceparent: String,
}

/// A conversation and the Connector that serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Base of the Connector.
    pub service_url: String,
    /// Conversation id.
    pub conversation: String,
    /// Whether a verified activity named that Connector.
    pub is_verified: bool,
}

/// What a try does.
#[derive(Clone, Debug)]
pub enum Operation {
    /// A new message in a conversation that exists.
    Post {
        /// Where.
        target: Target,
        /// The activity as JSON.
        body: Bytes,
        /// Only its recipient sees it.
        targeted: bool,
    },
    /// A new message to a person, whose chat is created first: the same member always gets the same chat.
    PostToPerson {
        /// Base of the Connector.
        service_url: String,
        /// Entra tenant id.
        tenant: String,
        /// The person.
        person: String,
        /// The activity as JSON.
        body: Bytes,
    },
    /// A message that begins a thread of a channel.
    PostThread {
        /// Base of the Connector.
        service_url: String,
        /// Entra tenant id.
        tenant: String,
        /// The channel.
        channel: String,
        /// The activity as JSON.
        body: Bytes,
    },
    /// The final text of a stream.
    FinishStream {
        /// Where.
        target: Target,
        /// Id of the stream, which is the message's.
        stream_id: String,
        /// When the stream began, in milliseconds since 1970.
        began_ms: u64,
        /// The activity as JSON.
        body: Bytes,
    },
    /// A message of the bot is replaced.
    Put {
        /// Where.
        target: Target,
        /// Which message.
        message: String,
        /// The activity as JSON.
        body: Bytes,
    },
    /// A message of the bot is deleted.
    Delete {
        /// Where.
        target: Target,
        /// Which message.
        message: String,
    },
    /// An actor of ours is told something, once.
    Tell {
        /// Whom.
        triple: Triple,
        /// What.
        work: Work,
    },
}

impl Operation {
    /// For spans and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Post { .. } => "post",
            Self::PostToPerson { .. } => "post to person",
            Self::PostThread { .. } => "post thread",
            Self::FinishStream { .. } => "finish stream",
            Self::Put { .. } => "put",
            Self::Delete { .. } => "delete",
            Self::Tell { .. } => "tell",
        }
    }
}

/// What an entry asks for, with the ids filled in that only sending can know.
pub(super) fn of_entry(entry: &Entry, record: &Record, fallback: Fallback) -> Result<SendWork, Unsendable> {
    let names = record.names.clone().unwrap_or_default();
    let operation = match entry.kind() {
        EntryKind::Send => send(entry, record, &names, fallback),
        EntryKind::Update | EntryKind::Delete => replace(entry, record, &names),
        EntryKind::Signal => signal(entry, &names),
        EntryKind::StartCall => start_call(entry, &names),
        // Goes to Graph or the leg, by the actor's own lane for it.
        EntryKind::Call | EntryKind::Hosted => Err("an operation on a call is not sent from here"),
        EntryKind::ChangeUser => Ok(Operation::Tell {
            triple: Triple {
                kind: ActorKind::Person,
                bot: names.bot,
                tenant: record.tenant().to_owned(),
                conversation: format!("{}/{}", entry.name, entry.key),
            },
            work: Work::Change {
                name: entry.name.clone(),
                change: entry.body.clone(),
            },
        }),
    };
    operation
        .map(|operation| SendWork {
            sequence: entry.sequence,
            queued_ms: entry.queued_ms,
            operation,
            traceparent: entry.traceparent.clone(),
        })
        .map_err(|reason| Unsendable {
            sequence: entry.sequence,
            reason: reason.to_owned(),
        })
}

fn here(record: &Record, names: &Names) -> Target {
    Target {
        service_url: record.service_url.clone(),
        conversation: names.conversation.clone(),
        is_verified: record.is_verified,
    }
}

fn send(entry: &Entry, record: &Record, names: &Names, fallback: Fallback) -> Result<Operation, &'static str> {
    let body = entry.body.clone();
    let place = entry.to.as_ref();
    let target = match place {
        None => here(record, names),
        Some(place) => match place.kind() {
            PlaceKind::Conversation => target_of(place),
            PlaceKind::Call => return Err("a message cannot be sent to a call"),
            PlaceKind::Person => {
                return Ok(Operation::PostToPerson {
                    service_url: place.service_url.clone(),
                    tenant: place.tenant.clone(),
                    person: place.id.clone(),
                    body,
                });
            }
            PlaceKind::Channel => {
                return Ok(Operation::PostThread {
                    service_url: place.service_url.clone(),
                    tenant: place.tenant.clone(),
                    channel: place.id.clone(),
                    body,
                });
            }
        },
    };
    if target.service_url.is_empty() {
        return Err("no activity has told the service URL of this conversation yet");
    }
    if entry.stream_id.is_empty() || fallback == Fallback::Message {
        return Ok(Operation::Post {
            target,
            body,
            targeted: entry.targeted,
        });
    }
    let stream_id = entry.stream_id.clone();
    Ok(match fallback {
        Fallback::Update => Operation::Put {
            target,
            message: stream_id,
            body,
        },
        Fallback::None | Fallback::Message => Operation::FinishStream {
            target,
            stream_id,
            began_ms: entry.stream_began_ms,
            body,
        },
    })
}

fn replace(entry: &Entry, record: &Record, names: &Names) -> Result<Operation, &'static str> {
    let mut target = here(record, names);
    let message = if entry.message_sequence == 0 {
        entry.message_id.clone()
    } else {
        let sent = record
            .sent_id(entry.message_sequence)
            .ok_or("the message was not sent, or so long ago that its id is forgotten")?;
        if !sent.conversation.is_empty() {
            target = Target {
                service_url: sent.service_url.clone(),
                conversation: sent.conversation.clone(),
                is_verified: false,
            };
        }
        sent.id.clone()
    };
    Ok(if entry.kind() == EntryKind::Update {
        Operation::Put {
            target,
            message,
            body: entry.body.clone(),
        }
    } else {
        Operation::Delete { target, message }
    })
}

fn signal(entry: &Entry, names: &Names) -> Result<Operation, &'static str> {
    let triple = match &entry.to {
        None => names
            .to_triple()
            .ok_or("this build does not know the kind of its own actor")?,
        Some(place) => match place.kind() {
            PlaceKind::Conversation => Triple::conversation(&names.bot, &place.tenant, &place.id),
            PlaceKind::Call => Triple::call(&names.bot, &place.id),
            PlaceKind::Person | PlaceKind::Channel => {
                return Err("a signal goes to a conversation that exists or to a call, not to a person or a channel");
            }
        },
    };
    Ok(Operation::Tell {
        triple,
        work: Work::Signal {
            name: entry.name.clone(),
            key: entry.key.clone(),
            payload: entry.body.clone(),
        },
    })
}

fn start_call(entry: &Entry, names: &Names) -> Result<Operation, &'static str> {
    let place = entry.to.as_ref().ok_or("a call that begins has a key")?;
    Ok(Operation::Tell {
        triple: Triple::call(&names.bot, &place.id),
        work: Work::StartCall(Box::new(StartCall {
            tenant: place.tenant.clone(),
            service_url: place.service_url.clone(),
            call: entry.call.clone(),
            name: entry.name.clone(),
            key: entry.key.clone(),
            payload: entry.body.clone(),
        })),
    })
}

fn target_of(place: &Place) -> Target {
    Target {
        service_url: place.service_url.clone(),
        conversation: place.id.clone(),
        is_verified: false,
    }
}
