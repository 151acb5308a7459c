//! The actor of one leg.

mod keys;
mod live;
mod loading;
mod message;
mod obey;
mod queue;
mod recordings;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

pub(crate) use self::live::FollowRefusal;
use self::live::LiveSound;
use self::loading::{Load, Refusal, loaded};
pub use self::message::Wish;
pub(crate) use self::message::{Answered, Attached, Listener, Message, Patched, PeerRefusal, Verdict};
use self::obey::refusal;
use self::queue::Queue;
use super::answers::{Answers, EndedAnswer};
use super::host::{Host, LegId};
use super::setups::Setup;
use super::{Admission, Happening, Ownership, Step, Watch};
use crate::codec::Codec;
use crate::codecs::Seat;
use crate::leg::{EndReason, LegEvent};
use crate::record::Direction;
use crate::sdp::{Answer, Fragment, Offer};
use crate::thread::{LegError, LegKey, OpenError};
use crate::whip::{Patch, Session, SessionRefusal};

/// How often time alone is looked at: tokens that expire, owners that do not come back.
const TICK: Duration = Duration::from_secs(1);
/// How often the figures of a leg are looked at, once a packet has gone and come.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The end of a leg is told so late at most, when the disk is slow with the last pages of its recordings.
const LAST_PAGES: Duration = Duration::from_secs(5);

pub(super) struct Actor {
    host: Arc<Host>,
    leg: LegId,
    codecs: Vec<Codec>,
    session: Session,
    ownership: Ownership,
    listener: Option<Listener>,
    key: Option<(LegKey, Codec)>,
    location: Option<String>,
    tenant: String,
    /// A policy demands that the call is recorded, and that this was confirmed before.
    is_compliance: bool,
    tells_speech: bool,
    /// Keys are found in the sound.
    hears_keys: bool,
    is_continuous: bool,
    live: LiveSound,
    /// The leg that it will be bridged with.
    near: Option<LegId>,
    answers: Answers,
    setup: Setup,
    /// Of a leg with keys: what its figures say, and when they are looked at next.
    watch: Option<(Watch, Instant)>,
    /// Orders that are not carried out yet: what the first of them needs is loaded.
    waiting: Queue,
    loading: Option<Load>,
    /// Directions that are being recorded, and until when the end of the leg waits for them.
    recording: Vec<(u64, Direction)>,
    ending: Option<(LegEvent, Instant)>,
    own_mailbox: mpsc::WeakSender<Message>,
}

impl Actor {
    pub(super) fn new(
        host: Arc<Host>,
        leg: LegId,
        wish: Wish,
        session: Session,
        seat: Option<Arc<Seat>>,
        own_mailbox: mpsc::WeakSender<Message>,
    ) -> Self {
        let ownership = Ownership::new(wish.epoch, host.orphaned_after, Instant::now());
        Self {
            host,
            leg,
            codecs: wish.codecs,
            session,
            ownership,
            listener: None,
            key: None,
            location: None,
            tenant: wish.tenant,
            is_compliance: wish.is_compliance,
            tells_speech: wish.tells_speech,
            hears_keys: false,
            is_continuous: wish.is_continuous,
            live: LiveSound::of(seat, wish.hears_only),
            near: wish.near,
            answers: Answers::default(),
            setup: Setup::new(Instant::now()),
            watch: None,
            waiting: Queue::default(),
            loading: None,
            recording: Vec::new(),
            ending: None,
            own_mailbox,
        }
    }

