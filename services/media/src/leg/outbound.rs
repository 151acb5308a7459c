//! The stream that a leg sends: sequence numbers, timestamps and source are always our own.

use std::net::SocketAddr;
use std::time::Instant;

use super::{Frame, Out};
use crate::rtp::{low16, low32, ticks_between, ticks_of, write_header};
use crate::srtp::Protection;

/// A relayed packet that is ahead by more begins a new mapping.
const LARGEST_JUMP: u64 = 3_000;

/// What is sent next to whom.
pub(super) struct Outbound {
    source: u32,
    clock_rate: u32,
    packet_ticks: u32,
    began: Instant,
    first_timestamp: u32,
    /// Extended number of the next packet. No number is ever used twice with the same keys.
    next: u64,
    last_timestamp: Option<u32>,
    mapping: Option<Mapping>,
    /// While we send of our own: what is added to the timestamps of our slots.
    own_offset: Option<u32>,
    packets: u64,
    bytes: u64,
}

/// How the numbers of a relayed stream become ours. Its gaps stay gaps, so that the receiver conceals them.
#[derive(Debug, Clone, Copy)]
struct Mapping {
    source: u32,
    first_theirs: u64,
    first_ours: u64,
    timestamp_offset: u32,
}

/// A packet to send.
struct Packet<'a> {
    payload_type: u8,
    marker: bool,
    timestamp: u32,
    payload: &'a [u8],
}

/// A packet of a prompt or of a tone.
pub(super) struct OwnPacket<'a> {
    pub(super) payload_type: u8,
    pub(super) marker: bool,
    /// Slots since what it is part of began: the packets of a tone have one timestamp.
    pub(super) slots_since_begin: u32,
    pub(super) payload: &'a [u8],
}

impl Outbound {
    pub(super) fn new(source: u32, clock_rate: u32, packet_ticks: u32, seed: u64, now: Instant) -> Self {
        Self {
            source,
            clock_rate,
            packet_ticks,
            began: now,
            first_timestamp: low32(seed >> 32),
            // In the lower half: a receiver that misses the first packets must not guess the rollover wrong (RFC 3711).
            next: u64::from(low16(seed) >> 1),
            last_timestamp: None,
            mapping: None,
            own_offset: None,
            packets: 0,
            bytes: 0,
        }
    }

    /// Our media clock.
    pub(super) fn clock(&self, now: Instant) -> u32 {
        let since = now.saturating_duration_since(self.began);
        self.first_timestamp.wrapping_add(ticks_of(since, self.clock_rate))
    }

    /// A timestamp for audio that begins now: the clock's, or later if that was used already.
    fn fresh_timestamp(&self, now: Instant) -> u32 {
        let clock = self.clock(now);
        match self.last_timestamp {
            Some(last) if ticks_between(last, clock) < self.packet_ticks.cast_signed() => {
                last.wrapping_add(self.packet_ticks)
            }
            _ => clock,
        }
    }

    /// Sends a packet that the peer of another leg, or of this one, sent; gives its timestamp in our stream.
    pub(super) fn relay(
        &mut self,
        frame: &Frame,
        payload_type: u8,
        protection: &mut Protection,
        to: SocketAddr,
        now: Instant,
        out: &mut Out,
    ) -> Option<u32> {
        let known = self.mapping.filter(|mapping| mapping.source == frame.source);
        let known = known
            .filter(|mapping| frame.number <= mapping.first_theirs + (self.next - mapping.first_ours) + LARGEST_JUMP);
        let begins = known.is_none();
        let mapping = known.unwrap_or_else(|| Mapping {
            source: frame.source,
            first_theirs: frame.number,
            first_ours: self.next,
            timestamp_offset: self.fresh_timestamp(now).wrapping_sub(frame.timestamp),
        });
        self.mapping = Some(mapping);
        self.own_offset = None;
        // A packet from before the mapping has no number left.
        let ahead = frame.number.checked_sub(mapping.first_theirs)?;
        let packet = Packet {
            payload_type,
            marker: frame.marker || begins,
            timestamp: frame.timestamp.wrapping_add(mapping.timestamp_offset),
            payload: &frame.payload,
        };
        self.seal(mapping.first_ours + ahead, &packet, protection, to, out);
        Some(packet.timestamp)
    }

    /// Sends a packet of our own in a slot of 20 ms; gives its timestamp. The marker is set when it is the first after silence or after a relay.
    pub(super) fn send_own(
        &mut self,
        slot: u32,
        packet: &OwnPacket<'_>,
        protection: &mut Protection,
        to: SocketAddr,
        out: &mut Out,
    ) -> u32 {
        let clock = self.first_timestamp.wrapping_add(slot.wrapping_mul(self.packet_ticks));
        let begins = self.own_offset.is_none();
        let offset = self.own_offset.unwrap_or_else(|| match self.last_timestamp {
            // What was relayed may have run ahead of our clock.
            Some(last) if ticks_between(last, clock) < self.packet_ticks.cast_signed() => {
                last.wrapping_add(self.packet_ticks).wrapping_sub(clock)
            }
            _ => 0,
        });
        self.own_offset = Some(offset);
        self.mapping = None;
        let began = packet.slots_since_begin.wrapping_mul(self.packet_ticks);
        let packet = Packet {
            payload_type: packet.payload_type,
            marker: packet.marker || begins,
            timestamp: clock.wrapping_add(offset).wrapping_sub(began),
            payload: packet.payload,
        };
        self.seal(self.next, &packet, protection, to, out);
        packet.timestamp
    }

    /// We have nothing more to say: the next packet is the first after silence.
    pub(super) fn rest(&mut self) {
        self.own_offset = None;
    }

    fn seal(&mut self, number: u64, packet: &Packet<'_>, protection: &mut Protection, to: SocketAddr, out: &mut Out) {
        self.next = self.next.max(number + 1);
        let is_ahead = self
            .last_timestamp
            .is_none_or(|last| ticks_between(last, packet.timestamp) > 0);
        if is_ahead {
            self.last_timestamp = Some(packet.timestamp);
        }
        let source = self.source;
        let write = |bytes: &mut Vec<u8>| {
            write_header(
                bytes,
                packet.payload_type,
                packet.marker,
                low16(number),
                packet.timestamp,
                source,
            );
            bytes.extend_from_slice(packet.payload);
        };
        if out.send_sealed(to, write, |plain| protection.seal(plain)) {
            self.packets += 1;
            self.bytes += packet.payload.len() as u64;
        }
    }

    /// Packets and bytes of payload that were sent.
    pub(super) fn sent(&self) -> (u64, u64) {
        (self.packets, self.bytes)
    }

    pub(super) fn source(&self) -> u32 {
        self.source
    }

    /// Our clock at the stream's beginning.
    pub(super) fn began(&self) -> Instant {
        self.began
    }
}
