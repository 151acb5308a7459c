//! The thread that writes recordings.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;

use super::file::RecordingFile;
use super::manifest::{Manifest, hash_of};
use super::place::Place;
use super::retention::Retention;
use super::tap::{Direction, Recorded, Tap};
use super::timeline::{Piece, Timeline};
use crate::codec::Codec;

/// How often rings are emptied: they hold two seconds.
const ROUND: Duration = Duration::from_millis(100);
/// A page, or the sizes of a WAV file, so often.
const WRITE: Duration = Duration::from_secs(1);
/// A disk that takes nothing for so long fails the recording.
const PATIENCE: Duration = Duration::from_secs(2);

/// The settings of a recorder.
#[derive(Debug, Clone)]
pub struct RecorderConfig {
    /// Where recordings go.
    pub directory: PathBuf,
    /// So often they are made to survive a loss of power.
    pub sync: Duration,
    /// A recording that is longer goes on in another file.
    pub part: Duration,
    /// So long recordings are kept after they were last written; `None` for ever.
    pub retention: Option<Duration>,
}

impl RecorderConfig {
    /// Recordings of a directory, made safe every 5 s, in parts of an hour, kept for ever.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            sync: Duration::from_secs(5),
            part: Duration::from_secs(3_600),
            retention: None,
        }
    }
}

/// Why a recording did not begin or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// A name that leaves the directory of recordings.
    #[error("a recording is named by a path below the directory of recordings")]
    Name,
    /// The file system refused.
    #[error("the recording {0} cannot be written")]
    File(String, #[source] io::Error),
    /// The recorder has ended.
    #[error("there is no recorder")]
    Gone,
}

/// Told when the last page of the last part is on the disk, with its manifest, or the recording was given up.
pub type Finished = oneshot::Receiver<Result<Manifest, RecordingError>>;

/// A running recorder. Dropping it ends it, when the taps are dropped.
pub struct Recorder {
    config: RecorderConfig,
    begun: Option<Sender<Recording>>,
    thread: Option<JoinHandle<()>>,
    _retention: Option<Retention>,
}

