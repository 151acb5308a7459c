//! What a leg tells: events, the reason of its end, its figures.

use std::net::SocketAddr;
use std::ops::Add;
use std::time::Duration;

use super::{AnswerEnd, PlayEnd};
use crate::record::Direction;
use crate::tone::Key;

/// Why a leg ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The peer was silent for [`crate::patience::Patience::consent`].
    ConsentExpired,
    /// The handshake broke, or took longer than [`crate::patience::Patience::handshake`].
    HandshakeFailed,
    /// The peer's certificate is not the one of its offer.
    WrongCertificate,
    /// The peer closed the connection.
    PeerClosed,
    /// The peer ended the session.
    PeerHungUp,
    /// We were told to.
    Closed,
    /// No worker cared for it any more.
    Orphaned,
    /// The host ends, and its time for calls to end by themselves is over.
    HostDrained,
    /// An input made the leg panic.
    InternalError,
}

impl EndReason {
    /// All there are.
    pub const ALL: [Self; 9] = [
        Self::ConsentExpired,
        Self::HandshakeFailed,
        Self::WrongCertificate,
        Self::PeerClosed,
        Self::PeerHungUp,
        Self::Closed,
        Self::Orphaned,
        Self::HostDrained,
        Self::InternalError,
    ];

    /// As workers are told.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConsentExpired => "consent_expired",
            Self::HandshakeFailed => "handshake_failed",
            Self::WrongCertificate => "wrong_certificate",
            Self::PeerClosed => "peer_closed",
            Self::PeerHungUp => "peer_hung_up",
            Self::Closed => "closed",
            Self::Orphaned => "orphaned",
            Self::HostDrained => "host_drained",
            Self::InternalError => "internal_error",
        }
    }
}

/// Something that happened on a leg.
#[derive(Debug, Clone, PartialEq)]
pub enum LegEvent {
    /// There is an address to send to.
    Nominated {
        /// The peer's.
        address: SocketAddr,
    },
    /// There are keys: audio can flow.
    Connected,
    /// The peer's address changed.
    Moved {
        /// Where it was.
        from: SocketAddr,
        /// Where it is.
        to: SocketAddr,
    },
    /// The peer is silent for [`crate::patience::Patience::unstable`].
    Unstable,
    /// The peer is heard again.
    Stable,
    /// The peer pressed a key and may still hold it.
    ToneStarted {
        /// The key.
        key: Key,
        /// Counts the tones of the leg.
        sequence: u64,
    },
    /// The peer pressed a key: told once for each.
    Tone {
        /// The key.
        key: Key,
        /// How long, as far as it was heard.
        duration: Duration,
        /// Counts the tones of the leg.
        sequence: u64,
        /// Its end was heard, too.
        end_seen: bool,
    },
    /// The first packet of an operation is sent.
    Started {
        /// The operation.
        operation: u64,
    },
    /// An operation ended; prompts 20 ms after their last packet.
    Finished {
        /// The operation.
        operation: u64,
        /// Why.
        reason: PlayEnd,
        /// Packets of prompts that were sent.
        packets: u64,
    },
    /// The recorder was slow: so many packets are missing in the recording, none in the call.
    RecordingGap {
        /// The recording.
        operation: u64,
        /// Which way.
        direction: Direction,
        /// Packets of 20 ms.
        packets: u32,
    },
    /// The recorder gave the recording up.
    RecordingFailed {
        /// The recording.
        operation: u64,
        /// Which way.
        direction: Direction,
    },
    /// The recording of an answer ended; what is kept of it is told when it is on the disk.
    Answered {
        /// The operation.
        operation: u64,
        /// Why.
        reason: AnswerEnd,
    },
    /// The peer began to speak, or fell silent half a second ago.
    Speech {
        /// Which.
        speaks: bool,
    },
    /// The other half of the bridge ended or went elsewhere.
    BridgeEnded,
    /// The last event of a leg.
    Ended(EndReason),
}

/// Datagrams that were not taken, by what they seemed to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refusals {
    /// Connectivity checks: not authentic, broken, too many.
    pub checks: u64,
    /// Handshakes from elsewhere than the nominated address, too many.
    pub handshakes: u64,
    /// Audio and reports before there are keys, or from an address that was not nominated.
    pub media: u64,
    /// Audio and reports that are not authentic, repeated, or of too many sources.
    pub forged: u64,
    /// Audio and reports beyond the rate that a leg may have.
    pub excess: u64,
    /// Anything else.
    pub unknown: u64,
}

impl Add for Refusals {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            checks: self.checks + other.checks,
            handshakes: self.handshakes + other.handshakes,
            media: self.media + other.media,
            forged: self.forged + other.forged,
            excess: self.excess + other.excess,
            unknown: self.unknown + other.unknown,
        }
    }
}

/// A leg in figures, since its beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Statistics {
    /// Packets of audio and tones that were taken.
    pub received_packets: u64,
    /// Their payload.
    pub received_bytes: u64,
    /// Packets that the peer sent and that did not come.
    pub lost_packets: u64,
    /// Packets that came after a later one.
    pub late_packets: u64,
    /// How unevenly packets come (RFC 3550 section 6.4.1).
    pub jitter: Duration,
    /// Packets that we sent.
    pub sent_packets: u64,
    /// Their payload.
    pub sent_bytes: u64,
    /// Slots of 20 ms in which a prompt was silent because the thread was late.
    pub skipped_packets: u64,
    /// Round trip by the peer's reports.
    pub round_trip: Option<Duration>,
    /// Share of our packets that the peer lost before its last report (0 to 1).
    pub peer_lost: Option<f64>,
    /// Jitter that the peer reports.
    pub peer_jitter: Option<Duration>,
    /// Level of the last audio, in decibels below overload, where the peer tells it (RFC 6464).
    pub level: Option<u8>,
    /// Since the last packet of the peer.
    pub silent_for: Option<Duration>,
    /// How often the peer's address changed.
    pub address_changes: u32,
    /// Mean opinion score of what is received, 1 to 4.5; an estimate ([`crate::rtp::opinion_score`]).
    pub opinion_score: Option<f64>,
    /// What was not taken.
    pub refusals: Refusals,
}
