//! A caller as a value: the controlling side of ICE, the client of the handshake, SRTP. It shares no code with the host, so
//! that an error common to both would be seen; sockets and time are its user's.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use bytes::BytesMut;
use rtc_dtls::config::{ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::providers::{AwsLcRsCrypto, AwsLcRsProvider};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;

const REMOTE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);
pub const OPUS: u8 = 111;
pub const TONES: u8 = 110;
pub const PCMU: u8 = 0;

/// The certificate of callers; making one is dear, many may share it.
#[derive(Clone)]
pub struct CallerIdentity {
    config: Arc<HandshakeConfig>,
    fingerprint: String,
    profile: ProtectionProfile,
}

impl CallerIdentity {
    pub fn new(profile: ProtectionProfile) -> Self {
        let certificate = Certificate::generate_self_signed(vec!["caller".to_owned()], &AwsLcRsCrypto).unwrap();
        let hash = digest(&SHA256, &certificate.certificate[0]);
        let digits: Vec<_> = hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        let offered = match profile {
            ProtectionProfile::AeadAes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            _ => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        };
        let config = ConfigBuilder::default()
            .with_crypto_provider(Arc::new(AwsLcRsProvider::new()))
            .with_certificates(vec![certificate])
            .with_srtp_protection_profiles(vec![offered])
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_insecure_skip_verify(true)
            .build(true, None)
            .unwrap();
        Self {
            config: Arc::new(config),
            fingerprint: digits.join(":"),
            profile,
        }
    }
}

/// What a datagram of the host was.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// An answer to a check: its type.
    Check(u16),
    /// Part of the handshake.
    Handshake,
    /// The host closed the connection.
    Closed,
    /// A packet of audio, decrypted.
    Audio(Packet),
    /// A compound packet of reports, decrypted.
    Control(Vec<u8>),
    /// Something that did not open.
    Noise,
}

/// A decrypted packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub payload_type: u8,
    pub marker: bool,
    pub sequence: u16,
    pub timestamp: u32,
    pub source: u32,
    pub payload: Vec<u8>,
}

pub struct Caller {
    identity: CallerIdentity,
    endpoint: Endpoint,
    fragment: String,
    password: String,
    host_fragment: String,
    host_password: String,
    contexts: Option<(Context, Context)>,
    pub outgoing: VecDeque<Vec<u8>>,
    pub source: u32,
    pub sequence: u16,
    pub timestamp: u32,
    transaction: u64,
}

impl Caller {
    pub fn new(identity: &CallerIdentity, number: u32) -> Self {
        Self {
            identity: identity.clone(),
            endpoint: Endpoint::new(REMOTE, TransportProtocol::UDP, None),
            fragment: format!("call{number}"),
            password: "a-password-of-a-caller".replace('-', "+"),
            host_fragment: String::new(),
            host_password: String::new(),
            contexts: None,
            outgoing: VecDeque::new(),
            source: 1_000_000 + number,
            sequence: 100,
            timestamp: 0,
            transaction: u64::from(number) << 32,
        }
    }

    /// An offer of Opus with tones, and of PCMU and PCMA.
    pub fn offer(&self) -> String {
        [
            "v=0",
            "o=- 1 1 IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            "a=group:BUNDLE 0",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 110 126",
            "c=IN IP4 0.0.0.0",
            "a=mid:0",
            "a=sendrecv",
            "a=rtcp-mux",
            &format!("a=ice-ufrag:{}", self.fragment),
            &format!("a=ice-pwd:{}", self.password),
            &format!("a=fingerprint:sha-256 {}", self.identity.fingerprint),
            "a=setup:actpass",
            "a=rtpmap:111 opus/48000/2",
            "a=rtpmap:110 telephone-event/48000",
            "a=rtpmap:126 telephone-event/8000",
            "",
        ]
        .join("\r\n")
    }

    /// Takes the answer; gives the candidates' addresses.
    pub fn answered(&mut self, answer: &str) -> Vec<SocketAddr> {
        self.host_fragment = attribute(answer, "a=ice-ufrag:");
        self.host_password = attribute(answer, "a=ice-pwd:");
        let candidates = answer.lines().filter_map(|line| line.strip_prefix("a=candidate:"));
        let address = |line: &str| {
            let words: Vec<_> = line.split(' ').collect();
            Some(SocketAddr::new(words[4].parse().ok()?, words[5].parse().ok()?))
        };
        candidates.filter_map(address).collect()
    }

    /// New credentials of ours, as for an ICE restart; gives the fragment of a PATCH.
    pub fn restart(&mut self) -> String {
        self.fragment.push('r');
        format!("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", self.fragment, self.password)
    }

