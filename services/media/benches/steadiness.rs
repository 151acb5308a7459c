//! How evenly prompts come while calls begin: legs hear a prompt, and two hundred handshakes a second are done on their thread
//! meanwhile. The aim: 20 ms between packets, give or take 2 ms, for 99.9 % of them.
//!
//! `cargo bench -p trunkline-media --bench steadiness`. LEGS (100) that listen, SETUPS (200) a second and SECONDS (8) are taken from the
//! environment, and REALTIME (0): 1 lets the media thread and the listener, which stands for another machine, go before all usual work;
//! that must be permitted. Listener and callers run in the same process, on the same machine, and are late themselves: the first measurement,
//! without set-ups, says how much of it is theirs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::{Host, UdpCaller, endless_prompt, setting};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use trunkline_media::thread::{Ports, ThreadConfig};

const PACKET: Duration = Duration::from_millis(20);
const AIM: Duration = Duration::from_millis(2);
/// Threads that make calls: a handshake is a millisecond of theirs, too.
const CALLING: usize = 2;

/// How far the times between packets were from 20 ms, over all listeners.
#[derive(Default)]
struct Steadiness {
    off: Vec<Duration>,
    /// How late the listener itself looked, at the worst.
    own: Duration,
}

impl Steadiness {
    fn share_within(&self, aim: Duration) -> f64 {
        let within = self.off.iter().filter(|off| **off <= aim).count();
        within as f64 / self.off.len().max(1) as f64
    }

    fn at(&self, share: f64) -> f64 {
        let mut off = self.off.clone();
        off.sort();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let place = (off.len().saturating_sub(1) as f64 * share) as usize;
        off.get(place).map_or(0.0, |off| off.as_secs_f64() * 1e3)
    }
}

/// Looks at all sockets again and again, and notes when each packet came.
fn listen(listeners: &mut [UdpCaller], time: Duration) -> Steadiness {
    let mut last: Vec<Option<Instant>> = vec![None; listeners.len()];
    let mut steadiness = Steadiness::default();
    let mut buffer = [0; 2_048];
    let until = Instant::now() + time;
    let mut looked = Instant::now();
    while looked < until {
        for (listener, last) in listeners.iter().zip(&mut last) {
            while let Ok((length, _)) = listener.socket.recv_from(&mut buffer) {
                // Reports come beside audio.
                if length < 13 || !(128..=191).contains(&buffer[0]) || (192..=223).contains(&buffer[1]) {
                    continue;
                }
                let now = Instant::now();
                if let Some(before) = last.replace(now) {
                    steadiness.off.push((now - before).abs_diff(PACKET));
                }
            }
        }
        std::thread::sleep(Duration::from_micros(100));
        let now = Instant::now();
        steadiness.own = steadiness.own.max(now - looked);
        looked = now;
    }
    steadiness
}

/// Makes one call after the other at a pace, until it is told to stop; gives how many came about.
fn make_calls(mut callers: Vec<UdpCaller>, pace: Duration, is_over: &AtomicBool) -> Vec<UdpCaller> {
    let began = Instant::now();
    let mut made = Vec::new();
    for (count, mut caller) in (0u32..).zip(callers.drain(..)) {
        std::thread::sleep((began + pace * count).saturating_duration_since(Instant::now()));
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        caller.connect();
        made.push(caller);
    }
    made
}

async fn measure(legs: u32, setups: u32, time: Duration) {
    let mut config = ThreadConfig::loopback(Ports::Single(0));
    let waiting = setups * u32::try_from(time.as_secs() + 1).unwrap();
    config.legs = legs + waiting;
    let is_realtime = setting("REALTIME", 0) == 1;
    config.is_realtime = is_realtime;
    let mut host = Host::start(config);
    let prompt = endless_prompt();
    let mut listeners = Vec::new();
    for _ in 0..legs {
        let listener = host.call().await;
        listener.socket.set_nonblocking(true).unwrap();
        host.media.play(listener.leg, prompt.clone()).await.unwrap();
        listeners.push(listener);
    }
    let mut callers: Vec<Vec<UdpCaller>> = (0..CALLING).map(|_| Vec::new()).collect();
    for number in 0..waiting as usize {
        callers[number % CALLING].push(host.open().await);
    }
    if is_realtime {
        go_first();
    }
    listen(&mut listeners, Duration::from_secs(1));
    let is_over = Arc::new(AtomicBool::new(false));
    let pace = Duration::from_secs(1) * u32::try_from(CALLING).unwrap() / setups.max(1);
    let calling: Vec<_> = callers
        .into_iter()
        .map(|callers| {
            let is_over = is_over.clone();
            std::thread::spawn(move || make_calls(callers, pace, &is_over))
        })
        .collect();
    let steadiness = listen(&mut listeners, time);
    is_over.store(true, Ordering::Relaxed);
    let made: usize = calling.into_iter().map(|thread| thread.join().unwrap().len()).sum();
    println!(
        "{:>10} {:>10.0} {:>10} {:>11.3}% {:>10.2} {:>10.2} {:>10.2} {:>12.2} {:>12.2}",
        setups,
        made as f64 / time.as_secs_f64(),
        steadiness.off.len(),
        steadiness.share_within(AIM) * 100.0,
        steadiness.at(0.5),
        steadiness.at(0.999),
        steadiness.at(1.0),
        steadiness.own.as_secs_f64() * 1e3,
        host.media.figures().worst_lag().as_secs_f64() * 1e3,
    );
}

/// Lets the listener go before all usual work, as the media thread does.
fn go_first() {
    let fifo = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, fifo).unwrap();
}

fn main() {
    // What `cargo test --benches` asks of a benchmark: that it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let (legs, setups) = (setting("LEGS", 100), setting("SETUPS", 200));
    let time = Duration::from_secs(u64::from(setting("SECONDS", 8)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    println!(
        "{legs} legs hear a prompt, {} s a measurement; times in ms",
        time.as_secs()
    );
    println!(
        "{:>10} {:>10} {:>10} {:>12} {:>10} {:>10} {:>10} {:>12} {:>12}",
        "set-ups/s", "made/s", "packets", "within 2", "median", "99.9 %", "worst", "listener", "thread lag"
    );
    runtime.block_on(async {
        measure(legs, 0, time).await;
        measure(legs, setups, time).await;
    });
}
