//! An offer, and what of it we take.

use std::io::Cursor;

use rtc_sdp::{MediaDescription, SessionDescription};

use super::attributes::{
    is_password, is_user_fragment, session_has, session_values, sha256_fingerprint, value, values,
};
use super::{LINE_LIMIT, LINES_LIMIT, OFFER_LIMIT, SECTIONS_LIMIT, SdpError};
use crate::codec::Codec;

const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const MEDIA_ID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const FINGERPRINTS_LIMIT: usize = 4;
/// Sources that an offer may name for its audio.
pub(crate) const SOURCES_LIMIT: usize = 2;

/// Who sends in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both.
    SendReceive,
    /// Only who says it.
    SendOnly,
    /// Only the other.
    ReceiveOnly,
    /// Nobody: the call is on hold.
    Inactive,
}

impl Direction {
    /// As an attribute.
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::SendReceive => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::ReceiveOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The same, as the other side says it.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::ReceiveOnly,
            Self::ReceiveOnly => Self::SendOnly,
            same => same,
        }
    }

    /// Whether who says it sends.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendReceive | Self::SendOnly)
    }
}

/// How tones travel (RFC 4733).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tones {
    /// Payload type of `telephone-event`.
    pub payload_type: u8,
    /// Units of durations, a second.
    pub clock_rate: u32,
}

/// A media section of the offer, as far as the answer must repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) media: String,
    pub(super) protocol: String,
    pub(super) formats: String,
    pub(super) id: Option<String>,
}

/// An offer that can be answered: one audio section, its transport, its codecs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub(super) sections: Vec<Section>,
    pub(super) audio: usize,
    peer_fragment: String,
    fingerprints: Vec<[u8; 32]>,
    direction: Direction,
    codecs: Vec<(Codec, u8)>,
    tones: Vec<Tones>,
    audio_level: Option<u8>,
    media_id: Option<u8>,
    sources: Vec<u32>,
}

/// What both sides do, once the answer is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// The codec of the leg, both ways.
    pub codec: Codec,
    /// Its payload type: the offer's.
    pub payload_type: u8,
    /// How tones travel, if the peer offered to.
    pub tones: Option<Tones>,
    /// What we do.
    pub direction: Direction,
    /// Header extension that carries the level of the audio (RFC 6464).
    pub audio_level: Option<u8>,
    /// Header extension that carries the section's identification (RFC 8843 section 15).
    pub media_id: Option<u8>,
    /// The peer's user fragment.
    pub peer_fragment: String,
    /// SHA-256 of certificates that the peer may show.
    pub fingerprints: Vec<[u8; 32]>,
    /// Sources that the offer names; if none, they are learnt.
    pub sources: Vec<u32>,
}

impl Offer {
    /// Reads an offer.
    pub fn read(text: &str) -> Result<Self, SdpError> {
        check_size(text)?;
        let session = SessionDescription::unmarshal(&mut Cursor::new(text.as_bytes()))
            .map_err(|error| SdpError::NotSdp(error.to_string()))?;
        Reading {
            text,
            session: &session,
        }
        .offer()
    }

    /// Decides what both sides do: the first codec of `preferred` that was offered.
    pub fn negotiate(&self, preferred: &[Codec]) -> Result<Negotiated, SdpError> {
        let (codec, payload_type) = preferred
            .iter()
            .find_map(|wanted| self.codecs.iter().find(|(offered, _)| offered == wanted))
            .copied()
            .ok_or_else(|| SdpError::missing("none of the offered codecs is one that this leg takes"))?;
        let tones_at = |clock_rate| self.tones.iter().find(|tones| tones.clock_rate == clock_rate).copied();
        Ok(Negotiated {
            codec,
            payload_type,
            tones: tones_at(codec.clock_rate()).or_else(|| tones_at(8_000)),
            direction: self.direction.reversed(),
            audio_level: self.audio_level,
            media_id: self.media_id,
            peer_fragment: self.peer_fragment.clone(),
            fingerprints: self.fingerprints.clone(),
            sources: self.sources.clone(),
        })
    }
}

