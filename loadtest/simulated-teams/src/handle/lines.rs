//! Calls with real sound: a person's end of a call whose sound the bot handles itself.

use std::{fmt, sync::Arc, time::Duration};

use tokio::task::JoinSet;
use trunkline_caller::{Caller, CallerSettings, Heard, Invitation, NoSuchKey, Sound};

use super::Handle;
use crate::{calls::CallView, delivery, error::SimulatedTeamsError};

type Result<T> = std::result::Result<T, SimulatedTeamsError>;

/// The sound of one call. While it is held, a connection that is lost ends the call, and the end of the call closes the
/// connection. Dropped, it vanishes without a word, like a telephone whose battery is empty: the media host notices.
pub struct Line {
    caller: Arc<Caller>,
    _watch: JoinSet<()>,
}

impl fmt::Debug for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Line")
            .field("has_ended", &self.has_ended())
            .finish_non_exhaustive()
    }
}

impl Handle {
    /// Waits at most `patience` until the bot has said where the sound of the call goes, and connects to it. The call ends when
    /// that fails. A bot that has found another media host wants another line: [`CallView::lines`] counts them, and the first one is
    /// dropped then.
    ///
    /// # Errors
    /// The bot did not say it in time, or the media host did not let the caller in.
    pub async fn line(&self, call: &str, patience: Duration, settings: &CallerSettings) -> Result<Line> {
        let is_settled = |view: &CallView| view.line.is_some() || view.state.is_over();
        self.call_when(call, patience, is_settled).await?;
        let invitation = self.line_invitation(call)?;
        let connected = match invitation_of(&invitation) {
            Ok(invitation) => Caller::connect(&invitation, settings).await,
            Err(error) => Err(error),
        };
        let caller = match connected {
            Ok(caller) => Arc::new(caller),
            Err(error) => {
                // It may be over by itself.
                let _ = self.line_lost(call, &invitation.whip);
                return Err(error.into());
            }
        };
        // A call that is over by now closes the line at once.
        let _ = self.line_connected(call, &invitation.whip);
        let mut watch = JoinSet::new();
        watch.spawn(delivery::watch_line(
            Arc::clone(&self.shared),
            call.to_owned(),
            invitation.whip,
            Arc::clone(&caller),
        ));
        Ok(Line { caller, _watch: watch })
    }
}

fn invitation_of(
    invitation: &crate::calls::LineInvitation,
) -> std::result::Result<Invitation, trunkline_caller::CallerError> {
    let blob = serde_json::to_string(invitation).unwrap_or_default();
    Invitation::read(&blob)
}

impl Line {
    /// Says this from now on.
    pub fn say(&self, sound: Sound) {
        self.caller.say(sound);
    }

    /// Presses keys, heard by the media host.
    ///
    /// # Errors
    /// One of them is on no telephone: none is pressed.
    pub fn press(&self, keys: &str) -> std::result::Result<(), NoSuchKey> {
        self.caller.press(keys)
    }

    /// Looks at what was heard.
    pub fn heard<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        self.caller.heard(look)
    }

    /// Waits until what was heard is as wanted; `what` is for the error.
    ///
    /// # Errors
    /// It did not come within `patience`, or the line ended before.
    pub async fn hears(&self, what: &str, patience: Duration, is_so: impl Fn(&Heard) -> bool) -> Result<()> {
        Ok(self.caller.hears(what, patience, is_so).await?)
    }

    /// Whether the connection has ended.
    pub fn has_ended(&self) -> bool {
        self.caller.has_ended()
    }

    /// Waits for the end of the connection.
    pub async fn ended(&self) {
        self.caller.ended().await;
    }
}
