//! A UDP path between one caller and a host that loses, delays, swaps and doubles, with a NAT that forgets: what stands in for
//! `tc netem`, which not every kernel has.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// What the network does to a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Of a hundred datagrams each way so many are lost.
    pub lost: u32,
    /// Of a hundred so many come twice.
    pub doubled: u32,
    /// Milliseconds: each is late by a time of its own from this, below that, so that some overtake others.
    pub late: (u64, u64),
}

impl Weather {
    /// Nothing happens to anything.
    pub const CALM: Self = Self {
        lost: 0,
        doubled: 0,
        late: (0, 1),
    };
    /// 5 % are lost, 2 % come twice, and all are 40 to 120 ms late.
    pub const STORM: Self = Self {
        lost: 5,
        doubled: 2,
        late: (40, 120),
    };
}

/// How long the path waits for a datagram of the caller before it looks what else is to be done.
const LOOK: Duration = Duration::from_millis(1);

/// A datagram under way: when it arrives, a number that keeps the order of equals, whether it goes to the host, and itself.
type UnderWay = Reverse<(Instant, u64, bool, Vec<u8>)>;

/// A path to one host; it ends with its owner.
#[derive(Debug)]
pub struct DatagramPath {
    /// Where the caller sends to in place of the host.
    pub address: SocketAddr,
    rebinds: Arc<AtomicU32>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl DatagramPath {
    /// A path from `inside`, port 0 for any, to the host, which sees an address of `outside`.
    pub fn start(inside: SocketAddr, outside: IpAddr, host: SocketAddr, weather: Weather) -> Self {
        let inside = UdpSocket::bind(inside).unwrap();
        inside.set_read_timeout(Some(LOOK)).unwrap();
        let address = inside.local_addr().unwrap();
        let (rebinds, is_over) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let carrier = Carrier {
            nat: bind(outside),
            inside,
            outside,
            host,
            weather,
            random: StdRng::seed_from_u64(7),
            caller: None,
            number: 0,
            under_way: BinaryHeap::new(),
        };
        let (wanted, ends) = (Arc::clone(&rebinds), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || carrier.run(&wanted, &ends));
        Self {
            address,
            rebinds,
            is_over,
            thread: Some(thread),
        }
    }

    /// The NAT forgets: from now on the host sees another address, and what it sends to the old one is lost.
    pub fn rebind(&self) {
        self.rebinds.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for DatagramPath {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its panic was printed; a second one here would hide it.
            let _ = thread.join();
        }
    }
}

fn bind(outside: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind((outside, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

struct Carrier {
    inside: UdpSocket,
    nat: UdpSocket,
    outside: IpAddr,
    host: SocketAddr,
    weather: Weather,
    random: StdRng,
    caller: Option<SocketAddr>,
    number: u64,
    under_way: BinaryHeap<UnderWay>,
}

impl Carrier {
    fn run(mut self, rebinds: &AtomicU32, is_over: &AtomicBool) {
        let (mut rebound, mut buffer) = (0, [0; 2_048]);
        while !is_over.load(Ordering::Relaxed) {
            if rebound != rebinds.load(Ordering::Relaxed) {
                rebound = rebinds.load(Ordering::Relaxed);
                self.nat = bind(self.outside);
            }
            while let Ok((length, from)) = self.inside.recv_from(&mut buffer) {
                self.caller = Some(from);
                self.send_off(true, &buffer[..length]);
            }
            while let Ok((length, _)) = self.nat.recv_from(&mut buffer) {
                self.send_off(false, &buffer[..length]);
            }
            self.deliver();
        }
    }

    fn send_off(&mut self, to_host: bool, datagram: &[u8]) {
        let Weather { lost, doubled, late } = self.weather;
        let copies = match self.random.random_range(0..100) {
            fate if fate < lost => 0,
            fate if fate < lost + doubled => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let late = Duration::from_millis(self.random.random_range(late.0..late.1));
            self.number += 1;
            let arrives = Instant::now() + late;
            self.under_way
                .push(Reverse((arrives, self.number, to_host, datagram.to_vec())));
        }
    }

    fn deliver(&mut self) {
        while self
            .under_way
            .peek()
            .is_some_and(|Reverse((at, ..))| *at <= Instant::now())
        {
            let Some(Reverse((_, _, to_host, datagram))) = self.under_way.pop() else {
                break;
            };
            // A datagram that the system does not take is lost as on any network.
            let _ = match (to_host, self.caller) {
                (true, _) => self.nat.send_to(&datagram, self.host),
                (false, Some(caller)) => self.inside.send_to(&datagram, caller),
                (false, None) => Ok(0),
            };
        }
    }
}
