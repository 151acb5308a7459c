//! Two calls of the bot that hear each other, at the media host that carries their sound.

use super::{Bridge, Call, Op};
use crate::logic::{CallLeg, HostedOperation};

impl<A> Call<A> {
    /// Where the sound of this call is, in a call with [`crate::Media::hosted`] once its media host is known. Give it to another call, by a
    /// signal for example, for [`Call::bridge`] and [`crate::Media::near`].
    pub fn leg(&self) -> Option<&CallLeg> {
        self.now.leg.as_ref()
    }

    /// Lets this call and another one hear each other, and the keys that are pressed, whatever they speak. Both need
    /// [`crate::Media::hosted`], at one host: begin or answer the second with [`crate::Media::near`], else it is refused. What the bot plays
    /// or says in one of them is heard there in place of the other. Ends with `operation_ended` when they are bridged; `bridge_ended` tells
    /// when the other call ends. A bridge that either has ends with it.
    pub fn bridge(&mut self, with: &CallLeg) -> Op<Bridge> {
        self.hosted("a bridge", Ok(HostedOperation::Bridge { with: with.clone() }))
    }

    /// Ends the bridge; the other call is told `bridge_ended`. Ends with `operation_ended`.
    pub fn unbridge(&mut self) -> Op<Bridge> {
        self.hosted("the end of a bridge", Ok(HostedOperation::Unbridge))
    }
}
