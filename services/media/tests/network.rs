//! A call over a bad network: packets are lost, late, swapped and doubled, and a NAT in between forgets its mappings.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use support::caller::{Heard, TONES};
use support::{Host, PATIENCE, UdpCaller};
use trunkline_fleet::weather::{DatagramPath, Weather};
use trunkline_media::leg::{LegEvent, Relay};

/// A call whose datagrams go through a network.
async fn call_over(host: &mut Host, weather: Weather) -> (UdpCaller, DatagramPath) {
    let mut caller = host.open().await;
    let here = Ipv4Addr::LOCALHOST.into();
    let network = DatagramPath::start(SocketAddr::new(here, 0), here, caller.host, weather);
    caller.host = network.address;
    caller.connect();
    host.event(caller.leg, |event| *event == LegEvent::Connected).await;
    host.media.relay(caller.leg, Relay::Echo).await.unwrap();
    (caller, network)
}

/// Says so many numbered packets, one each 20 ms, with a check now and then; gives the numbers that came back.
fn echoed(caller: &mut UdpCaller, packets: u32, mut at: impl FnMut(u32, &mut UdpCaller)) -> HashSet<u32> {
    caller.socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut heard = HashSet::new();
    let began = Instant::now();
    // Half a second longer than it speaks: the last ones are still under way.
    for number in 0..packets + 25 {
        at(number, caller);
        if number.is_multiple_of(15) {
            let check = caller.caller.check(true);
            caller.send(&check);
        }
        if number < packets {
            caller.say(&number.to_be_bytes());
        }
        let until = began + Duration::from_millis(20) * (number + 1);
        while Instant::now() < until {
            if let Some(Heard::Audio(packet)) = caller.receive()
                && packet.payload_type != TONES
            {
                let number = packet.payload.try_into().map(u32::from_be_bytes);
                heard.insert(number.expect("nothing but what was said comes back"));
            }
        }
    }
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_goes_on_over_a_network_that_loses_delays_and_swaps() {
    let mut host = Host::single();
    let (mut caller, _network) = call_over(&mut host, Weather::STORM).await;
    let heard = echoed(&mut caller, 300, |number, caller| {
        // A key each second, as a phone sends one: its beginning, two packets more, its end thrice.
        let step = number % 50;
        if number < 250 && step < 6 {
            let (is_end, length) = (u8::from(step >= 3) << 7, u16::try_from(step.min(3) + 1).unwrap() * 960);
            let key = u8::try_from(number / 50).unwrap();
            let [high, low] = length.to_be_bytes();
            let began = 1_000_000 + number / 50 * 48_000;
            let packet = caller
                .caller
                .packet(TONES, step == 0, began, &[key, is_end + 10, high, low]);
            caller.send(&packet);
        }
    });
    // 5 % of each way are lost; a busy machine loses more.
    assert!(heard.len() >= 240, "{} of 300 packets came back", heard.len());
    let statistics = host.media.statistics(caller.leg).await.unwrap();
    assert!(
        statistics.lost_packets > 0 && statistics.late_packets > 0,
        "{statistics:?}"
    );
    assert!(statistics.jitter > Duration::from_millis(5), "{statistics:?}");
    assert_eq!(statistics.address_changes, 0);
    let mut keys = Vec::new();
    let until = Instant::now() + PATIENCE;
    while keys.len() < 5 {
        assert!(Instant::now() < until, "the keys are heard: {keys:?}");
        let event = host
            .event(caller.leg, |event| matches!(event, LegEvent::Tone { .. }))
            .await;
        if let LegEvent::Tone { key, .. } = event {
            keys.push(key.character());
        }
    }
    assert_eq!(keys, ['0', '1', '2', '3', '4'], "each key once, in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nat_that_rebinds_again_and_again_interrupts_until_the_next_check_only() {
    let mut host = Host::single();
    let (mut caller, network) = call_over(&mut host, Weather::CALM).await;
    // A rebinding each two seconds, a check each 0.3 s.
    let heard = echoed(&mut caller, 500, |number, _| {
        if number % 100 == 50 {
            network.rebind();
        }
    });
    let statistics = host.media.statistics(caller.leg).await.unwrap();
    assert_eq!(statistics.address_changes, 5);
    // Each takes up to 15 packets; a busy machine takes more.
    assert!(heard.len() >= 375, "{} of 500 packets came back", heard.len());
    let last: Vec<u32> = (470..500).filter(|number| heard.contains(number)).collect();
    assert!(last.len() >= 20, "it is well again at the end: {last:?}");
}
