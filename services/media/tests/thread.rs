//! The media thread over real sockets, in both modes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod support;

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::{Duration, Instant};

use rtc_srtp::protection_profile::ProtectionProfile;
use support::{Host, PATIENCE, UdpCaller};
use trunkline_media::leg::{EndReason, LegEvent, Relay};
use trunkline_media::thread::{LegError, OpenError, Ports, ThreadConfig};

fn both_modes(range: std::ops::RangeInclusive<u16>) -> [ThreadConfig; 2] {
    [
        ThreadConfig::loopback(Ports::Single(0)),
        ThreadConfig::loopback(Ports::Range(range)),
    ]
}

fn echoes(caller: &mut UdpCaller, what: &[u8]) {
    caller.say(what);
    assert_eq!(caller.hear().payload, what);
}

#[tokio::test]
async fn audio_comes_back_in_both_modes() {
    for config in both_modes(21_000..=21_019) {
        let mut host = Host::start(config);
        let mut caller = host.call().await;
        host.media.relay(caller.leg, Relay::Echo).await.unwrap();
        for count in 0..20u8 {
            echoes(&mut caller, &[0x78, count]);
        }
        let statistics = host.media.statistics(caller.leg).await.unwrap();
        assert_eq!((statistics.received_packets, statistics.sent_packets), (20, 20));
    }
}

#[tokio::test]
async fn one_host_has_peers_of_both_families_in_both_modes() {
    if UdpSocket::bind("[::1]:0").is_err() {
        println!("not shown: this machine has no IPv6");
        return;
    }
    for config in both_modes(21_120..=21_139) {
        let mut host = Host::start(ThreadConfig {
            bind: Ipv6Addr::UNSPECIFIED.into(),
            advertised: vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()],
            ..config
        });
        for place in 0..2 {
            let mut caller = host.open_at(place).await;
            caller.connect();
            host.event(caller.leg, |event| *event == LegEvent::Connected).await;
            host.media.relay(caller.leg, Relay::Echo).await.unwrap();
            echoes(&mut caller, b"before");
            caller.rebind();
            caller.nominate();
            echoes(&mut caller, b"after");
        }
    }
}

#[tokio::test]
async fn a_peer_that_rebinds_is_followed_in_both_modes() {
    for config in both_modes(21_020..=21_039) {
        let mut host = Host::start(config);
        let mut caller = host.call().await;
        host.media.relay(caller.leg, Relay::Echo).await.unwrap();
        for count in 0..4u8 {
            echoes(&mut caller, &[count]);
            caller.rebind();
            caller.nominate();
            echoes(&mut caller, &[count, count]);
        }
        let statistics = host.media.statistics(caller.leg).await.unwrap();
        assert_eq!(statistics.address_changes, 4);
    }
}

#[tokio::test]
async fn legs_of_one_port_are_told_apart() {
    let mut host = Host::single();
    let mut callers = Vec::new();
    for _ in 0..20 {
        let caller = host.call().await;
        host.media.relay(caller.leg, Relay::Echo).await.unwrap();
        callers.push(caller);
    }
    assert!(callers.iter().all(|caller| caller.host == callers[0].host));
    for (number, caller) in (0u8..).zip(&mut callers) {
        caller.say(&[number]);
    }
    for (number, caller) in (0u8..).zip(&mut callers) {
        assert_eq!(caller.hear().payload, [number]);
    }
}

#[tokio::test]
async fn there_are_no_more_legs_than_allowed() {
    let mut config = ThreadConfig::loopback(Ports::Single(0));
    config.legs = 2;
    let mut host = Host::start(config);
    let (first, _second) = (host.open().await, host.open().await);
    let negotiated = || {
        let identity = support::caller::CallerIdentity::new(ProtectionProfile::AeadAes128Gcm);
        let offer = support::caller::Caller::new(&identity, 9).offer();
        let offer = trunkline_media::sdp::Offer::read(&offer).unwrap();
        offer.negotiate(&trunkline_media::codec::Codec::PREFERRED).unwrap()
    };
    assert_eq!(host.open_for(negotiated()).await.err(), Some(OpenError::Full));
    host.media.close(first.leg, EndReason::Closed).await.unwrap();
    assert!(host.open_for(negotiated()).await.is_ok());
    assert_eq!(host.media.statistics(first.leg).await, Err(LegError::Gone));

    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let none = Host::start(ThreadConfig::loopback(Ports::Range(free..=free)));
    assert!(none.open_for(negotiated()).await.is_ok());
    assert_eq!(none.open_for(negotiated()).await.err(), Some(OpenError::NoPort));
}

#[tokio::test]
async fn a_stopping_thread_ends_its_legs_with_a_farewell() {
    let mut host = Host::single();
    let mut caller = host.call().await;
    let leg = caller.leg;
    drop(host.media);
    let mut reasons = Vec::new();
    while let Some((of, event)) = host.events.recv().await {
        if let (LegEvent::Ended(reason), true) = (event, of == leg) {
            reasons.push(reason);
        }
    }
    assert_eq!(reasons, [EndReason::Closed]);
    let until = Instant::now() + PATIENCE;
    while caller.receive() != Some(support::caller::Heard::Closed) {
        assert!(Instant::now() < until, "the farewell comes");
    }
}

/// Opened and closed again and again, in both modes: no leg and no socket stays. What a whole host keeps is in `leftovers.rs`.
#[tokio::test]
async fn ten_thousand_legs_leave_nothing_behind() {
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    for config in both_modes(22_000..=31_999) {
        let mut host = Host::start(config);
        let mut before = descriptors();
        for round in 0..10 {
            let mut legs = Vec::new();
            for _ in 0..500 {
                legs.push(host.open().await.leg);
            }
            for leg in legs {
                host.media.close(leg, EndReason::Closed).await.unwrap();
                host.event(leg, |event| matches!(event, LegEvent::Ended(_))).await;
            }
            assert_eq!(host.media.figures().legs(), 0);
            // Other tests of this process open sockets, too.
            before = if round == 0 { descriptors() } else { before };
        }
        let until = Instant::now() + PATIENCE;
        while descriptors() > before + 100 {
            assert!(Instant::now() < until, "sockets are closed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
