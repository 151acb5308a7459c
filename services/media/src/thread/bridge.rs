//! Bridges between two legs: on one thread, over two, and through a codec thread.
//!
//! On one thread what a leg hears is handed to the other. Over two it goes through a bounded ring of the other leg's thread, and
//! between two codecs it goes through a codec thread to that ring. Each end of such a bridge holds [`Across`]: whichever is dropped
//! first, by the end of its leg or by another bridge, ends the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;

use mio::Waker;

use super::command::Command;
use super::figures::count;
use super::{Figures, LegError, LegKey, MediaThread, MediaThreads};
use crate::codecs::{Codecs, Purpose, Seat, Transcoder};
use crate::leg::Bridged;

/// What may be under way to a thread: a second of forty bridged legs. Beyond it audio is lost, and counted.
pub(super) const RING: usize = 2_048;

/// Something for a leg, of the leg that it is bridged with.
pub(super) struct Crossing {
    pub(super) to: LegKey,
    pub(super) from: LegKey,
    /// `None`: the other end is no more.
    pub(super) what: Option<Bridged>,
}

/// The way to the legs of a thread for what they hear from legs elsewhere.
#[derive(Clone)]
pub(super) struct Ring {
    pub(super) crossings: SyncSender<Crossing>,
    pub(super) waker: Arc<Waker>,
    pub(super) figures: Arc<Figures>,
}

impl Ring {
    /// Never waits.
    fn send(&self, crossing: Crossing) {
        if self.crossings.try_send(crossing).is_err() {
            count(&self.figures.bridged_lost);
        }
        // A thread that cannot be woken looks up within a second all the same.
        let _ = self.waker.wake();
    }
}

/// How a leg reaches the one that it is bridged with.
pub(super) enum Bridge {
    /// On the same thread, in the same codec.
    Here(LegKey),
    /// In any other way.
    Across(Across),
}

impl Bridge {
    pub(super) fn other(&self) -> LegKey {
        match self {
            Self::Here(other) => *other,
            Self::Across(across) => across.other,
        }
    }
}

/// One end of a bridge over two threads, or between two codecs.
pub(super) struct Across {
    own: LegKey,
    other: LegKey,
    ring: Ring,
    transcoder: Option<Transcoder>,
    is_over: Arc<AtomicBool>,
}

impl Across {
    /// Carries what the own leg hears to the other one.
    pub(super) fn carry(&mut self, bridged: Bridged) {
        match (&mut self.transcoder, bridged) {
            (Some(transcoder), Bridged::Audio(frame)) => transcoder.take(frame),
            (_, bridged) => self.ring.send(Crossing {
                to: self.other,
                from: self.own,
                what: Some(bridged),
            }),
        }
    }

    /// Whether the other end is no more.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }
}

impl Drop for Across {
    fn drop(&mut self) {
        // Where the ring is full the other end looks at this when its leg is next due.
        if !self.is_over.swap(true, Ordering::AcqRel) {
            self.ring.send(Crossing {
                to: self.other,
                from: self.own,
                what: None,
            });
        }
    }
}

impl MediaThreads {
    /// Joins two legs, each of which hears the other from then on, wherever they are and whatever they speak. Two codecs need
    /// room on a codec thread for both directions.
    ///
    /// # Errors
    /// One of them is gone, they are one, a thread is late, or there is no room for codecs; then nothing has changed.
    pub async fn bridge(&self, one: LegKey, other: LegKey, codecs: &Codecs) -> Result<(), LegError> {
        if one == other {
            return Err(LegError::SameLeg);
        }
        let (here, there) = (self.of(one)?, self.of(other)?);
        let (from, to) = (here.codec(one).await?, there.codec(other).await?);
        if from == to && one.thread == other.thread {
            return here.ask(|reply| Command::Bridge { one, other, reply }).await;
        }
        let seat = (from != to).then(|| codecs.seat(&[Purpose::Transcode(from, to), Purpose::Transcode(to, from)]));
        let seat = seat.transpose()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let end = |own: LegKey, other: LegKey, thread: &MediaThread, ways| {
            let transcoder = seat
                .as_ref()
                .map(|seat| transcoder(codecs, seat, ways, (own, other), thread.ring()));
            Ok::<_, LegError>(Across {
                own,
                other,
                ring: thread.ring(),
                transcoder: transcoder.transpose()?,
                is_over: is_over.clone(),
            })
        };
        let (first, second) = (end(one, other, there, (from, to))?, end(other, one, here, (to, from))?);
        here.across(one, first).await?;
        // If it fails its end is dropped, which ends the first.
        there.across(other, second).await
    }
}

fn transcoder(
    codecs: &Codecs,
    seat: &Arc<Seat>,
    (from, to): (crate::codec::Codec, crate::codec::Codec),
    (own, other): (LegKey, LegKey),
    ring: Ring,
) -> Result<Transcoder, LegError> {
    let outlet = move |frame| {
        ring.send(Crossing {
            to: other,
            from: own,
            what: Some(Bridged::Audio(frame)),
        });
    };
    Ok(codecs.transcode(from, to, seat, Box::new(outlet))?)
}
