//! Begins recordings, and owns the thread that writes them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::figures::RecorderFigures;
use super::hook::{Hook, Wake};
use super::keys::{KeyError, Keys};
use super::manifest::Manifest;
use super::mixer::{Mixer, Mixing};
use super::place::{Place, Sealing};
use super::recording::{Recording, run};
use super::retention::Retention;
use super::tap::{Direction, Tap};
use super::upload::{UploadConfig, Uploader};
use crate::codec::Codec;

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
    /// Directory of the keys that recordings are encrypted with ([`Keys`]); `None` leaves them as they are.
    pub keys: Option<PathBuf>,
    /// Whether a file of both directions is made of each recording that has ended.
    pub is_mixed: bool,
    /// What is done with each finished part; `None` for nothing.
    pub hand_on: Option<HandOn>,
}

/// Answers lie in this directory below that of the recordings.
pub(super) const ANSWERS: &str = "answers";
/// So long the recording of an answer is kept after it was last written: the bot fetches it before.
pub(crate) const ANSWERS_KEPT: Duration = Duration::from_secs(3_600);

impl RecorderConfig {
    /// Recordings of a directory, made safe every 5 s, in parts of an hour, kept for ever.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            sync: Duration::from_secs(5),
            part: Duration::from_secs(3_600),
            retention: None,
            keys: None,
            is_mixed: false,
            hand_on: None,
        }
    }
}

/// What is done with a finished part of a recording.
#[derive(Debug, Clone)]
pub enum HandOn {
    /// A program is run, with the part's file and its manifest as arguments.
    Command(PathBuf),
    /// Both are put to a server.
    Upload(UploadConfig),
}

/// Whoever does it.
enum Handing {
    Hook(Hook),
    Uploader(Uploader),
}

impl Handing {
    fn start(directory: PathBuf, hand_on: HandOn, figures: Arc<RecorderFigures>) -> io::Result<Self> {
        Ok(match hand_on {
            HandOn::Command(command) => Self::Hook(Hook::start(directory, command, figures)?),
            HandOn::Upload(config) => Self::Uploader(Uploader::start(directory, config, figures)?),
        })
    }

    fn waker(&self) -> Option<Wake> {
        match self {
            Self::Hook(hook) => hook.waker(),
            Self::Uploader(uploader) => Some(uploader.waker()),
        }
    }
}

