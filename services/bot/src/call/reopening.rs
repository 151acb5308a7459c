//! Another way for the sound of a call, after its media host was lost.

use super::op::Reopening;
use super::{Call, Op};
use crate::logic::HostedOperation;

impl<A> Call<A> {
    /// Looks for another media host after [`crate::event::MediaLost`], and tells the other side where its sound goes from now on, by a second
    /// answer. What is played after this, in the same turn or later, waits for the sound. Ends with `operation_ended`: done as soon as the
    /// sound flows, within 45 s; it fails where no host has room, or the other side does not come. A bot that has no route for that end
    /// hangs up when it fails. While the sound is not lost it is refused.
    ///
    /// What the lost host recorded is not gone on with: begin a new recording. Graph has no such operation: browsers and gateways
    /// behind simulated Teams take it.
    pub fn reopen(&mut self) -> Op<Reopening> {
        self.hosted("another media host", Ok(HostedOperation::Reopen))
    }
}
