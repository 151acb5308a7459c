//! The media host of a call that exists only in a test: what it is asked, and what happens to it.

use trunkline_teams::calls::Call;
use trunkline_teams::graph::{Operation, OperationKind};

use super::told::{ended_as, failed, recorded};
use super::{Follows, Line, Media, Sound, What};
use crate::logic::{CallEvent, CallLeg, EndedBy, HostedOperation, OperationOutcome};

/// Why nothing can be asked of it.
pub(super) const NO_HOST: &str = "no media host carries the sound of this call";

impl Line {
    /// The bot asks its media host.
    pub(in crate::test) fn asked_host(&mut self, key: &str, operation: &HostedOperation) -> Follows {
        let name = operation.name();
        if self.is_over() {
            return Follows::line(format!("(the call is over: {name} is not asked for)"));
        }
        let done = || ended_as(key, name, OperationOutcome::Completed(Box::default()));
        match operation {
            HostedOperation::RecordCall(directions) => self.keeps(key, *directions),
            HostedOperation::StopRecordingCall { of } => Follows::line("bot stops the recording of the call")
                .and(done())
                .then(self.keeps_no_longer(of)),
            HostedOperation::Reopen => self.reopens(key, name),
            _ if self.sound != Sound::Hosted => {
                let refused = refusal(409, "TRUNKLINE_NO_LEG", NO_HOST);
                Follows::line(format!("({NO_HOST})")).and(ended_as(key, name, refused))
            }
            HostedOperation::Bridge { with } => {
                self.is_bridged = true;
                Follows::line(format!("bot bridges the call with {} at {}", with.leg, with.host)).and(done())
            }
            HostedOperation::Unbridge => {
                self.is_bridged = false;
                Follows::line("bot ends the bridge").and(done())
            }
        }
    }

    /// Another media host takes the call, unless the test has refused it.
    fn reopens(&mut self, key: &str, name: &str) -> Follows {
        let refused = match self.sound {
            Sound::Graph => Some((409, "TRUNKLINE_NO_LEG".to_owned())),
            Sound::Hosted => Some((409, "TRUNKLINE_MEDIA_THERE".to_owned())),
            Sound::Lost => self.refused(name),
        };
        if let Some((status, code)) = refused {
            let line = Follows::line(format!("(no other media host: {status} {code})"));
            return line.and(ended_as(key, name, refusal(status, &code, "refused by the test")));
        }
        self.is_hosted();
        self.call.is_audio_active = true;
        let done = ended_as(key, name, OperationOutcome::Completed(Box::default()));
        Follows::line("bot finds another media host").and(done)
    }

    /// Whether its media host is gone.
    pub(in crate::test) fn is_without_sound(&self) -> bool {
        self.sound == Sound::Lost
    }

    fn is_hosted(&mut self) {
        self.sound = Sound::Hosted;
        self.call.leg = Some(CallLeg {
            host: "media-1".to_owned(),
            leg: "this".to_owned(),
        });
    }

    pub(super) fn is_hosted_by(&mut self, operation: &Operation) {
        if operation.wants_media_host() {
            self.is_hosted();
        }
    }

    /// The bot asked for this call.
    pub(in crate::test) fn is_begun_with(&mut self, call: &Call) {
        self.is_hosted_by(&Operation::Create(Box::new(call.clone())));
    }

    /// The media host is gone: what plays fails, and a bot that does not listen to it hangs up.
    pub(in crate::test) fn loses_media(&mut self, told: CallEvent, is_heard: bool) -> Vec<CallEvent> {
        assert!(
            self.sound == Sound::Hosted,
            "no media host carries the sound of this call: the bot has not answered with Media::hosted()"
        );
        self.sound = Sound::Lost;
        self.call.is_audio_active = false;
        let playing = self.media.drain(..);
        let lost = |media: Media| match media.what {
            What::Prompts(_) => failed(&media.key, OperationKind::PlayPrompt, 503, 0),
            What::Recording { .. } => recorded(&media.key, 503, 0, None),
        };
        let mut events: Vec<CallEvent> = playing.map(lost).collect();
        events.extend(self.keeps_nothing("the media host is gone"));
        if is_heard {
            events.push(told);
        } else {
            events.extend(self.ends(EndedBy::Bot, Some((200, 7000))));
        }
        events
    }

    /// The call that this one is bridged with ends.
    pub(in crate::test) fn loses_bridge(&mut self) -> Vec<CallEvent> {
        assert!(
            std::mem::take(&mut self.is_bridged),
            "the bot has bridged this call with no other"
        );
        vec![CallEvent::BridgeEnded]
    }

    /// The media host tells something.
    pub(in crate::test) fn is_hosted_still(&self, told: CallEvent) -> Vec<CallEvent> {
        assert!(
            self.sound == Sound::Hosted,
            "no media host carries the sound of this call: the bot has not answered with Media::hosted()"
        );
        vec![told]
    }
}

fn refusal(status: u16, code: &str, message: &str) -> OperationOutcome {
    OperationOutcome::Refused {
        status,
        code: code.to_owned(),
        message: message.to_owned(),
    }
}
