//! Callers who send a packet each 20 ms, and what serving them costs a thread.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::support::{Line, UdpCaller};

pub(crate) const PAYLOAD: [u8; 80] = [0x78; 80];
const SLOT: Duration = Duration::from_millis(1);
const SLOTS: u64 = 20;

/// A measurement of a thread.
pub(crate) struct Cost {
    pub(crate) name: &'static str,
    pub(crate) packets: u64,
    pub(crate) cpu: Duration,
    pub(crate) share_lost: f64,
}

impl Cost {
    pub(crate) fn micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.packets as f64
    }
}

/// CPU time of a thread of this process, by its name, which a thread gives itself when it starts.
pub(crate) fn cpu_of(name: &str) -> Duration {
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

/// Someone who sends a packet each 20 ms and counts what comes back.
pub(crate) trait Speaker {
    fn speak(&mut self);
    fn heard(&mut self) -> u64;
}

impl Speaker for UdpCaller {
    fn speak(&mut self) {
        <Line as Speaker>::speak(self);
    }

    fn heard(&mut self) -> u64 {
        <Line as Speaker>::heard(self)
    }
}

impl Speaker for Line {
    fn speak(&mut self) {
        self.say(&PAYLOAD);
    }

    fn heard(&mut self) -> u64 {
        drained(&self.socket)
    }
}

pub(crate) struct Plain {
    pub(crate) socket: UdpSocket,
    pub(crate) packet: Box<dyn FnMut() -> Vec<u8>>,
    pub(crate) host: SocketAddr,
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
pub(crate) fn drive<S: Speaker>(speakers: &mut [S], speaks: bool, time: Duration) -> (u64, u64) {
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

pub(crate) fn measured<S: Speaker>(name: &'static str, thread: &str, speakers: &mut [S], time: Duration) -> Cost {
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
