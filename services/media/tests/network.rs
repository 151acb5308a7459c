//! A call over a bad network: packets are lost, late, swapped and doubled, and a NAT in between forgets its mappings. A relay in this
//! process stands in for `tc netem`, which not every kernel has.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use support::caller::{Heard, TONES};
use support::{Host, PATIENCE, UdpCaller};
use trunkline_media::leg::{LegEvent, Relay};

/// What the network does to a datagram.
#[derive(Clone, Copy)]
struct Weather {
    /// Of a hundred datagrams so many are lost, and so many come twice.
    lost: u32,
    doubled: u32,
    /// Each is late by a time of its own between these: so some overtake others.
    late: (u64, u64),
}

const CALM: Weather = Weather {
    lost: 0,
    doubled: 0,
    late: (0, 1),
};
const STORM: Weather = Weather {
    lost: 5,
    doubled: 2,
    late: (40, 120),
};

/// How long the network waits for a datagram of the caller before it looks what else is to be done.
const LOOK: Duration = Duration::from_millis(1);

/// A datagram under way: when it arrives, a number that keeps the order of equals, whether it goes to the host, and itself.
type UnderWay = Reverse<(Instant, u64, bool, Vec<u8>)>;

/// A network between one caller and the host, with a NAT.
struct Network {
    address: SocketAddr,
    rebinds: Arc<AtomicU32>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Network {
    fn to(host: SocketAddr, weather: Weather) -> Self {
        let inside = UdpSocket::bind("127.0.0.1:0").unwrap();
        inside.set_read_timeout(Some(LOOK)).unwrap();
        let address = inside.local_addr().unwrap();
        let (rebinds, is_over) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let (wanted, ends) = (rebinds.clone(), is_over.clone());
        let thread = std::thread::spawn(move || carry(&inside, host, weather, &wanted, &ends));
        Self {
            address,
            rebinds,
            is_over,
            thread: Some(thread),
        }
    }

    /// The NAT forgets: from now on the host sees another address, and what it sends to the old one is lost.
    fn rebind(&self) {
        self.rebinds.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn outside() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn carry(inside: &UdpSocket, host: SocketAddr, weather: Weather, rebinds: &AtomicU32, is_over: &AtomicBool) {
    let mut random = StdRng::seed_from_u64(7);
    let (mut nat, mut rebound) = (outside(), 0);
    let mut caller = None;
    let mut under_way: BinaryHeap<UnderWay> = BinaryHeap::new();
    let mut number = 0;
    let mut buffer = [0; 2_048];
    while !is_over.load(Ordering::Relaxed) {
        if rebound != rebinds.load(Ordering::Relaxed) {
            rebound = rebinds.load(Ordering::Relaxed);
            nat = outside();
        }
        for (socket, to_host) in [(inside, true), (&nat, false)] {
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                if to_host {
                    caller = Some(from);
                }
                let copies = match random.random_range(0..100) {
                    fate if fate < weather.lost => 0,
                    fate if fate < weather.lost + weather.doubled => 2,
                    _ => 1,
                };
                for _ in 0..copies {
                    let late = Duration::from_millis(random.random_range(weather.late.0..weather.late.1));
                    number += 1;
                    under_way.push(Reverse((
                        Instant::now() + late,
                        number,
                        to_host,
                        buffer[..length].to_vec(),
                    )));
                }
            }
        }
        while under_way.peek().is_some_and(|Reverse((at, ..))| *at <= Instant::now()) {
            let Some(Reverse((_, _, to_host, datagram))) = under_way.pop() else {
                break;
            };
            // A datagram that the system does not take is lost as on any network.
            let _ = match (to_host, caller) {
                (true, _) => nat.send_to(&datagram, host),
                (false, Some(caller)) => inside.send_to(&datagram, caller),
                (false, None) => Ok(0),
            };
        }
    }
}

/// A call whose datagrams go through a network.
async fn call_over(host: &mut Host, weather: Weather) -> (UdpCaller, Network) {
    let mut caller = host.open().await;
    let network = Network::to(caller.host, weather);
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
    let (mut caller, _network) = call_over(&mut host, STORM).await;
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
    let (mut caller, network) = call_over(&mut host, CALM).await;
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
