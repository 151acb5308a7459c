//! A media host: its media threads, its legs, and how they are found.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Tally;
use super::actor::{Actor, Message, Wish};
use super::clips::{ClipError, Clips, wav_of};
use crate::codec::Codec;
use crate::codecs::{Codecs, NoCodecs, Purpose};
use crate::dtls::{Identity, IdentityError};
use crate::leg::EndReason;
use crate::prompt::{Library, StandIn};
use crate::record::{HandOn, Recorder, RecorderConfig, RecorderError};
use crate::thread::{Events, LegKey, MediaThreads, ThreadConfig};
use crate::whip::Session;

/// Messages that may wait for a leg's actor.
const MAILBOX: usize = 1_024;
/// Characters of identifiers and tokens: 6 bits each, safe in paths.
const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// 128 bits and more.
pub(super) const IDENTIFIER: usize = 22;
/// 256 bits and more.
pub(super) const TOKEN: usize = 43;

/// Names a leg in commands and in the address of its offer. It begins with the incarnation of its host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LegId(pub(super) String);

impl LegId {
    /// A leg's name as it came.
    pub fn of(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for LegId {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str(&self.0)
    }
}

/// The settings of a host.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Its media threads together: ports and legs are divided among them.
    pub thread: ThreadConfig,
    /// How many there are.
    pub threads: u8,
    /// Its codec threads.
    pub codec_threads: u8,
    /// Where prompts are.
    pub prompts: PathBuf,
    /// What is played in the place of a prompt whose file is not there; `None` refuses to play it.
    pub stand_in: Option<StandIn>,
    /// Where recordings go.
    pub recordings: PathBuf,
    /// So long they are kept after they were last written; `None` for ever.
    pub retention: Option<Duration>,
    /// Directory of the keys that they are encrypted with ([`crate::record::Keys`]); `None` leaves them as they are.
    pub keys: Option<PathBuf>,
    /// What is done with each finished part of them; `None` for nothing.
    pub hand_on: Option<HandOn>,
    /// Whether a file of both directions is made of each recording that has ended.
    pub mixes: bool,
    /// A leg that no worker is attached to ends after so long; [`super::ORPHANED_AFTER`].
    pub orphaned_after: Duration,
}

/// Why a host did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The certificate of the legs.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Sockets or threads.
    #[error("the threads of media cannot be started")]
    Io(#[from] std::io::Error),
    /// The recorder, or its keys.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
}

/// Why a leg was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// As many legs as the host may have wait for a peer or have one.
    #[error("the host has as many legs as it may have")]
    Full,
    /// The host is about to end.
    #[error("the host takes no new legs: it is about to end")]
    Draining,
    /// Its sound will be followed, and the codec threads have as much to do as they can.
    #[error(transparent)]
    NoCodecs(#[from] NoCodecs),
}

/// What became of wishes for legs since the start.
#[derive(Debug, Default)]
pub struct Wishes {
    opened: AtomicU64,
    full: AtomicU64,
    draining: AtomicU64,
    no_codecs: AtomicU64,
}

impl Wishes {
    /// Legs that were opened.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Wishes that were refused for this reason.
    pub fn refused(&self, reason: NotOpened) -> u64 {
        self.of(reason).load(Ordering::Relaxed)
    }

    fn of(&self, reason: NotOpened) -> &AtomicU64 {
        match reason {
            NotOpened::Full => &self.full,
            NotOpened::Draining => &self.draining,
            NotOpened::NoCodecs(_) => &self.no_codecs,
        }
    }
}

/// A leg that waits for its peer.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedLeg {
    /// Its name; its offer goes to `/legs/` and this.
    pub leg: LegId,
    /// The peer's bearer token, valid for [`Host::token_valid`]. A secret.
    pub token: String,
}

impl fmt::Debug for OpenedLeg {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenedLeg")
            .field("leg", &self.leg)
            .field("token", &"...")
            .finish()
    }
}

pub(super) type Mailbox = mpsc::Sender<Message>;

/// How legs are found.
#[derive(Default)]
struct Registry {
    by_name: HashMap<LegId, Mailbox>,
    by_location: HashMap<String, Mailbox>,
    by_key: HashMap<LegKey, Mailbox>,
    keys: HashMap<LegId, LegKey>,
}

