//! What a packet costs: CPU time of the thread that serves it, for an echo and for a prompt, beside two floors of the same
//! run: plain UDP, and UDP with SRTP. The same caller drives all of them, 50 packets a second a leg.
//!
//! `cargo bench -p trunkline-media`. LEGS (500) and SECONDS (5) of each measurement are taken from the environment. The
//! caller runs in the same process and on the same machine: a floor and what stands beside it bear its disturbance alike.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rtc_dtls::crypto_provider::providers::AwsLcRsCrypto;
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;
use support::caller::OPUS;
use support::{Host, UdpCaller};
use trunkline_media::codec::Codec;
use trunkline_media::leg::{Play, Relay};
use trunkline_media::prompt::Prompt;
use trunkline_media::thread::{Ports, ThreadConfig};

const PAYLOAD: [u8; 80] = [0x78; 80];
const SLOT: Duration = Duration::from_millis(1);
const SLOTS: u64 = 20;

/// A measurement of a thread.
struct Cost {
    name: &'static str,
    packets: u64,
    cpu: Duration,
    share_lost: f64,
}

impl Cost {
    fn micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.packets as f64
    }
}

fn setting(name: &str, default: u32) -> u32 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// CPU time of a thread of this process, by its name, which a thread gives itself when it starts.
fn cpu_of(name: &str) -> Duration {
    let of_task = |task: std::fs::DirEntry| {
        let is_meant = std::fs::read_to_string(task.path().join("comm")).ok()?.trim_end() == name;
        let figures = is_meant.then(|| std::fs::read_to_string(task.path().join("schedstat")).ok())??;
        figures.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        if let Some(cpu) = tasks.flatten().find_map(of_task) {
            return cpu;
        }
        assert!(Instant::now() < until, "the thread {name} runs");
        std::thread::yield_now();
    }
}

fn resident_kilobytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4
}

/// Someone who sends a packet each 20 ms and counts what comes back.
trait Speaker {
    fn speak(&mut self);
    fn heard(&mut self) -> u64;
}

impl Speaker for UdpCaller {
    fn speak(&mut self) {
        self.say(&PAYLOAD);
    }

    fn heard(&mut self) -> u64 {
        drained(&self.socket)
    }
}

struct Plain {
    socket: UdpSocket,
    packet: Box<dyn FnMut() -> Vec<u8>>,
    host: SocketAddr,
}

impl Speaker for Plain {
    fn speak(&mut self) {
        self.socket.send_to(&(self.packet)(), self.host).unwrap();
    }

    fn heard(&mut self) -> u64 {
        drained(&self.socket)
    }
}

fn drained(socket: &UdpSocket) -> u64 {
    let mut buffer = [0; 2048];
    std::iter::from_fn(|| socket.recv_from(&mut buffer).ok()).count() as u64
}

