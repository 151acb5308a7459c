//! A leg: one peer's audio connection, as a value.
//!
//! A datagram, a command or the passing of time goes in together with the time; datagrams and events come out in [`Out`].
//! There is no socket, clock or task inside, so every case is a plain test. The way of a datagram: its first byte says what it
//! is (RFC 7983); connectivity checks go to the ICE machine, handshakes to DTLS, audio and reports to `media.rs`, which exists
//! once there are keys.

mod answer;
mod facts;
mod hearing;
mod media;
mod out;
mod outbound;
mod pacer;
mod player;
mod standing;
mod taps;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::codec::Codec;
use crate::codecs::{Ear, Mixing, Voice};
use crate::dtls::{Handshake, HandshakeError, Identity, Peer, Progress};
use crate::ice::{Budget, Checked, Credentials, Lapse, LiteAgent};
use crate::patience::Patience;
use crate::record::Tap;
use crate::sdp::Negotiated;
use crate::speech::SpeechChange;
use crate::tone::{Key, KeySound};

pub use answer::{AnswerEnd, AnswerLimits, RecordAnswer};
pub use facts::{EndReason, LegEvent, Refusals, Statistics};
use hearing::Hearing;
pub use media::Relay;
use media::{Media, Way};
pub use out::{Bridged, Frame, Out};
use player::Player;
pub use player::{Play, PlayEnd};
pub use standing::{Mode, Standing};
use taps::Taps;

/// Handshake datagrams of a leg that are looked at in a second.
const HANDSHAKES_A_SECOND: u32 = 20;

/// What a leg is made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Our ICE credentials.
    pub credentials: Credentials,
    /// What the offer and our answer say.
    pub negotiated: Negotiated,
    /// The source that we send as.
    pub source: u32,
    /// Where the numbers begin that must not be guessed: first sequence and timestamp, times of reports.
    pub seed: u64,
    /// How long its peer is waited for.
    pub patience: Patience,
}

/// One peer's audio connection.
pub struct Leg {
    ice: LiteAgent,
    handshake: Handshake,
    handshake_budget: Budget,
    negotiated: Negotiated,
    source: u32,
    seed: u64,
    relay: Relay,
    player: Player,
    taps: Taps,
    hearing: Hearing,
    media: Option<Box<Media>>,
    address_changes: u32,
    refusals: Refusals,
    ended: Option<EndReason>,
}

impl Leg {
    /// A leg that waits for its peer's first check.
    pub fn new(setup: Setup, identity: &Identity, now: Instant) -> Self {
        let peer_fragment = setup.negotiated.peer_fragment.clone();
        Self {
            ice: LiteAgent::new(setup.credentials, peer_fragment, setup.patience, now),
            handshake: Handshake::new(identity, setup.patience.handshake, now),
            handshake_budget: Budget::new(HANDSHAKES_A_SECOND, now),
            negotiated: setup.negotiated,
            source: setup.source,
            seed: setup.seed,
            relay: Relay::Nothing,
            player: Player::default(),
            taps: Taps::default(),
            hearing: Hearing::default(),
            media: None,
            address_changes: 0,
            refusals: Refusals::default(),
            ended: None,
        }
    }

    /// Takes a datagram.
    pub fn datagram(&mut self, from: SocketAddr, datagram: &[u8], now: Instant, out: &mut Out) {
        if self.ended.is_some() {
            return;
        }
        match datagram.first() {
            Some(0..=3) => self.check(from, datagram, now, out),
            Some(20..=63) => self.handshake_datagram(from, datagram, now, out),
            Some(128..=191) => self.media_datagram(from, datagram, now, out),
            _ => self.refusals.unknown += 1,
        }
    }

