//! What happens at the media host of a call with [`Media::hosted`](crate::Media::hosted).

use std::time::Duration;

use super::Phone;
use crate::logic::{CallEvent, HostedOperation, TroubleKind, TroubleTold};
use crate::state::State;
use crate::test::line::Line;

impl<S: State> Phone<S> {
    /// The media host that carries the sound of a call with [`Media::hosted`](crate::Media::hosted) is gone.
    pub fn loses_media(&mut self) -> &mut Self {
        let lost = CallEvent::MediaLost("the media host is gone".to_owned());
        let is_heard = self.host.logic.handles_call_event(&lost);
        self.happens("(the media host is gone)", |line| line.loses_media(lost, is_heard))
    }

    /// The next time that the bot looks for another media host ([`Call::reopen`](crate::Call::reopen)), in this call or else in the next, none
    /// has room.
    pub fn no_other_media_host(&mut self) -> &mut Self {
        self.line_or_next()
            .refuses(HostedOperation::REOPEN, 503, "TRUNKLINE_NO_MEDIA_HOST");
        self
    }

    /// The media host of a call with [`Media::hosted`](crate::Media::hosted) is about to end.
    pub fn media_ends(&mut self, within: Duration) -> &mut Self {
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        self.happens("(the media host is about to end)", |line| {
            line.is_hosted_still(CallEvent::MediaEnds(within_ms))
        })
    }

    /// The media host of a call with [`Media::hosted`](crate::Media::hosted) hears that somebody begins to speak, or falls silent.
    pub fn speech(&mut self, speaks: bool) -> &mut Self {
        let is_wanted = self.host.logic.describe().calls.is_some_and(|calls| calls.wants_speech);
        assert!(is_wanted, "the bot does not want to know: add .on(calls::speech(), ..)");
        let line = if speaks { "(somebody speaks)" } else { "(silence)" };
        self.happens(line, |line| line.is_hosted_still(CallEvent::Speech(speaks)))
    }

    /// The media host of a call with [`Media::hosted`](crate::Media::hosted) finds that something is wrong with its sound, or not any more.
    pub fn trouble(&mut self, kind: TroubleKind, is_over: bool) -> &mut Self {
        let told = CallEvent::Trouble(TroubleTold { kind, is_over });
        let is_heard = self.host.logic.handles_call_event(&told);
        assert!(is_heard, "the bot does not want to know: add .on(calls::trouble(), ..)");
        let line = if is_over {
            "(the sound is well again)"
        } else {
            "(something is wrong with the sound)"
        };
        self.happens(line, |line| line.is_hosted_still(told))
    }

    /// The call that the bot has bridged this one with ends.
    pub fn bridge_ends(&mut self) -> &mut Self {
        self.happens("(the other call of the bridge ends)", Line::loses_bridge)
    }

    /// The disk of the media host is too slow: packets of a direction (`received`, `sent`) are missing in what it records of the call.
    pub fn recording_lacks(&mut self, direction: &str, packets: u32) -> &mut Self {
        self.happens("(the recording has a gap)", |line| line.lacks(direction, packets))
    }

    /// The media host gives up what it records of the call.
    pub fn recording_fails(&mut self, reason: &str) -> &mut Self {
        self.happens("(the recording fails)", |line| line.keeps_nothing(reason))
    }
}
