//! Recordings that are mixed when they have ended, also after the process that recorded them died.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trunkline_caller::recorded;

use super::*;
use crate::codec::Codec;

const PATIENCE: Duration = Duration::from_secs(20);

fn config(directory: &Path, is_mixed: bool) -> RecorderConfig {
    RecorderConfig {
        keys: Some(directory.join("keys")),
        is_mixed,
        ..RecorderConfig::new(directory.join("recordings"))
    }
}

fn place() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(directory.path().join("keys/blue")).unwrap();
    for (name, byte) in [("keys/operator.key", "1f"), ("keys/blue/own.key", "2e")] {
        std::fs::write(directory.path().join(name), byte.repeat(32)).unwrap();
    }
    directory
}

/// Records half a second of each direction.
async fn record(recorder: &Recorder, name: &str, directions: &[Direction]) {
    let subject = Subject {
        tenant: "blue".to_owned(),
        confirmed_by: "policy".to_owned(),
        ..Subject::named(name)
    };
    let mut finished = Vec::new();
    for direction in directions {
        let (mut tap, end) = recorder.begin(&subject, 1, *direction, Codec::Pcmu).unwrap();
        for packet in 0..25 {
            // 500 Hz, the loudest that mu-law has.
            let period = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0, 0, 0, 0, 0, 0, 0];
            tap.take(Bytes::from(period.repeat(10)), packet * 160, 1, Instant::now());
        }
        finished.push(end);
    }
    for end in finished {
        end.await.unwrap().unwrap();
    }
}

/// The mixed file, once its manifest says that it is whole.
fn mixed(directory: &Path, name: &str) -> (Vec<trunkline_caller::Spectrum>, serde_json::Value) {
    let file = directory.join(format!("recordings/{name}-mixed.opus.sealed"));
    let manifest = directory.join(format!("recordings/{name}-mixed.opus.sealed.json"));
    let until = Instant::now() + PATIENCE;
    while !manifest.exists() {
        assert!(Instant::now() < until, "{name} is mixed");
        std::thread::sleep(Duration::from_millis(10));
    }
    let keys = Keys::new(directory.join("keys")).unwrap();
    let opened = unseal(&std::fs::read(file).unwrap(), &keys).unwrap();
    assert!(opened.is_whole);
    let manifest = serde_json::from_slice(&std::fs::read(manifest).unwrap()).unwrap();
    (recorded(&opened.bytes).unwrap(), manifest)
}

const BOTH: [Direction; 2] = [Direction::Received, Direction::Sent];

#[tokio::test]
async fn a_recording_of_both_directions_is_mixed_under_the_tenant_s_key() {
    let directory = place();
    let at = directory.path();
    let recorder = Recorder::start(config(at, true)).unwrap();
    record(&recorder, "blue/one/leg", &[Direction::Sent]).await;
    record(&recorder, "blue/call/leg", &BOTH).await;
    let (sounds, manifest) = mixed(at, "blue/call/leg");
    assert!((24..=27).contains(&sounds.len()), "{} frames", sounds.len());
    assert!(sounds[3..22].iter().all(|sound| sound.has(500)));
    assert_eq!(
        (&manifest["direction"], &manifest["tenant"]),
        (&"mixed".into(), &"blue".into())
    );
    assert_eq!(manifest["confirmed_by"], "policy");
    // Of one direction there is nothing to mix: what came later is done.
    assert!(!at.join("recordings/blue/one/leg-mixed.opus.sealed").exists());
}

#[tokio::test]
async fn what_a_process_left_undone_the_next_one_mixes() {
    let directory = place();
    let at = directory.path();
    let recorder = Recorder::start(config(at, false)).unwrap();
    record(&recorder, "blue/call/leg", &BOTH).await;
    drop(recorder);
    // Cut while it was written: without its manifest.
    std::fs::write(at.join("recordings/blue/call/leg-mixed.opus.sealed"), b"TRNKREC1 cut").unwrap();
    let _next = Recorder::start(config(at, true)).unwrap();
    let (sounds, manifest) = mixed(at, "blue/call/leg");
    assert!(sounds[3..22].iter().all(|sound| sound.has(500)));
    assert_eq!(
        (&manifest["tenant"], &manifest["confirmed_by"]),
        (&"blue".into(), &"policy".into())
    );
}