    fn check(&mut self, from: SocketAddr, datagram: &[u8], now: Instant, out: &mut Out) {
        let was_unstable = self.ice.is_unstable();
        let checked = out.answer(from, |answer| self.ice.check(from, datagram, now, answer));
        match checked {
            Err(_) => {
                self.refusals.checks += 1;
                return;
            }
            Ok(Checked::Alive) => {}
            Ok(Checked::Nominated(address)) => {
                self.handshake.begin(now);
                out.event(LegEvent::Nominated { address });
            }
            Ok(Checked::Moved { from, to }) => {
                self.address_changes += 1;
                out.event(LegEvent::Moved { from, to });
            }
        }
        if was_unstable {
            out.event(LegEvent::Stable);
        }
    }

    fn handshake_datagram(&mut self, from: SocketAddr, datagram: &[u8], now: Instant, out: &mut Out) {
        if self.ice.selected() != Some(from) || !self.handshake_budget.spend(now) {
            self.refusals.handshakes += 1;
            return;
        }
        let peer = Peer {
            fingerprints: &self.negotiated.fingerprints,
            sources: &self.negotiated.sources,
        };
        let progress = self.handshake.datagram(datagram, peer, now);
        self.transmit_handshake(out);
        match progress {
            Ok(Progress::None) => {}
            Ok(Progress::Secured(protection)) => {
                self.media = Some(Box::new(Media::new(
                    *protection,
                    &self.negotiated,
                    self.source,
                    self.seed,
                    now,
                )));
                out.event(LegEvent::Connected);
            }
            Ok(Progress::Closed) => self.end(EndReason::PeerClosed, now, out),
            Err(error) => self.end(reason_of(&error), now, out),
        }
    }

    fn media_datagram(&mut self, from: SocketAddr, datagram: &[u8], now: Instant, out: &mut Out) {
        let is_accepted = self.ice.accepts_from(from, now);
        match self.audio().filter(|_| is_accepted) {
            Some((media, mut way)) => media.datagram(datagram, &mut way, now, out),
            None => self.refusals.media += 1,
        }
    }

    /// The machine of its audio, and what that needs of the leg; `None` before there are keys and after the end.
    fn audio(&mut self) -> Option<(&mut Media, Way<'_>)> {
        let (media, to) = (self.media.as_deref_mut()?, self.ice.selected()?);
        let way = Way {
            relay: self.relay,
            to,
            player: &mut self.player,
            taps: &mut self.taps,
            hearing: &mut self.hearing,
        };
        self.ended.is_none().then_some((media, way))
    }

    /// Sends what another leg received: the other half of a bridge.
    pub fn forward(&mut self, bridged: &Bridged, now: Instant, out: &mut Out) {
        let frame = match bridged {
            Bridged::Audio(frame) => frame,
            Bridged::Tone(key) => {
                // A peer that takes none would wait for it for ever.
                if self.negotiated.tones.is_some() {
                    self.player.add_tones(0, &[*key]);
                }
                return;
            }
        };
        if let Some((media, mut way)) = self.audio() {
            media.relay(frame, &mut way, now, out);
        }
    }

    /// Adds prompts to what the leg has to say; before there is a connection they wait for it. `false`: the queue is full, there
    /// is nothing in them, or their codec is another.
    pub fn play(&mut self, play: Play) -> bool {
        let is_playable = play
            .prompts
            .iter()
            .all(|prompt| prompt.codec() == self.negotiated.codec);
        self.ended.is_none() && is_playable && self.player.add(play)
    }

    /// Records an answer of the peer, behind what plays or waits. `barge_in` stops that first. `false`: the queue is full, or a
    /// prompt is of another codec; the recording has ended then.
    pub fn record_answer(&mut self, answer: RecordAnswer, barge_in: bool, out: &mut Out) -> bool {
        let is_playable = answer
            .prompts
            .iter()
            .all(|prompt| prompt.codec() == self.negotiated.codec);
        if self.ended.is_some() || !is_playable {
            answer.tap.discard();
            return false;
        }
        if barge_in {
            self.player.stop(None, out);
        }
        self.player.add_answer(answer)
    }

    /// Says whether the owner wants to be told of speech and silence.
    pub fn tell_speech(&mut self, is_told: bool) {
        self.hearing.set_told(is_told);
    }