fn check_size(text: &str) -> Result<(), SdpError> {
    let too_large = |what, limit| Err(SdpError::TooLarge { what, limit });
    if text.len() > OFFER_LIMIT {
        return too_large("bytes", OFFER_LIMIT);
    }
    if text.lines().count() > LINES_LIMIT {
        return too_large("lines", LINES_LIMIT);
    }
    if text.lines().any(|line| line.len() > LINE_LIMIT) {
        return too_large("bytes in a line", LINE_LIMIT);
    }
    Ok(())
}

/// An offer while it is read.
struct Reading<'a> {
    text: &'a str,
    session: &'a SessionDescription,
}

impl Reading<'_> {
    fn offer(&self) -> Result<Offer, SdpError> {
        let sections = &self.session.media_descriptions;
        if sections.len() > SECTIONS_LIMIT {
            return Err(SdpError::TooLarge {
                what: "media sections",
                limit: SECTIONS_LIMIT,
            });
        }
        let audio = audio_section(sections)?;
        let section = &sections[audio];
        self.check_transport(section)?;
        Ok(Offer {
            sections: sections.iter().map(repeated).collect(),
            audio,
            peer_fragment: self.peer_fragment(section)?,
            fingerprints: self.fingerprints(section)?,
            direction: self.direction(section),
            codecs: codecs(section)?,
            tones: tones(section),
            audio_level: extension(section, AUDIO_LEVEL),
            media_id: extension(section, MEDIA_ID),
            sources: sources(section),
        })
    }

    fn check_transport(&self, section: &MediaDescription) -> Result<(), SdpError> {
        if session_has(self.session, "ice-lite") {
            return Err(self.about("a=ice-lite", "both sides are ICE-lite, nobody would send checks"));
        }
        if !section.has_attribute("rtcp-mux") {
            return Err(SdpError::missing("rtcp-mux is missing"));
        }
        let id = values(section, "mid").next();
        let mut groups = session_values(self.session, "group").filter_map(|group| group.strip_prefix("BUNDLE"));
        if !groups.any(|members| members.split(' ').any(|member| id == Some(member))) {
            return Err(SdpError::missing("the audio section is in no BUNDLE group"));
        }
        match value(section, self.session, "setup") {
            Some("actpass" | "active") => Ok(()),
            Some(other) => Err(self.about(&format!("a=setup:{other}"), "setup must be actpass or active")),
            None => Err(SdpError::missing("setup is missing")),
        }
    }

    fn peer_fragment(&self, section: &MediaDescription) -> Result<String, SdpError> {
        let fragment = value(section, self.session, "ice-ufrag").filter(|text| is_user_fragment(text));
        let password = value(section, self.session, "ice-pwd").filter(|text| is_password(text));
        match (fragment, password) {
            (Some(fragment), Some(_)) => Ok(fragment.to_owned()),
            _ => Err(SdpError::missing("ice-ufrag or ice-pwd is missing or not allowed")),
        }
    }

    fn fingerprints(&self, section: &MediaDescription) -> Result<Vec<[u8; 32]>, SdpError> {
        let all = values(section, "fingerprint").chain(session_values(self.session, "fingerprint"));
        let known: Vec<_> = all.filter_map(sha256_fingerprint).take(FINGERPRINTS_LIMIT).collect();
        if known.is_empty() {
            return Err(SdpError::missing("no fingerprint with SHA-256"));
        }
        Ok(known)
    }

    fn direction(&self, section: &MediaDescription) -> Direction {
        let all = [
            Direction::SendOnly,
            Direction::ReceiveOnly,
            Direction::Inactive,
            Direction::SendReceive,
        ];
        let of_section = all
            .into_iter()
            .find(|direction| section.has_attribute(direction.attribute()));
        let of_session = || {
            all.into_iter()
                .find(|direction| session_has(self.session, direction.attribute()))
        };
        of_section.or_else(of_session).unwrap_or(Direction::SendReceive)
    }

    /// A refusal that points at a line.
    fn about(&self, line: &str, reason: &str) -> SdpError {
        SdpError::Unacceptable {
            line: self.text.lines().position(|other| other == line).map(|index| index + 1),
            reason: reason.to_owned(),
        }
    }
}

