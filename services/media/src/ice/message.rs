//! STUN binding requests and their answers on the wire (RFC 8489), as far as connectivity checks need them (RFC 8445
//! section 7).
//!
//! Reading borrows from the datagram and is strict: a length that is not the datagram's, an attribute that ends beyond it,
//! a fingerprint that is absent, not last or wrong make it no message.

use std::net::{IpAddr, SocketAddr};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

const HEADER: usize = 20;
const MAGIC_COOKIE: u32 = 0x2112_A442;
/// What a CRC-32 is combined with to tell STUN from what else has a CRC (RFC 8489 section 14.7).
const FINGERPRINT_MASK: u32 = 0x5354_554e;
const INTEGRITY_BYTES: usize = 20;
/// Unknown attributes that an answer names: it must not be larger than the request.
const UNKNOWN_NAMED: usize = 4;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
const ICE_CONTROLLING: u16 = 0x802A;
/// From here on an attribute may be ignored by who does not know it.
const COMPREHENSION_OPTIONAL: u16 = 0x8000;

/// A binding request as it came, not yet authenticated.
#[derive(Debug, Clone, Copy)]
pub(super) struct BindingRequest<'a> {
    datagram: &'a [u8],
    /// Where MESSAGE-INTEGRITY begins.
    integrity_at: usize,
    username: &'a [u8],
    use_candidate: bool,
    peer_is_controlled: bool,
    unknown: [u16; UNKNOWN_NAMED],
    unknown_count: usize,
}

impl<'a> BindingRequest<'a> {
    /// Reads a datagram. `None`: it is no binding request that a check could be.
    pub(super) fn read(datagram: &'a [u8]) -> Option<Self> {
        let length = usize::from(word(datagram, 2)?);
        if datagram.len() != HEADER + length || !length.is_multiple_of(4) {
            return None;
        }
        if word(datagram, 0)? != BINDING_REQUEST || double_word(datagram, 4)? != MAGIC_COOKIE {
            return None;
        }
        let mut request = Self {
            datagram,
            integrity_at: 0,
            username: &[],
            use_candidate: false,
            peer_is_controlled: false,
            unknown: [0; UNKNOWN_NAMED],
            unknown_count: 0,
        };
        request.read_attributes()?;
        let is_complete = request.integrity_at != 0 && !request.username.is_empty();
        is_complete.then_some(request)
    }

    fn read_attributes(&mut self) -> Option<()> {
        let mut at = HEADER;
        let mut has_fingerprint = false;
        while at < self.datagram.len() {
            // Nothing may follow the fingerprint.
            if has_fingerprint {
                return None;
            }
            let kind = word(self.datagram, at)?;
            let length = usize::from(word(self.datagram, at + 2)?);
            let value = self.datagram.get(at + 4..at + 4 + length)?;
            if kind == FINGERPRINT {
                has_fingerprint = fingerprint_holds(self.datagram, at, value);
                if !has_fingerprint {
                    return None;
                }
            } else if self.integrity_at == 0 {
                self.read_attribute(kind, value, at)?;
            }
            // Whatever else stands behind MESSAGE-INTEGRITY is not covered by it and is ignored.
            at += 4 + length.next_multiple_of(4);
        }
        has_fingerprint.then_some(())
    }

    fn read_attribute(&mut self, kind: u16, value: &'a [u8], at: usize) -> Option<()> {
        match kind {
            USERNAME => self.username = value,
            MESSAGE_INTEGRITY if value.len() == INTEGRITY_BYTES => self.integrity_at = at,
            MESSAGE_INTEGRITY => return None,
            USE_CANDIDATE => self.use_candidate = true,
            ICE_CONTROLLED => self.peer_is_controlled = true,
            PRIORITY | ICE_CONTROLLING => {}
            _ if kind < COMPREHENSION_OPTIONAL => {
                if let Some(place) = self.unknown.get_mut(self.unknown_count) {
                    *place = kind;
                    self.unknown_count += 1;
                }
            }
            _ => {}
        }
        Some(())
    }

    /// The halves of USERNAME: the receiver's user fragment, the sender's (RFC 8445 section 7.2.2).
    pub(super) fn fragments(&self) -> Option<(&'a [u8], &'a [u8])> {
        let colon = self.username.iter().position(|byte| *byte == b':')?;
        Some((&self.username[..colon], &self.username[colon + 1..]))
    }

    /// Whether who sent this knows the key. Takes the same time whatever the difference.
    pub(super) fn is_authentic(&self, key: &hmac::Key) -> bool {
        let expected = integrity(key, &self.datagram[..self.integrity_at]);
        let sent = &self.datagram[self.integrity_at + 4..self.integrity_at + 4 + INTEGRITY_BYTES];
        verify_slices_are_equal(expected.as_ref(), sent).is_ok()
    }

