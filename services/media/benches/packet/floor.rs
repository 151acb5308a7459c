//! What any host of audio does: receive, with or without SRTP, and send back.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rtc_dtls::crypto_provider::providers::AwsLcRsCrypto;
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;

use crate::support::caller::OPUS;
use crate::talk::{Cost, PAYLOAD, Plain, measured};

/// An echo without a leg, in the manner of the media thread: it sleeps to the next millisecond and drains.
struct Floor {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    address: SocketAddr,
}

impl Floor {
    fn start(name: &str, mut work: impl FnMut(SocketAddr, &mut Vec<u8>) + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let is_stopped = stop.clone();
        let run = move || {
            let began = Instant::now();
            let mut packet = Vec::with_capacity(2048);
            while !is_stopped.load(Ordering::Relaxed) {
                let passed = began.elapsed().subsec_micros() % 1_000;
                std::thread::sleep(Duration::from_micros(u64::from(1_000 - passed)));
                packet.resize(2048, 0);
                while let Ok((length, from)) = socket.recv_from(&mut packet) {
                    packet.truncate(length);
                    work(from, &mut packet);
                    let _ = socket.send_to(&packet, from);
                    packet.resize(2048, 0);
                }
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run).unwrap();
        Self {
            stop,
            thread: Some(thread),
            address,
        }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn context() -> Context {
    Context::new(
        &[1; 16],
        &[2; 12],
        ProtectionProfile::AeadAes128Gcm,
        None,
        None,
        &AwsLcRsCrypto,
    )
    .unwrap()
}

fn rtp(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, OPUS];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&[0; 8]);
    packet.extend_from_slice(&PAYLOAD);
    packet
}

fn plain_speakers(legs: u32, host: SocketAddr, is_sealed: bool) -> Vec<Plain> {
    let speaker = |_| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut context = context();
        let mut sequence = 0u16;
        let packet = Box::new(move || {
            sequence = sequence.wrapping_add(1);
            let packet = rtp(sequence);
            if is_sealed {
                context.encrypt_rtp(&packet).unwrap().to_vec()
            } else {
                packet
            }
        });
        Plain { socket, packet, host }
    };
    (0..legs).map(speaker).collect()
}

pub(crate) fn udp(legs: u32, time: Duration) -> Cost {
    let floor = Floor::start("floor-udp", |_, _| {});
    measured(
        "floor: UDP echo",
        "floor-udp",
        &mut plain_speakers(legs, floor.address, false),
        time,
    )
}

pub(crate) fn srtp(legs: u32, time: Duration) -> Cost {
    let mut contexts: HashMap<SocketAddr, (Context, Context)> = HashMap::new();
    let work = move |from: SocketAddr, packet: &mut Vec<u8>| {
        let (inbound, outbound) = contexts.entry(from).or_insert_with(|| (context(), context()));
        let open = inbound.decrypt_rtp(packet).unwrap();
        let sealed = outbound.encrypt_rtp(&open).unwrap();
        packet.clear();
        packet.extend_from_slice(&sealed);
    };
    let floor = Floor::start("floor-srtp", work);
    measured(
        "floor: UDP + SRTP",
        "floor-srtp",
        &mut plain_speakers(legs, floor.address, true),
        time,
    )
}
