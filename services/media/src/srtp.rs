//! Protection of RTP and RTCP with the keys of a handshake (RFC 3711, RFC 7714, RFC 5764), by `rtc-srtp`.
//!
//! What that crate (0.21.1) does not do stands here. It keeps state for every source that it hears of, before it knows whether
//! the packet is authentic: so sources pass a gate, those that the offer named, or whose first packet proved authentic in a
//! context that is thrown away. And with AES-CM it takes an RTCP packet that says not to be encrypted without looking at its
//! tag: so such packets are refused, as WebRTC never sends them. Forged packets leave nothing behind.

use bytes::BytesMut;
use rtc_dtls::crypto_provider::SecretVec;
use rtc_dtls::crypto_provider::providers::AwsLcRsCrypto;
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_dtls::state::State;
use rtc_srtp::config::LABEL_EXTRACTOR_DTLS_SRTP;
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

use crate::rtp::{source_of, source_of_control};

/// Packets behind the newest that may still come.
const REPLAY_WINDOW: usize = 64;
/// Sources of a peer whose audio is taken.
const RTP_SOURCES: usize = 2;
/// Sources of a peer whose reports are taken: one that only receives reports as another.
const RTCP_SOURCES: usize = 3;

/// Why keys could not be made of a handshake.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// The peer took no profile of ours.
    #[error("no common protection profile")]
    Profile,
    /// The library refused.
    #[error("keys could not be made")]
    Refused(#[from] rtc_shared::error::Error),
}

/// Why a packet was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Too many sources already, or too short to name one.
    Source,
    /// Not authentic, or already seen.
    Tag,
}

/// Both directions of a leg.
pub(crate) struct Protection {
    inbound: Context,
    outbound: Context,
    keys: Keys,
    rtp: Sources,
    rtcp: Sources,
}

impl Protection {
    /// Makes the keys of a finished handshake in which we were the server.
    pub(crate) fn new(state: &State, offered: &[u32]) -> Result<Self, KeyError> {
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => ProtectionProfile::AeadAes128Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
            _ => return Err(KeyError::Profile),
        };
        let length = 2 * (profile.key_len() + profile.salt_len());
        let material = state.export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], length)?;
        Self::of_material(Keys { profile, material }, offered)
    }

    fn of_material(keys: Keys, offered: &[u32]) -> Result<Self, KeyError> {
        Ok(Self {
            inbound: keys.inbound()?,
            outbound: keys.outbound()?,
            keys,
            rtp: Sources::new(RTP_SOURCES, offered),
            rtcp: Sources::new(RTCP_SOURCES, offered),
        })
    }

    /// Opens an RTP packet of the peer.
    pub(crate) fn open(&mut self, packet: &[u8]) -> Result<BytesMut, Closed> {
        let source = source_of(packet).ok_or(Closed::Source)?;
        let keys = &self.keys;
        self.rtp
            .admit(source, || keys.proves(|context| context.decrypt_rtp(packet).is_ok()))?;
        self.inbound.decrypt_rtp(packet).map_err(|_| Closed::Tag)
    }

    /// Opens an RTCP packet of the peer.
    pub(crate) fn open_control(&mut self, packet: &[u8]) -> Result<BytesMut, Closed> {
        let source = source_of_control(packet).ok_or(Closed::Source)?;
        if !self.keys.says_encrypted(packet) {
            return Err(Closed::Tag);
        }
        let keys = &self.keys;
        self.rtcp
            .admit(source, || keys.proves(|context| context.decrypt_rtcp(packet).is_ok()))?;
        self.inbound.decrypt_rtcp(packet).map_err(|_| Closed::Tag)
    }

    /// Seals an RTP packet of ours.
    pub(crate) fn seal(&mut self, packet: &[u8]) -> Option<BytesMut> {
        self.outbound.encrypt_rtp(packet).ok()
    }

    /// Seals an RTCP packet of ours.
    pub(crate) fn seal_control(&mut self, packet: &[u8]) -> Option<BytesMut> {
        self.outbound.encrypt_rtcp(packet).ok()
    }
}

/// Keys as a handshake exports them (RFC 5764 section 4.2): the client's key, ours, the client's salt, ours. Wiped on drop.
struct Keys {
    profile: ProtectionProfile,
    material: SecretVec,
}

impl Keys {
    fn part(&self, index: usize, of_salt: bool) -> &[u8] {
        let (key, salt) = (self.profile.key_len(), self.profile.salt_len());
        let material = self.material.as_ref();
        if of_salt {
            let begin = 2 * key + index * salt;
            &material[begin..begin + salt]
        } else {
            &material[index * key..(index + 1) * key]
        }
    }

