use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rtc_srtp::protection_profile::ProtectionProfile;

use super::*;
use crate::sdp::{Answer, Offer};

#[path = "../../tests/support/caller.rs"]
pub(crate) mod caller;

use caller::{Caller, CallerIdentity, Heard, OPUS, Packet};

/// A leg and its caller, with a network and a clock between them that the test drives.
pub(crate) struct Call {
    pub(crate) leg: Leg,
    pub(crate) caller: Caller,
    pub(crate) out: Out,
    pub(crate) now: Instant,
    pub(crate) address: SocketAddr,
    pub(crate) events: Vec<LegEvent>,
    pub(crate) heard: Vec<Heard>,
    pub(crate) bridged: Vec<Bridged>,
}

impl Call {
    pub(crate) fn new() -> Self {
        Self::with(ProtectionProfile::AeadAes128Gcm, &Codec::PREFERRED)
    }

    pub(crate) fn with(profile: ProtectionProfile, codecs: &[Codec]) -> Self {
        let mut caller = Caller::new(&CallerIdentity::new(profile), 1);
        let identity = Identity::generate().unwrap();
        let offer = Offer::read(&caller.offer()).unwrap();
        let negotiated = offer.negotiate(codecs).unwrap();
        let credentials = Credentials::generate(5, 1, &mut StdRng::seed_from_u64(3));
        let answer = Answer {
            offer: &offer,
            negotiated: &negotiated,
            session: 1,
            credentials: &credentials,
            fingerprint: identity.fingerprint(),
            source: 77,
            candidates: &["127.0.0.1:20000".parse().unwrap()],
        };
        caller.answered(&answer.to_string());
        let now = Instant::now();
        let setup = Setup {
            credentials,
            negotiated,
            source: 77,
            seed: 9,
            patience: Patience::default(),
        };
        Self {
            leg: Leg::new(setup, &identity, now),
            caller,
            out: Out::default(),
            now,
            address: "192.0.2.1:5000".parse().unwrap(),
            events: Vec::new(),
            heard: Vec::new(),
            bridged: Vec::new(),
        }
    }

    pub(crate) fn connected() -> Self {
        let mut call = Self::new();
        call.connect();
        call
    }

    pub(crate) fn connect(&mut self) {
        self.check(true);
        self.caller.connect(self.now);
        self.exchange();
        assert!(self.caller.is_connected(), "the caller has keys");
        assert_eq!(self.events.last(), Some(&LegEvent::Connected));
        self.events.clear();
        self.heard.clear();
    }

    pub(crate) fn check(&mut self, nominate: bool) {
        let check = self.caller.check(nominate);
        self.send(&check);
    }

    pub(crate) fn send(&mut self, datagram: &[u8]) {
        self.leg.datagram(self.address, datagram, self.now, &mut self.out);
        self.deliver();
    }

    /// Carries what either side has to say until both are silent.
    fn exchange(&mut self) {
        while let Some(datagram) = self.caller.outgoing.pop_front() {
            self.send(&datagram);
        }
    }

    pub(crate) fn deliver(&mut self) {
        for (to, datagram) in self.out.datagrams() {
            if to == self.address {
                self.heard.push(self.caller.datagram(datagram, self.now));
            }
        }
        self.events.extend(self.out.take_events());
        self.bridged.extend(self.out.take_bridged());
        self.out.clear();
    }

    /// Lets time pass, with every tick that the leg asks for.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(next) = self.leg.next_tick(self.now).filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.leg.tick(self.now, &mut self.out);
            self.deliver();
        }
        self.now = until;
    }

    pub(crate) fn audio(&mut self) -> Vec<Packet> {
        let heard = self.heard.drain(..);
        heard
            .filter_map(|heard| {
                if let Heard::Audio(packet) = heard {
                    Some(packet)
                } else {
                    None
                }
            })
            .collect()
    }
}

#[test]
fn a_leg_connects_and_echoes() {
    for profile in [ProtectionProfile::AeadAes128Gcm, ProtectionProfile::Aes128CmHmacSha1_80] {
        let mut call = Call::with(profile, &Codec::PREFERRED);
        call.connect();
        call.leg.set_relay(Relay::Echo);
        for count in 0..5u8 {
            let packet = call.caller.audio(OPUS, &[0x78, count]);
            call.send(&packet);
            call.pass(Duration::from_millis(20));
        }
        let packets = call.audio();
        assert_eq!(packets.len(), 5);
        for (count, pair) in packets.windows(2).enumerate() {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
            assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(960));
            assert_eq!(pair[1].payload, [0x78, u8::try_from(count).unwrap() + 1]);
        }
        assert!(packets[0].marker && !packets[1].marker);
        assert!(
            packets
                .iter()
                .all(|packet| packet.source == 77 && packet.payload_type == OPUS)
        );
    }
}

