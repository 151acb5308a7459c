//! The answer to an offer, as text.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};

use super::offer::{Negotiated, Offer, Section};
use crate::codec::{Codec, PACKET_MILLISECONDS};
use crate::ice::Credentials;

/// Priority of the first host candidate (RFC 8445 section 5.1.2); the next ones count down from it.
const FIRST_PRIORITY: u32 = (126 << 24) | (65_535 << 8) | 255;

/// Everything that an answer says. Its text is [`fmt::Display`]'s.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The offer that is answered.
    pub offer: &'a Offer,
    /// What was taken of it.
    pub negotiated: &'a Negotiated,
    /// Number of the session in `o=`; not zero.
    pub session: u64,
    /// Our ICE credentials.
    pub credentials: &'a Credentials,
    /// SHA-256 of our certificate.
    pub fingerprint: &'a [u8; 32],
    /// The source that we send as.
    pub source: u32,
    /// Where the peer reaches us, the best first. Not empty.
    pub candidates: &'a [SocketAddr],
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            text,
            "v=0\r\no=- {} 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
            self.session
        )?;
        let audio = &self.offer.sections[self.offer.audio];
        let id = audio.id.as_deref().unwrap_or_default();
        write!(text, "a=ice-lite\r\na=group:BUNDLE {id}\r\n")?;
        for (index, section) in self.offer.sections.iter().enumerate() {
            if index == self.offer.audio {
                self.write_audio(text, section, id)?;
            } else {
                write_rejected(text, section)?;
            }
        }
        Ok(())
    }
}

impl Answer<'_> {
    fn write_audio(&self, text: &mut fmt::Formatter<'_>, section: &Section, id: &str) -> fmt::Result {
        let first = self
            .candidates
            .first()
            .copied()
            .unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 9)));
        let codec = self.negotiated.codec;
        let payload_type = self.negotiated.payload_type;
        write!(text, "m=audio {} {} {payload_type}", first.port(), section.protocol)?;
        if let Some(tones) = self.negotiated.tones {
            write!(text, " {}", tones.payload_type)?;
        }
        write!(text, "\r\nc=IN {} {}\r\n", family(first.ip()), first.ip())?;
        write!(
            text,
            "a=mid:{id}\r\na={}\r\na=rtcp-mux\r\n",
            self.negotiated.direction.attribute()
        )?;
        self.write_transport(text)?;
        write!(text, "a=rtpmap:{payload_type} {}\r\n", codec.encoding())?;
        if codec == Codec::Opus {
            write!(text, "a=fmtp:{payload_type} minptime=10;useinbandfec=1;stereo=0\r\n")?;
        }
        if let Some(tones) = self.negotiated.tones {
            let number = tones.payload_type;
            write!(text, "a=rtpmap:{number} telephone-event/{}\r\n", tones.clock_rate)?;
            write!(text, "a=fmtp:{number} 0-15\r\n")?;
        }
        write!(text, "a=ptime:{PACKET_MILLISECONDS}\r\n")?;
        if let Some(number) = self.negotiated.audio_level {
            write!(
                text,
                "a=extmap:{number} urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
            )?;
        }
        if let Some(number) = self.negotiated.media_id {
            write!(text, "a=extmap:{number} urn:ietf:params:rtp-hdrext:sdes:mid\r\n")?;
        }
        write!(
            text,
            "a=msid:trunkline audio\r\na=ssrc:{} cname:trunkline\r\n",
            self.source
        )?;
        self.write_candidates(text)
    }

    fn write_transport(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "a=ice-ufrag:{}\r\n", self.credentials.fragment())?;
        write!(text, "a=ice-pwd:{}\r\n", self.credentials.password())?;
        let fingerprint = fingerprint_text(self.fingerprint);
        write!(text, "a=fingerprint:sha-256 {fingerprint}\r\na=setup:passive\r\n")
    }

    fn write_candidates(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (priority, candidate) in (0..=FIRST_PRIORITY).rev().step_by(256).zip(self.candidates) {
            let (ip, port) = (candidate.ip(), candidate.port());
            write!(text, "a=candidate:{priority} 1 udp {priority} {ip} {port} typ host\r\n")?;
        }
        text.write_str("a=end-of-candidates\r\n")
    }
}

/// A section that we do not take: port 0, out of the bundle (RFC 8843 section 7.3.3).
fn write_rejected(text: &mut fmt::Formatter<'_>, section: &Section) -> fmt::Result {
    write!(
        text,
        "m={} 0 {} {}\r\n",
        section.media, section.protocol, section.formats
    )?;
    text.write_str("c=IN IP4 0.0.0.0\r\n")?;
    if let Some(id) = &section.id {
        write!(text, "a=mid:{id}\r\n")?;
    }
    text.write_str("a=inactive\r\n")
}

fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "IP4" } else { "IP6" }
}

/// A fingerprint as `a=fingerprint` writes it.
pub fn fingerprint_text(fingerprint: &[u8; 32]) -> String {
    let mut text = String::with_capacity(95);
    for (index, byte) in fingerprint.iter().enumerate() {
        let separator = if index == 0 { "" } else { ":" };
        // Writing to a string does not fail.
        let _ = write!(text, "{separator}{byte:02X}");
    }
    text
}
