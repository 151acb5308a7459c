//! The orders of an owner: admitted by their epoch and number, and carried out once.

use tokio::sync::oneshot;

use super::loading::{Refusal, outcome_of};
use super::queue::Admitted;
use super::{Actor, Verdict};
use crate::codec::Codec;
use crate::control::{Admission, Order, Outcome, Reason};
use crate::leg::EndReason;
use crate::record::{Direction, Subject};
use crate::thread::{LegError, LegKey};
use crate::tone::Key;

pub(super) const KEYS: &str = "keys are digits, *, #, A to D";

impl Actor {
    pub(super) async fn order(
        &mut self,
        epoch: u64,
        operation: u64,
        order: Order,
        reply: oneshot::Sender<Verdict>,
    ) -> bool {
        match self.ownership.admit(epoch, operation) {
            Admission::Fenced(highest) => {
                self.host.tally.fenced_one();
                let _ = reply.send(Verdict::Fenced(highest));
                false
            }
            Admission::Known(outcome) => {
                let _ = reply.send(Verdict::Outcome(outcome));
                false
            }
            Admission::New => self.new_order(operation, order, reply).await,
        }
    }

    async fn new_order(&mut self, operation: u64, order: Order, reply: oneshot::Sender<Verdict>) -> bool {
        let Err(reply) = self.waiting.joined_by(operation, &order, reply) else {
            return false;
        };
        let must_wait = order.waits_its_turn() && !self.waiting.is_empty();
        let admitted = Admitted::new(operation, order, reply);
        match admitted.order {
            Order::Close => {
                let is_over = self.end(EndReason::Closed).await;
                self.completed(admitted, &Outcome::Accepted);
                return is_over;
            }
            Order::StopPlaying(of) => {
                let outcome = outcome_of(self.stop_playing(of).await);
                self.completed(admitted, &outcome);
            }
            _ if !must_wait => self.begin(admitted).await,
            _ if self.waiting.has_room() => self.waiting.push(admitted),
            _ => {
                let detail = "too many commands wait for a prompt".to_owned();
                self.completed(admitted, &Outcome::Refused(Reason::Busy, detail));
            }
        }
        false
    }

    /// Carries an order out, or has loaded what it needs for that.
    pub(super) async fn begin(&mut self, admitted: Admitted) {
        let done = match self.load_for(admitted.operation, &admitted.order).await {
            Ok(Some(loading)) => {
                self.waiting.begins(admitted);
                self.loading = Some(loading);
                return;
            }
            Ok(None) => self.carry_out(admitted.operation, admitted.order.clone()).await,
            Err(refusal) => Err(refusal),
        };
        self.completed(admitted, &outcome_of(done));
    }

    pub(super) fn completed(&mut self, admitted: Admitted, outcome: &Outcome) {
        self.ownership.completed(admitted.operation, outcome.clone());
        admitted.answer(outcome);
    }

    /// The leg's key on the media threads, and the codec that it speaks.
    pub(super) fn peer(&self) -> Result<(LegKey, Codec), Refusal> {
        self.key.ok_or_else(|| invalid("the leg has no peer yet"))
    }

    async fn carry_out(&mut self, operation: u64, order: Order) -> Result<Outcome, Refusal> {
        let (key, codec) = self.peer()?;
        let media = self.host.media.of(key).map_err(refusal)?;
        let done = match order {
            Order::SendTones(keys) => {
                let keys = Key::all_of(&keys).ok_or_else(|| invalid(KEYS))?;
                media.send_tones(key, operation, keys).await
            }
            Order::Relay(relay) => media.relay(key, relay).await,
            Order::Bridge(other) => {
                if !self.host.knows(&other) {
                    return Err(invalid(
                        "the other leg is at another media host: open one near the other",
                    ));
                }
                let other = self
                    .host
                    .key_of(&other)
                    .ok_or_else(|| invalid("the other leg has no peer, or is gone"))?;
                self.host.media.bridge(key, other, &self.host.codecs).await
            }
            Order::Record {
                name,
                received,
                sent,
                mixed,
                confirmed_by,
            } => {
                if self.is_compliance && confirmed_by.is_empty() {
                    return Err(invalid("nothing of this call may be kept before that was confirmed"));
                }
                if mixed && (received || sent) {
                    return Err(invalid("a recording of both directions in one file is made alone"));
                }
                let directions = [
                    (received, Direction::Received),
                    (sent, Direction::Sent),
                    (mixed, Direction::Mixed),
                ];
                for (_, direction) in directions.into_iter().filter(|(is_wanted, _)| *is_wanted) {
                    let subject = Subject {
                        name: name.clone(),
                        tenant: self.tenant.clone(),
                        confirmed_by: confirmed_by.clone(),
                    };
                    self.record(key, codec, operation, subject, direction).await?;
                }
                Ok(())
            }
            Order::Listen { speech, in_band } => {
                self.tell_speech(key, speech).await?;
                if in_band {
                    self.hear_keys(key, codec).await?;
                }
                Ok(())
            }
            Order::StopRecording(of) => media.stop_recording(key, of).await,
            Order::Statistics => {
                let statistics = media.statistics(key).await.map_err(refusal)?;
                return Ok(Outcome::Statistics(Box::new(statistics)));
            }
            // Handled before: they end what waits, or are loaded for.
            Order::Close | Order::StopPlaying(_) | Order::Play { .. } | Order::RecordAnswer(_) => Ok(()),
        };
        done.map_err(refusal)?;
        Ok(Outcome::Accepted)
    }
}

pub(super) fn invalid(error: impl std::fmt::Display) -> (Reason, String) {
    (Reason::Invalid, error.to_string())
}

pub(super) fn refusal(error: LegError) -> (Reason, String) {
    let reason = match error {
        LegError::Gone => Reason::Gone,
        LegError::Busy => Reason::Busy,
        LegError::NoCodecs(_) => Reason::NoCodecs,
        _ => Reason::Invalid,
    };
    (reason, error.to_string())
}
