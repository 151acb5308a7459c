//! How what was sent comes back: answered, handed back, lost with its stream, or taken back.

use std::time::Instant;

use trunkline_proto::routing::Outcome;
use trunkline_proto::routing::outcome::Result as Ended;

use super::connection::Stream;
use super::connections::WorkerIndex;
use super::message::{Answer, Loss, Outgoing, RequestId};
use super::{Exchange, LostAt, Place, timing};

impl<W> Exchange<W> {
    /// One outcome of a worker.
    pub(super) fn ended(&mut self, now: Instant, worker: WorkerIndex, outcome: Outcome) {
        let Some(stream) = self.connections.stream(worker) else {
            return;
        };
        let Some(id) = stream.forget(outcome.seq) else {
            return;
        };
        let Some(live) = self.requests.get_mut(&id) else {
            return;
        };
        let shard = live.request.shard;
        let answer = match outcome.result {
            Some(Ended::Done(done)) => Answer::Done {
                status: done.status,
                body: done.body,
            },
            Some(Ended::Repeated(repeated)) => Answer::Repeated {
                status: repeated.status,
                body: repeated.body,
            },
            Some(Ended::Accepted(_)) => Answer::Accepted,
            Some(Ended::Refused(refused)) => Answer::Refused {
                reason: refused.reason(),
                retry_after_ms: refused.retry_after_ms,
            },
            // An outcome of a kind that this build does not know cannot be an answer; whoever owns the shard decides.
            Some(Ended::Moved(_)) | None => {
                self.handed_back(now, id);
                return;
            }
        };
        self.answer(id, answer);
        self.requests.remove(&id);
        let order = &mut self.shards[shard.0 as usize];
        order.moves = 0;
        order.not_before = None;
        order.one_less_outstanding();
        if !order.waiting.is_empty() {
            self.advance(now, shard, usize::MAX);
        }
    }

    /// The worker does not own the shard.
    fn handed_back(&mut self, now: Instant, id: RequestId) {
        let Some(live) = self.requests.get_mut(&id) else {
            return;
        };
        let shard = live.request.shard;
        let is_wanted = live.waiter.is_some();
        if is_wanted {
            live.place = Place::Waiting { starved_since: None };
            live.patient = true;
        } else {
            self.requests.remove(&id);
        }
        let order = &mut self.shards[shard.0 as usize];
        if is_wanted {
            order.hand_back(id);
        }
        if !order.settling {
            // The first of those that come back together: they are one move.
            order.settling = true;
            order.moves += 1;
            if order.moves > 1 {
                let delay = timing::back_off(timing::RESEND, order.moves - 1, &mut self.random);
                order.not_before = Some(now + delay);
            }
        }
        order.one_less_outstanding();
        self.advance(now, shard, usize::MAX);
    }

    /// What was outstanding on a stream that is gone waits for whoever serves the shard next.
    pub(super) fn hand_all_back(&mut self, stream: Stream, loss: Loss, incarnation: Option<u64>) {
        for id in stream.outstanding.into_values() {
            let Some(live) = self.requests.get_mut(&id) else {
                continue;
            };
            let order = &mut self.shards[live.request.shard.0 as usize];
            order.one_less_outstanding();
            if live.waiter.is_none() {
                self.requests.remove(&id);
                continue;
            }
            live.place = Place::Waiting { starved_since: None };
            live.patient = true;
            if let Some(incarnation) = incarnation
                && loss != Loss::Ended
                && live.lost_at.iter().all(|lost| lost.incarnation != incarnation)
            {
                let broke_off = matches!(loss, Loss::Reset | Loss::Refused);
                live.lost_at.push(LostAt { incarnation, broke_off });
            }
            order.hand_back(id);
        }
    }

    /// The routes took the shard from the worker that this is outstanding at, and the next owner serves it by now: it is
    /// not waited for any longer. Its fence refuses what the old one may still write.
    pub(super) fn take_back(&mut self, id: RequestId) {
        let Some(live) = self.requests.get_mut(&id) else {
            return;
        };
        let (worker, seq, is_wanted) = match live.place {
            Place::Outstanding { worker, seq } => (worker, seq, true),
            Place::Abandoned { worker, seq, .. } => (worker, seq, false),
            Place::Waiting { .. } => return,
        };
        let order = &mut self.shards[live.request.shard.0 as usize];
        order.one_less_outstanding();
        if is_wanted {
            live.place = Place::Waiting { starved_since: None };
            live.patient = true;
            order.hand_back(id);
        } else {
            self.requests.remove(&id);
        }
        if let Some(stream) = self.connections.stream(worker) {
            stream.forget(seq);
            if is_wanted {
                self.send(worker, Outgoing::Cancel(seq));
            }
        }
    }
}
