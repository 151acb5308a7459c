//! The peer connection: how it is made, and its state, which everything that waits watches.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::ice::mdns::MulticastDnsMode;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::MIME_TYPE_TELEPHONE_EVENT;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState, RTCSessionDescription, SettingEngineBuilder,
};

use crate::caller::CallerSettings;
use crate::codec::Codec;
use crate::ear::{Decoding, Ear};
use crate::error::CallerError;
use crate::network::Tasks;
use crate::voice::Voice;

/// The number of keys in our offer.
pub(crate) const KEYS: u8 = 110;
/// What carries the level of each packet (RFC 6464).
const LEVELS: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// How often the host is asked whether it is there, how long it may be silent, and how long then until it counts as lost: a
/// host that is killed is noticed after some 6 s. The defaults of the library take 30 s.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
const DISCONNECTED: Duration = Duration::from_secs(2);
const FAILED: Duration = Duration::from_secs(4);
/// Tracks that may wait to be heard; a host has one.
const TRACKS: usize = 4;

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    Connecting,
    Connected,
    Ended,
}

type Track = Arc<dyn TrackRemote>;

/// A connection that has an offer.
pub(crate) struct Connection {
    peer: Arc<dyn PeerConnection>,
    pub(crate) stand: Arc<watch::Sender<Stand>>,
    gathered: watch::Receiver<bool>,
    tracks: mpsc::Receiver<Track>,
    track: Arc<TrackLocalStaticRTP>,
    codec: Codec,
    source: u32,
    /// The number of levels, once the host takes them.
    levels: Option<u8>,
    tasks: Tasks,
}

/// What the library tells. It is called from within the library's own loop, so it only notes.
struct Notes {
    stand: Arc<watch::Sender<Stand>>,
    gathered: watch::Sender<bool>,
    tracks: mpsc::Sender<Track>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Notes {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.gathered.send_replace(true);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        tracing::debug!(?state, "the connection's state");
        self.stand.send_if_modified(|stand| {
            let next = match state {
                RTCPeerConnectionState::Connected => Stand::Connected,
                RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => Stand::Ended,
                _ => *stand,
            };
            // What has ended stays so.
            let changes = *stand != Stand::Ended && next != *stand;
            *stand = if changes { next } else { *stand };
            changes
        });
    }

    async fn on_track(&self, track: Track) {
        let _ = self.tracks.try_send(track);
    }
}

impl Connection {
    /// Makes a connection.
    pub(crate) async fn new(settings: &CallerSettings, source: u32) -> Result<Self, CallerError> {
        let codec = settings.codec;
        let stand = Arc::new(watch::Sender::new(Stand::Connecting));
        let (gathered, is_gathered) = watch::channel(false);
        let (tracks, arriving) = mpsc::channel(TRACKS);
        let notes = Notes {
            stand: Arc::clone(&stand),
            gathered,
            tracks,
        };
        let engine = SettingEngineBuilder::new()
            .with_ice_timeouts(Some(DISCONNECTED), Some(FAILED), Some(KEEP_ALIVE))
            // Where no multicast is routed, nothing works with it.
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .build();
        let tasks = Tasks::new();
        let building = PeerConnectionBuilder::new()
            .with_media_engine(media(codec, settings.levels)?)
            .with_setting_engine(engine)
            .with_handler(Arc::new(notes))
            .with_runtime(tasks.runtime(settings.faults))
            .with_udp_addrs(vec![SocketAddr::new(settings.from, 0)])
            .build();
        // Twenty kilobytes of it.
        let peer = Box::pin(building).await?;
        let track = Arc::new(TrackLocalStaticRTP::new(own_track(codec, source)));
        peer.add_track(Arc::clone(&track) as Arc<dyn TrackLocal>).await?;
        Ok(Self {
            peer: Arc::new(peer),
            stand,
            gathered: is_gathered,
            tracks: arriving,
            track,
            codec,
            source,
            levels: None,
            tasks,
        })
    }

    /// The offer, with all candidates: WHIP allows to send them at once.
    pub(crate) async fn offer(&mut self) -> Result<String, CallerError> {
        let offer = self.peer.create_offer(None).await?;
        self.peer.set_local_description(offer).await?;
        // An error says that the library ended; then there is no description either.
        let _ = self.gathered.wait_for(|gathered| *gathered).await;
        let offer = self.peer.local_description().await;
        offer.map(|offer| offer.sdp).ok_or_else(|| ended("an offer"))
    }

