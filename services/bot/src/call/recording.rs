//! The recording of a whole call, by the media host that carries its sound.

use super::op::{RecordingStop, WholeCall};
use super::problem::{CallProblem, takes};
use super::{Call, Op};
use crate::logic::{Directions, HostedOperation};

impl<A> Call<A> {
    /// Records the call from now on, in a call with [`crate::Media::hosted`]; elsewhere it fails at once. What becomes of it is told as
    /// `call_recording`: that it started, a gap, its files when it has finished, or that it failed. It goes on until
    /// [`Call::stop_recording`] or the end of the call, whatever happens to the process that runs the bot; a second one takes the place
    /// of the first.
    ///
    /// The files lie at the media host. Whether people must be asked before is for the author to know: Graph's terms of use forbid to keep
    /// what was recorded unless the people in the call agreed to it. In a call that a recording policy made, say
    /// [`Call::recording_status`] instead: nothing of it may be kept before Graph has confirmed that.
    pub fn record_call(&mut self, directions: Directions) -> Op<WholeCall> {
        let operation = match self.now.about.observed_participant() {
            Some(_) => Err(CallProblem::OfPolicy),
            None => Ok(HostedOperation::RecordCall(directions)),
        };
        self.hosted("the recording of the call", operation)
    }

    /// Ends the recording of a call. Its files are told as `call_recording`; that it was asked for ends with `operation_ended`.
    pub fn stop_recording(&mut self, recording: &Op<WholeCall>) -> Op<RecordingStop> {
        let of = recording.key().to_owned();
        self.hosted("the end of a recording", Ok(HostedOperation::StopRecordingCall { of }))
    }

    pub(super) fn hosted<K>(&mut self, what: &'static str, operation: Result<HostedOperation, CallProblem>) -> Op<K> {
        let key = self.turn.fresh_key('o');
        match takes(what, &self.now).and_then(|takes| Ok((takes, operation?))) {
            Ok((true, operation)) => self.turn.ask_host(key.clone(), operation),
            Ok((false, _)) => {}
            Err(problem) => self.turn.cannot(problem),
        }
        Op::new(key)
    }
}