    /// A connectivity check.
    pub fn check(&mut self, nominate: bool) -> Vec<u8> {
        self.transaction += 1;
        let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 1, 2, 3, 4];
        bytes.extend_from_slice(&self.transaction.to_be_bytes());
        let username = format!("{}:{}", self.host_fragment, self.fragment);
        push(&mut bytes, 0x0006, username.as_bytes());
        push(&mut bytes, 0x0024, &[0x6e, 0, 1, 0xff]);
        push(&mut bytes, 0x802A, &[1; 8]);
        if nominate {
            push(&mut bytes, 0x0025, &[]);
        }
        seal(&mut bytes, &self.host_password);
        bytes
    }

    /// The answer to a check of a host that sends its own, as ours does not.
    pub fn check_answer(&self, request: &[u8], from: SocketAddr) -> Vec<u8> {
        let SocketAddr::V4(from) = from else {
            unreachable!("hosts of tests have addresses of IPv4")
        };
        let mut bytes = vec![1, 1, 0, 0];
        bytes.extend_from_slice(&request[4..20]);
        let port = from.port() ^ 0x2112;
        let address = u32::from(*from.ip()) ^ 0x2112_A442;
        let mapped = [&[0, 1][..], &port.to_be_bytes(), &address.to_be_bytes()].concat();
        push(&mut bytes, 0x0020, &mapped);
        seal(&mut bytes, &self.password);
        bytes
    }

    /// Begins the handshake; datagrams are in `outgoing`.
    pub fn connect(&mut self, now: Instant) {
        let config = self.identity.config.clone();
        self.endpoint.connect(now, REMOTE, config, None).unwrap();
        self.collect();
    }

    /// Sends lost flights again.
    pub fn tick(&mut self, now: Instant) {
        if self.endpoint.poll_timeout(&REMOTE).is_some_and(|at| now >= at) {
            self.endpoint.handle_timeout(REMOTE, now).unwrap();
            self.collect();
        }
    }

    pub fn is_connected(&self) -> bool {
        self.contexts.is_some()
    }

    /// Closes the connection; the datagram is in `outgoing`.
    pub fn close(&mut self, now: Instant) {
        let _ = self.endpoint.stop(now, REMOTE);
        self.collect();
    }

    /// Takes a datagram of the host.
    pub fn datagram(&mut self, datagram: &[u8], now: Instant) -> Heard {
        match datagram[0] {
            0..=3 => Heard::Check(u16::from_be_bytes([datagram[0], datagram[1]])),
            20..=63 => self.handshake(datagram, now),
            _ => self.media(datagram),
        }
    }

    fn handshake(&mut self, datagram: &[u8], now: Instant) -> Heard {
        let events = self
            .endpoint
            .read(now, REMOTE, None, BytesMut::from(datagram))
            .unwrap_or_default();
        self.collect();
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => self.contexts = Some(self.keys()),
                EndpointEvent::PeerClosed => return Heard::Closed,
                _ => {}
            }
        }
        Heard::Handshake
    }

    fn keys(&self) -> (Context, Context) {
        let profile = self.identity.profile;
        let mut config = rtc_srtp::config::Config {
            profile,
            ..Default::default()
        };
        let state = self.endpoint.get_connection_state(REMOTE).unwrap();
        let label = rtc_srtp::config::LABEL_EXTRACTOR_DTLS_SRTP;
        let material = state
            .export_keying_material(label, &[], config.keying_material_len())
            .unwrap();
        config
            .set_session_keys_from_keying_material(material.as_ref(), true)
            .unwrap();
        let keys = config.keys;
        let outbound = Context::new(
            &keys.local_master_key,
            &keys.local_master_salt,
            profile,
            None,
            None,
            &AwsLcRsCrypto,
        );
        let inbound = Context::new(
            &keys.remote_master_key,
            &keys.remote_master_salt,
            profile,
            None,
            None,
            &AwsLcRsCrypto,
        );
        (outbound.unwrap(), inbound.unwrap())
    }

    fn media(&mut self, datagram: &[u8]) -> Heard {
        let Some((_, inbound)) = &mut self.contexts else {
            return Heard::Noise;
        };
        if (192..=223).contains(&datagram[1]) {
            return inbound
                .decrypt_rtcp(datagram)
                .map_or(Heard::Noise, |packet| Heard::Control(packet.to_vec()));
        }
        inbound
            .decrypt_rtp(datagram)
            .map_or(Heard::Noise, |packet| Heard::Audio(read(&packet)))
    }

    /// A sealed packet of 20 ms of audio, the next of the stream.
    pub fn audio(&mut self, payload_type: u8, payload: &[u8]) -> Vec<u8> {
        let ticks = if payload_type == OPUS { 960 } else { 160 };
        self.timestamp = self.timestamp.wrapping_add(ticks);
        self.packet(payload_type, false, self.timestamp, payload)
    }

    /// A sealed packet, with the next sequence number.
    pub fn packet(&mut self, payload_type: u8, marker: bool, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = vec![0x80, payload_type | u8::from(marker) << 7];
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&self.source.to_be_bytes());
        packet.extend_from_slice(payload);
        let (outbound, _) = self.contexts.as_mut().expect("the caller is connected");
        outbound.encrypt_rtp(&packet).unwrap().to_vec()
    }

    /// A sealed compound packet.
    pub fn control(&mut self, packet: &[u8]) -> Vec<u8> {
        let (outbound, _) = self.contexts.as_mut().expect("the caller is connected");
        outbound.encrypt_rtcp(packet).unwrap().to_vec()
    }

    fn collect(&mut self) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.outgoing.push_back(transmit.message.to_vec());
        }
    }
}

fn read(packet: &[u8]) -> Packet {
    let number = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
    Packet {
        payload_type: packet[1] & 0x7F,
        marker: packet[1] & 0x80 != 0,
        sequence: u16::from_be_bytes([packet[2], packet[3]]),
        timestamp: number(4),
        source: number(8),
        payload: packet[12..].to_vec(),
    }
}

fn attribute(text: &str, key: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix(key));
    value.expect("the attribute is there").trim_end().to_owned()
}

fn push(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// Ends a STUN message: integrity and fingerprint.
fn seal(bytes: &mut Vec<u8>, password: &str) {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    set_length(bytes, 24);
    let tag = hmac::sign(&key, bytes);
    push(bytes, 0x0008, tag.as_ref());
    set_length(bytes, 8);
    let fingerprint = crc32fast::hash(bytes) ^ 0x5354_554e;
    push(bytes, 0x8028, &fingerprint.to_be_bytes());
}

fn set_length(bytes: &mut [u8], more: usize) {
    let length = u16::try_from(bytes.len() - 20 + more).unwrap();
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
}
