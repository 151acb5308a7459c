//! What an actor records: its leg's two directions; and when an answer ends.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use super::obey::{KEYS, invalid, refusal};
use super::{Actor, Message};
use crate::codec::Codec;
use crate::codecs::Purpose;
use crate::control::clips::LONGEST_MINUTES;
use crate::control::{AnswerOrder, Happening, Reason, RecordedFile};
use crate::leg::AnswerLimits;
use crate::record::{Direction, Finished, Subject};
use crate::thread::LegKey;
use crate::tone::Key;

/// The longest answer.
const LONGEST_ANSWER: Duration = Duration::from_secs(60 * LONGEST_MINUTES);

/// When an answer ends.
pub(super) fn limits_of(order: &AnswerOrder) -> Result<AnswerLimits, (Reason, String)> {
    Ok(AnswerLimits {
        first_silence: order.first_silence,
        silence: order.silence,
        longest: order.longest.min(LONGEST_ANSWER),
        stop_keys: Key::all_of(&order.stop_keys).ok_or_else(|| invalid(KEYS))?,
    })
}

impl Actor {
    pub(super) async fn record(
        &mut self,
        key: LegKey,
        codec: Codec,
        operation: u64,
        subject: Subject,
        direction: Direction,
    ) -> Result<(), (Reason, String)> {
        let recorder = self.host.recorder.clone();
        let below = PathBuf::from(&subject.name);
        let codecs = &self.host.codecs;
        // Before there is a file.
        let seat = (direction == Direction::Mixed).then(|| codecs.seat(&[Purpose::Mix(codec)]));
        let seat = seat.transpose().map_err(|error| refusal(error.into()))?;
        // What is mixed is made anew, whatever the leg speaks.
        let written = if seat.is_some() { Codec::Opus } else { codec };
        let open = move || recorder.begin(&subject, operation, direction, written);
        let begun = tokio::task::spawn_blocking(open).await.map_err(invalid)?;
        let (tap, finished) = begun.map_err(invalid)?;
        let media = self.host.media.of(key).map_err(refusal)?;
        let taken = if let Some(seat) = seat {
            let mixing = codecs.mix(codec, seat, tap).map_err(|error| refusal(error.into()))?;
            media.record_mixed(key, mixing).await
        } else {
            media.record(key, tap).await
        };
        taken.map_err(refusal)?;
        self.recording.push((operation, direction));
        tokio::spawn(tell_end(
            self.own_mailbox.clone(),
            operation,
            direction,
            below,
            finished,
        ));
        Ok(())
    }

    /// Tells the end of a direction; `true` when the leg, which had ended before, has told its last event with it.
    pub(super) fn recording_ended(
        &mut self,
        operation: u64,
        direction: Direction,
        result: Result<RecordedFile, String>,
    ) -> bool {
        self.recording.retain(|known| *known != (operation, direction));
        self.tell(Happening::RecordingEnded {
            operation,
            direction: direction.name(),
            result,
        });
        let Some((event, _)) = self.ending.take_if(|_| self.recording.is_empty()) else {
            return false;
        };
        self.tell(Happening::Leg(event));
        true
    }
}

/// Carries the end of an answer's recording to the actor, if that still lives.
pub(super) async fn tell_answer(mailbox: mpsc::WeakSender<Message>, operation: u64, file: PathBuf, finished: Finished) {
    let sha256 = match finished.await {
        Ok(Ok(manifest)) => Some(manifest.sha256),
        // It was given up, or is not to be kept.
        Ok(Err(_)) | Err(_) => None,
    };
    if let Some(mailbox) = mailbox.upgrade() {
        let message = Message::AnswerWritten {
            operation,
            file,
            sha256,
        };
        let _ = mailbox.send(message).await;
    }
}

/// Carries the end of a recording to the actor, if that still lives.
async fn tell_end(
    mailbox: mpsc::WeakSender<Message>,
    operation: u64,
    direction: Direction,
    name: PathBuf,
    finished: Finished,
) {
    let result = match finished.await {
        Ok(Ok(manifest)) => Ok(RecordedFile {
            file: name.with_file_name(manifest.file).display().to_string(),
            parts: manifest.part,
            sha256: manifest.sha256,
        }),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the recorder ended".to_owned()),
    };
    if let Some(mailbox) = mailbox.upgrade() {
        let message = Message::RecordingEnded {
            operation,
            direction,
            result,
        };
        let _ = mailbox.send(message).await;
    }
}
