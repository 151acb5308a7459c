//! The orders of an owner: admitted by their epoch and number, and carried out once.

use tokio::sync::oneshot;

use super::{Actor, Verdict};
use crate::control::{Admission, Order, Outcome, Reason};
use crate::leg::{EndReason, Play};
use crate::record::{Direction, Subject};
use crate::thread::LegError;
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
        let is_close = order == Order::Close;
        let verdict = match self.ownership.admit(epoch, operation) {
            Admission::Fenced(highest) => {
                self.host.tally.fenced_one();
                Verdict::Fenced(highest)
            }
            Admission::Known(outcome) => Verdict::Outcome(outcome),
            Admission::New if is_close => {
                let is_over = self.end(EndReason::Closed).await;
                self.ownership.completed(operation, Outcome::Accepted);
                let _ = reply.send(Verdict::Outcome(Outcome::Accepted));
                return is_over;
            }
            Admission::New => {
                let outcome = match self.carry_out(operation, order).await {
                    Ok(outcome) => outcome,
                    Err((reason, detail)) => Outcome::Refused(reason, detail),
                };
                self.ownership.completed(operation, outcome.clone());
                Verdict::Outcome(outcome)
            }
        };
        let _ = reply.send(verdict);
        false
    }

    async fn carry_out(&mut self, operation: u64, order: Order) -> Result<Outcome, (Reason, String)> {
        let (key, codec) = self.key.ok_or_else(|| invalid("the leg has no peer yet"))?;
        let media = self.host.media.of(key).map_err(refusal)?;
        let done = match order {
            Order::Play {
                prompts,
                repeat,
                stops_at_tone,
            } => {
                let library = self.host.library.clone();
                let load = move || {
                    prompts
                        .iter()
                        .map(|name| library.prompt(name, codec))
                        .collect::<Result<Vec<_>, _>>()
                };
                let loaded = tokio::task::spawn_blocking(load).await.map_err(invalid)?;
                let play = Play {
                    operation,
                    prompts: loaded.map_err(invalid)?,
                    repeat,
                    stops_at_tone,
                };
                media.play(key, play).await
            }
            Order::StopPlaying(of) => media.stop(key, of).await,
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
            Order::RecordAnswer(order) => self.record_answer(key, codec, operation, order).await?,
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
            // Handled before: it ends the actor.
            Order::Close => Ok(()),
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
