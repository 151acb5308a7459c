//! What an order needs from the disk before it is carried out. It is loaded beside the actor, which hears everything else
//! meanwhile: a prompt that is encoded for the first time may take longer than a new owner waits to be attached.

use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::Actor;
use super::obey::{invalid, refusal};
use super::queue::{Admitted, Taken};
use super::recordings::{limits_of, tell_answer};
use crate::codec::Codec;
use crate::control::{AnswerOrder, Happening, Order, Outcome, Reason};
use crate::leg::{AnswerEnd, AnswerLimits, LegEvent, Play, PlayEnd, RecordAnswer};
use crate::prompt::{Library, Prompt, PromptError};
use crate::record::{Finished, Tap};
use crate::thread::LegError;

/// Why an order is refused.
pub(super) type Refusal = (Reason, String);
/// What is loaded, once it is. Whoever drops it has it loaded for nobody.
pub(super) type Load = JoinHandle<Result<Loaded, Refusal>>;

/// What an order is carried out with.
pub(super) enum Loaded {
    Play(Play),
    Answer {
        prompts: Vec<Arc<Prompt>>,
        limits: AnswerLimits,
        barge_in: bool,
        file: AnswerFile,
    },
}

/// The file of an answer that is to be recorded. It goes if nobody takes it.
pub(super) struct AnswerFile {
    tap: Option<Tap>,
    finished: Option<Finished>,
    path: PathBuf,
}

impl Drop for AnswerFile {
    fn drop(&mut self) {
        if let Some(tap) = self.tap.take() {
            tap.discard();
        }
    }
}

/// Waits for what is loaded; for ever, if nothing is. May be given up and called again.
pub(super) async fn loaded(loading: &mut Option<Load>) -> Result<Loaded, Refusal> {
    match loading {
        Some(load) => load.await.unwrap_or_else(|error| Err(invalid(error))),
        None => pending().await,
    }
}

impl Actor {
    /// Begins to load what an order needs; `None` for one that needs nothing.
    pub(super) async fn load_for(&self, operation: u64, order: &Order) -> Result<Option<Load>, Refusal> {
        let load = match order {
            Order::Play {
                prompts,
                repeat,
                stops_at_tone,
            } => {
                let (_, codec) = self.peer()?;
                let (library, names) = (self.host.library.clone(), prompts.clone());
                let (repeat, stops_at_tone) = (*repeat, *stops_at_tone);
                tokio::task::spawn_blocking(move || {
                    let prompts = prompts_of(&library, &names, codec).map_err(invalid)?;
                    Ok(Loaded::Play(Play {
                        operation,
                        prompts,
                        repeat,
                        stops_at_tone,
                    }))
                })
            }
            Order::RecordAnswer(order) => self.load_answer(operation, order.clone()).await?,
            _ => return Ok(None),
        };
        Ok(Some(load))
    }

    async fn load_answer(&self, operation: u64, order: AnswerOrder) -> Result<Load, Refusal> {
        let (key, codec) = self.peer()?;
        if self.is_compliance {
            return Err(invalid("answers of a call that a policy records are not kept apart"));
        }
        let limits = limits_of(&order)?;
        let media = self.host.media.of(key).map_err(refusal)?;
        media.hear_speech(key, &self.host.codecs).await.map_err(refusal)?;
        let (library, recorder) = (self.host.library.clone(), self.host.recorder.clone());
        let tenant = self.tenant.clone();
        Ok(tokio::task::spawn_blocking(move || {
            let mut prompts = prompts_of(&library, &order.prompts, codec).map_err(invalid)?;
            if order.beep {
                prompts.push(library.beep(codec).map_err(invalid)?);
            }
            let begun = recorder.begin_answer(&tenant, operation, codec).map_err(invalid)?;
            let ((tap, finished), path) = begun;
            let file = AnswerFile {
                tap: Some(tap),
                finished: Some(finished),
                path,
            };
            Ok(Loaded::Answer {
                prompts,
                limits,
                barge_in: order.barge_in,
                file,
            })
        }))
    }

