//! The reference caller: a peer connection of the `webrtc` crate, which we did not write, over loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::large_futures, clippy::panic)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::MIME_TYPE_OPUS;
use rtc::rtp_transceiver::rtp_sender::{RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind};
use tokio::sync::mpsc;
use trunkline_media::codec::Codec;
use trunkline_media::dtls::Identity;
use trunkline_media::leg::{EndReason, LegEvent, Relay};
use trunkline_media::sdp::{Answer, Offer};
use trunkline_media::thread::{MediaThread, Ports, ThreadConfig};
use webrtc::media_stream::Track;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_sample::TrackLocalStaticSample;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState, RTCSessionDescription,
};
use webrtc::runtime::default_runtime;

const PATIENCE: Duration = Duration::from_secs(20);

/// What the peer connection tells.
struct Handler {
    gathered: mpsc::Sender<()>,
    connected: mpsc::Sender<()>,
    audio: mpsc::Sender<Vec<u8>>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.gathered.try_send(());
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Connected {
            let _ = self.connected.try_send(());
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let audio = self.audio.clone();
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let _ = audio.try_send(packet.payload.to_vec());
                }
            }
        });
    }
}

fn opus_track() -> Arc<TrackLocalStaticSample> {
    let coding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(0x00AB_CDEF),
            ..RTCRtpCodingParameters::default()
        },
        codec: RTCRtpCodec {
            mime_type: MIME_TYPE_OPUS.to_owned(),
            clock_rate: 48_000,
            channels: 2,
            ..RTCRtpCodec::default()
        },
        ..RTCRtpEncodingParameters::default()
    };
    let names = ["stream", "track", "label"].map(str::to_owned);
    let [stream, track, label] = names;
    let track = MediaStreamTrack::new(stream, track, label, RtpCodecKind::Audio, vec![coding]);
    Arc::new(TrackLocalStaticSample::new(Instant::now(), track).unwrap())
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("{what} within {PATIENCE:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reference_caller_hears_itself_in_both_modes() {
    for ports in [Ports::Single(0), Ports::Range(21_100..=21_109)] {
        call_and_hear(ports).await;
    }
}

async fn call_and_hear(ports: Ports) {
    let identity = Identity::generate().unwrap();
    let (media, mut events) = MediaThread::start(ThreadConfig::loopback(ports), identity.clone()).unwrap();

    let (gathered, mut is_gathered) = mpsc::channel(1);
    let (connected, mut is_connected) = mpsc::channel(1);
    let (audio, mut heard) = mpsc::channel(1_000);
    let mut engine = MediaEngine::default();
    engine.register_default_codecs().unwrap();
    let peer = PeerConnectionBuilder::new()
        .with_media_engine(engine)
        .with_handler(Arc::new(Handler {
            gathered,
            connected,
            audio,
        }))
        .with_runtime(default_runtime().expect("tokio"))
        .with_udp_addrs(vec!["127.0.0.1:0".to_owned()])
        .build()
        .await
        .unwrap();
    let track = opus_track();
    let sender = peer.add_track(track.clone() as Arc<dyn TrackLocal>).await.unwrap();
    let offer = peer.create_offer(None).await.unwrap();
    peer.set_local_description(offer).await.unwrap();
    within("candidates", is_gathered.recv()).await;
    let text = peer.local_description().await.unwrap().sdp;

    let offer = Offer::read(&text).unwrap();
    let negotiated = offer.negotiate(&Codec::PREFERRED).unwrap();
    let opened = media.open(negotiated.clone()).await.unwrap();
    let answer = Answer {
        offer: &offer,
        negotiated: &negotiated,
        session: 1,
        credentials: &opened.credentials,
        fingerprint: identity.fingerprint(),
        source: opened.source,
        candidates: &opened.candidates,
    };
    let answer = RTCSessionDescription::answer(answer.to_string()).unwrap();
    media.relay(opened.leg, Relay::Echo).await.unwrap();
    peer.set_remote_description(answer).await.unwrap();
    within("the connection", is_connected.recv()).await;

    let payload_type = sender.get_parameters().await.unwrap().rtp_parameters.codecs[0].payload_type;
    let source = track.ssrcs().await[0];
    for count in 0..50u8 {
        let sample = rtc::media::Sample {
            data: bytes::Bytes::from(vec![0x78, count, 3, 4]),
            duration: Duration::from_millis(20),
            ..rtc::media::Sample::new(Instant::now())
        };
        track
            .sample_writer(source, payload_type)
            .write_sample(&sample)
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut echoes = Vec::new();
    while echoes.len() < 40 {
        echoes.push(within("an echo", heard.recv()).await.expect("the track lives"));
    }
    assert!(
        echoes.iter().all(|echo| echo[0] == 0x78 && echo[2..] == [3, 4]),
        "{echoes:?}"
    );
    assert!(echoes.windows(2).all(|pair| pair[0][1] < pair[1][1]), "in order");

    let statistics = media.statistics(opened.leg).await.unwrap();
    assert!(
        statistics.received_packets >= 40 && statistics.sent_packets >= 40,
        "{statistics:?}"
    );
    peer.close().await.unwrap();
    let ended = async {
        while let Some((_, event)) = events.recv().await {
            if let LegEvent::Ended(reason) = event {
                return reason;
            }
        }
        panic!("the thread ended before the leg");
    };
    assert_eq!(within("the end", ended).await, EndReason::PeerClosed);
}
