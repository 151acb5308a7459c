//! Audio and reports of a leg that has keys.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc_rtcp::reception_report::ReceptionReport;

use super::hearing::Hearing;
use super::outbound::{Outbound, OwnPacket};
use super::pacer::Pacer;
use super::player::{Player, tones_finished};
use super::taps::Taps;
use super::{Bridged, Frame, LegEvent, Out, PlayEnd, Refusals, Statistics, next_bits, report_interval};
use crate::audio::g711;
use crate::codec::Codec;
use crate::ice::Budget;
use crate::record::Direction;
use crate::rtp::{Arrival, Header, Reception, Report, goodbye, is_control, low32, opinion_score, read_control};
use crate::sdp::{Negotiated, Tones};
use crate::srtp::{Closed, Protection};
use crate::tone::{Heard as HeardAs, KeySound, Presses, ToneHeard, ToneReceiver, ToneStep};

/// Packets of audio that are looked at in a second: four times what 20 ms make.
const PACKETS_A_SECOND: u32 = 200;
/// Compound packets of reports in a second.
const REPORTS_A_SECOND: u32 = 20;

/// Packets that we send in a second.
const SLOTS_A_SECOND: u32 = 50;

/// So long after a packet that was relayed the next one may still come: no silence is put between them.
const RELAYED: Duration = Duration::from_millis(100);
/// 20 ms of silence in Opus: CELT of one channel, coded as nothing (RFC 6716 section 3.1), and in the laws of G.711.
const OPUS_SILENCE: &[u8] = &[0xF8, 0xFF, 0xFE];
const MU_LAW_SILENCE: &[u8] = &[g711::silence(Codec::Pcmu); 160];
const A_LAW_SILENCE: &[u8] = &[g711::silence(Codec::Pcma); 160];

/// Where received audio goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// Nowhere.
    Nothing,
    /// Back to the peer.
    Echo,
    /// To another leg: it comes out as [`Bridged`].
    Bridge,
}

/// What the audio of a leg needs of the leg.
pub(super) struct Way<'a> {
    pub(super) relay: Relay,
    /// Where the peer is.
    pub(super) to: SocketAddr,
    pub(super) player: &'a mut Player,
    pub(super) taps: &'a mut Taps,
    pub(super) hearing: &'a mut Hearing,
}

/// The machine of a leg's audio.
pub(super) struct Media {
    protection: Protection,
    codec: Codec,
    payload_type: u8,
    audio_level: Option<u8>,
    may_send: bool,
    outbound: Outbound,
    /// When something was relayed last.
    relayed: Option<Instant>,
    pacer: Pacer,
    tones: Option<(Tones, ToneReceiver)>,
    presses: Presses,
    /// Keys that were heard in the sound.
    key_sounds: u64,
    inbound: Option<Inbound>,
    received: (u64, u64),
    budget: Budget,
    report_budget: Budget,
    next_report: Instant,
    seed: u64,
    heard: Heard,
    level: Option<u8>,
    refusals: Refusals,
}

/// The stream of the peer.
struct Inbound {
    source: u32,
    reception: Reception,
}

/// What the peer's reports said last.
#[derive(Default)]
struct Heard {
    peer_clock: Option<(u32, Instant)>,
    round_trip: Option<Duration>,
    peer_reception: Option<(f64, u32)>,
}

impl Media {
    pub(super) fn new(protection: Protection, negotiated: &Negotiated, source: u32, seed: u64, now: Instant) -> Self {
        let codec = negotiated.codec;
        let mut seed = seed;
        let first = next_bits(&mut seed);
        Self {
            protection,
            codec,
            payload_type: negotiated.payload_type,
            audio_level: negotiated.audio_level,
            may_send: negotiated.direction.sends(),
            outbound: Outbound::new(source, codec.clock_rate(), codec.packet_ticks(), first, now),
            relayed: None,
            pacer: Pacer::new(now, first >> 16),
            tones: negotiated
                .tones
                .map(|tones| (tones, ToneReceiver::new(tones.clock_rate))),
            presses: Presses::default(),
            key_sounds: 0,
            inbound: None,
            received: (0, 0),
            budget: Budget::new(PACKETS_A_SECOND, now),
            report_budget: Budget::new(REPORTS_A_SECOND, now),
            next_report: now + report_interval(&mut seed),
            seed,
            heard: Heard::default(),
            level: None,
            refusals: Refusals::default(),
        }
    }