#[test]
fn what_the_peer_lost_stays_lost_in_the_echo() {
    let mut call = Call::connected();
    call.leg.set_relay(Relay::Echo);
    let packets: Vec<_> = (0..6).map(|_| call.caller.audio(OPUS, b"x")).collect();
    for index in [0, 1, 4, 3, 5] {
        call.send(&packets[index]);
    }
    let sequences: Vec<_> = call.audio().iter().map(|packet| packet.sequence).collect();
    let first = sequences[0];
    let ahead: Vec<_> = sequences.iter().map(|sequence| sequence.wrapping_sub(first)).collect();
    assert_eq!(ahead, [0, 1, 4, 3, 5]);
    let statistics = call.leg.statistics(call.now);
    assert_eq!((statistics.lost_packets, statistics.late_packets), (1, 1));
}

#[test]
fn a_new_source_continues_the_stream_that_we_send() {
    let mut call = Call::connected();
    call.leg.set_relay(Relay::Echo);
    let packet = call.caller.audio(OPUS, b"a");
    call.send(&packet);
    call.pass(Duration::from_millis(20));
    call.caller.source = 4_242;
    call.caller.sequence = 60_000;
    call.caller.timestamp = 5;
    let packet = call.caller.audio(OPUS, b"b");
    call.send(&packet);
    let packets = call.audio();
    assert_eq!(packets[1].sequence, packets[0].sequence.wrapping_add(1));
    assert_eq!(packets[1].timestamp, packets[0].timestamp.wrapping_add(960));
    assert!(packets[1].marker);
}

#[test]
fn nothing_is_sent_to_an_address_that_was_not_nominated() {
    let mut call = Call::connected();
    call.leg.set_relay(Relay::Echo);
    let before = call.address;
    call.address = "198.51.100.7:6000".parse().unwrap();
    let packet = call.caller.audio(OPUS, b"a");
    call.send(&packet);
    assert!(call.heard.is_empty());
    assert_eq!(call.leg.address(), Some(before));
    assert_eq!(call.leg.statistics(call.now).refusals.media, 1);

    // At its next check the peer is followed, and the audio with it.
    call.check(true);
    assert_eq!(
        call.events,
        [LegEvent::Moved {
            from: before,
            to: call.address
        }]
    );
    call.heard.clear();
    let packet = call.caller.audio(OPUS, b"b");
    call.send(&packet);
    assert_eq!(call.audio().len(), 1);
}

#[test]
fn a_lost_flight_of_the_handshake_is_sent_again() {
    let mut call = Call::new();
    call.check(true);
    call.caller.connect(call.now);
    // The first hello meets our request for a cookie; the answer to the second, our certificate, is lost.
    let hello = call.caller.outgoing.pop_front().unwrap();
    call.send(&hello);
    let hello = call.caller.outgoing.pop_front().unwrap();
    call.leg.datagram(call.address, &hello, call.now, &mut call.out);
    assert!(call.out.datagrams().count() > 0);
    call.out.clear();
    call.pass(Duration::from_millis(100));
    call.exchange();
    assert!(call.caller.is_connected());
    assert_eq!(call.events.last(), Some(&LegEvent::Connected));
}

#[test]
fn a_handshake_that_does_not_end_fails() {
    let mut call = Call::new();
    call.check(true);
    call.caller.connect(call.now);
    let hello = call.caller.outgoing.pop_front().unwrap();
    call.send(&hello);
    call.pass(Duration::from_secs(11));
    assert_eq!(call.leg.ended(), Some(EndReason::HandshakeFailed));
    assert_eq!(call.leg.next_tick(call.now), None);
}

#[test]
fn another_certificate_than_the_offers_is_refused() {
    let mut call = Call::new();
    call.leg.negotiated.fingerprints = vec![[0; 32]];
    call.check(true);
    call.caller.connect(call.now);
    call.exchange();
    assert_eq!(call.leg.ended(), Some(EndReason::WrongCertificate));
    assert!(!call.events.contains(&LegEvent::Connected));
}

#[test]
fn a_peer_that_closes_ends_the_leg() {
    let mut call = Call::connected();
    call.caller.close(call.now);
    call.exchange();
    assert_eq!(call.events, [LegEvent::Ended(EndReason::PeerClosed)]);
}

