//! What a packet costs: CPU time of the thread that serves it, for an echo and for a prompt, beside two floors of the same
//! run: plain UDP, and UDP with SRTP; and beside Janus' EchoTest, where it is installed. The same caller drives all of them, 50
//! packets a second a leg.
//!
//! `cargo bench -p trunkline-media`. LEGS (500), JANUS_LEGS (50: its set-ups are slow) and SECONDS (5) of each measurement are
//! taken from the environment. The caller runs in the same process and on the same machine: a floor and what stands beside it
//! bear its disturbance alike.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss
)]

#[path = "../../tests/support/mod.rs"]
mod support;

mod floor;
mod janus;
mod talk;

use std::time::Duration;

use support::{Host, UdpCaller, endless_prompt, setting};
use talk::{Cost, cpu_of, drive, measured};
use trunkline_media::leg::Relay;
use trunkline_media::thread::{Ports, ThreadConfig};

fn resident_kilobytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4
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
    let memory = resident_kilobytes().saturating_sub(before.1) as f64 / f64::from(legs);
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
    let prompt = endless_prompt();
    for caller in &callers {
        host.media.play(caller.leg, prompt.clone()).await.unwrap();
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
    let mut costs = vec![
        floor::udp(legs, time),
        floor::srtp(legs, time),
        runtime.block_on(echo("echo, one port", Ports::Single(0), legs, time)),
        runtime.block_on(echo("echo, a port a leg", Ports::Range(20_000..=29_999), legs, time)),
        runtime.block_on(prompts("prompt, one port", legs, time)),
    ];
    match runtime.block_on(janus::echo(setting("JANUS_LEGS", 50), time)) {
        Ok(cost) => costs.push(cost),
        Err(reason) => println!("Janus was not measured: {reason}"),
    }
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