    /// Takes a datagram of the peer's address.
    pub(super) fn datagram(&mut self, datagram: &[u8], way: &mut Way<'_>, now: Instant, out: &mut Out) {
        let is_control = is_control(datagram);
        let budget = if is_control {
            &mut self.report_budget
        } else {
            &mut self.budget
        };
        if !budget.spend(now) {
            self.refusals.excess += 1;
            return;
        }
        let result = if is_control {
            self.control(datagram, now)
        } else {
            self.packet(datagram, way, now, out)
        };
        if result.is_err() {
            self.refusals.forged += 1;
        }
    }

    fn control(&mut self, datagram: &[u8], now: Instant) -> Result<(), Closed> {
        let packet = self.protection.open_control(datagram)?;
        let since = now.saturating_duration_since(self.outbound.began());
        if let Some(news) = read_control(&packet, self.outbound.source(), since) {
            let heard = &mut self.heard;
            heard.peer_clock = news.peer_clock.map(|clock| (clock, now)).or(heard.peer_clock);
            heard.round_trip = news.round_trip.or(heard.round_trip);
            heard.peer_reception = news.peer_reception.or(heard.peer_reception);
        }
        Ok(())
    }

    fn packet(&mut self, datagram: &[u8], way: &mut Way<'_>, now: Instant, out: &mut Out) -> Result<(), Closed> {
        let packet = self.protection.open(datagram)?;
        let Some(header) = Header::read(&packet) else {
            return Ok(());
        };
        let (number, _) = self.arrived(&header, now);
        self.received.0 += 1;
        self.received.1 += (header.end - header.begin) as u64;
        if let Some((tones, receiver)) = &mut self.tones
            && header.payload_type == tones.payload_type
        {
            let payload = &packet[header.begin..header.end];
            for heard in receiver.packet(header.source, header.timestamp, payload, now) {
                tell_event(heard, &mut self.presses, way, now, out);
            }
            return Ok(());
        }
        if header.payload_type != self.payload_type {
            return Ok(());
        }
        let level = self.audio_level.and_then(|number| header.audio_level(&packet, number));
        self.level = level.or(self.level);
        if let Some(inbound) = &mut self.inbound {
            inbound.reception.timestamp(header.timestamp, now);
        }
        let frame = Frame {
            payload: Bytes::from(packet).slice(header.begin..header.end),
            timestamp: header.timestamp,
            number,
            marker: header.marker,
            source: header.source,
        };
        let facts = (frame.timestamp, frame.source);
        way.taps.take(Direction::Received, &frame.payload, facts, now, out);
        way.player.hears(&frame.payload, facts, now, out);
        way.hearing.packet(self.codec, level, &frame, way.player, now, out);
        match way.relay {
            Relay::Nothing => {}
            Relay::Echo => self.relay(&frame, way, now, out),
            Relay::Bridge => out.bridge(Bridged::Audio(frame)),
        }
        Ok(())
    }

    /// A key was heard in the peer's sound, where it goes over a bridge by itself.
    pub(super) fn key_sound(&mut self, sound: KeySound, way: &mut Way<'_>, at: Instant, out: &mut Out) {
        let heard = match sound {
            KeySound::Began(key) => {
                self.key_sounds += 1;
                ToneHeard::Started {
                    key,
                    sequence: self.key_sounds,
                }
            }
            KeySound::Ended {
                key,
                duration,
                end_seen,
            } => ToneHeard::Ended {
                key,
                duration,
                sequence: self.key_sounds,
                end_seen,
            },
        };
        if let Some(heard) = self.presses.hear(HeardAs::Sound, heard, at) {
            tell_tone(heard, way.player, out);
        }
    }

    /// Counts a packet in its stream; a new source begins a new one.
    fn arrived(&mut self, header: &Header, now: Instant) -> (u64, Arrival) {
        let known = self.inbound.take().filter(|inbound| inbound.source == header.source);
        let inbound = self.inbound.insert(known.unwrap_or_else(|| Inbound {
            source: header.source,
            reception: Reception::new(self.codec.clock_rate(), header.sequence, now),
        }));
        inbound.reception.packet(header.sequence, now)
    }