    /// Gives the leg an ear: needed where Opus comes without levels.
    pub fn set_ear(&mut self, ear: Ear) {
        self.hearing.set_ear(ear);
    }

    /// Whether it has one, or needs none.
    pub fn hears_speech(&self) -> bool {
        let tells_levels = self.negotiated.audio_level.is_some() || self.negotiated.codec != Codec::Opus;
        tells_levels || self.hearing.has_ear()
    }

    /// Gives the leg an ear for keys: those that the peer presses are found in its sound, too. Another one takes the place of the one
    /// before.
    pub fn set_key_ear(&mut self, ear: Ear) -> bool {
        let is_running = self.ended.is_none();
        if is_running {
            self.hearing.set_key_ear(ear);
        }
        is_running
    }

    /// That ear heard a key, at that time.
    pub fn key_sound(&mut self, sound: KeySound, at: Instant, out: &mut Out) {
        if let Some((media, mut way)) = self.audio() {
            media.key_sound(sound, &mut way, at, out);
        }
    }

    /// Somebody follows what the peer says and speaks live: what is said goes out whenever no prompt plays and no answer is recorded,
    /// in place of what is relayed. Without a voice nothing is said live. Another one takes the place of the one before.
    pub fn set_live(&mut self, ear: Ear, voice: Option<Voice>) -> bool {
        let is_running = self.ended.is_none();
        if is_running {
            self.hearing.set_follower(ear);
            self.player.set_voice(voice);
        }
        is_running
    }

    /// The leg's ear found speech, or its end.
    pub fn speech(&mut self, change: SpeechChange, out: &mut Out) {
        if self.ended.is_none() {
            self.hearing.changed(Some(change), &mut self.player, out);
        }
    }

    /// Stops an operation that plays, records an answer, or waits, or all of them.
    pub fn stop(&mut self, operation: Option<u64>, out: &mut Out) -> bool {
        self.player.stop(operation, out)
    }

    /// Sends keys; prompts wait meanwhile. `false`: the peer takes none, or the queue is full.
    pub fn send_tones(&mut self, operation: u64, keys: &[Key]) -> bool {
        self.ended.is_none() && self.negotiated.tones.is_some() && self.player.add_tones(operation, keys)
    }

    /// How it stands, and what its sound is for.
    pub fn standing(&self) -> Standing {
        Standing {
            is_connected: self.media.is_some(),
            mode: Mode::of(self.hearing.is_followed(), self.relay),
        }
    }

    /// Sends silence from now on whenever there is nothing to say: for peers that take a pause for the end.
    pub fn be_continuous(&mut self) {
        self.player.is_continuous = true;
    }

    /// Says where received audio goes.
    pub fn set_relay(&mut self, relay: Relay) {
        self.relay = relay;
    }

    /// Records one direction from now on. The recording ends with the leg, with [`Self::stop_recording`], or with another of its
    /// direction.
    pub fn record(&mut self, tap: Tap) -> bool {
        let is_running = self.ended.is_none();
        if is_running {
            self.taps.set(tap);
        }
        is_running
    }

    /// Records both directions in one from now on, as [`Self::record`] does one.
    pub fn record_mixed(&mut self, mixing: Mixing) -> bool {
        let is_running = self.ended.is_none();
        if is_running {
            self.taps.mix(mixing);
        }
        is_running
    }

    /// Ends the recordings of an operation; `false` if there is none. Without an operation all, of which there may be none.
    pub fn stop_recording(&mut self, operation: Option<u64>) -> bool {
        self.taps.stop(operation)
    }