    pub(super) async fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let is_over = tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.message(message).await,
                    None => true,
                },
                loaded = loaded(&mut self.loading) => {
                    self.has_loaded(loaded).await;
                    false
                }
                _ = ticks.tick() => self.tick().await,
            };
            if is_over {
                break;
            }
        }
        self.give_up_waiting();
        self.host.forget(&self.leg, self.location.as_deref());
    }

    /// Carries a message out; `true` when the leg has ended. Who asked may have gone: then nobody is answered.
    async fn message(&mut self, message: Message) -> bool {
        match message {
            Message::Post { bearer, offer, reply } => {
                let _ = reply.send(self.post(&bearer, &offer).await);
            }
            Message::Patch {
                bearer,
                condition,
                fragment,
                reply,
            } => {
                let _ = reply.send(self.patch(&bearer, condition.as_deref(), &fragment).await);
            }
            Message::Delete { bearer, reply } => {
                let deleted = self.session.delete(&bearer).map_err(PeerRefusal::from);
                let is_over = deleted.is_ok() && self.end(EndReason::PeerHungUp).await;
                let _ = reply.send(deleted);
                return is_over;
            }
            Message::Order {
                epoch,
                operation,
                order,
                reply,
            } => return self.order(epoch, operation, order, reply).await,
            Message::Attach {
                epoch,
                last_event,
                listener,
                reply,
            } => {
                let _ = reply.send(self.attach(epoch, last_event, listener));
            }
            Message::Follow { epoch, reply } => self.follow(epoch, reply).await,
            Message::End(reason) => return self.end(reason).await,
            Message::EndsWithin(time) => self.tell(Happening::HostEnds(time)),
            Message::Event(event) => return self.event(event),
            Message::AnswerWritten {
                operation,
                file,
                sha256,
            } => {
                let ended = self.answers.written(operation, file, sha256);
                self.tell_answers(ended);
            }
            Message::RecordingEnded {
                operation,
                direction,
                result,
            } => return self.recording_ended(operation, direction, result),
        }
        false
    }

    /// Tells an event; `true` when it was the last.
    fn event(&mut self, event: LegEvent) -> bool {
        let is_over = matches!(event, LegEvent::Ended(_));
        self.is_set_up_by(&event);
        if let LegEvent::Answered { operation, reason } = event {
            let ended = self.answers.ended(operation, reason);
            self.tell_answers(ended);
            return false;
        }
        if is_over {
            self.give_up_waiting();
            // Nobody is there to be told later.
            let ended = self.answers.cut();
            self.tell_answers(ended);
        }
        if is_over && !self.recording.is_empty() {
            // Whoever asked for a recording hears of its files before the end, which is the last that is heard.
            self.ending = Some((event, Instant::now() + LAST_PAGES));
            return false;
        }
        self.tell(Happening::Leg(event));
        is_over
    }

    fn is_set_up_by(&mut self, event: &LegEvent) {
        let now = Instant::now();
        let setups = self.host.tally.setups();
        match event {
            LegEvent::Nominated { .. } => self.setup.did(Step::Check, now, setups),
            LegEvent::Connected => {
                self.setup.did(Step::Handshake, now, setups);
                self.watch = Some((Watch::new(now), now + TICK));
            }
            _ => {}
        }
    }

    /// Looks at the figures of a leg with keys; a thread that has no time for it is asked again.
    async fn look_at_figures(&mut self, now: Instant) {
        let (Some((key, _)), Some((_, due))) = (self.key, &self.watch) else {
            return;
        };
        if *due > now || self.ending.is_some() {
            return;
        }
        let Ok(media) = self.host.media.of(key) else { return };
        let Ok(figures) = media.statistics(key).await else {
            return;
        };
        let Some((watch, due)) = &mut self.watch else { return };
        let seen = watch.look(&figures, now);
        *due = now + if watch.has_seen_both() { LOOK_EVERY } else { TICK };
        for seen in seen {
            self.tell(Happening::Seen(seen));
        }
    }

    fn tell_answers(&mut self, ended: impl IntoIterator<Item = EndedAnswer>) {
        for EndedAnswer {
            operation,
            reason,
            kept,
        } in ended
        {
            let clip = kept.map(|(file, sha256)| (self.host.clips.add(file, Instant::now()), sha256));
            self.tell(Happening::Answered {
                operation,
                reason,
                clip,
            });
        }
    }

    async fn tick(&mut self) -> bool {
        let now = Instant::now();
        if let Some((event, _)) = self.ending.take_if(|(_, until)| *until <= now) {
            self.tell(Happening::Leg(event));
            return true;
        }
        if self.listener.as_ref().is_none_or(mpsc::Sender::is_closed) {
            self.listener = None;
            self.ownership.detached(now);
        }
        if self.session.is_expired(now) || self.ownership.is_orphaned(now) {
            return self.end(EndReason::Orphaned).await;
        }
        self.look_at_figures(now).await;
        false
    }

    /// Ends the leg. With a peer the thread tells the end, which is then the last message; `true` if there is no thread to tell.
    async fn end(&mut self, reason: EndReason) -> bool {
        if self.ending.is_some() {
            // It has ended: the last pages are on their way to the disk.
            return false;
        }
        self.give_up_waiting();
        if let Some((key, _)) = self.key
            && let Ok(media) = self.host.media.of(key)
            && media.close(key, reason).await.is_ok()
        {
            return false;
        }
        self.tell(Happening::Leg(LegEvent::Ended(reason)));
        true
    }

    fn tell(&mut self, event: Happening) {
        self.host.tally.happened(&event);
        let numbered = self.ownership.happened(event);
        let Some(listener) = &self.listener else { return };
        // An owner that does not keep up is cut: it attaches again and hears what it missed.
        if listener.try_send((self.leg.clone(), numbered)).is_err() {
            self.listener = None;
            self.ownership.detached(Instant::now());
        }
    }

    async fn post(&mut self, bearer: &str, offer: &str) -> Result<Answered, PeerRefusal> {
        self.session.may_post(bearer, Instant::now())?;
        let refused = |error| PeerRefusal::Offer(error);
        let read = Offer::read(offer).and_then(|offer| Ok((offer.negotiate(&self.codecs)?, offer)));
        let (negotiated, offer) = match read {
            Ok(read) => read,
            Err(error) => {
                self.session.offer_refused();
                return Err(refused(error));
            }
        };
        let opened = self
            .host
            .media
            .open(negotiated.clone(), self.near())
            .await
            .map_err(|error| match error {
                OpenError::Full | OpenError::Busy | OpenError::NoPort => PeerRefusal::NoRoom,
            })?;
        let answer = Answer {
            offer: &offer,
            negotiated: &negotiated,
            session: rand::random::<u64>() >> 1 | 1,
            credentials: &opened.credentials,
            fingerprint: self.host.identity.fingerprint(),
            source: opened.source,
            candidates: &opened.candidates,
        };
        let answer = answer.to_string();
        self.key = Some((opened.leg, negotiated.codec));
        let location = self.host.has_peer(&self.leg, opened.leg);
        self.location = Some(location.clone());
        self.session.established();
        self.setup.did(Step::Offer, Instant::now(), self.host.tally.setups());
        self.tell(Happening::Offered);
        if self.tells_speech
            && let Err((_, error)) = self.tell_speech(opened.leg, true).await
        {
            tracing::error!(leg = %self.leg, error, "speech on a leg is not told");
        }
        if self.is_continuous {
            self.be_continuous(opened.leg).await;
        }
        if negotiated.tones.is_none() {
            self.hear_keys_if_there_is_room(opened.leg, negotiated.codec).await;
        }
        self.has_peer().await;
        Ok(Answered {
            location,
            tag: self.session.tag(),
            answer,
        })
    }

    async fn be_continuous(&self, key: LegKey) {
        let be = async { self.host.media.of(key)?.be_continuous(key).await };
        if let Err(error) = be.await {
            tracing::error!(leg = %self.leg, %error, "a leg is not continuous");
        }
    }

    async fn tell_speech(&self, key: LegKey, is_told: bool) -> Result<(), Refusal> {
        let media = self.host.media.of(key).map_err(refusal)?;
        media.hear_speech(key, &self.host.codecs).await.map_err(refusal)?;
        media.tell_speech(key, is_told).await.map_err(refusal)
    }

    fn near(&self) -> Option<LegKey> {
        self.host.key_of(self.near.as_ref()?)
    }

    async fn patch(&mut self, bearer: &str, condition: Option<&str>, text: &str) -> Result<Patched, PeerRefusal> {
        if self.session.may_patch(bearer, condition)? == Patch::Candidates {
            return Ok(Patched::NothingToDo);
        }
        let fragment = Fragment::read(text).map_err(PeerRefusal::Offer)?;
        let (key, _) = self.key.ok_or(SessionRefusal::NotFound)?;
        let restart = async { self.host.media.of(key)?.restart(key, fragment.peer_fragment).await };
        let credentials = restart.await.map_err(|error| match error {
            LegError::Busy => PeerRefusal::NoRoom,
            _ => PeerRefusal::Session(SessionRefusal::NotFound),
        })?;
        self.session.restarted();
        Ok(Patched::Restarted {
            tag: self.session.tag(),
            fragment: Fragment::answer(&credentials).to_string(),
        })
    }

    fn attach(&mut self, epoch: u64, last_event: u64, listener: Listener) -> Result<Attached, u64> {
        // Attaching is no operation: it may be repeated.
        if let Admission::Fenced(highest) = self.ownership.admit(epoch, 0) {
            self.host.tally.fenced_one();
            return Err(highest);
        }
        self.listener = Some(listener);
        self.ownership.attached();
        let (missed, events_lost) = self.ownership.after(last_event);
        Ok(Attached {
            missed,
            events_lost,
            has_peer: self.session.has_peer(),
            last_operation: self.ownership.last_operation(self.waiting.lowest_operation()),
        })
    }
}