    fn context(&self, index: usize) -> Result<Context, KeyError> {
        Ok(Context::new(
            self.part(index, false),
            self.part(index, true),
            self.profile,
            (index == 0).then(|| srtp_replay_protection(REPLAY_WINDOW)),
            (index == 0).then(|| srtcp_replay_protection(REPLAY_WINDOW)),
            &AwsLcRsCrypto,
        )?)
    }

    fn inbound(&self) -> Result<Context, KeyError> {
        self.context(0)
    }

    fn outbound(&self) -> Result<Context, KeyError> {
        self.context(1)
    }

    /// The flag before the index of an RTCP packet (RFC 3711 section 3.4, RFC 7714 section 9): with AES-CM the tag follows it.
    fn says_encrypted(&self, packet: &[u8]) -> bool {
        let flag = packet.len().checked_sub(4 + self.profile.rtcp_auth_tag_len());
        flag.and_then(|at| packet.get(at)).is_some_and(|byte| byte & 0x80 != 0)
    }

    /// Whether a packet opens in a context that is thrown away.
    fn proves(&self, opens: impl FnOnce(&mut Context) -> bool) -> bool {
        self.inbound().is_ok_and(|mut context| opens(&mut context))
    }
}

/// The sources of a peer that may have state.
struct Sources {
    known: Vec<u32>,
    limit: usize,
}

impl Sources {
    fn new(limit: usize, offered: &[u32]) -> Self {
        Self {
            known: offered.iter().copied().take(limit).collect(),
            limit,
        }
    }

    /// Lets a known source pass; an unknown one only if there is room and its packet proves authentic.
    fn admit(&mut self, source: u32, is_authentic: impl FnOnce() -> bool) -> Result<(), Closed> {
        if self.known.contains(&source) {
            return Ok(());
        }
        if self.known.len() >= self.limit {
            return Err(Closed::Source);
        }
        if !is_authentic() {
            return Err(Closed::Tag);
        }
        self.known.push(source);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub(crate) mod tests {
    use super::*;
    use crate::rtp::write_header;

    fn keys(profile: ProtectionProfile) -> Keys {
        let length = 2 * (profile.key_len() + profile.salt_len());
        let material = (0..length).map(|index| u8::try_from(index).unwrap()).collect();
        Keys {
            profile,
            material: SecretVec::new(material),
        }
    }

    fn peer(profile: ProtectionProfile) -> Context {
        keys(profile).inbound().unwrap()
    }

    fn sealed_by(peer: &mut Context, source: u32, sequence: u16) -> BytesMut {
        let mut packet = Vec::new();
        write_header(&mut packet, 0, false, sequence, 0, source);
        packet.extend_from_slice(b"audio");
        peer.encrypt_rtp(&packet).unwrap()
    }

    #[test]
    fn sources_pass_the_gate_when_offered_or_proven() {
        for profile in [ProtectionProfile::AeadAes128Gcm, ProtectionProfile::Aes128CmHmacSha1_80] {
            let mut protection = Protection::of_material(keys(profile), &[1]).unwrap();
            let mut peer = peer(profile);
            assert!(protection.open(&sealed_by(&mut peer, 1, 10)).is_ok());
            assert!(protection.open(&sealed_by(&mut peer, 2, 10)).is_ok());
            assert_eq!(protection.open(&sealed_by(&mut peer, 3, 10)), Err(Closed::Source));
        }
    }

    #[test]
    fn a_packet_is_taken_once() {
        let profile = ProtectionProfile::AeadAes128Gcm;
        let mut protection = Protection::of_material(keys(profile), &[]).unwrap();
        let packet = sealed_by(&mut peer(profile), 1, 10);
        assert!(protection.open(&packet).is_ok());
        assert_eq!(protection.open(&packet), Err(Closed::Tag));
    }

    #[test]
    fn forged_sources_leave_nothing_behind() {
        for profile in [ProtectionProfile::AeadAes128Gcm, ProtectionProfile::Aes128CmHmacSha1_80] {
            let mut protection = Protection::of_material(keys(profile), &[]).unwrap();
            for source in 0..10_000 {
                let mut forged = Vec::new();
                write_header(&mut forged, 0, false, 1, 0, source);
                forged.extend_from_slice(&[0; 60]);
                assert_eq!(protection.open(&forged), Err(Closed::Tag));
                forged[1] = 200;
                assert_eq!(protection.open_control(&forged), Err(Closed::Tag));
                let flags = forged.len() - 14..;
                forged[flags].fill(0xFF);
                assert_eq!(protection.open_control(&forged), Err(Closed::Tag));
            }
            assert!(protection.rtp.known.is_empty() && protection.rtcp.known.is_empty());
            // The peer itself is still heard.
            assert!(protection.open(&sealed_by(&mut peer(profile), 20_000, 10)).is_ok());
        }
    }
}
