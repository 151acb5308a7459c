//! What comes out of a leg: datagrams to send, events, audio for another leg.

use std::net::SocketAddr;
use std::ops::Range;

use bytes::Bytes;

use super::LegEvent;
use crate::tone::Key;

/// Received audio, decrypted: what a bridge carries and a recording keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Payload of the codec.
    pub payload: Bytes,
    /// The sender's timestamp.
    pub timestamp: u32,
    /// The sender's sequence number with its rollovers.
    pub number: u64,
    /// The first packet after silence.
    pub marker: bool,
    /// Its source.
    pub source: u32,
}

/// What goes over a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bridged {
    /// Audio, as it came.
    Audio(Frame),
    /// A key, which the other leg sends in its own way.
    Tone(Key),
}

/// The output of a leg. It is used again and again: in steady state it allocates nothing.
#[derive(Debug, Default)]
pub struct Out {
    bytes: Vec<u8>,
    /// A packet before it is sealed.
    plain: Vec<u8>,
    datagrams: Vec<(SocketAddr, Range<usize>)>,
    events: Vec<LegEvent>,
    bridged: Vec<Bridged>,
}

impl Out {
    /// Datagrams in the order in which they are to be sent.
    pub fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let datagrams = self.datagrams.iter();
        datagrams.map(|(to, range)| (*to, &self.bytes[range.clone()]))
    }

    /// What happened, taken out.
    pub fn take_events(&mut self) -> impl Iterator<Item = LegEvent> {
        self.events.drain(..)
    }

    /// What is for the other half of the bridge, taken out.
    pub fn take_bridged(&mut self) -> impl Iterator<Item = Bridged> {
        self.bridged.drain(..)
    }

    /// Whether there is something for another leg.
    pub fn has_bridged(&self) -> bool {
        !self.bridged.is_empty()
    }

    /// Forgets datagrams that were sent.
    pub(crate) fn forget_datagrams(&mut self) {
        self.bytes.clear();
        self.datagrams.clear();
    }

    /// Forgets datagrams that were sent; events and what is bridged, if nobody took it, too.
    pub fn clear(&mut self) {
        self.forget_datagrams();
        self.events.clear();
        self.bridged.clear();
    }

    pub(crate) fn send(&mut self, to: SocketAddr, datagram: &[u8]) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(datagram);
        self.datagrams.push((to, begin..self.bytes.len()));
    }

    /// Sends what one function writes and another one seals; `false` if that refuses.
    pub(crate) fn send_sealed<S: AsRef<[u8]>>(
        &mut self,
        to: SocketAddr,
        write: impl FnOnce(&mut Vec<u8>),
        seal: impl FnOnce(&[u8]) -> Option<S>,
    ) -> bool {
        self.plain.clear();
        write(&mut self.plain);
        let sealed = seal(&self.plain);
        if let Some(sealed) = &sealed {
            self.send(to, sealed.as_ref());
        }
        sealed.is_some()
    }

    /// Sends what a function appends, if it appends something.
    pub(crate) fn answer<T>(&mut self, to: SocketAddr, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let begin = self.bytes.len();
        let result = write(&mut self.bytes);
        if self.bytes.len() > begin {
            self.datagrams.push((to, begin..self.bytes.len()));
        }
        result
    }

    pub(crate) fn event(&mut self, event: LegEvent) {
        self.events.push(event);
    }

    pub(crate) fn bridge(&mut self, bridged: Bridged) {
        self.bridged.push(bridged);
    }
}