/// Why a recorder did not start.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The command, or the upload.
    #[error("finished recordings cannot be handed on")]
    HandOn(#[source] io::Error),
    /// The system has no thread.
    #[error("the recorder has no thread")]
    Thread(#[from] io::Error),
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
    /// It cannot be encrypted, so it is not kept.
    #[error("the recording cannot be encrypted, and is not made: {0}")]
    Key(#[from] KeyError),
    /// The recorder has ended.
    #[error("there is no recorder")]
    Gone,
}

/// Told when the last page of the last part is on the disk, with its manifest, or the recording was given up.
pub type Finished = oneshot::Receiver<Result<Manifest, RecordingError>>;

/// What is recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// A path without ending below the directory of recordings.
    pub name: String,
    /// Entra tenant of the call, whose key it is encrypted with; empty for the operator's.
    pub tenant: String,
    /// What confirmed that it may be recorded; empty if nothing had to. It stands in the manifests.
    pub confirmed_by: String,
}

impl Subject {
    /// Something that nobody had to confirm.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }
}

/// A recording that has begun: what its leg gets, and what tells its end.
pub type Begun = (Tap, Finished);

/// A running recorder. Dropping it ends it, when the taps are dropped.
pub struct Recorder {
    config: RecorderConfig,
    begun: Option<Sender<Recording>>,
    thread: Option<JoinHandle<()>>,
    keys: Option<Keys>,
    _retention: [Option<Retention>; 2],
    figures: Arc<RecorderFigures>,
    _mixer: Option<Mixer>,
    _handing: Option<Handing>,
}

impl Recorder {
    /// Starts the thread.
    ///
    /// # Errors
    /// There are keys to use and none can be read, or the system has no thread.
    pub fn start(config: RecorderConfig) -> Result<Self, RecorderError> {
        let keys = config.keys.clone().map(Keys::new).transpose()?;
        let (begun, receiver) = channel();
        let (sync, part) = (config.sync, config.part);
        let figures = Arc::<RecorderFigures>::default();
        let handing = config
            .hand_on
            .clone()
            .map(|hand_on| Handing::start(config.directory.clone(), hand_on, figures.clone()))
            .transpose()
            .map_err(RecorderError::HandOn)?;
        let waker = handing.as_ref().and_then(Handing::waker);
        let mixing = config.is_mixed.then(|| Mixing {
            directory: config.directory.clone(),
            keys: keys.clone(),
            finished: waker.clone(),
        });
        let mixer = mixing.map(Mixer::start).transpose()?;
        let ended = mixer.as_ref().and_then(Mixer::ended);
        let its_figures = figures.clone();
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || run(&receiver, (sync, part), (waker.as_ref(), ended.as_ref()), &its_figures))?;
        let retention = |kept| Retention::start(config.directory.clone(), kept);
        let all = config.retention.map(retention).transpose()?;
        let answers = Retention::start(config.directory.join(ANSWERS), ANSWERS_KEPT)?;
        Ok(Self {
            keys,
            _retention: [all, Some(answers)],
            figures,
            _mixer: mixer,
            _handing: handing,
            config,
            begun: Some(begun),
            thread: Some(thread),
        })
    }

    /// Begins the recording of an answer: as [`Self::begin`], at a place that nobody else names. It is kept for an hour.
    ///
    /// # Errors
    /// As for [`Self::begin`].
    pub(crate) fn begin_answer(
        &self,
        tenant: &str,
        operation: u64,
        codec: Codec,
    ) -> Result<(Begun, PathBuf), RecordingError> {
        let subject = Subject {
            tenant: tenant.to_owned(),
            ..Subject::named(format!("{ANSWERS}/{:032x}", rand::random::<u128>()))
        };
        let place = self.place(&subject, Direction::Answer, codec)?;
        let path = place.path();
        Ok((
            self.begin_at(place, &subject, operation, Direction::Answer, codec)?,
            path,
        ))
    }

    /// What it does, in numbers.
    pub fn figures(&self) -> &RecorderFigures {
        &self.figures
    }

    /// The keys that recordings are encrypted with.
    pub fn keys(&self) -> Option<&Keys> {
        self.keys.as_ref()
    }

    /// Opens the file of a direction and writes its header: for a thread that may block. The name is a path without ending
    /// below the directory; direction, the number of a further part and ending are added: `NAME-sent.opus`, `NAME-sent-2.opus`. An
    /// existing file is not overwritten.
    pub fn begin(
        &self,
        subject: &Subject,
        operation: u64,
        direction: Direction,
        codec: Codec,
    ) -> Result<Begun, RecordingError> {
        let place = self.place(subject, direction, codec)?;
        self.begin_at(place, subject, operation, direction, codec)
    }

    fn place(&self, subject: &Subject, direction: Direction, codec: Codec) -> Result<Place, RecordingError> {
        let sealing = self.keys.clone().map(|keys| Sealing {
            keys,
            tenant: subject.tenant.clone(),
        });
        let place = Place::first(&self.config.directory, &subject.name, direction.name(), codec, sealing);
        place.ok_or(RecordingError::Name)
    }

    fn begin_at(
        &self,
        place: Place,
        subject: &Subject,
        operation: u64,
        direction: Direction,
        codec: Codec,
    ) -> Result<Begun, RecordingError> {
        let failed = |error| RecordingError::File(place.path().display().to_string(), error);
        let key = place.key()?;
        let file = place.open(key.as_ref()).map_err(failed)?;
        let (tap, ring) = Tap::new(operation, direction);
        let (recording, receiver) = Recording::begin(place, file, &tap, ring, codec, subject.clone());
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;

    use super::*;
    use crate::audio::read_wav;
    use crate::record::keys::tests::put;
    use crate::record::manifest::hash_of;
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
            .begin(&Subject::named("tenant/call/leg"), 1, Direction::Received, Codec::Pcmu)
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
        let again = recorder.begin(&Subject::named("tenant/call/leg"), 1, Direction::Received, Codec::Pcmu);
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
        let (mut tap, finished) = recorder
            .begin(&Subject::named("leg"), 1, Direction::Sent, Codec::Pcmu)
            .unwrap();
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
    fn nothing_is_recorded_of_a_tenant_whose_own_key_cannot_be_used() {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys");
        std::fs::create_dir_all(keys.join("blue")).unwrap();
        put(&keys, "operator", 1);
        let config = RecorderConfig {
            keys: Some(keys),
            ..RecorderConfig::new(directory.path().join("recordings"))
        };
        let recorder = Recorder::start(config).unwrap();
        let begin = |tenant: &str| {
            let subject = Subject {
                tenant: tenant.to_owned(),
                ..Subject::named(format!("{tenant}/call/leg-1"))
            };
            recorder.begin(&subject, 1, Direction::Sent, Codec::Opus)
        };
        let refused = begin("blue").unwrap_err();
        assert!(matches!(refused, RecordingError::Key(KeyError::None(_))), "{refused}");
        assert!(!directory.path().join("recordings/blue").exists());
        assert!(begin("green").is_ok());
        assert!(recorder.begin_answer("blue", 1, Codec::Opus).is_err());
    }

    #[test]
    fn a_recording_is_below_its_directory() {
        let (recorder, _directory) = recorder();
        for name in ["", "../up", "/etc/x"] {
            let refused = recorder.begin(&Subject::named(name), 1, Direction::Sent, Codec::Opus);
            assert!(matches!(refused, Err(RecordingError::Name)), "{name}");
        }
    }
}
