//! Floods of forged datagrams: memory stays flat, and a call goes on. Alone in its process, whose memory it measures.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::net::UdpSocket;

use support::Host;
use trunkline_media::leg::Relay;

fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Something that looks like a check, a handshake, audio or a report, of a source that was never seen.
fn forged(number: u32) -> Vec<u8> {
    let mut datagram = vec![0; 100];
    datagram[0] = [0x00, 0x16, 0x80, 0x90][number as usize % 4];
    datagram[1] = [0x01, 0xFE, 111, 200][(number as usize / 4) % 4];
    datagram[4..8].copy_from_slice(&number.to_be_bytes());
    datagram[8..12].copy_from_slice(&number.to_be_bytes());
    datagram
}

#[tokio::test]
async fn a_flood_of_forged_packets_leaves_memory_flat() {
    let mut host = Host::single();
    let mut caller = host.call().await;
    host.media.relay(caller.leg, Relay::Echo).await.unwrap();
    let strangers: Vec<_> = (0..50).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();

    let mut flood = |from: u32, to: u32| {
        for number in from..to {
            let datagram = forged(number);
            let stranger = &strangers[number as usize % strangers.len()];
            let _ = stranger.send_to(&datagram, caller.host);
            // An attacker who can write the caller's own address.
            if number % 19 == 0 {
                caller.send(&datagram);
            }
            // The caller goes on meanwhile; what the flood pushed out of the socket's buffer is lost as on any network.
            if number % 500 == 0 {
                caller.nominate();
            }
        }
    };
    flood(0, 20_000);
    let before = resident_bytes();
    flood(20_000, 120_000);
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 4 * 1024 * 1024, "memory grew by {grown} bytes");

    assert!(host.media.figures().strangers() > 0);
    assert_eq!((host.media.figures().legs(), host.media.figures().panics()), (1, 0));
    let statistics = host.media.statistics(caller.leg).await.unwrap();
    assert!(statistics.refusals.excess + statistics.refusals.forged > 0);
    // The rate of the leg is free again within a second.
    let until = std::time::Instant::now() + support::PATIENCE;
    loop {
        assert!(std::time::Instant::now() < until, "the caller is heard again");
        caller.say(b"still here");
        if let Some(support::caller::Heard::Audio(packet)) = caller.receive() {
            assert_eq!(packet.payload, b"still here");
            break;
        }
    }
}