impl Recorder {
    /// Starts the thread.
    pub fn start(config: RecorderConfig) -> io::Result<Self> {
        let (begun, receiver) = channel();
        let (sync, part) = (config.sync, config.part);
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || run(&receiver, sync, part))?;
        let retention = config
            .retention
            .map(|kept| Retention::start(config.directory.clone(), kept));
        Ok(Self {
            _retention: retention.transpose()?,
            config,
            begun: Some(begun),
            thread: Some(thread),
        })
    }

    /// Opens the file of a direction and writes its header: for a thread that may block. The name is a path without ending
    /// below the directory; direction, the number of a further part and ending are added: `NAME-sent.opus`, `NAME-sent-2.opus`. An
    /// existing file is not overwritten.
    pub fn begin(
        &self,
        name: &str,
        operation: u64,
        direction: Direction,
        codec: Codec,
    ) -> Result<(Tap, Finished), RecordingError> {
        let place = Place::first(&self.config.directory, name, direction, codec).ok_or(RecordingError::Name)?;
        let failed = |error| RecordingError::File(place.path().display().to_string(), error);
        let file = place.open().map_err(failed)?;
        let (tap, ring) = Tap::new(operation, direction);
        let (finished, receiver) = oneshot::channel();
        let now = Instant::now();
        let recording = Recording {
            place,
            direction,
            ring,
            timeline: Timeline::new(codec),
            file,
            began: None,
            counts: Counts::default(),
            late_before: 0,
            previous: None,
            part_began: now,
            written: now,
            synced: now,
            failing_since: None,
            finished,
        };
        let begun = self.begun.as_ref().ok_or(RecordingError::Gone)?;
        begun.send(recording).map_err(|_| RecordingError::Gone)?;
        Ok((tap, receiver))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.begun = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[derive(Default)]
struct Counts {
    packets: u64,
    missing: u64,
    dropped: u64,
}

/// One direction that is recorded.
struct Recording {
    place: Place,
    direction: Direction,
    ring: Receiver<Recorded>,
    timeline: Timeline,
    file: RecordingFile,
    began: Option<SystemTime>,
    counts: Counts,
    /// Late packets of the parts before.
    late_before: u64,
    /// SHA-256 of the manifest of the part before.
    previous: Option<String>,
    part_began: Instant,
    written: Instant,
    synced: Instant,
    failing_since: Option<Instant>,
    finished: oneshot::Sender<Result<Manifest, RecordingError>>,
}

/// Whether a recording goes on.
enum Round {
    GoesOn,
    Ends,
    Fails(io::Error),
}

fn run(begun: &Receiver<Recording>, sync: Duration, part: Duration) {
    let mut recordings: Vec<Recording> = Vec::new();
    let mut is_ending = false;
    while !is_ending || !recordings.is_empty() {
        if is_ending {
            std::thread::sleep(ROUND);
        } else {
            match begun.recv_timeout(ROUND) {
                Ok(recording) => recordings.push(recording),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => is_ending = true,
            }
        }
        let mut going_on = Vec::with_capacity(recordings.len());
        for mut recording in recordings {
            match recording.round(sync, part) {
                Round::GoesOn => going_on.push(recording),
                Round::Ends => recording.end(),
                Round::Fails(error) => recording.fail(error),
            }
        }
        recordings = going_on;
    }
}

impl Recording {
    fn round(&mut self, sync: Duration, part: Duration) -> Round {
        let is_over = self.drain();
        let now = Instant::now();
        let is_due = now.duration_since(self.written) >= WRITE || self.failing_since.is_some();
        if is_due {
            match self.write(now, sync) {
                Ok(()) => {
                    self.failing_since = None;
                    self.part(now, part);
                }
                Err(error) => {
                    let since = *self.failing_since.get_or_insert(now);
                    if now.duration_since(since) >= PATIENCE {
                        return Round::Fails(error);
                    }
                }
            }
        }
        if is_over { Round::Ends } else { Round::GoesOn }
    }

    /// Takes what is in the ring; `true` if the tap was dropped.
    fn drain(&mut self) -> bool {
        let mut pieces = Vec::new();
        let is_over = loop {
            match self.ring.try_recv() {
                Ok(recorded) => {
                    self.began.get_or_insert_with(SystemTime::now);
                    self.counts.dropped += u64::from(recorded.dropped_before);
                    self.timeline.add(&recorded, &mut pieces);
                }
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            }
        };
        self.add(&pieces);
        is_over
    }

    fn add(&mut self, pieces: &[Piece]) {
        for piece in pieces {
            match piece {
                Piece::Packet(..) => self.counts.packets += 1,
                Piece::Missing(count) => self.counts.missing += u64::from(*count),
            }
            self.file.add(piece);
        }
    }

    fn write(&mut self, now: Instant, sync: Duration) -> io::Result<()> {
        self.file.write()?;
        self.written = now;
        if now.duration_since(self.synced) >= sync {
            self.file.sync()?;
            self.synced = now;
        }
        Ok(())
    }

    /// Goes on in another file when this one is long enough. Where none can be opened this one goes on.
    fn part(&mut self, now: Instant, longest: Duration) {
        if now.duration_since(self.part_began) < longest || self.counts.packets == 0 {
            return;
        }
        self.part_began = now;
        let place = self.place.next();
        let mut ended = match place.open() {
            Ok(next) => std::mem::replace(&mut self.file, next),
            Err(error) => {
                tracing::error!(file = %place.path().display(), %error, "a recording has no further part and goes on in the old one");
                return;
            }
        };
        let manifest = ended.end().and_then(|()| self.write_manifest());
        let place = std::mem::replace(&mut self.place, place);
        self.counts = Counts::default();
        self.late_before = self.timeline.late();
        self.began = None;
        match manifest {
            Ok((_, hash)) => self.previous = Some(hash),
            // The audio of the new part is worth more than the manifest of the old one.
            Err(error) => {
                tracing::error!(file = %place.path().display(), %error, "a part of a recording has no manifest");
            }
        }
    }

    fn end(mut self) {
        let mut pieces = Vec::new();
        self.timeline.flush(&mut pieces);
        self.add(&pieces);
        let result = self.file.end().and_then(|()| self.write_manifest());
        let failed = |error| RecordingError::File(self.place.path().display().to_string(), error);
        // Whoever asked for the recording may have gone.
        let _ = self.finished.send(result.map(|(manifest, _)| manifest).map_err(failed));
    }

    fn fail(self, error: io::Error) {
        let path = self.place.path();
        tracing::error!(file = %path.display(), %error, "a recording is given up");
        let error = RecordingError::File(path.display().to_string(), error);
        let _ = self.finished.send(Err(error));
    }

    /// Writes the manifest of the part that has ended. Gives it with its own hash.
    fn write_manifest(&self) -> io::Result<(Manifest, String)> {
        let since_1970 = |time: SystemTime| time.duration_since(UNIX_EPOCH).ok();
        let began = self.began.and_then(since_1970).map(|since| since.as_millis());
        let path = self.place.path();
        let manifest = Manifest {
            file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            part: self.place.part(),
            direction: self.direction.name(),
            began_unix_ms: began.and_then(|since| u64::try_from(since).ok()),
            packets: self.counts.packets,
            missing: self.counts.missing,
            late: self.timeline.late() - self.late_before,
            dropped: self.counts.dropped,
            sha256: hash_of(&path)?,
            previous_sha256: self.previous.clone(),
        };
        let hash = manifest.write(&path)?;
        Ok((manifest, hash))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::audio::read_wav;
    use crate::record::tap::Taken;

    fn recorder() -> (Recorder, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::start(RecorderConfig::new(directory.path().to_owned())).unwrap();
        (recorder, directory)
    }

    fn packet() -> Bytes {
        Bytes::from(vec![0; 160])
    }

    #[tokio::test]
    async fn a_recording_is_on_disk_when_its_end_is_told() {
        let (recorder, directory) = recorder();
        let (mut tap, finished) = recorder
            .begin("tenant/call/leg", 1, Direction::Received, Codec::Pcmu)
            .unwrap();
        for timestamp in [0, 160, 480, 640] {
            assert_eq!(tap.take(packet(), timestamp, 1, Instant::now()), Taken::Yes);
        }
        drop(tap);
        let manifest = finished.await.unwrap().unwrap();
        assert_eq!((manifest.packets, manifest.missing, manifest.dropped), (4, 1, 0));
        let path = directory.path().join("tenant/call/leg-received.wav");
        assert_eq!(read_wav(&std::fs::read(&path).unwrap()).unwrap().samples.len(), 5 * 160);
        assert_eq!(manifest.sha256, hash_of(&path).unwrap());
        let beside = std::fs::read_to_string(directory.path().join("tenant/call/leg-received.wav.json")).unwrap();
        assert!(beside.contains(&manifest.sha256));
        // Nothing is overwritten.
        let again = recorder.begin("tenant/call/leg", 1, Direction::Received, Codec::Pcmu);
        assert!(matches!(again, Err(RecordingError::File(..))));
    }

    #[tokio::test]
    async fn a_long_recording_goes_on_in_another_file_and_its_manifests_are_a_chain() {
        let directory = tempfile::tempdir().unwrap();
        let config = RecorderConfig {
            part: Duration::ZERO,
            ..RecorderConfig::new(directory.path().to_owned())
        };
        let recorder = Recorder::start(config).unwrap();
        let (mut tap, finished) = recorder.begin("leg", 1, Direction::Sent, Codec::Pcmu).unwrap();
        tap.take(packet(), 0, 1, Instant::now());
        let second = directory.path().join("leg-sent-2.wav");
        let until = Instant::now() + Duration::from_secs(20);
        while !second.exists() {
            assert!(Instant::now() < until, "the next part begins");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tap.take(packet(), 160, 1, Instant::now());
        tap.take(packet(), 320, 1, Instant::now());
        drop(tap);
        let last = finished.await.unwrap().unwrap();
        // On a busy machine there may be more than two.
        assert!(last.part >= 2, "{last:?}");
        let (mut packets, mut previous) = (0, serde_json::Value::Null);
        for part in 1..=last.part {
            let ending = if part == 1 { String::new() } else { format!("-{part}") };
            let file = directory.path().join(format!("leg-sent{ending}.wav"));
            let beside = file.with_extension("wav.json");
            let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&beside).unwrap()).unwrap();
            assert_eq!(manifest["sha256"], hash_of(&file).unwrap());
            assert_eq!(manifest["previous_sha256"], previous);
            packets += manifest["packets"].as_u64().unwrap();
            previous = hash_of(&beside).unwrap().into();
        }
        assert_eq!(packets, 3);
    }

    #[tokio::test]
    async fn a_slow_recorder_loses_recording_and_says_so() {
        let (mut tap, ring) = Tap::new(1, Direction::Sent);
        let now = Instant::now();
        let taken: Vec<_> = (0..103).map(|count| tap.take(packet(), count * 160, 1, now)).collect();
        assert_eq!(
            taken[99..],
            [Taken::Yes, Taken::Dropped, Taken::Dropped, Taken::Dropped]
        );
        assert!(ring.try_recv().is_ok());
        assert_eq!(tap.take(packet(), 160 * 103, 1, now), Taken::AfterGap(3));
        drop(ring);
        assert_eq!(tap.take(packet(), 160 * 104, 1, now), Taken::Failed);
    }

    #[test]
    fn a_recording_is_below_its_directory() {
        let (recorder, _directory) = recorder();
        for name in ["", "../up", "/etc/x"] {
            let refused = recorder.begin(name, 1, Direction::Sent, Codec::Opus);
            assert!(matches!(refused, Err(RecordingError::Name)), "{name}");
        }
    }
}