/// A media host.
pub struct Host {
    pub(super) media: MediaThreads,
    pub(super) identity: Arc<Identity>,
    pub(super) library: Arc<Library>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) codecs: Codecs,
    pub(super) clips: Clips,
    pub(super) tally: Tally,
    public_address: OnceLock<String>,
    pub(super) orphaned_after: Duration,
    token_valid: Duration,
    registry: Mutex<Registry>,
    incarnation: u64,
    limit: usize,
    is_draining: AtomicBool,
    wishes: Wishes,
    /// The end of the streams of workers.
    pub(super) closing: CancellationToken,
}

impl Host {
    /// Starts the threads of a host, and the task that carries events to the actors. Within a tokio runtime.
    pub fn start(config: HostConfig) -> Result<Arc<Self>, StartError> {
        let identity = Identity::generate()?;
        let limit = config.thread.legs as usize;
        let (media, events) = MediaThreads::start(&config.thread, config.threads, &identity)?;
        let host = Arc::new(Self {
            media,
            identity,
            library: Arc::new(Library::new(config.prompts, Library::DEFAULT_LIMIT).with_stand_in(config.stand_in)),
            recorder: Arc::new(Recorder::start(RecorderConfig {
                retention: config.retention,
                keys: config.keys,
                hand_on: config.hand_on,
                is_mixed: config.mixes,
                ..RecorderConfig::new(config.recordings)
            })?),
            codecs: Codecs::start(config.codec_threads)?,
            clips: Clips::default(),
            tally: Tally::default(),
            public_address: OnceLock::new(),
            orphaned_after: config.orphaned_after,
            token_valid: config.thread.patience.offer,
            registry: Mutex::default(),
            incarnation: rand::random(),
            limit,
            is_draining: AtomicBool::new(false),
            wishes: Wishes::default(),
            closing: CancellationToken::new(),
        });
        tokio::spawn(carry_events(Arc::downgrade(&host), events));
        Ok(host)
    }