    /// Sends audio that a peer sent, in our stream. What the bot says goes before it.
    pub(super) fn relay(&mut self, frame: &Frame, way: &mut Way<'_>, now: Instant, out: &mut Out) {
        if !self.may_send || way.player.has_something_to_say() {
            return;
        }
        let sent = self
            .outbound
            .relay(frame, self.payload_type, &mut self.protection, way.to, now, out);
        self.relayed = Some(now);
        if let Some(timestamp) = sent {
            let facts = (timestamp, self.outbound.source());
            way.taps.take(Direction::Sent, &frame.payload, facts, now, out);
        }
    }

    pub(super) fn tick(&mut self, way: &mut Way<'_>, now: Instant, out: &mut Out) {
        if now >= self.next_report {
            self.next_report = now + report_interval(&mut self.seed);
            self.report(way.to, now, out);
        }
        let silent = self.tones.as_mut().and_then(|(_, receiver)| receiver.tick(now));
        if let Some(heard) = silent {
            tell_event(heard, &mut self.presses, way, now, out);
        }
        way.hearing.tick(way.player, now, out);
        way.player.tick(now, out);
        self.say(way, now, out);
    }

    /// Whether slots pass: there is something to say, or to be silent about.
    fn has_slots(&self, player: &Player) -> bool {
        player.has_something_to_say() || player.is_continuous && self.may_send
    }

    /// Sends what is due of tones and prompts.
    fn say(&mut self, way: &mut Way<'_>, now: Instant, out: &mut Out) {
        while self.has_slots(way.player) {
            let Some(slot) = self.pacer.take(now) else { return };
            self.say_slot(slot, way, now, out);
        }
        self.pacer.rest();
        self.outbound.rest();
    }

    fn say_slot(&mut self, slot: u32, way: &mut Way<'_>, now: Instant, out: &mut Out) {
        if let Some((tones, _)) = &self.tones
            && let Some(step) = way.player.tones.step(tones.clock_rate / SLOTS_A_SECOND)
        {
            let payload_type = tones.payload_type;
            match step {
                ToneStep::Packet { payload, marker, began } => {
                    let packet = OwnPacket {
                        payload_type,
                        marker,
                        slots_since_begin: began,
                        payload: &payload,
                    };
                    self.send_own(slot, &packet, way, out);
                }
                ToneStep::Pause => {}
                ToneStep::Finished { operation } => tones_finished(operation, PlayEnd::Played, out),
            }
            return;
        }
        if let Some(payload) = way.player.next(way.hearing.is_speaking(), now, out) {
            let packet = OwnPacket {
                payload_type: self.payload_type,
                marker: false,
                slots_since_begin: 0,
                payload: &payload,
            };
            if let Some(timestamp) = self.send_own(slot, &packet, way, out) {
                let facts = (timestamp, self.outbound.source());
                way.taps.take(Direction::Sent, &payload, facts, now, out);
            }
        } else if way.player.is_continuous {
            self.be_silent(slot, way, now, out);
        } else {
            // A live voice that says nothing now: what it says next is the first after silence.
            self.outbound.rest();
        }
    }

    /// Sends 20 ms of silence, unless something is relayed just now.
    fn be_silent(&mut self, slot: u32, way: &Way<'_>, now: Instant, out: &mut Out) {
        if self
            .relayed
            .is_some_and(|at| now.saturating_duration_since(at) < RELAYED)
        {
            return;
        }
        let packet = OwnPacket {
            payload_type: self.payload_type,
            marker: false,
            slots_since_begin: 0,
            payload: match self.codec {
                Codec::Opus => OPUS_SILENCE,
                Codec::Pcmu => MU_LAW_SILENCE,
                Codec::Pcma => A_LAW_SILENCE,
            },
        };
        self.send_own(slot, &packet, way, out);
    }

    fn send_own(&mut self, slot: u32, packet: &OwnPacket<'_>, way: &Way<'_>, out: &mut Out) -> Option<u32> {
        let protection = &mut self.protection;
        self.may_send
            .then(|| self.outbound.send_own(slot, packet, protection, way.to, out))
    }

    pub(super) fn next_tick(&self, player: &Player, hearing: &Hearing, now: Instant) -> Instant {
        let tone = self.tones.as_ref().and_then(|(_, receiver)| receiver.next_tick());
        let slot = self.has_slots(player).then(|| self.pacer.next_time(now));
        let needs = [tone, slot, player.next_tick(), hearing.next_tick()];
        needs.into_iter().flatten().fold(self.next_report, Instant::min)
    }

