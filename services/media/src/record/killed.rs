//! Processes that are killed while they record: what is on the disk opens, and lacks at most a second.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::keys::tests::put;
use super::{Direction, Keys, Recorder, RecorderConfig, Subject, Tap, is_sealed, unseal};
use crate::audio::ogg::read_opus;
use crate::audio::read_wav;
use crate::codec::Codec;

/// Tells the process where to record.
const PLACE: &str = "TRUNKLINE_TEST_RECORDS_TO";
/// Recordings of a process, and processes: two hundred files that are cut at moments of their own.
const RECORDINGS: usize = 20;
const PROCESSES: usize = 10;
const PACKET: Duration = Duration::from_millis(20);
const PACKETS_A_SECOND: usize = 50;

/// The process that is killed: records without end, and says how many packets each recording was given.
#[test]
fn records_until_it_is_killed() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let place = PathBuf::from(place);
    let plain = Recorder::start(RecorderConfig::new(place.join("plain"))).unwrap();
    let keys = place.join("keys");
    let sealed = RecorderConfig {
        keys: Some(keys),
        ..RecorderConfig::new(place.join("sealed"))
    };
    let sealed = Recorder::start(sealed).unwrap();
    let open = |index: usize| {
        let recorder = if index.is_multiple_of(2) { &plain } else { &sealed };
        let codec = Codec::PREFERRED[index % 3];
        let subject = Subject::named(format!("{index}"));
        let (tap, _) = recorder.begin(&subject, 1, Direction::Received, codec).unwrap();
        (tap, codec)
    };
    let mut taps: Vec<(Tap, Codec)> = Vec::new();
    let began = Instant::now();
    for count in 0u32.. {
        // They begin one after the other, so that their seconds do not end together.
        if taps.len() < RECORDINGS {
            taps.push(open(taps.len()));
        }
        for (tap, codec) in &mut taps {
            let payload = match codec {
                Codec::Opus => Bytes::from_static(&[0x78, 1, 2]),
                _ => Bytes::from_static(&[0xAA; 160]),
            };
            let timestamp = count.wrapping_mul(codec.packet_ticks());
            tap.take(payload, timestamp, 1, Instant::now());
        }
        println!("{}", count + 1);
        std::thread::sleep((began + PACKET * (count + 1)).saturating_duration_since(Instant::now()));
    }
}

struct Recording {
    child: Child,
    told: BufReader<ChildStdout>,
    place: tempfile::TempDir,
    /// Packets that the first recording was given.
    count: usize,
}

impl Recording {
    fn start() -> Self {
        let place = tempfile::tempdir().unwrap();
        let keys = place.path().join("keys");
        std::fs::create_dir(&keys).unwrap();
        put(&keys, "one", 1);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "record::killed::records_until_it_is_killed", "--nocapture"])
            .env(PLACE, place.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let told = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            told,
            place,
            count: 0,
        }
    }

    /// Reads on until that many packets were given.
    fn reaches(&mut self, count: usize) {
        let mut line = String::new();
        while self.count < count {
            line.clear();
            assert!(self.told.read_line(&mut line).unwrap() > 0, "the process goes on");
            // What is not a number is the test harness'.
            self.count = line.trim().parse().unwrap_or(self.count);
        }
    }

    /// Kills it, and gives what each recording lacks of what it was given.
    fn kill(mut self) -> Vec<usize> {
        // SIGKILL.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut line = String::new();
        while self.told.read_line(&mut line).unwrap_or_default() > 0 {
            self.count = line.trim().parse().unwrap_or(self.count);
            line.clear();
        }
        let keys = Keys::new(self.place.path().join("keys")).unwrap();
        (0..RECORDINGS.min(self.count))
            .map(|index| {
                let given = self.count - index;
                let there = packets_of(self.place.path(), index, &keys);
                given.saturating_sub(there)
            })
            .collect()
    }
}

/// The packets in a recording's file, which opens whatever happened.
fn packets_of(place: &Path, index: usize, keys: &Keys) -> usize {
    let ending = if Codec::PREFERRED[index % 3] == Codec::Opus {
        "opus"
    } else {
        "wav"
    };
    let file = if index.is_multiple_of(2) {
        place.join(format!("plain/{index}-received.{ending}"))
    } else {
        place.join(format!("sealed/{index}-received.{ending}.sealed"))
    };
    let mut bytes = std::fs::read(&file).unwrap();
    if is_sealed(&bytes) {
        bytes = unseal(&bytes, keys).unwrap().bytes;
    }
    // In its first second a file has its header alone.
    match ending {
        "opus" => read_opus(&bytes).map_or(0, |file| file.packets.len()),
        _ => read_wav(&bytes).map_or(0, |audio| audio.samples.len() / 160),
    }
}

#[test]
fn a_killed_process_leaves_files_that_open_and_lack_at_most_a_second() {
    let mut processes: Vec<_> = (0..PROCESSES).map(|_| Recording::start()).collect();
    let mut lacking = Vec::new();
    // Each is killed at a moment of its own, in its second to fifth second.
    processes.reverse();
    for round in 0..PROCESSES {
        let mut process = processes.pop().unwrap();
        let moment = RECORDINGS + PACKETS_A_SECOND + rand::random_range(0..PACKETS_A_SECOND) + round * 10;
        process.reaches(moment);
        lacking.extend(process.kill());
    }
    assert_eq!(lacking.len(), PROCESSES * RECORDINGS);
    let over = lacking.iter().filter(|lacking| **lacking > PACKETS_A_SECOND).count();
    // A machine that is busy with other tests may keep the recorder of a process, all of its files, from its work for a moment; twice a
    // second it never may.
    assert!(
        over <= 4 * RECORDINGS,
        "{over} of {} lack more than a second",
        lacking.len()
    );
    assert!(
        lacking.iter().all(|lacking| *lacking <= 2 * PACKETS_A_SECOND),
        "{lacking:?}"
    );
}
