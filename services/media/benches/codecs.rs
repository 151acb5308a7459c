//! What a codec thread needs for a frame of 20 ms, by purpose: what the prices in `src/codecs/budget.rs` are made of.
//!
//! One codec thread, a voice-like sound, 50 frames in a round; the CPU time of the thread is divided by them. The median of the rounds
//! is shown, and what nine in ten stay below.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trunkline_media::codec::Codec;
use trunkline_media::codecs::{Codecs, Frames, Purpose, Voice};
use trunkline_media::leg::Frame;

const ROUNDS: u32 = 60;
const FRAMES: u32 = 50;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    for codec in [Codec::Opus, Codec::Pcmu] {
        let name = codec.name();
        runtime.block_on(async {
            let (hearing, speaking) = live(codec).await;
            show(&format!("listen {name}"), hearing);
            show(&format!("speak {name}"), speaking);
        });
    }
    show("speech opus", speech());
    for (from, to) in [
        (Codec::Opus, Codec::Pcmu),
        (Codec::Pcmu, Codec::Opus),
        (Codec::Pcmu, Codec::Pcma),
    ] {
        let name = format!("{} to {}", from.name(), to.name());
        show(&name, transcode(from, to));
    }
}

fn show(name: &str, mut rounds: Vec<f64>) {
    rounds.sort_by(f64::total_cmp);
    let (median, nine_in_ten) = (rounds[rounds.len() / 2], rounds[rounds.len() * 9 / 10]);
    println!("{name:14} {median:7.1} us median {nine_in_ten:7.1} us nine in ten");
}

/// Microseconds a frame of the work since then.
fn a_frame_since(before: Duration) -> f64 {
    settled(before).saturating_sub(before).as_secs_f64() * 1e6 / f64::from(FRAMES)
}

/// CPU time of the codec thread so far, as the kernel counts it (`Documentation/scheduler/sched-stats.rst`).
fn busy() -> Duration {
    let is_it =
        |task: &PathBuf| std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.starts_with("codec-"));
    let tasks = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .flatten()
        .map(|task| task.path());
    let times = tasks.filter(is_it).map(|task| {
        let stat = std::fs::read_to_string(task.join("schedstat")).unwrap();
        stat.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    });
    Duration::from_nanos(times.sum())
}

async fn live(codec: Codec) -> (Vec<f64>, Vec<f64>) {
    let codecs = Codecs::start(1).unwrap();
    let seat = codecs.seat(&Purpose::live(codec)).unwrap();
    let mut live = codecs.live(codec, &seat).unwrap();
    let (mut hearing, mut speaking) = (Vec::new(), Vec::new());
    let mut place = 0;
    for _ in 0..ROUNDS {
        let before = busy();
        let mut packets = Vec::new();
        for frame in sound(place) {
            assert!(live.mouth.say(frame).await);
        }
        while packets.len() < FRAMES as usize {
            packets.extend(next(&mut live.voice).await);
        }
        speaking.push(a_frame_since(before));
        let before = busy();
        for (packet, number) in packets.into_iter().zip(place..) {
            live.ear
                .hear(packet, (number * codec.packet_ticks(), 1), Instant::now());
            // As many as a listener may have waiting.
            if number % 20 == 19 {
                all(&mut live.frames).await;
            }
        }
        all(&mut live.frames).await;
        hearing.push(a_frame_since(before));
        place += FRAMES;
    }
    (hearing, speaking)
}

fn speech() -> Vec<f64> {
    let packets = opus();
    let codecs = Codecs::start(1).unwrap();
    let mut ear = codecs.listen(Box::new(|_| {})).unwrap();
    let round = |place: u32| {
        let before = busy();
        for (packet, number) in packets.iter().zip(place..) {
            ear.hear(packet.clone(), (number * 960, 1), Instant::now());
        }
        a_frame_since(before)
    };
    (0..ROUNDS).map(|number| number * FRAMES).map(round).collect()
}

fn transcode(from: Codec, to: Codec) -> Vec<f64> {
    let packets = match from {
        Codec::Opus => opus(),
        // Whatever it is, it is a sound.
        _ => sound(0)
            .map(|frame| frame.iter().step_by(2).map(|sample| sample.to_be_bytes()[0]).collect())
            .collect(),
    };
    let codecs = Codecs::start(1).unwrap();
    let seat = codecs.seat(&[Purpose::Transcode(from, to)]).unwrap();
    let mut transcoder = codecs.transcode(from, to, &seat, Box::new(|_| {})).unwrap();
    let round = |place: u32| {
        let before = busy();
        for (packet, number) in packets.iter().zip(place..) {
            transcoder.take(Frame {
                payload: packet.clone(),
                timestamp: number * from.packet_ticks(),
                number: u64::from(number),
                marker: false,
                source: 1,
            });
        }
        a_frame_since(before)
    };
    (0..ROUNDS).map(|number| number * FRAMES).map(round).collect()
}

/// The work of the thread once it has begun and waits again.
fn settled(before: Duration) -> Duration {
    loop {
        let now = busy();
        std::thread::sleep(Duration::from_millis(5));
        if now > before && busy() == now {
            return now;
        }
    }
}

async fn next(voice: &mut Voice) -> Option<Bytes> {
    let packet = voice.packet().unwrap();
    if packet.is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    packet
}

/// Takes frames until none comes any more.
async fn all(frames: &mut Frames) {
    while tokio::time::timeout(Duration::from_millis(20), frames.next())
        .await
        .is_ok()
    {}
}

/// 50 frames of something like a voice: harmonics that rise and fall, and breath.
fn sound(from: u32) -> impl Iterator<Item = Vec<i16>> {
    let sample = |index: u32| {
        let at = f64::from(index) / 16_000.0;
        let pitch = 120.0 + 30.0 * (at * 2.1).sin();
        let voice: f64 = (1..12)
            .map(|harmonic| (std::f64::consts::TAU * pitch * f64::from(harmonic) * at).sin() / f64::from(harmonic))
            .sum();
        let breath = f64::from(index.wrapping_mul(2_654_435_761) >> 16) / 65_536.0 - 0.5;
        let loudness = 0.5 + 0.5 * (at * 9.0).sin();
        #[allow(clippy::cast_possible_truncation, reason = "below what a sample can be")]
        let sample = (6_000.0 * loudness * voice + 800.0 * breath) as i16;
        sample
    };
    (from..from + FRAMES).map(move |frame| (frame * 320..(frame + 1) * 320).map(sample).collect())
}

fn opus() -> Vec<Bytes> {
    let builder = ropus::Encoder::builder(16_000, ropus::Channels::Mono, ropus::Application::Voip);
    let mut encoder = builder.bitrate(ropus::Bitrate::Bits(24_000)).build().unwrap();
    let mut packet = [0; 1_000];
    let mut encode = |frame: Vec<i16>| {
        let length = encoder.encode(&frame, &mut packet).unwrap();
        Bytes::copy_from_slice(&packet[..length])
    };
    sound(0).map(&mut encode).collect()
}
