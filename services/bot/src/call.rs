//! What a handler may do with a call.

mod bridge;
mod callee;
mod common;
mod decision;
pub(crate) mod gather;
mod media;
mod op;
mod operations;
mod outgoing;
mod people;
mod problem;
mod recording;
mod reopening;
mod ringing;
mod sound;

use trunkline_teams::calls::{CallState, IdentitySet, Participant};
use trunkline_teams::graph::{Operation, Transfer};

pub use callee::{CallKey, Callee};
pub use decision::{Decision, Media, Then};
pub use gather::{Digits, GatherEnd};
pub use media::{Prompt, Prompts, Record, Tones};
pub use op::{
    AudioRoute, Bridge, Gallery, HoldMusic, Invite, MediaStop, Mute, Op, Recording, RecordingStop, Removal, Reopening,
    Role, Status, Voice, WholeCall,
};
pub use operations::ScreenRole;
pub use outgoing::Outgoing;
pub use problem::CallProblem;
pub use ringing::Ringing;
pub use sound::{Sound, Speaker};

use crate::logic::{CallAbout, CallNow, Effect};
use crate::turn::{Misuse, Turn};
use gather::Gather;

/// One turn of a call that has been answered or begun.
///
/// It has what a [`Turn`] has, but for what needs a conversation, and the operations of a call. Each of these returns an [`Op`]
/// at once; what becomes of it comes as an event of its own. State, messages and operations are committed together when the
/// handler returns `Ok`. Operations need a call that is established; of one that is over nothing is asked any more.
pub struct Call<A: 'static = ()> {
    /// Clients and settings of the process. It may be used inside a step, where the call itself may not.
    pub app: &'static A,
    turn: Turn<A>,
    now: CallNow,
    gather: Option<Gather>,
    hears_gathered: bool,
}

impl<A> Call<A> {
    pub(crate) fn new(turn: Turn<A>, now: CallNow, gather: Option<Gather>, hears_gathered: bool) -> Self {
        Self {
            app: turn.app,
            turn,
            now,
            gather,
            hears_gathered,
        }
    }

    /// Names the call, for ever.
    pub fn call_key(&self) -> CallKey {
        CallKey::new(&self.now.key)
    }

    /// Graph's id; `None` until Graph has told it.
    pub fn graph_id(&self) -> Option<&str> {
        self.now.id.as_deref()
    }

    /// Where it stands.
    pub fn state(&self) -> &CallState {
        &self.now.state
    }

    /// Whether prompts can be heard.
    pub fn is_audio_active(&self) -> bool {
        self.now.is_audio_active
    }

    /// Who began it, who takes part, and what it is about.
    pub fn about(&self) -> &CallAbout {
        &self.now.about
    }

    /// Who calls, if the call came in.
    pub fn caller(&self) -> Option<&IdentitySet> {
        self.now.about.caller()
    }

    /// Who is there, as last told; empty in a call of two, the bot itself included otherwise.
    pub fn present(&self) -> &[Participant] {
        &self.now.present
    }

    /// What the handler has decided becomes the last thing that the turn asks for.
    pub(crate) fn goes_on(&mut self, then: Then) {
        if matches!(self.now.state, CallState::Terminating | CallState::Terminated) {
            return;
        }
        let asked = match then {
            Then::Stay => return,
            Then::HangUp => Ok((Operation::Delete, None, None)),
            Then::HangUpAfter(prompt) => Ok((Operation::Delete, Some(prompt.key().to_owned()), None)),
            Then::Transfer(to) => self.transfer(None, &to).map(|transfer| (transfer, None, None)),
            Then::TransferTo(to, other) => {
                let replaces = Some(other.as_str().to_owned());
                self.transfer(None, &to).map(|transfer| (transfer, None, replaces))
            }
            Then::HandOver { who, to } => self.transfer(Some(&who), &to).map(|transfer| (transfer, None, None)),
        };
        match asked {
            Ok((operation, after, replaces)) => {
                let key = self.turn.fresh_key('o');
                self.turn.ask_after(key, operation, after, replaces);
            }
            Err(problem) => self.turn.cannot(problem),
        }
    }

    fn transfer(&self, who: Option<&Callee>, to: &Callee) -> Result<Operation, CallProblem> {
        problem::takes("a transfer", &self.now)?;
        if who.is_some() != self.now.is_of_several() {
            return Err(CallProblem::Transferee);
        }
        let transferee = who.map(Callee::identity).transpose()?;
        Ok(Operation::Transfer(Box::new(Transfer {
            transfer_target: to.invitation()?,
            transferee: transferee.map(|identity| trunkline_teams::calls::ParticipantInfo {
                identity: Some(identity),
                ..Default::default()
            }),
        })))
    }

    /// What was asked for, and the keys that are being gathered.
    ///
    /// # Errors
    /// Something was asked for that cannot be done.
    pub(crate) fn finish(self) -> Result<(Vec<Effect>, Option<Gather>), Misuse> {
        Ok((self.turn.finish()?, self.gather))
    }
}