    /// The peer nominates the pair that this request came over.
    pub(super) fn nominates(&self) -> bool {
        self.use_candidate
    }

    /// The peer believes that we decide which pair is used. A lite agent never does.
    pub(super) fn peer_is_controlled(&self) -> bool {
        self.peer_is_controlled
    }

    /// Attributes that we had to understand and do not; the first few.
    pub(super) fn unknown(&self) -> &[u16] {
        &self.unknown[..self.unknown_count]
    }

    fn transaction(&self) -> &'a [u8] {
        &self.datagram[4..HEADER]
    }
}

/// What a binding request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Success; names the address that the request came from.
    Success,
    /// 487: both sides believe to be controlled.
    RoleConflict,
    /// 420: an attribute that must be understood is not.
    UnknownAttribute,
}

/// Writes the answer to a request that came from `from` to the end of `bytes`. It is never larger than the request.
pub(super) fn write_answer(
    bytes: &mut Vec<u8>,
    answer: Answer,
    request: &BindingRequest<'_>,
    from: SocketAddr,
    key: &hmac::Key,
) {
    let start = bytes.len();
    let kind = if answer == Answer::Success {
        BINDING_SUCCESS
    } else {
        BINDING_ERROR
    };
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(request.transaction());
    match answer {
        Answer::Success => write_mapped_address(bytes, from, request.transaction()),
        Answer::RoleConflict => write_error(bytes, [4, 87]),
        Answer::UnknownAttribute => {
            write_error(bytes, [4, 20]);
            write_unknown(bytes, request.unknown());
        }
    }
    seal(bytes, start, key);
}

/// Appends MESSAGE-INTEGRITY and FINGERPRINT to the message that begins at `start`, and sets its length.
fn seal(bytes: &mut Vec<u8>, start: usize, key: &hmac::Key) {
    let tag = integrity(key, &bytes[start..]);
    write_attribute_header(bytes, MESSAGE_INTEGRITY, INTEGRITY_BYTES);
    bytes.extend_from_slice(tag.as_ref());
    // The fingerprint covers a length that includes itself.
    set_length(&mut bytes[start..], 8);
    let fingerprint = crc32fast::hash(&bytes[start..]) ^ FINGERPRINT_MASK;
    write_attribute_header(bytes, FINGERPRINT, 4);
    bytes.extend_from_slice(&fingerprint.to_be_bytes());
}

/// HMAC-SHA1 over a message up to MESSAGE-INTEGRITY, its length counted as if that attribute ended it (RFC 8489 section 14.5).
fn integrity(key: &hmac::Key, message: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(&message[..2]);
    context.update(&length_of(message.len() - HEADER + 4 + INTEGRITY_BYTES));
    context.update(&message[4..]);
    context.sign()
}

fn fingerprint_holds(datagram: &[u8], at: usize, value: &[u8]) -> bool {
    let expected = crc32fast::hash(&datagram[..at]) ^ FINGERPRINT_MASK;
    value == expected.to_be_bytes()
}

fn write_mapped_address(bytes: &mut Vec<u8>, address: SocketAddr, cookie_and_transaction: &[u8]) {
    let mut octets = [0u8; 16];
    let (family, length) = match address.ip() {
        IpAddr::V4(ip) => {
            octets[..4].copy_from_slice(&ip.octets());
            (1, 4)
        }
        IpAddr::V6(ip) => {
            octets = ip.octets();
            (2, 16)
        }
    };
    write_attribute_header(bytes, XOR_MAPPED_ADDRESS, 4 + length);
    bytes.extend_from_slice(&[0, family]);
    let port = address.port() ^ (MAGIC_COOKIE >> 16) as u16;
    bytes.extend_from_slice(&port.to_be_bytes());
    let masked = octets.iter().zip(cookie_and_transaction).take(length);
    bytes.extend(masked.map(|(octet, mask)| octet ^ mask));
}

/// ERROR-CODE with the class and the number in their own bytes; without a reason phrase, which nobody reads.
fn write_error(bytes: &mut Vec<u8>, [class, number]: [u8; 2]) {
    write_attribute_header(bytes, ERROR_CODE, 4);
    bytes.extend_from_slice(&[0, 0, class, number]);
}

fn write_unknown(bytes: &mut Vec<u8>, unknown: &[u16]) {
    write_attribute_header(bytes, UNKNOWN_ATTRIBUTES, unknown.len() * 2);
    for kind in unknown {
        bytes.extend_from_slice(&kind.to_be_bytes());
    }
    if !unknown.len().is_multiple_of(2) {
        bytes.extend_from_slice(&[0, 0]);
    }
}