    /// The first order of the queue has what it needs, or cannot have it: it is carried out, and then those behind it.
    pub(super) async fn has_loaded(&mut self, loaded: Result<Loaded, Refusal>) {
        self.loading = None;
        let Some(admitted) = self.waiting.pop() else { return };
        let done = match loaded {
            Ok(loaded) => self.play_loaded(admitted.operation, loaded).await,
            Err(refusal) => Err(refusal),
        };
        self.completed(admitted, &outcome_of(done));
        self.go_on().await;
    }

    async fn play_loaded(&self, operation: u64, loaded: Loaded) -> Result<Outcome, Refusal> {
        let (key, _) = self.peer()?;
        let media = self.host.media.of(key).map_err(refusal)?;
        let done = match loaded {
            Loaded::Play(play) => media.play(key, play).await,
            Loaded::Answer {
                prompts,
                limits,
                barge_in,
                mut file,
            } => {
                let (Some(tap), Some(finished)) = (file.tap.take(), file.finished.take()) else {
                    return Err(invalid("the file of the answer is gone"));
                };
                let path = std::mem::take(&mut file.path);
                tokio::spawn(tell_answer(self.own_mailbox.clone(), operation, path, finished));
                let answer = RecordAnswer {
                    operation,
                    prompts,
                    limits,
                    tap,
                };
                media.record_answer(key, answer, barge_in).await
            }
        };
        done.map(|()| Outcome::Accepted).map_err(refusal)
    }

    /// Carries out what waits, up to the next order that is loaded for.
    async fn go_on(&mut self) {
        while self.loading.is_none()
            && let Some(next) = self.waiting.pop()
        {
            self.begin(next).await;
        }
    }

    /// Stops an operation that plays or waits to be played, or all: also one that is loaded for, or waits behind that.
    pub(super) async fn stop_playing(&mut self, of: Option<u64>) -> Result<Outcome, Refusal> {
        let (key, _) = self.peer()?;
        let taken = self.waiting.take_playing(of);
        let is_stopped = !taken.orders.is_empty();
        for stopped in self.taken_out(taken) {
            let (operation, is_answer) = (stopped.operation, matches!(stopped.order, Order::RecordAnswer(_)));
            self.completed(stopped, &Outcome::Accepted);
            if is_answer {
                let ended = self.answers.ended(operation, AnswerEnd::Stopped);
                self.tell_answers(ended);
            } else {
                self.tell(Happening::Leg(LegEvent::Finished {
                    operation,
                    reason: PlayEnd::Stopped,
                    packets: 0,
                }));
            }
        }
        self.go_on().await;
        let media = self.host.media.of(key).map_err(refusal)?;
        match media.stop(key, of).await {
            Err(LegError::NotPlaying) if is_stopped => Ok(Outcome::Accepted),
            stopped => stopped.map(|()| Outcome::Accepted).map_err(refusal),
        }
    }

    /// The leg ends: what was not begun never will be.
    pub(super) fn give_up_waiting(&mut self) {
        let taken = self.waiting.take_all();
        let (reason, detail) = refusal(LegError::Gone);
        for admitted in self.taken_out(taken) {
            self.completed(admitted, &Outcome::Refused(reason, detail.clone()));
        }
    }

    /// Orders that were taken out of the queue; if one of them was loaded for, nothing is any more.
    fn taken_out(&mut self, taken: Taken) -> Vec<Admitted> {
        if taken.is_first_of_queue {
            self.loading = None;
        }
        taken.orders
    }
}

pub(super) fn outcome_of(done: Result<Outcome, Refusal>) -> Outcome {
    done.unwrap_or_else(|(reason, detail)| Outcome::Refused(reason, detail))
}

fn prompts_of(library: &Library, names: &[String], codec: Codec) -> Result<Vec<Arc<Prompt>>, PromptError> {
    names.iter().map(|name| library.prompt(name, codec)).collect()
}
