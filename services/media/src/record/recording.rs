//! One direction that is recorded, and the thread that looks after all of them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;

use super::figures::RecorderFigures;
use super::file::RecordingFile;
use super::hook::Wake;
use super::manifest::{Manifest, hash_of};
use super::place::Place;
use super::recorder::{Finished, RecordingError, Subject};
use super::tap::{Direction, Recorded, Tap};
use super::timeline::{Piece, Timeline};
use crate::codec::Codec;

/// How often rings are emptied: they hold two seconds.
const ROUND: Duration = Duration::from_millis(100);
/// A page, or the sizes of a WAV file, so often: with the round before it, what a crash takes is less than a second.
const WRITE: Duration = Duration::from_millis(800);
/// A disk that takes nothing for so long fails the recording.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Counts {
    packets: u64,
    missing: u64,
    dropped: u64,
}

/// One direction that is recorded.
pub(super) struct Recording {
    place: Place,
    direction: Direction,
    subject: Subject,
    ring: Receiver<Recorded>,
    is_discarded: Arc<AtomicBool>,
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

/// Looks after recordings until no more can begin and all have ended.
pub(super) fn run(
    begun: &Receiver<Recording>,
    (sync, part): (Duration, Duration),
    (hook, mixer): (Option<&Wake>, Option<&Sender<Subject>>),
    figures: &RecorderFigures,
) {
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
        let mut ended = Vec::new();
        for mut recording in recordings {
            let parts = recording.place.part();
            match recording.round(sync, part) {
                Round::GoesOn if recording.place.part() == parts => going_on.push(recording),
                Round::GoesOn => {
                    wake(hook);
                    going_on.push(recording);
                }
                Round::Ends => {
                    ended.push(recording.subject.clone());
                    recording.end();
                    wake(hook);
                }
                Round::Fails(error) => {
                    ended.push(recording.subject.clone());
                    recording.fail(error);
                }
            }
        }
        recordings = going_on;
        if let Some(mixer) = mixer {
            tell_of_whole(ended, &recordings, mixer);
        }
        figures.are_open(recordings.len());
    }
}

/// Tells the mixer of what has ended in all its directions.
fn tell_of_whole(mut ended: Vec<Subject>, recordings: &[Recording], mixer: &Sender<Subject>) {
    ended.dedup();
    let goes_on = |subject: &Subject| recordings.iter().any(|recording| recording.subject == *subject);
    for subject in ended.into_iter().filter(|subject| !goes_on(subject)) {
        // A mixer that has ended leaves it to the next process.
        let _ = mixer.send(subject);
    }
}

/// There is a finished part.
fn wake(hook: Option<&Wake>) {
    if let Some(wake) = hook {
        wake();
    }
}

impl Recording {
    /// What of `tap` comes out of its ring goes into the file of a place.
    pub(super) fn begin(
        place: Place,
        file: RecordingFile,
        tap: &Tap,
        ring: Receiver<Recorded>,
        codec: Codec,
        subject: Subject,
    ) -> (Self, Finished) {
        let (finished, receiver) = oneshot::channel();
        let now = Instant::now();
        let recording = Self {
            place,
            direction: tap.direction,
            subject,
            ring,
            is_discarded: tap.discarded(),
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
        (recording, receiver)
    }

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
                    self.began
                        .get_or_insert_with(|| SystemTime::now() - recorded.at.elapsed());
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
        let next = place.key().map_err(io::Error::other);
        let mut ended = match next.and_then(|key| place.open(key.as_ref())) {
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
        if self.is_discarded.load(Ordering::Acquire) {
            self.discard();
            return;
        }
        let mut pieces = Vec::new();
        self.timeline.flush(&mut pieces);
        self.add(&pieces);
        let result = self.file.end().and_then(|()| self.write_manifest());
        let failed = |error| RecordingError::File(self.place.path().display().to_string(), error);
        // Whoever asked for the recording may have gone.
        let _ = self.finished.send(result.map(|(manifest, _)| manifest).map_err(failed));
    }

    /// Nobody wants it. What there is of it is one part: answers are short.
    fn discard(self) {
        let path = self.place.path();
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::error!(file = %path.display(), %error, "a recording that is not to be kept cannot be deleted");
        }
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
            tenant: self.subject.tenant.clone(),
            confirmed_by: Some(self.subject.confirmed_by.clone()).filter(|by| !by.is_empty()),
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
