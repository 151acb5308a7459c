//! The thread that writes recordings.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{Context, SHA256};
use serde::Serialize;
use tokio::sync::oneshot;

use super::file::RecordingFile;
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
}

impl RecorderConfig {
    /// Recordings of a directory, made safe every 5 s.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            sync: Duration::from_secs(5),
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

/// What is written beside a recording when it ends.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Manifest {
    /// Name of the file, without its directory.
    pub file: String,
    /// `received` or `sent`.
    pub direction: &'static str,
    /// When its first packet came, in milliseconds since 1970; absent without packets.
    pub began_unix_ms: Option<u64>,
    /// Packets in it.
    pub packets: u64,
    /// Times 20 ms of which nothing came: lost, or the sender was silent.
    pub missing: u64,
    /// Packets that came too late or twice.
    pub late: u64,
    /// Packets that were dropped because the recorder was slow.
    pub dropped: u64,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
}

/// Told when the last page is on the disk, or the recording was given up.
pub type Finished = oneshot::Receiver<Result<Manifest, RecordingError>>;

/// A running recorder. Dropping it ends it, when the taps are dropped.
pub struct Recorder {
    config: RecorderConfig,
    begun: Option<Sender<Recording>>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts the thread.
    pub fn start(config: RecorderConfig) -> io::Result<Self> {
        let (begun, receiver) = channel();
        let sync = config.sync;
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || run(&receiver, sync))?;
        Ok(Self {
            config,
            begun: Some(begun),
            thread: Some(thread),
        })
    }

    /// Opens the file of a direction and writes its header: for a thread that may block. The name is a path without ending
    /// below the directory; direction and ending are added. An existing file is not overwritten.
    pub fn begin(
        &self,
        name: &str,
        operation: u64,
        direction: Direction,
        codec: Codec,
    ) -> Result<(Tap, Finished), RecordingError> {
        let path = self.path(name, direction, codec)?;
        let failed = |error| RecordingError::File(path.display().to_string(), error);
        let file = create(&path).map_err(failed)?;
        let file = RecordingFile::begin(file, codec, rand::random()).map_err(failed)?;
        let (tap, ring) = Tap::new(operation, direction);
        let (finished, receiver) = oneshot::channel();
        let now = Instant::now();
        let recording = Recording {
            path,
            direction,
            ring,
            timeline: Timeline::new(codec),
            file,
            began: None,
            counts: Counts::default(),
            written: now,
            synced: now,
            failing_since: None,
            finished,
        };
        let begun = self.begun.as_ref().ok_or(RecordingError::Gone)?;
        begun.send(recording).map_err(|_| RecordingError::Gone)?;
        Ok((tap, receiver))
    }

    fn path(&self, name: &str, direction: Direction, codec: Codec) -> Result<PathBuf, RecordingError> {
        let relative = Path::new(name);
        let is_below = relative.components().all(|part| matches!(part, Component::Normal(_)));
        if name.is_empty() || !is_below {
            return Err(RecordingError::Name);
        }
        let ending = RecordingFile::extension(codec);
        let name = format!("{name}-{}.{ending}", direction.name());
        Ok(self.config.directory.join(name))
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

fn create(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    OpenOptions::new().write(true).read(true).create_new(true).open(path)
}

#[derive(Default)]
struct Counts {
    packets: u64,
    missing: u64,
    dropped: u64,
}

/// One direction that is recorded.
struct Recording {
    path: PathBuf,
    direction: Direction,
    ring: Receiver<Recorded>,
    timeline: Timeline,
    file: RecordingFile,
    began: Option<SystemTime>,
    counts: Counts,
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

fn run(begun: &Receiver<Recording>, sync: Duration) {
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
            match recording.round(sync) {
                Round::GoesOn => going_on.push(recording),
                Round::Ends => recording.end(),
                Round::Fails(error) => recording.fail(error),
            }
        }
        recordings = going_on;
    }
}

impl Recording {
    fn round(&mut self, sync: Duration) -> Round {
        let is_over = self.drain();
        let now = Instant::now();
        let is_due = now.duration_since(self.written) >= WRITE || self.failing_since.is_some();
        if is_due {
            match self.write(now, sync) {
                Ok(()) => self.failing_since = None,
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

    fn end(mut self) {
        let mut pieces = Vec::new();
        self.timeline.flush(&mut pieces);
        self.add(&pieces);
        let result = self.file.end().and_then(|()| self.write_manifest());
        let result = result.map_err(|error| RecordingError::File(self.path.display().to_string(), error));
        // Whoever asked for the recording may have gone.
        let _ = self.finished.send(result);
    }

    fn fail(self, error: io::Error) {
        tracing::error!(file = %self.path.display(), %error, "a recording is given up");
        let _ = self
            .finished
            .send(Err(RecordingError::File(self.path.display().to_string(), error)));
    }

    fn write_manifest(&self) -> io::Result<Manifest> {
        let since_1970 = |time: SystemTime| time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_millis());
        let manifest = Manifest {
            file: self.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            direction: self.direction.name(),
            began_unix_ms: self
                .began
                .and_then(since_1970)
                .and_then(|since| u64::try_from(since).ok()),
            packets: self.counts.packets,
            missing: self.counts.missing,
            late: self.timeline.late(),
            dropped: self.counts.dropped,
            sha256: hash_of(&self.path)?,
        };
        let text = serde_json::to_vec_pretty(&manifest)?;
        let mut beside = self.path.clone().into_os_string();
        beside.push(".json");
        let unfinished = PathBuf::from(&beside).with_extension("json.new");
        std::fs::write(&unfinished, text)?;
        std::fs::rename(unfinished, beside)?;
        Ok(manifest)
    }
}

fn hash_of(path: &Path) -> io::Result<String> {
    let mut context = Context::new(&SHA256);
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => break,
            length => context.update(&buffer[..length]),
        }
    }
    let mut digits = String::with_capacity(64);
    for byte in context.finish().as_ref() {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
    }
    Ok(digits)
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