    /// Takes the answer, and waits for the keys.
    pub(crate) async fn accept(&mut self, answer: String) -> Result<(), CallerError> {
        self.levels = number_of_levels(&answer);
        let answer = RTCSessionDescription::answer(answer)?;
        self.peer.set_remote_description(answer).await?;
        let mut stand = self.stand.subscribe();
        let stand = stand.wait_for(|stand| *stand != Stand::Connecting).await;
        match stand.map(|stand| *stand) {
            Ok(Stand::Connected) => Ok(()),
            _ => Err(ended("the handshake")),
        }
    }

    /// Its way to speak.
    pub(crate) fn voice(&self) -> Voice {
        Voice {
            track: Arc::clone(&self.track),
            source: self.source,
            codec: self.codec,
            levels: self.levels,
        }
    }

    /// The end that tells the host, what keeps it going, and what is heard.
    pub(crate) fn split(self) -> (Arc<dyn PeerConnection>, Tasks, Listening) {
        let Self {
            peer,
            tasks,
            tracks,
            codec,
            ..
        } = self;
        (peer, tasks, Listening { tracks, codec })
    }
}

fn ended(what: &str) -> CallerError {
    CallerError::Ended { what: what.to_owned() }
}

/// The tracks of the host, which are listened to until the connection ends.
pub(crate) struct Listening {
    tracks: mpsc::Receiver<Track>,
    codec: Codec,
}

impl Listening {
    pub(crate) async fn listen(mut self, ear: Arc<Ear>) -> Result<(), CallerError> {
        while let Some(track) = self.tracks.recv().await {
            let mut decoding = Decoding::new(self.codec)?;
            while let Some(event) = track.poll().await {
                let TrackRemoteEvent::OnRtpPacket(packet) = event else {
                    continue;
                };
                match packet.header.payload_type {
                    kind if kind == self.codec.payload_type() => decoding.audio(&packet, Instant::now(), &ear),
                    KEYS => decoding.key(&packet, &ear),
                    kind => tracing::warn!(kind, "a packet of a kind that was not offered"),
                }
            }
        }
        Ok(())
    }
}

/// The number by which the answer takes levels.
fn number_of_levels(answer: &str) -> Option<u8> {
    let extensions = answer.lines().filter_map(|line| line.strip_prefix("a=extmap:"));
    let mut named = extensions.filter_map(|line| line.trim_end().split_once(' '));
    let (number, _) = named.find(|(_, name)| *name == LEVELS)?;
    number.parse().ok()
}

/// The codec and keys, both by the same clock, and levels if they are wanted.
fn media(codec: Codec, levels: bool) -> Result<MediaEngine, CallerError> {
    let mut engine = MediaEngine::default();
    let both = [(codec.described(), codec.payload_type()), (keys(codec), KEYS)];
    for (rtp_codec, payload_type) in both {
        let codec = RTCRtpCodecParameters {
            rtp_codec,
            payload_type,
        };
        engine.register_codec(codec, RtpCodecKind::Audio)?;
    }
    if levels {
        let extension = RTCRtpHeaderExtensionCapability { uri: LEVELS.to_owned() };
        engine.register_header_extension(extension, RtpCodecKind::Audio, None)?;
    }
    Ok(engine)
}

fn keys(codec: Codec) -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_TELEPHONE_EVENT.to_owned(),
        clock_rate: codec.clock_rate(),
        sdp_fmtp_line: "0-15".to_owned(),
        ..RTCRtpCodec::default()
    }
}

/// One stream of both kinds. The library offers what the codings of a track name, and sends by the first.
fn own_track(codec: Codec, source: u32) -> MediaStreamTrack {
    let coding = |codec| RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(source),
            ..RTCRtpCodingParameters::default()
        },
        codec,
        ..RTCRtpEncodingParameters::default()
    };
    let codings = vec![coding(codec.described()), coding(keys(codec))];
    let [stream, track, label] = ["call", "voice", "a caller"].map(str::to_owned);
    MediaStreamTrack::new(stream, track, label, RtpCodecKind::Audio, codings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_sent_by_the_number_of_the_answer_if_it_has_one() {
        let answer = "a=mid:0\r\na=extmap:2 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=extmap:7 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n";
        assert_eq!(number_of_levels(answer), Some(7));
        assert_eq!(number_of_levels("a=mid:0\r\n"), None);
    }
}
