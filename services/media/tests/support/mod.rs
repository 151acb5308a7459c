//! What the tests over real sockets share.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

pub mod caller;

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use rtc_srtp::protection_profile::ProtectionProfile;
use trunkline_media::codec::Codec;
use trunkline_media::dtls::Identity;
use trunkline_media::leg::{LegEvent, Play};
use trunkline_media::prompt::Prompt;
use trunkline_media::sdp::{Answer, Negotiated, Offer};
use trunkline_media::thread::{Events, LegKey, MediaThread, OpenError, Opened, Ports, ThreadConfig};

use caller::{Caller, CallerIdentity, Heard, OPUS, Packet};

/// Nothing here takes longer on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A media thread with its events, and callers that share an identity.
pub struct Host {
    pub media: MediaThread,
    pub events: Events,
    identity: std::sync::Arc<Identity>,
    callers: CallerIdentity,
    next: u32,
}

impl Host {
    pub fn start(config: ThreadConfig) -> Self {
        let identity = Identity::generate().unwrap();
        let (media, events) = MediaThread::start(config, identity.clone()).unwrap();
        Self {
            media,
            events,
            identity,
            callers: CallerIdentity::new(ProtectionProfile::AeadAes128Gcm),
            next: 0,
        }
    }

    pub fn single() -> Self {
        Self::start(ThreadConfig::loopback(Ports::Single(0)))
    }

    /// Opens a leg; gives its caller, which has not sent anything yet.
    pub async fn open(&mut self) -> UdpCaller {
        self.open_at(0).await
    }

    /// The same for a caller that takes this one of the host's addresses.
    pub async fn open_at(&mut self, place: usize) -> UdpCaller {
        self.next += 1;
        let mut caller = Caller::new(&self.callers, self.next);
        let offer = Offer::read(&caller.offer()).unwrap();
        let negotiated = offer.negotiate(&Codec::PREFERRED).unwrap();
        let opened = self.open_for(negotiated.clone()).await.unwrap();
        let answer = Answer {
            offer: &offer,
            negotiated: &negotiated,
            session: 1,
            credentials: &opened.credentials,
            fingerprint: self.identity.fingerprint(),
            source: opened.source,
            candidates: &opened.candidates,
        };
        let host = caller.answered(&answer.to_string())[place];
        UdpCaller {
            line: Line {
                caller,
                socket: bound_for(host),
                host,
                host_checks: false,
            },
            leg: opened.leg,
        }
    }

    /// Opens a leg. A busy machine makes the thread late, and a late thread refuses: like any caller, come again.
    pub async fn open_for(&self, negotiated: Negotiated) -> Result<Opened, OpenError> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.media.open(negotiated.clone()).await {
                Err(OpenError::Busy) if Instant::now() < until => tokio::time::sleep(Duration::from_millis(5)).await,
                opened => return opened,
            }
        }
    }

    /// A caller whose call is up.
    pub async fn call(&mut self) -> UdpCaller {
        let mut caller = self.open().await;
        caller.connect();
        self.event(caller.leg, |event| *event == LegEvent::Connected).await;
        caller
    }

    /// Waits for an event of a leg.
    pub async fn event(&mut self, leg: LegKey, is_wanted: impl Fn(&LegEvent) -> bool) -> LegEvent {
        let wanted = async {
            loop {
                let (of, event) = self.events.recv().await.expect("the thread runs");
                if of == leg && is_wanted(&event) {
                    return event;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wanted).await.expect("the event comes")
    }
}

/// Ten seconds of a sawtooth as a prompt that is played over and over.
pub fn endless_prompt() -> Play {
    let mut file =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data\0\xe2\x04\0".to_vec();
    let samples = (0..160_000u32).flat_map(|index| i16::try_from(index % 64 * 100).unwrap().to_le_bytes());
    file.extend(samples);
    Play {
        operation: 1,
        prompts: vec![Prompt::of_file(&file, Codec::Opus).unwrap()],
        repeat: true,
        stops_at_tone: false,
    }
}

/// A number of a benchmark that the environment may set.
pub fn setting(name: &str, default: u32) -> u32 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Looks again and again until it is as wanted; what it was instead is told when that takes too long.
pub async fn until(mut look: impl AsyncFnMut() -> Result<(), String>) {
    let end = Instant::now() + PATIENCE;
    while let Err(instead) = look().await {
        assert!(Instant::now() < end, "{instead}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A socket that waits for 50 ms.
pub fn bound() -> UdpSocket {
    bound_for(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// The same for this machine's addresses of the host's family.
pub fn bound_for(host: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddr::new(host.ip(), 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    socket
}

/// A caller of a leg of ours.
pub struct UdpCaller {
    line: Line,
    pub leg: LegKey,
}

impl std::ops::Deref for UdpCaller {
    type Target = Line;

    fn deref(&self) -> &Line {
        &self.line
    }
}

impl std::ops::DerefMut for UdpCaller {
    fn deref_mut(&mut self) -> &mut Line {
        &mut self.line
    }
}

/// A caller with a socket, whosever host answers.
pub struct Line {
    pub caller: Caller,
    pub socket: UdpSocket,
    pub host: SocketAddr,
    /// Whether its host sends checks of its own, as none does that is lite.
    pub host_checks: bool,
}

impl Line {
    pub fn connect(&mut self) {
        self.nominate();
        self.caller.connect(Instant::now());
        let until = Instant::now() + PATIENCE;
        while !self.caller.is_connected() {
            assert!(Instant::now() < until, "the handshake ends");
            self.caller.tick(Instant::now());
            self.flush();
            self.receive();
        }
        self.flush();
    }

    /// Sends a nominating check and waits for its answer.
    pub fn nominate(&mut self) {
        let until = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < until, "the check is answered");
            let check = self.caller.check(true);
            self.send(&check);
            match self.receive() {
                Some(Heard::Check(0x0101)) => return,
                // Its own check was answered on receipt.
                Some(Heard::Check(0x0001)) if self.host_checks => {}
                Some(Heard::Check(kind)) => panic!("a check is answered with {kind:#06x}"),
                _ => {}
            }
        }
    }

    /// Goes to another port, as behind a NAT that rebinds.
    pub fn rebind(&mut self) {
        self.socket = bound_for(self.host);
    }

    pub fn send(&self, datagram: &[u8]) {
        self.socket.send_to(datagram, self.host).unwrap();
    }

    pub fn say(&mut self, payload: &[u8]) {
        let packet = self.caller.audio(OPUS, payload);
        self.send(&packet);
    }

    fn flush(&mut self) {
        while let Some(datagram) = self.caller.outgoing.pop_front() {
            self.send(&datagram);
        }
    }

    /// The next datagram, if one comes within 50 ms.
    pub fn receive(&mut self) -> Option<Heard> {
        let mut buffer = [0; 2048];
        let (length, from) = self.socket.recv_from(&mut buffer).ok()?;
        let heard = self.caller.datagram(&buffer[..length], Instant::now());
        if heard == Heard::Check(0x0001) {
            assert!(self.host_checks, "a lite host sends no checks");
            self.send(&self.caller.check_answer(&buffer[..length], from));
        }
        self.flush();
        Some(heard)
    }

    /// The next packet of audio.
    pub fn hear(&mut self) -> Packet {
        let until = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < until, "audio comes");
            if let Some(Heard::Audio(packet)) = self.receive() {
                return packet;
            }
        }
    }
}