    fn report(&mut self, to: SocketAddr, now: Instant, out: &mut Out) {
        let report = Report {
            source: self.outbound.source(),
            now: now.saturating_duration_since(self.outbound.began()),
            timestamp: self.outbound.clock(now),
            sent: self.outbound.sent(),
            reception: self.reception_report(now),
        };
        self.send_control(report.write(), to, out);
    }

    fn reception_report(&mut self, now: Instant) -> Option<ReceptionReport> {
        let inbound = self.inbound.as_mut()?;
        let (peer_clock, delay) = self.heard.peer_clock.map_or((0, 0), |(clock, at)| {
            let kept = now.saturating_duration_since(at).as_micros() * 65_536 / 1_000_000;
            (clock, u32::try_from(kept).unwrap_or(u32::MAX))
        });
        Some(ReceptionReport {
            ssrc: inbound.source,
            fraction_lost: inbound.reception.fraction_lost(),
            // 24 bits, signed.
            total_lost: low32(inbound.reception.lost().min(0x7F_FFFF)),
            last_sequence_number: inbound.reception.highest(),
            jitter: inbound.reception.jitter_ticks(),
            last_sender_report: peer_clock,
            delay,
        })
    }

    /// BYE.
    pub(super) fn say_goodbye(&mut self, to: SocketAddr, out: &mut Out) {
        self.send_control(goodbye(self.outbound.source()), to, out);
    }

    fn send_control(&mut self, packet: Option<Vec<u8>>, to: SocketAddr, out: &mut Out) {
        if let Some(sealed) = packet.and_then(|packet| self.protection.seal_control(&packet)) {
            out.send(to, &sealed);
        }
    }

    pub(super) fn statistics(&self, now: Instant) -> Statistics {
        let (sent_packets, sent_bytes) = self.outbound.sent();
        let reception = self.inbound.as_ref().map(|inbound| &inbound.reception);
        let jitter = reception.map(Reception::jitter).unwrap_or_default();
        let lost_packets = reception.map(Reception::lost).unwrap_or_default();
        let clock_rate = u64::from(self.codec.clock_rate());
        let ticks = |ticks: u32| Duration::from_micros(u64::from(ticks) * 1_000_000 / clock_rate);
        Statistics {
            received_packets: self.received.0,
            received_bytes: self.received.1,
            lost_packets,
            late_packets: reception.map(Reception::late).unwrap_or_default(),
            jitter,
            sent_packets,
            sent_bytes,
            skipped_packets: self.pacer.skipped(),
            round_trip: self.heard.round_trip,
            peer_lost: self.heard.peer_reception.map(|(lost, _)| lost),
            peer_jitter: self.heard.peer_reception.map(|(_, jitter)| ticks(jitter)),
            level: self.level,
            silent_for: reception.map(|reception| now.saturating_duration_since(reception.last())),
            opinion_score: reception.map(|_| {
                let lost = share(lost_packets, lost_packets + self.received.0);
                opinion_score(self.codec, self.heard.round_trip.unwrap_or_default(), jitter, lost)
            }),
            refusals: self.refusals,
            ..Statistics::default()
        }
    }
}

/// What an event says goes over the bridge as an event, whether or not it was heard as sound before.
fn tell_event(heard: ToneHeard, presses: &mut Presses, way: &mut Way<'_>, now: Instant, out: &mut Out) {
    if let ToneHeard::Ended { key, .. } = heard
        && way.relay == Relay::Bridge
    {
        out.bridge(Bridged::Tone(key));
    }
    if let Some(heard) = presses.hear(HeardAs::Event, heard, now) {
        tell_tone(heard, way.player, out);
    }
}

/// A key that begins stops what a key may stop; a key that was pressed is told.
fn tell_tone(heard: ToneHeard, player: &mut Player, out: &mut Out) {
    match heard {
        ToneHeard::Started { key, sequence } => {
            out.event(LegEvent::ToneStarted { key, sequence });
            player.tone_heard(key, out);
        }
        ToneHeard::Ended {
            key,
            duration,
            sequence,
            end_seen,
        } => out.event(LegEvent::Tone {
            key,
            duration,
            sequence,
            end_seen,
        }),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
