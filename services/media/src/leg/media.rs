//! Audio and reports of a leg that has keys.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc_rtcp::reception_report::ReceptionReport;

use super::outbound::Outbound;
use super::{Frame, Out, Refusals, Statistics, next_bits, report_interval};
use crate::codec::Codec;
use crate::ice::Budget;
use crate::rtp::{Arrival, Header, Reception, Report, goodbye, is_control, low32, opinion_score, read_control};
use crate::sdp::Negotiated;
use crate::srtp::{Closed, Protection};

/// Packets of audio that are looked at in a second: four times what 20 ms make.
const PACKETS_A_SECOND: u32 = 200;
/// Compound packets of reports in a second.
const REPORTS_A_SECOND: u32 = 20;

/// Where received audio goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// Nowhere.
    Nothing,
    /// Back to the peer.
    Echo,
    /// To another leg: it comes out as [`Frame`]s.
    Bridge,
}

/// The machine of a leg's audio.
pub(super) struct Media {
    protection: Protection,
    codec: Codec,
    payload_type: u8,
    audio_level: Option<u8>,
    may_send: bool,
    outbound: Outbound,
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
    pub(super) fn datagram(&mut self, datagram: &[u8], relay: Relay, to: SocketAddr, now: Instant, out: &mut Out) {
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
            self.packet(datagram, relay, to, now, out)
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

    fn packet(
        &mut self,
        datagram: &[u8],
        relay: Relay,
        to: SocketAddr,
        now: Instant,
        out: &mut Out,
    ) -> Result<(), Closed> {
        let packet = self.protection.open(datagram)?;
        let Some(header) = Header::read(&packet) else {
            return Ok(());
        };
        let (number, _) = self.arrived(&header, now);
        self.received.0 += 1;
        self.received.1 += (header.end - header.begin) as u64;
        if header.payload_type != self.payload_type {
            return Ok(());
        }
        self.level = self
            .audio_level
            .and_then(|number| header.audio_level(&packet, number))
            .or(self.level);
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
        match relay {
            Relay::Nothing => {}
            Relay::Echo => self.relay(&frame, to, now, out),
            Relay::Bridge => out.frame(frame),
        }
        Ok(())
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

    /// Sends audio that a peer sent, in our stream.
    pub(super) fn relay(&mut self, frame: &Frame, to: SocketAddr, now: Instant, out: &mut Out) {
        if self.may_send {
            self.outbound
                .relay(frame, self.payload_type, &mut self.protection, to, now, out);
        }
    }

    pub(super) fn tick(&mut self, to: SocketAddr, now: Instant, out: &mut Out) {
        if now >= self.next_report {
            self.next_report = now + report_interval(&mut self.seed);
            self.report(to, now, out);
        }
    }

    pub(super) fn next_tick(&self) -> Instant {
        self.next_report
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

#[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