/// Lets all speak for a while, spread over the 20 ms; gives what was sent and what came back.
fn drive<S: Speaker>(speakers: &mut [S], speaks: bool, time: Duration) -> (u64, u64) {
    let began = Instant::now();
    let (mut sent, mut heard) = (0, 0);
    for slot in 0.. {
        let due = began + SLOT * u32::try_from(slot).unwrap();
        if due > began + time {
            return (sent, heard);
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let of_slot = speakers.iter_mut().skip(usize::try_from(slot % SLOTS).unwrap());
        for speaker in of_slot.step_by(usize::try_from(SLOTS).unwrap()) {
            heard += speaker.heard();
            if speaks {
                speaker.speak();
                sent += 1;
            }
        }
    }
    (sent, heard)
}

fn measured<S: Speaker>(name: &'static str, thread: &str, speakers: &mut [S], time: Duration) -> Cost {
    drive(speakers, true, Duration::from_secs(1));
    let before = cpu_of(thread);
    let (sent, heard) = drive(speakers, true, time);
    let cpu = cpu_of(thread).checked_sub(before).unwrap();
    // What found the socket's buffer full was not served, and is not counted.
    Cost {
        name,
        packets: heard,
        cpu,
        share_lost: 1.0 - heard as f64 / sent as f64,
    }
}

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

fn floor_udp(legs: u32, time: Duration) -> Cost {
    let floor = Floor::start("floor-udp", |_, _| {});
    measured(
        "floor: UDP echo",
        "floor-udp",
        &mut plain_speakers(legs, floor.address, false),
        time,
    )
}

fn floor_srtp(legs: u32, time: Duration) -> Cost {
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

/// A host with its calls; what their set-up cost is printed.
async fn calls(name: &str, ports: Ports, legs: u32) -> (Host, Vec<UdpCaller>) {
    let mut config = ThreadConfig::loopback(ports);
    config.legs = legs;
    let mut host = Host::start(config);
    let before = (cpu_of("media-0"), resident_kilobytes());
    let mut callers = Vec::new();
    for _ in 0..legs {
        let caller = host.call().await;
        caller.socket.set_nonblocking(true).unwrap();
        callers.push(caller);
    }
    let cpu = cpu_of("media-0").checked_sub(before.0).unwrap().as_secs_f64() * 1e3 / f64::from(legs);
    // The callers are in the same process and keep about as much.
    let memory = (resident_kilobytes() - before.1) as f64 / f64::from(legs);
    println!("{name}: {cpu:.2} ms CPU a set-up, {memory:.0} KB a leg with its caller");
    (host, callers)
}

async fn echo(name: &'static str, ports: Ports, legs: u32, time: Duration) -> Cost {
    let (host, mut callers) = calls(name, ports, legs).await;
    for caller in &callers {
        host.media.relay(caller.leg, Relay::Echo).await.unwrap();
    }
    measured(name, "media-0", &mut callers, time)
}

async fn prompts(name: &'static str, legs: u32, time: Duration) -> Cost {
    let (host, mut callers) = calls(name, Ports::Single(0), legs).await;
    let prompt = Prompt::of_file(&tone(), Codec::Opus).unwrap();
    for caller in &callers {
        let play = Play {
            operation: 1,
            prompts: vec![prompt.clone()],
            repeat: true,
            stops_at_tone: false,
        };
        host.media.play(caller.leg, play).await.unwrap();
    }
    drive(&mut callers, false, Duration::from_secs(1));
    let before = (cpu_of("media-0"), host.media.figures().sent());
    let (_, heard) = drive(&mut callers, false, time);
    let packets = host.media.figures().sent() - before.1;
    let cpu = cpu_of("media-0").checked_sub(before.0).unwrap();
    Cost {
        name,
        packets,
        cpu,
        share_lost: 1.0 - heard as f64 / packets as f64,
    }
}

/// Ten seconds of a sawtooth as a WAV file.
fn tone() -> Vec<u8> {
    let mut file =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data\0\xe2\x04\0".to_vec();
    let samples = (0..160_000u32).flat_map(|index| i16::try_from(index % 64 * 100).unwrap().to_le_bytes());
    file.extend(samples);
    file
}

fn main() {
    // What `cargo test --benches` asks of a benchmark: that it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let legs = setting("LEGS", 500);
    let time = Duration::from_secs(u64::from(setting("SECONDS", 5)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let costs = [
        floor_udp(legs, time),
        floor_srtp(legs, time),
        runtime.block_on(echo("echo, one port", Ports::Single(0), legs, time)),
        runtime.block_on(echo("echo, a port a leg", Ports::Range(20_000..=29_999), legs, time)),
        runtime.block_on(prompts("prompt, one port", legs, time)),
    ];
    let floor = costs[1].micros();
    println!(
        "\n{legs} legs, 50 packets a second each, {} s a measurement",
        time.as_secs()
    );
    println!(
        "{:<20} {:>10} {:>14} {:>12} {:>10}",
        "what", "packets", "CPU us/packet", "x UDP+SRTP", "not back"
    );
    for cost in costs {
        let micros = cost.micros();
        let lost = cost.share_lost.max(0.0) * 100.0;
        println!(
            "{:<20} {:>10} {micros:>14.2} {:>12.2} {lost:>9.2}%",
            cost.name,
            cost.packets,
            micros / floor
        );
    }
}
