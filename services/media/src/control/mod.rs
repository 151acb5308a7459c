//! The control half of legs: who owns them, what they are told, what their peers ask over HTTP.
//!
//! Each leg has an actor, a task with a mailbox, which lives from `open` to the leg's last event. It holds two values that decide
//! ([`Ownership`] towards workers, [`crate::whip::Session`] towards the peer) and carries out what they allow on the media
//! thread. The [`Host`] finds actors; it knows nothing of what they do.

mod actor;
mod answers;
mod clips;
mod commands;
mod host;
mod orders;
mod ownership;
mod service;
mod setups;
mod sound;
mod tally;
mod watch;

pub use actor::Wish;
pub(crate) use actor::{Message, Patched, PeerRefusal};
pub use clips::Clip;
pub use host::{Host, HostConfig, LegId, NotOpened, OpenedLeg, StartError, Wishes};
pub use orders::{AnswerOrder, Order, Outcome, Reason};
pub use ownership::{Admission, Happening, Numbered, ORPHANED_AFTER, Ownership, RecordedFile};
pub use service::MediaService;
pub use setups::{Setups, Step};
pub use tally::Tally;
pub use watch::{Alarm, Seen, Watch};
