//! The media host of a call that exists only in a test, as far as it records the call.

use super::hosted::NO_HOST;
use super::{Follows, Line, Sound};
use crate::logic::{CallEvent, Directions, RecordedFile, RecordingNews, RecordingTold};

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
    /// The bot records the call from now on.
    pub(super) fn keeps(&mut self, key: &str, directions: Directions) -> Follows {
        if self.sound != Sound::Hosted {
            let reason = NO_HOST.to_owned();
            return Follows::line(format!("({reason})")).and(told(key, failed(reason)));
        }
        let kept = Kept {
            key: key.to_owned(),
            directions,
        };
        let name = kept.name();
        self.kept.push(kept);
        Follows::line("bot records the call").and(told(key, RecordingNews::Started { name }))
    }

    /// The bot ends the recording of that key, with what is told of its files.
    pub(super) fn keeps_no_longer(&mut self, of: &str) -> Vec<CallEvent> {
        let place = self.kept.iter().position(|kept| kept.key == *of);
        let kept = place.map(|place| self.kept.remove(place));
        kept.map(|kept| finished(&kept)).into_iter().collect()
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
