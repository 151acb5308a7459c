//! The live sound of an actor's leg: who gets it, and the room on a codec thread that it has.

use std::sync::{Arc, Weak};

use tokio::sync::oneshot;

use super::Actor;
use crate::codecs::{Frames, Mouth, NoCodecs, Purpose, Seat};
use crate::control::Admission;
use crate::thread::LegError;

/// What is heard on a leg, and where one speaks on it, if one does.
pub(crate) type Followed = (Frames, Option<Mouth>);

/// Where the sound of a leg goes, or why it does not.
pub(crate) type FollowReply = oneshot::Sender<Result<Followed, FollowRefusal>>;

/// Why an owner does not get the sound of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FollowRefusal {
    #[error("the leg has a newer owner")]
    Fenced,
    #[error("the leg has no peer yet, or has ended")]
    NoPeer,
    #[error("the host has no time for it")]
    Busy,
    #[error(transparent)]
    NoCodecs(#[from] NoCodecs),
}

/// What an actor keeps for the live sound of its leg.
pub(super) struct LiveSound {
    /// An owner that wants it when there is a peer.
    waits: Option<(u64, FollowReply)>,
    /// Room that was kept when the leg was opened: until it ends.
    kept: Option<Arc<Seat>>,
    /// The room of whoever follows now: who comes after has the same.
    in_use: Weak<Seat>,
    /// Nothing is said on it.
    hears_only: bool,
}

impl LiveSound {
    pub(super) fn of(kept: Option<Arc<Seat>>, hears_only: bool) -> Self {
        Self {
            waits: None,
            kept,
            in_use: Weak::new(),
            hears_only,
        }
    }
}

impl Actor {
    /// Gives the sound of the leg to an owner. Where there is no peer yet it waits, in the place of whoever waited before.
    pub(super) async fn follow(&mut self, epoch: u64, reply: FollowReply) {
        if self.key.is_none() {
            self.live.waits = Some((epoch, reply));
            return;
        }
        // Whoever asked may have gone.
        let _ = reply.send(self.followed(epoch).await);
    }

    /// The leg has a peer, and its codec is known.
    pub(super) async fn has_peer(&mut self) {
        if let (Some(seat), Some((_, codec))) = (&self.live.kept, self.key) {
            seat.lower_to(Purpose::sum(Purpose::followed(codec, self.live.hears_only)));
        }
        if let Some((epoch, reply)) = self.live.waits.take() {
            let _ = reply.send(self.followed(epoch).await);
        }
    }

    async fn followed(&mut self, epoch: u64) -> Result<Followed, FollowRefusal> {
        if let Admission::Fenced(_) = self.ownership.admit(epoch, 0) {
            self.host.tally.fenced_one();
            return Err(FollowRefusal::Fenced);
        }
        let (key, codec) = self.key.ok_or(FollowRefusal::NoPeer)?;
        let codecs = &self.host.codecs;
        let known = self.live.kept.clone().or_else(|| self.live.in_use.upgrade());
        let hears_only = self.live.hears_only;
        let seat = known.map_or_else(|| codecs.seat(Purpose::followed(codec, hears_only)), Ok)?;
        let (ear, frames, speech) = if hears_only {
            let (ear, frames) = codecs.hear(codec, &seat)?;
            (ear, frames, None)
        } else {
            let live = codecs.live(codec, &seat)?;
            (live.ear, live.frames, Some((live.mouth, live.voice)))
        };
        let (mouth, voice) = speech.unzip();
        self.live.in_use = Arc::downgrade(&seat);
        let media = self.host.media.of(key).map_err(|_| FollowRefusal::NoPeer)?;
        match media.set_live(key, ear, voice).await {
            Ok(()) => Ok((frames, mouth)),
            Err(LegError::Busy) => Err(FollowRefusal::Busy),
            Err(_) => Err(FollowRefusal::NoPeer),
        }
    }
}