#[test]
fn closing_says_goodbye() {
    let mut call = Call::connected();
    call.leg.close(EndReason::Closed, call.now, &mut call.out);
    call.deliver();
    assert_eq!(call.events, [LegEvent::Ended(EndReason::Closed)]);
    let is_goodbye =
        |heard: &Heard| matches!(heard, Heard::Control(packet) if packet.windows(2).any(|two| two == [0x81, 203]));
    assert!(call.heard.iter().any(is_goodbye), "{:?}", call.heard);
    assert!(call.heard.contains(&Heard::Closed));
}

#[test]
fn a_peer_that_vanishes_is_unstable_and_then_not_sent_to() {
    let mut call = Call::connected();
    call.pass(Duration::from_secs(8));
    assert_eq!(call.events, [LegEvent::Unstable]);
    call.check(true);
    assert_eq!(call.events, [LegEvent::Unstable, LegEvent::Stable]);
    call.heard.clear();
    call.pass(Duration::from_secs(31));
    assert_eq!(call.leg.ended(), Some(EndReason::ConsentExpired));
    assert!(!call.heard.contains(&Heard::Closed), "no farewell without consent");
}

#[test]
fn reports_tell_loss_and_give_the_round_trip() {
    let mut call = Call::connected();
    call.leg.set_relay(Relay::Echo);
    for count in 0..400u32 {
        let packet = call.caller.audio(OPUS, b"x");
        if count % 4 != 0 {
            call.send(&packet);
        }
        if count % 100 == 0 {
            call.check(true);
        }
        call.pass(Duration::from_millis(20));
    }
    let reports: Vec<_> = call
        .heard
        .iter()
        .filter_map(|heard| {
            if let Heard::Control(packet) = heard {
                Some(packet)
            } else {
                None
            }
        })
        .collect();
    let report = *reports.last().expect("a report within 7.5 s");
    assert_eq!(report[1], 200, "who sends reports as a sender");
    // Behind the header and the sender's facts: the block of the caller's stream, a quarter lost.
    assert_eq!(report[28..32], call.caller.source.to_be_bytes());
    assert!((60..=68).contains(&report[32]), "{}", report[32]);

    // The caller answers 100 ms later that it got the report and kept it for 60 ms.
    let mut answer = vec![0x81, 201, 0, 7];
    answer.extend_from_slice(&call.caller.source.to_be_bytes());
    answer.extend_from_slice(&77u32.to_be_bytes());
    answer.extend_from_slice(&[26, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    answer.extend_from_slice(&report[10..14]);
    answer.extend_from_slice(&(65_536u32 * 60 / 1000).to_be_bytes());
    let sent_at = {
        let seconds = u32::from_be_bytes(report[8..12].try_into().unwrap());
        let fraction = u32::from_be_bytes(report[12..16].try_into().unwrap());
        Duration::from_secs_f64(f64::from(seconds) + f64::from(fraction) / 4_294_967_296.0)
    };
    let began = call.now.checked_sub(Duration::from_secs(8)).unwrap();
    call.now = began + sent_at + Duration::from_millis(100);
    let answer = call.caller.control(&answer);
    call.send(&answer);
    let statistics = call.leg.statistics(call.now);
    let round_trip = statistics.round_trip.expect("a round trip");
    assert!(
        round_trip.abs_diff(Duration::from_millis(40)) < Duration::from_millis(2),
        "{round_trip:?}"
    );
    assert_eq!(statistics.peer_lost, Some(26.0 / 256.0));
    assert_eq!(statistics.lost_packets, 99);
    assert!(statistics.opinion_score.is_some_and(|score| score < 3.0));
}

#[test]
fn after_a_restart_audio_goes_on() {
    let mut call = Call::connected();
    call.leg.set_relay(Relay::Echo);
    call.caller.restart();
    let credentials = Credentials::generate(5, 1, &mut StdRng::seed_from_u64(4));
    let answer = crate::sdp::Fragment::answer(&credentials).to_string();
    call.leg.restart(credentials, "call1r".to_owned());
    let packet = call.caller.audio(OPUS, b"before");
    call.send(&packet);
    call.caller.answered(&answer);
    call.check(true);
    let packet = call.caller.audio(OPUS, b"after");
    call.send(&packet);
    assert_eq!(call.audio().len(), 2);
}

#[test]
fn a_flood_of_forged_packets_changes_nothing() {
    let mut call = Call::connected();
    call.leg.set_relay(Relay::Echo);
    let good = call.caller.audio(OPUS, b"good");
    let mut bits = 1;
    for _ in 0..3_000 {
        let mut forged: Vec<u8> = (0..12).flat_map(|_| next_bits(&mut bits).to_be_bytes()).collect();
        forged[0] = [0x80, 0x00, 0x16, 0x90, 0xFF][forged[1] as usize % 5];
        call.send(&forged);
    }
    assert!(call.heard.is_empty() && call.events.is_empty());
    call.now += Duration::from_secs(1);
    call.send(&good);
    assert_eq!(
        call.audio().len(),
        1,
        "the peer is heard as soon as its rate is free again"
    );
}

mod answering;
mod recording;
/// Something that the network brings to a leg, or that time does.
#[derive(Debug, Clone)]
enum Step {
    /// The caller checks, nominating or not.
    Check {
        port: u16,
        nominate: bool,
    },
    /// The caller speaks.
    Audio {
        port: u16,
    },
    /// Somebody sends noise that looks like something.
    Forged {
        port: u16,
        first: u8,
        rest: Vec<u8>,
    },
    /// Somebody repeats a check of the caller with a byte changed.
    Changed {
        port: u16,
        at: usize,
        mask: u8,
    },
    Pass {
        milliseconds: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let port = 1u16..6;
    let noise = proptest::collection::vec(any::<u8>(), 0..120);
    let step = prop_oneof![
        (port.clone(), any::<bool>()).prop_map(|(port, nominate)| Step::Check { port, nominate }),
        port.clone().prop_map(|port| Step::Audio { port }),
        (port.clone(), any::<u8>(), noise).prop_map(|(port, first, rest)| Step::Forged { port, first, rest }),
        (port, any::<usize>(), 1u8..).prop_map(|(port, at, mask)| Step::Changed { port, at, mask }),
        (0u64..3_000).prop_map(|milliseconds| Step::Pass { milliseconds }),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever happens, a leg sends only to addresses from which an authentic check came, and audio only to one that was
    /// nominated, or that checks while the one in use does not.
    #[test]
    fn nothing_is_ever_sent_to_an_address_that_was_not_proven(steps in steps()) {
        let mut call = Call::connected();
        call.leg.set_relay(Relay::Echo);
        let mut checked = std::collections::BTreeSet::from([call.address]);
        let mut nominated = checked.clone();
        call.check(true);
        let mut in_use = (call.address, call.now);
        for step in steps {
            let at = |port| SocketAddr::from(([203, 0, 113, 1], port));
            let (from, datagram) = match step {
                Step::Check { port, nominate } => {
                    checked.insert(at(port));
                    let is_silent = call.now - in_use.1 >= Patience::default().moved;
                    if nominate || is_silent {
                        nominated.insert(at(port));
                        in_use = (at(port), call.now);
                    } else if at(port) == in_use.0 {
                        in_use.1 = call.now;
                    }
                    (at(port), call.caller.check(nominate))
                }
                Step::Audio { port } => (at(port), call.caller.audio(OPUS, b"x")),
                Step::Forged { port, first, mut rest } => {
                    rest.insert(0, first);
                    (at(port), rest)
                }
                Step::Changed { port, at: place, mask } => {
                    let mut check = call.caller.check(true);
                    let place = place % check.len();
                    check[place] ^= mask;
                    (at(port), check)
                }
                Step::Pass { milliseconds } => {
                    call.now += Duration::from_millis(milliseconds);
                    call.leg.tick(call.now, &mut call.out);
                    (call.address, Vec::new())
                }
            };
            call.leg.datagram(from, &datagram, call.now, &mut call.out);
            for (to, datagram) in call.out.datagrams() {
                prop_assert!(checked.contains(&to), "{to}");
                prop_assert!(datagram[0] <= 3 || nominated.contains(&to), "{to}");
            }
            call.out.clear();
        }
    }
}

mod saying;

/// Lets time pass at the leg while nothing of what it sends arrives.
fn pass_deaf(call: &mut Call, time: Duration) {
    let until = call.now + time;
    while let Some(next) = call.leg.next_tick(call.now).filter(|next| *next <= until) {
        call.now = call.now.max(next);
        call.leg.tick(call.now, &mut call.out);
        call.out.clear();
    }
    call.now = until;
}

#[test]
fn a_flight_that_is_lost_is_sent_again_also_after_its_request_was() {
    let mut call = Call::new();
    call.check(true);
    call.caller.connect(call.now);
    let first = call.caller.outgoing.pop_front().unwrap();
    call.send(&first);
    // The caller has shown its cookie; what answers that is lost for more than a second.
    let second = call.caller.outgoing.pop_front().unwrap();
    call.leg.datagram(call.address, &second, call.now, &mut call.out);
    call.out.clear();
    pass_deaf(&mut call, Duration::from_millis(1_100));
    call.caller.tick(call.now);
    let again = call.caller.outgoing.pop_front().unwrap();
    call.leg.datagram(call.address, &again, call.now, &mut call.out);
    call.out.clear();
    // From now on everything arrives.
    call.pass(Duration::from_secs(4));
    call.exchange();
    assert!(call.caller.is_connected(), "the handshake goes on");
}
