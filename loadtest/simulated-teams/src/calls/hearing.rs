//! What Graph hears for a bot: recordings of what people say, and their keys.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    Calls,
    agenda::Step,
    call::{CallKey, CallState},
    clip::{Clip, Speech},
    media::{Job, Listening, Run},
    operation::Completion,
    view::{CallEvent, Deed},
};

impl Calls {
    /// Begins to listen; who has something to say already says it now.
    pub(super) fn listen(&mut self, key: CallKey, job: Job, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let Some(record) = &job.record else { return };
        let until = now + record.initial_silence.min(record.most);
        let listening = Listening {
            since: now,
            said: Vec::new(),
            quiet_from: None,
        };
        let timer = call.media.start(Run::Listening(job, listening));
        let waiting = call.media.speeches.pop_front();
        self.agenda.add(until, key, Step::MediaTimer { timer });
        self.changed(key);
        if let Some(speech) = waiting {
            self.say(key, speech, now);
        }
    }

    /// The person speaks: now if a recording listens, else at the next chance.
    pub(super) fn say(&mut self, key: CallKey, speech: Speech, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let media = &mut call.media;
        let Some(Run::Listening(job, listening)) = &mut media.running else {
            media.speeches.push_back(speech);
            return;
        };
        let Some(record) = &job.record else { return };
        let begin = now.max(listening.quiet_from.unwrap_or(0));
        let quiet_from = begin + self.settings.span(speech.length());
        listening.said.push((begin, speech));
        listening.quiet_from = Some(quiet_from);
        media.timer += 1;
        let until = (quiet_from + record.most_silence).min(listening.since + record.most);
        self.agenda.add(until, key, Step::MediaTimer { timer: media.timer });
    }

    fn keep_clip(
        &mut self,
        key: CallKey,
        job: &Job,
        listening: Listening,
        (subcode, message): (u32, &'static str),
        now: u64,
    ) {
        let pace = if self.settings.pace > 0.0 {
            self.settings.pace
        } else {
            1.0
        };
        let unscaled = |span: u64| Duration::from_millis(span).mul_f64(pace);
        let said = listening.said.into_iter();
        let said = said.map(|(at, speech)| (unscaled(at.saturating_sub(listening.since)), speech));
        let clip = Clip::new(
            key,
            unscaled(now - listening.since),
            said.collect(),
            self.ids.hex("clip token"),
        );
        let id = self.ids.uuid("clip");
        let completion = Completion {
            result: Some((200, subcode, message)),
            members: vec![
                ("recordingLocation", format!("{}/recordings/{id}", self.graph).into()),
                ("recordingAccessToken", clip.token.as_str().into()),
            ],
            ..Completion::completed()
        };
        self.clips.insert(id, clip);
        self.complete(key, job.operation, completion, now);
        self.start_media(key, now);
    }

    /// The person presses a key: `0` to `9`, `*`, `#`, `A` to `D`.
    pub(super) fn press(&mut self, key: CallKey, tone: &'static str, sign: &str, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let media = &mut call.media;
        media.pressed.push(sign.to_owned());
        media.sequence += 1;
        let sequence = media.sequence;
        let stops = match &media.running {
            Some(Run::Listening(job, _)) => job
                .record
                .as_ref()
                .is_some_and(|record| record.stop_tones.iter().any(|stop| stop.eq_ignore_ascii_case(sign))),
            _ => false,
        };
        let stopped = if stops { media.running.take() } else { None };
        // Who handles the sound itself hears the key there.
        let is_heard = media.is_subscribed && !media.is_line_connected;
        call.note(CallEvent {
            at: now,
            deed: Deed::Pressed { key: sign.to_owned() },
        });
        if is_heard {
            let mut members = Map::new();
            let tone = call.style.word(tone);
            let info = json!({ "@odata.type": "#microsoft.graph.toneInfo", "sequenceId": sequence, "tone": tone });
            members.insert("toneInfo".to_owned(), info);
            self.tell_state(key, CallState::Established, members, now);
        }
        if let Some(Run::Listening(job, listening)) = stopped {
            self.keep_clip(
                key,
                &job,
                listening,
                (8514, "Action completed, stop tone detected."),
                now,
            );
        }
        self.changed(key);
    }

    /// The time of a recording is up, or the person has been silent for long enough.
    pub(super) fn heard_enough(&mut self, key: CallKey, job: &Job, listening: Listening, now: u64) {
        let most = job.record.as_ref().map_or(0, |record| record.most);
        if now >= listening.since + most {
            let how = (8515, "Action completed, max record duration reached.");
            self.keep_clip(key, job, listening, how, now);
        } else if listening.quiet_from.is_some() {
            let how = (8509, "Action completed, max silence timeout reached.");
            self.keep_clip(key, job, listening, how, now);
        } else {
            let failed = recording_failed(8510, "Action failed, initial silence timeout reached.");
            self.complete(key, job.operation, failed, now);
            self.start_media(key, now);
        }
    }
}

/// A recording without a file.
pub(super) fn recording_failed(subcode: u32, message: &'static str) -> Completion {
    Completion {
        members: vec![
            ("recordingLocation", Value::String(String::new())),
            ("recordingAccessToken", Value::String(String::new())),
        ],
        ..Completion::failed(400, subcode, message)
    }
}