    /// What writes its recordings.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Identity of this run.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// A leg that waits for its peer. It ends if the peer does not come in time, or if its owner does not attach.
    pub fn open(self: &Arc<Self>, wish: Wish) -> Result<OpenedLeg, NotOpened> {
        let opened = self.open_if_there_is_room(wish);
        let counter = match &opened {
            Ok(_) => &self.wishes.opened,
            Err(refusal) => self.wishes.of(*refusal),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        opened
    }

    fn open_if_there_is_room(self: &Arc<Self>, wish: Wish) -> Result<OpenedLeg, NotOpened> {
        // Which codec it will have nobody knows yet.
        let dearest = Purpose::followed(Codec::Opus, wish.hears_only);
        let seat = wish.is_live.then(|| self.codecs.seat(dearest)).transpose()?;
        let leg = LegId(format!("{:016x}.{}", self.incarnation, random_text(IDENTIFIER)));
        let token = random_text(TOKEN);
        let (mailbox, messages) = mpsc::channel(MAILBOX);
        {
            let mut registry = self.registry();
            // Under the lock, so that a drain sees every leg that was opened before it.
            if self.is_draining() {
                return Err(NotOpened::Draining);
            }
            if registry.by_name.len() >= self.limit {
                return Err(NotOpened::Full);
            }
            registry.by_name.insert(leg.clone(), mailbox.clone());
        }
        let session = Session::new(&token, self.token_valid, Instant::now());
        let actor = Actor::new(self.clone(), leg.clone(), wish, session, seat, mailbox.downgrade());
        tokio::spawn(actor.run(messages));
        Ok(OpenedLeg { leg, token })
    }

    /// So long a token of [`Self::open`] is valid.
    pub fn token_valid(&self) -> Duration {
        self.token_valid
    }

    pub(crate) fn by_name(&self, leg: &LegId) -> Option<Mailbox> {
        self.registry().by_name.get(leg).cloned()
    }

    pub(crate) fn by_location(&self, location: &str) -> Option<Mailbox> {
        self.registry().by_location.get(location).cloned()
    }

    /// Whether a leg is, or was, one of this run of this host.
    pub(super) fn knows(&self, leg: &LegId) -> bool {
        leg.0.starts_with(&format!("{:016x}.", self.incarnation))
    }

    pub(super) fn key_of(&self, leg: &LegId) -> Option<LegKey> {
        self.registry().keys.get(leg).copied()
    }

    /// A leg has a peer; gives the address of its session.
    pub(super) fn has_peer(&self, leg: &LegId, key: LegKey) -> String {
        let location = random_text(IDENTIFIER);
        let mut registry = self.registry();
        if let Some(mailbox) = registry.by_name.get(leg).cloned() {
            registry.by_location.insert(location.clone(), mailbox.clone());
            registry.by_key.insert(key, mailbox);
            registry.keys.insert(leg.clone(), key);
        }
        location
    }

    pub(super) fn forget(&self, leg: &LegId, location: Option<&str>) {
        let mut registry = self.registry();
        registry.by_name.remove(leg);
        if let Some(location) = location {
            registry.by_location.remove(location);
        }
        if let Some(key) = registry.keys.remove(leg) {
            registry.by_key.remove(&key);
        }
    }

    /// Says by which address its HTTPS server is reached, without a path: recordings of answers are fetched there. Once.
    pub fn reached_at(&self, address: &str) {
        let _ = self.public_address.set(address.trim_end_matches('/').to_owned());
    }

    /// Where a path of the HTTPS server is reached; the path alone until that is known.
    pub(super) fn location(&self, path: &str) -> String {
        let address = self.public_address.get().map(String::as_str);
        format!("{}{path}", address.unwrap_or_default())
    }

    /// The recording of an answer as WAV, for whoever has its token. `None` for anybody else.
    pub(crate) async fn clip(self: &Arc<Self>, name: &str, bearer: &str) -> Option<Result<Vec<u8>, ClipError>> {
        let file = self.clips.file(name, bearer, Instant::now())?;
        let host = self.clone();
        let read = move || wav_of(&file, host.recorder.keys());
        tokio::task::spawn_blocking(read).await.ok()
    }

    /// Takes no new legs from now on, and ends those that have no peer yet: whoever opened them opens others elsewhere. Those
    /// with a peer go on.
    pub async fn drain(&self) {
        let waiting = {
            let registry = self.registry();
            self.is_draining.store(true, Ordering::Relaxed);
            let waiting = registry
                .by_name
                .iter()
                .filter(|(leg, _)| !registry.keys.contains_key(leg));
            waiting.map(|(_, mailbox)| mailbox.clone()).collect()
        };
        end(waiting).await;
    }

    /// Tells the owner of every leg that it will end with the host.
    pub async fn warn_legs(&self, within: Duration) {
        let legs: Vec<Mailbox> = self.registry().by_name.values().cloned().collect();
        for leg in legs {
            // One whose actor has ended needs no warning.
            let _ = leg.send(Message::EndsWithin(within)).await;
        }
    }

    /// Ends every leg: the time for calls to end by themselves is over.
    pub async fn end_legs(&self) {
        let legs = self.registry().by_name.values().cloned().collect();
        end(legs).await;
    }

    /// Ends the streams of workers, after what waits in them.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Whether it takes no new legs.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// What became of wishes for legs.
    pub fn wishes(&self) -> &Wishes {
        &self.wishes
    }

    /// What happened to its legs.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Bytes of prompts that are kept in memory.
    pub fn prompt_bytes(&self) -> usize {
        self.library.bytes()
    }

    /// Its codec threads.
    pub fn codecs(&self) -> &Codecs {
        &self.codecs
    }

    /// The media threads.
    pub fn threads(&self) -> &MediaThreads {
        &self.media
    }

    /// Legs that it may have at a time.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Legs that wait for a peer or have one.
    pub fn legs(&self) -> usize {
        self.registry().by_name.len()
    }

    /// Legs that wait for a peer.
    pub fn legs_without_peer(&self) -> usize {
        let registry = self.registry();
        registry.by_name.len().saturating_sub(registry.keys.len())
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        // Each change is whole, whoever panicked.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn end(legs: Vec<Mailbox>) {
    for leg in legs {
        // One whose actor has ended needs nothing more.
        let _ = leg.send(Message::End(EndReason::HostDrained)).await;
    }
}

async fn carry_events(host: std::sync::Weak<Host>, mut events: Events) {
    while let Some((key, event)) = events.recv().await {
        let Some(host) = host.upgrade() else { return };
        let mailbox = host.registry().by_key.get(&key).cloned();
        drop(host);
        // An actor that does not keep up with a thousand events is lost anyway; its leg ends as orphaned.
        if let Some(mailbox) = mailbox
            && mailbox.try_send(Message::Event(event)).is_err()
        {
            tracing::warn!(
                thread = key.thread,
                leg = key.index,
                "the actor of a leg has too many events waiting, one is dropped"
            );
        }
    }
}

pub(super) fn random_text(length: usize) -> String {
    let character = |_| char::from(CHARACTERS[usize::from(rand::random::<u8>() & 63)]);
    (0..length).map(character).collect()
}
