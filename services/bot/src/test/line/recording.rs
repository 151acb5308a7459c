//! The media host of a call that exists only in a test, as far as it records the call.

use super::{Follows, Line, Sound};
use crate::logic::{
    CallEvent, Directions, HostedOperation, OperationOutcome, RecordedFile, RecordingNews, RecordingTold,
};

/// A recording of the call that goes on.
pub(super) struct Kept {
    key: String,
    directions: Directions,
}

impl Kept {
    fn name(&self) -> String {
        format!("tenant/call/{}", self.key)
    }

    fn files(&self) -> Vec<RecordedFile> {
        let wanted = [
            ("received", self.directions.has_received()),
            ("sent", self.directions.has_sent()),
            ("mixed", self.directions.is_mixed()),
        ];
        let wanted = wanted.into_iter().filter(|(_, is_wanted)| *is_wanted);
        wanted
            .map(|(direction, _)| RecordedFile {
                direction: direction.to_owned(),
                file: format!("{}-{direction}.opus", self.name()),
                parts: 1,
                sha256: "0".repeat(64),
            })
            .collect()
    }
}

impl Line {
    /// The bot asks its media host.
    pub(in crate::test) fn asked_host(&mut self, key: &str, operation: &HostedOperation) -> Follows {
        if self.is_over() {
            return Follows::line(format!("(the call is over: {} is not asked for)", operation.name()));
        }
        match operation {
            HostedOperation::Bridge { .. } | HostedOperation::Unbridge if self.sound != Sound::Hosted => {
                let refused = OperationOutcome::Refused {
                    status: 409,
                    code: "TRUNKLINE_NO_LEG".to_owned(),
                    message: "no media host carries the sound of this call".to_owned(),
                };
                let ended = super::told::ended_as(key, operation.name(), refused);
                Follows::line("(no media host carries the sound of this call)").and(ended)
            }
            HostedOperation::Bridge { with } => {
                self.is_bridged = true;
                let done = super::told::ended_as(key, operation.name(), OperationOutcome::Completed(Box::default()));
                Follows::line(format!("bot bridges the call with {} at {}", with.leg, with.host)).and(done)
            }
            HostedOperation::Unbridge => {
                self.is_bridged = false;
                let done = super::told::ended_as(key, operation.name(), OperationOutcome::Completed(Box::default()));
                Follows::line("bot ends the bridge").and(done)
            }
            HostedOperation::RecordCall(_) if self.sound != Sound::Hosted => {
                let reason = "no media host carries the sound of this call".to_owned();
                Follows::line(format!("({reason})")).and(told(key, failed(reason)))
            }
            HostedOperation::RecordCall(directions) => {
                let kept = Kept {
                    key: key.to_owned(),
                    directions: *directions,
                };
                let name = kept.name();
                self.kept.push(kept);
                Follows::line("bot records the call").and(told(key, RecordingNews::Started { name }))
            }
            HostedOperation::StopRecordingCall { of } => {
                let done = super::told::ended_as(key, operation.name(), OperationOutcome::Completed(Box::default()));
                let follows = Follows::line("bot stops the recording of the call").and(done);
                let place = self.kept.iter().position(|kept| kept.key == *of);
                let kept = place.map(|place| self.kept.remove(place));
                follows.then(kept.map(|kept| finished(&kept)).into_iter().collect())
            }
        }
    }

    /// What is told of each recording that goes on.
    pub(super) fn each_kept(&self, news: impl Fn(String) -> RecordingNews) -> Vec<CallEvent> {
        let each = self.kept.iter();
        each.map(|kept| told(&kept.key, news(kept.name()))).collect()
    }

    /// The media host's disk was too slow.
    pub(in crate::test) fn lacks(&self, direction: &str, packets: u32) -> Vec<CallEvent> {
        self.each_kept(|_| RecordingNews::Gap {
            direction: direction.to_owned(),
            packets,
        })
    }

    /// The media host gives its recordings up.
    pub(in crate::test) fn keeps_nothing(&mut self, reason: &str) -> Vec<CallEvent> {
        let events = self.each_kept(|_| failed(reason.to_owned()));
        self.kept.clear();
        events
    }

    /// The call is over.
    pub(super) fn leaves_kept(&mut self) -> Vec<CallEvent> {
        let events = self.each_kept(|name| RecordingNews::CallEnded { name });
        self.kept.clear();
        events
    }
}

fn told(key: &str, news: RecordingNews) -> CallEvent {
    CallEvent::Recording(Box::new(RecordingTold {
        key: key.to_owned(),
        news,
    }))
}

fn finished(kept: &Kept) -> CallEvent {
    let files = kept.files();
    told(&kept.key, RecordingNews::Finished { files })
}

fn failed(reason: String) -> RecordingNews {
    RecordingNews::Failed {
        reason,
        files: Vec::new(),
    }
}
