//! The handshake that gives a leg its keys (DTLS 1.2, RFC 6347; DTLS-SRTP, RFC 5764), by `rtc-dtls`.
//!
//! We are always the passive side. The peer is known by the SHA-256 of its certificate, which stood in its offer (RFC 8122):
//! that is compared here, after the handshake and before any key is made.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::BytesMut;
use rtc_dtls::cipher_suite::CipherSuiteId;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::providers::{AwsLcRsCrypto, AwsLcRsProvider};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;

use crate::srtp::{KeyError, Protection};

/// Bytes that a peer may spend on its handshake.
const HANDSHAKE_BYTES: usize = 32 * 1024;
/// A lost flight is sent again so soon, then after twice as long, up to the longest.
const FIRST_RETRANSMISSION: Duration = Duration::from_millis(100);
const LONGEST_RETRANSMISSION: Duration = Duration::from_secs(2);
/// A hello that comes again so soon after a flight crossed it on the way, or was doubled there.
const CROSSED: Duration = Duration::from_millis(50);
/// Parts of hellos that are remembered: a hello with a large key has two or three.
const HELLO_PARTS: usize = 8;

/// Our certificate, shared by all legs of a process: one ECDSA P-256 key.
pub struct Identity {
    config: Arc<HandshakeConfig>,
    fingerprint: [u8; 32],
}