    /// Lets time pass. To be called at [`Self::next_tick`], or whenever.
    pub fn tick(&mut self, now: Instant, out: &mut Out) {
        if self.ended.is_some() {
            return;
        }
        match self.ice.lapse(now) {
            None => {}
            Some(Lapse::Unstable) => out.event(LegEvent::Unstable),
            // Nothing may be sent any more, not even a farewell.
            Some(Lapse::ConsentExpired) => {
                self.ended = Some(EndReason::ConsentExpired);
                self.player.leg_ended(out);
                self.taps.clear();
                out.event(LegEvent::Ended(EndReason::ConsentExpired));
                return;
            }
        }
        if self.ice.selected().is_none() {
            return;
        }
        if let Err(error) = self.handshake.tick(now) {
            self.end(reason_of(&error), now, out);
            return;
        }
        self.transmit_handshake(out);
        if let Some((media, mut way)) = self.audio() {
            media.tick(&mut way, now, out);
        }
    }

    /// When [`Self::tick`] has something to do; `None` when the leg has ended.
    pub fn next_tick(&self, now: Instant) -> Option<Instant> {
        if self.ended.is_some() {
            return None;
        }
        let lapse = self.ice.next_lapse();
        if self.ice.selected().is_none() {
            return Some(lapse);
        }
        let handshake = self.handshake.next_tick().unwrap_or(lapse);
        let media = self
            .media
            .as_ref()
            .map_or(lapse, |media| media.next_tick(&self.player, &self.hearing, now));
        Some(lapse.min(handshake).min(media))
    }

    /// ICE restart: the answer must carry the new credentials. Audio goes on.
    pub fn restart(&mut self, credentials: Credentials, peer_fragment: String) {
        self.ice.restart(credentials, peer_fragment);
    }

    /// Ends the leg and says so to the peer.
    pub fn close(&mut self, reason: EndReason, now: Instant, out: &mut Out) {
        if self.ended.is_none() {
            self.end(reason, now, out);
        }
    }

    fn end(&mut self, reason: EndReason, now: Instant, out: &mut Out) {
        if let (Some(media), Some(to)) = (&mut self.media, self.ice.selected()) {
            media.say_goodbye(to, out);
        }
        self.handshake.close(now);
        self.transmit_handshake(out);
        self.ended = Some(reason);
        self.player.leg_ended(out);
        self.taps.clear();
        out.event(LegEvent::Ended(reason));
    }

    fn transmit_handshake(&mut self, out: &mut Out) {
        while let Some(datagram) = self.handshake.transmit() {
            if let Some(to) = self.ice.selected() {
                out.send(to, &datagram);
            }
        }
    }

    /// Why the leg ended, if it did.
    pub fn ended(&self) -> Option<EndReason> {
        self.ended
    }

    /// Where the peer is, once it nominated an address.
    pub fn address(&self) -> Option<SocketAddr> {
        self.ice.selected()
    }

    /// The negotiated codec.
    pub fn codec(&self) -> Codec {
        self.negotiated.codec
    }

    /// The leg in figures.
    pub fn statistics(&self, now: Instant) -> Statistics {
        let mut statistics = self
            .media
            .as_ref()
            .map(|media| media.statistics(now))
            .unwrap_or_default();
        statistics.address_changes = self.address_changes;
        statistics.refusals = self.refusals + statistics.refusals;
        statistics
    }
}

fn reason_of(error: &HandshakeError) -> EndReason {
    match error {
        HandshakeError::Fingerprint => EndReason::WrongCertificate,
        HandshakeError::Failed(_) | HandshakeError::Keys(_) | HandshakeError::Exhausted => EndReason::HandshakeFailed,
    }
}

/// A number from 0 to 1 of a sequence that begins with a seed (splitmix64).
pub(crate) fn next_fraction(seed: &mut u64) -> f64 {
    let bits = next_bits(seed) >> 11;
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a fraction has")]
    let fraction = bits as f64 / (1u64 << 53) as f64;
    fraction
}

/// The next 64 bits of such a sequence.
pub(crate) fn next_bits(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut bits = *seed;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// How long until the next report: 5 s on average, spread so that legs do not report together (RFC 3550 section 6.2).
fn report_interval(seed: &mut u64) -> Duration {
    Duration::from_secs(5).mul_f64(0.5 + next_fraction(seed))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub(crate) mod tests;