fn write_attribute_header(bytes: &mut Vec<u8>, kind: u16, length: usize) {
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&length_of(length));
}

/// Sets the length in the header to what follows it plus `more`.
fn set_length(message: &mut [u8], more: usize) {
    let length = length_of(message.len() - HEADER + more);
    message[2..4].copy_from_slice(&length);
}

/// Lengths here are those of datagrams.
fn length_of(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

fn double_word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub(super) mod tests {
    use super::*;

    /// A binding request as a peer writes it.
    pub(crate) struct Request {
        bytes: Vec<u8>,
    }

    impl Request {
        pub(crate) fn new(username: &str) -> Self {
            let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42];
            bytes.extend_from_slice(&[7; 12]);
            Self { bytes }
                .with(USERNAME, username.as_bytes())
                .with(PRIORITY, &[0x6e, 0, 1, 0xff])
        }

        pub(crate) fn controlling(username: &str) -> Self {
            Self::new(username).with(ICE_CONTROLLING, &[9; 8])
        }

        pub(crate) fn controlled(username: &str) -> Self {
            Self::new(username).with(ICE_CONTROLLED, &[9; 8])
        }

        pub(crate) fn nominating(self) -> Self {
            self.with(USE_CANDIDATE, &[])
        }

        pub(crate) fn with(mut self, kind: u16, value: &[u8]) -> Self {
            write_attribute_header(&mut self.bytes, kind, value.len());
            self.bytes.extend_from_slice(value);
            while !self.bytes.len().is_multiple_of(4) {
                self.bytes.push(0);
            }
            self
        }

        pub(crate) fn sealed(mut self, password: &str) -> Vec<u8> {
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
            seal(&mut self.bytes, 0, &key);
            self.bytes
        }
    }

    fn key(password: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes())
    }

    /// The sample request of RFC 5769 section 2.1.
    const SAMPLE_REQUEST: [u8; 108] = [
        0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87,
        0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73, 0x74, 0x20, 0x63, 0x6c,
        0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff, 0x80, 0x29, 0x00, 0x08, 0x93, 0x2f,
        0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76,
        0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e,
        0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
    ];
    const SAMPLE_PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

    #[test]
    fn the_sample_request_of_the_standard_is_read_and_authentic() {
        let request = BindingRequest::read(&SAMPLE_REQUEST).expect("a binding request");
        assert_eq!(request.fragments(), Some((&b"evtj"[..], &b"h6vY"[..])));
        assert!(request.is_authentic(&key(SAMPLE_PASSWORD)));
        assert!(!request.is_authentic(&key("another")));
        assert!(request.peer_is_controlled());
        assert!(!request.nominates());
    }

    #[test]
    fn an_answer_holds_the_address_and_is_no_larger_than_the_request() {
        let request = BindingRequest::read(&SAMPLE_REQUEST).expect("a binding request");
        for (from, expected) in [
            ("192.0.2.1:32853", 64),
            ("[2001:db8:1234:5678:11:2233:4455:6677]:32853", 76),
        ] {
            let mut bytes = Vec::new();
            let from = from.parse().expect("an address");
            write_answer(&mut bytes, Answer::Success, &request, from, &key(SAMPLE_PASSWORD));
            assert_eq!(bytes.len(), expected);
            assert!(bytes.len() <= SAMPLE_REQUEST.len());
            assert_eq!(bytes[4..HEADER], SAMPLE_REQUEST[4..HEADER]);
            // Port 32853 under the mask, as in the sample answers of RFC 5769.
            assert_eq!(bytes[26..28], [0xa1, 0x47]);
        }
        let mut bytes = Vec::new();
        let from = "192.0.2.1:32853".parse().expect("an address");
        write_answer(&mut bytes, Answer::Success, &request, from, &key(SAMPLE_PASSWORD));
        assert_eq!(bytes[28..32], [0xe1, 0x12, 0xa6, 0x43]);
    }

    #[test]
    fn every_cut_and_every_changed_byte_of_the_covered_part_is_noticed() {
        for length in 0..SAMPLE_REQUEST.len() {
            assert!(
                BindingRequest::read(&SAMPLE_REQUEST[..length]).is_none(),
                "cut to {length}"
            );
        }
        for at in 0..SAMPLE_REQUEST.len() {
            let mut changed = SAMPLE_REQUEST;
            changed[at] ^= 1;
            assert!(BindingRequest::read(&changed).is_none(), "byte {at}");
        }
    }
}