fn audio_section(sections: &[MediaDescription]) -> Result<usize, SdpError> {
    let mut usable = sections
        .iter()
        .enumerate()
        .filter(|(_, section)| is_usable_audio(section));
    let (first, _) = usable
        .next()
        .ok_or_else(|| SdpError::missing("no audio section with UDP/TLS/RTP/SAVPF"))?;
    if usable.next().is_some() {
        return Err(SdpError::missing("more than one audio section"));
    }
    Ok(first)
}

fn repeated(section: &MediaDescription) -> Section {
    let name = &section.media_name;
    Section {
        media: name.media.clone(),
        protocol: name.protos.join("/"),
        formats: name.formats.join(" "),
        id: values(section, "mid").next().map(str::to_owned),
    }
}

fn is_usable_audio(section: &MediaDescription) -> bool {
    let name = &section.media_name;
    let is_secure = matches!(name.protos.join("/").as_str(), "UDP/TLS/RTP/SAVPF" | "UDP/TLS/RTP/SAVP");
    name.media == "audio" && name.port.value != 0 && is_secure
}

/// The encodings of a section by payload type, in the order of the offer.
fn encodings(section: &MediaDescription) -> impl Iterator<Item = (u8, &str)> {
    let offered = |payload_type: &str| section.media_name.formats.iter().any(|format| format == payload_type);
    values(section, "rtpmap").filter_map(move |mapping| {
        let (payload_type, encoding) = mapping.split_once(' ')?;
        let number = payload_type.parse().ok().filter(|number| *number < 128)?;
        offered(payload_type).then_some((number, encoding.trim()))
    })
}

fn codecs(section: &MediaDescription) -> Result<Vec<(Codec, u8)>, SdpError> {
    let mapped = encodings(section).filter_map(|(number, encoding)| Some((Codec::of_encoding(encoding)?, number)));
    let mut codecs: Vec<_> = mapped.collect();
    let numbers = section
        .media_name
        .formats
        .iter()
        .filter_map(|format| format.parse::<u8>().ok());
    for number in numbers.filter(|number| encodings(section).all(|(mapped, _)| mapped != *number)) {
        codecs.extend(Codec::of_static_payload_type(number).map(|codec| (codec, number)));
    }
    if codecs.is_empty() {
        return Err(SdpError::missing("none of Opus, PCMU and PCMA is offered"));
    }
    Ok(codecs)
}

fn tones(section: &MediaDescription) -> Vec<Tones> {
    let events = encodings(section).filter_map(|(payload_type, encoding)| {
        let clock_rate = encoding.strip_prefix("telephone-event/")?.parse().ok()?;
        Some(Tones {
            payload_type,
            clock_rate,
        })
    });
    events
        .filter(|tones| matches!(tones.clock_rate, 8_000 | 48_000))
        .collect()
}

/// The number of a header extension that the one-byte form can carry (RFC 8285 section 4.2).
fn extension(section: &MediaDescription, wanted: &str) -> Option<u8> {
    values(section, "extmap").find_map(|mapping| {
        let mut words = mapping.split(' ');
        let number = words.next()?.split('/').next()?.parse().ok()?;
        (words.next()? == wanted && (1..=14).contains(&number)).then_some(number)
    })
}

fn sources(section: &MediaDescription) -> Vec<u32> {
    let mut sources = Vec::new();
    for line in values(section, "ssrc") {
        let source = line.split(' ').next().and_then(|number| number.parse().ok());
        if let Some(source) = source.filter(|source| !sources.contains(source))
            && sources.len() < SOURCES_LIMIT
        {
            sources.push(source);
        }
    }
    sources
}