/// The certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[error("no certificate for the legs")]
pub struct IdentityError(#[from] rtc_shared::error::Error);

impl Identity {
    /// Makes a new key and certificate.
    pub fn generate() -> Result<Arc<Self>, IdentityError> {
        let certificate = Certificate::generate_self_signed(vec!["trunkline".to_owned()], &AwsLcRsCrypto)?;
        let fingerprint = certificate
            .certificate
            .first()
            .map(|der| sha256(der))
            .unwrap_or_default();
        let config = ConfigBuilder::default()
            .with_crypto_provider(Arc::new(AwsLcRsProvider::new()))
            .with_certificates(vec![certificate])
            .with_cipher_suites(vec![
                CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
                CipherSuiteId::Tls_Ecdhe_Ecdsa_With_ChaCha20_Poly1305_Sha256,
            ])
            .with_srtp_protection_profiles(vec![
                SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
                SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
            ])
            // Who the peer is, its fingerprint says, not an authority.
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_insecure_skip_verify(true)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_flight_interval(FIRST_RETRANSMISSION)
            .build(false, None)?;
        Ok(Arc::new(Self {
            config: Arc::new(config),
            fingerprint,
        }))
    }

    /// SHA-256 of the certificate, for `a=fingerprint`.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }
}

/// Why a handshake ended without keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// The peer's certificate is not the one of its offer.
    #[error("the certificate is not the one of the offer")]
    Fingerprint,
    /// The handshake broke.
    #[error("the handshake failed")]
    Failed(#[from] rtc_shared::error::Error),
    /// Keys could not be made of it.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// It took more than [`crate::patience::Patience::handshake`] or [`HANDSHAKE_BYTES`].
    #[error("the handshake took too long or too much")]
    Exhausted,
}

/// What a datagram brought.
pub(crate) enum Progress {
    /// Nothing to tell.
    None,
    /// The handshake is done, the peer is who the offer said.
    Secured(Box<Protection>),
    /// The peer closed the connection.
    Closed,
}

/// The handshake of one leg, kept after it is done: a peer may repeat its last flight, and says here that it closes.
pub(crate) struct Handshake {
    endpoint: Endpoint,
    /// How long it may take.
    patience: Duration,
    deadline: Instant,
    bytes_left: usize,
    is_done: bool,
    retransmission: Duration,
    next_retransmission: Option<Instant>,
    /// When a flight was sent last, or something new came.
    moved: Instant,
    /// The parts of the hello with a cookie that the library has seen.
    hello: Vec<HelloPart>,
}

impl Handshake {
    pub(crate) fn new(identity: &Identity, patience: Duration, now: Instant) -> Self {
        Self {
            endpoint: Endpoint::new(ANY_ADDRESS, TransportProtocol::UDP, Some(identity.config.clone())),
            patience,
            deadline: now + patience,
            bytes_left: HANDSHAKE_BYTES,
            is_done: false,
            retransmission: FIRST_RETRANSMISSION,
            next_retransmission: None,
            moved: now,
            hello: Vec::new(),
        }
    }

    /// Begins to count the time: there is an address now that a handshake may come from.
    pub(crate) fn begin(&mut self, now: Instant) {
        if !self.is_done {
            self.deadline = now + self.patience;
        }
    }

    /// Takes a datagram of the peer's nominated address.
    pub(crate) fn datagram(
        &mut self,
        datagram: &[u8],
        peer: Peer<'_>,
        now: Instant,
    ) -> Result<Progress, HandshakeError> {
        if !self.is_done {
            self.bytes_left = self
                .bytes_left
                .checked_sub(datagram.len())
                .ok_or(HandshakeError::Exhausted)?;
        }
        if !self.is_done && self.is_repeated(datagram) {
            self.send_again(now)?;
            return Ok(Progress::None);
        }
        self.moved = now;
        // A broken record is dropped: before there are keys, anybody could have sent it. What cannot go on meets the deadline.
        let events = self
            .endpoint
            .read(now, ANY_ADDRESS, None, BytesMut::from(datagram))
            .unwrap_or_default();
        self.retransmission = FIRST_RETRANSMISSION;
        self.plan_retransmission(now);
        let mut progress = Progress::None;
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => {
                    progress = Progress::Secured(Box::new(self.protection(peer)?));
                    self.is_done = true;
                }
                EndpointEvent::PeerClosed if self.is_done => return Ok(Progress::Closed),
                // There is no data channel, and who closes before there are keys may be anybody.
                _ => {}
            }
        }
        Ok(progress)
    }

    fn protection(&self, peer: Peer<'_>) -> Result<Protection, HandshakeError> {
        let state = self
            .endpoint
            .get_connection_state(ANY_ADDRESS)
            .ok_or(HandshakeError::Fingerprint)?;
        let shown = state.peer_certificates.first().map(|der| sha256(der));
        if !shown.is_some_and(|shown| peer.fingerprints.contains(&shown)) {
            return Err(HandshakeError::Fingerprint);
        }
        Ok(Protection::new(state, peer.sources)?)
    }

    /// The next datagram to send to the peer.
    pub(crate) fn transmit(&mut self) -> Option<BytesMut> {
        self.endpoint.poll_transmit().map(|transmit| transmit.message)
    }

    /// Sends a lost flight again, or gives up.
    pub(crate) fn tick(&mut self, now: Instant) -> Result<(), HandshakeError> {
        if self.is_done {
            return Ok(());
        }
        if now >= self.deadline {
            return Err(HandshakeError::Exhausted);
        }
        if self.next_retransmission.is_some_and(|at| now >= at) {
            self.endpoint.handle_timeout(ANY_ADDRESS, now)?;
            self.moved = now;
            self.retransmission = (2 * self.retransmission).min(LONGEST_RETRANSMISSION);
            self.plan_retransmission(now);
        }
        Ok(())
    }

    /// Whether it is a part of the hello with a cookie that came before. The library stops its timer at whatever comes while it waits,
    /// and starts it with its next flight only: a peer that says hello again because our flight was lost would wait for ever. So
    /// the library does not see that, and the flight is sent again.
    fn is_repeated(&mut self, datagram: &[u8]) -> bool {
        let Some(part) = HelloPart::of(datagram).filter(|part| part.message > 0) else {
            return false;
        };
        let is_known = self.hello.contains(&part);
        if !is_known && self.hello.len() < HELLO_PARTS {
            self.hello.push(part);
        }
        is_known
    }

    fn send_again(&mut self, now: Instant) -> Result<(), HandshakeError> {
        let due = self.endpoint.poll_timeout(&ANY_ADDRESS);
        if let Some(due) = due.filter(|_| now.saturating_duration_since(self.moved) >= CROSSED) {
            self.endpoint.handle_timeout(ANY_ADDRESS, now.max(due))?;
            self.moved = now;
            self.plan_retransmission(now);
        }
        Ok(())
    }

    /// The library asks for a fixed interval; ours grows, so it is asked later than it wants.
    fn plan_retransmission(&mut self, now: Instant) {
        let is_waiting = self.endpoint.poll_timeout(&ANY_ADDRESS).is_some();
        self.next_retransmission = is_waiting.then(|| now + self.retransmission);
    }

    /// When [`Self::tick`] is due; `None` when the handshake is done.
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        let retransmission = self.next_retransmission.unwrap_or(self.deadline);
        (!self.is_done).then(|| retransmission.min(self.deadline))
    }

    /// Says that we close; the datagrams come out of [`Self::transmit`].
    pub(crate) fn close(&mut self, now: Instant) {
        let _ = self.endpoint.stop(now, ANY_ADDRESS);
    }
}

/// A part of a hello: the number of the message in its handshake, and where in the message it begins (RFC 6347 section 4.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct HelloPart {
    message: u16,
    offset: u32,
}

impl HelloPart {
    /// What the first record of a datagram is, if it is a part of a client's hello in the clear.
    fn of(datagram: &[u8]) -> Option<Self> {
        const HANDSHAKE: u8 = 22;
        const CLIENT_HELLO: u8 = 1;
        let (record, message) = datagram.split_first_chunk::<13>()?;
        let header = message.first_chunk::<12>()?;
        let is_hello = record[0] == HANDSHAKE && record[3..5] == [0, 0] && header[0] == CLIENT_HELLO;
        is_hello.then(|| Self {
            message: u16::from_be_bytes([header[4], header[5]]),
            offset: u32::from_be_bytes([0, header[6], header[7], header[8]]),
        })
    }
}

/// What the offer said of the peer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer<'a> {
    pub(crate) fingerprints: &'a [[u8; 32]],
    pub(crate) sources: &'a [u32],
}

/// The library tells associations apart by address; a leg has one, whatever its address.
const ANY_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}
