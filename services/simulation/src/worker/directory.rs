//! What a directory does about its shards: orders of the cluster are carried out, deliveries admitted, the wake index is read and
//! followed, and what is idle leaves memory.

use std::time::Duration;

use trunkline_cluster::ShardOrder;
use trunkline_cluster::node::Event as NodeEvent;
use trunkline_ingress::exchange::Delivery;
use trunkline_proto::routing::{Accepted, Moved, Reason, Refused};
use trunkline_store::contract::{MapVersion, Token};
use trunkline_store::key::{Key, ShardId};
use trunkline_teams::activity::Activity;
use trunkline_worker::agenda::{Page, Reading};
use trunkline_worker::conversation::{Arrival, Event, Now, Reply, Ticket, Work};
use trunkline_worker::shard_table::{Admission, Standing};

use super::shell::{Shell, Waiting};
use super::{ActorId, Effect};
use crate::chat::{body_of, kind_of, repeat_key};
use crate::network::Request;

/// Conversations without work leave memory after this time.
const IDLE: u64 = 2_000;

impl Shell {
    pub(super) fn order(&mut self, order: ShardOrder, now: Now, out: &mut Vec<Effect>) {
        match order {
            ShardOrder::Expect { shard } => self.table.expect(shard),
            ShardOrder::Serve { shard, token } => self.serve(shard, token, now, out),
            ShardOrder::Quiesce { shard } => self.quiesce(shard, now, out),
            ShardOrder::Lose { shard } => self.lose(shard, now, out),
        }
    }

    fn serve(&mut self, shard: ShardId, token: Token, now: Now, out: &mut Vec<Effect>) {
        self.drop_actors(shard, now, out);
        let held = self.table.serve(shard, token);
        self.agenda.serve(shard, now.wall_ms);
        for waiting in held {
            self.serve_delivery(&waiting, now, out);
        }
    }

    fn quiesce(&mut self, shard: ShardId, now: Now, out: &mut Vec<Effect>) {
        Self::hand_back(self.table.quiesce(shard), out);
        self.agenda.forget(shard);
        let guards = self.common.guards;
        let actors = self.actors.remove(&shard).unwrap_or_default();
        for (key, mut actor) in actors {
            if actor.is_idle {
                actor.end(out);
                continue;
            }
            actor.is_leaving = true;
            actor.feed(Event::Quiesce, now, guards, out);
            self.actors.entry(shard).or_default().insert(key, actor);
        }
        self.release_if_quiet(shard, out);
    }

    /// Begin nothing more: the process leaves.
    pub(super) fn quiesce_all(&mut self, now: Now, out: &mut Vec<Effect>) {
        let mut shards = self.table.all();
        shards.sort_unstable();
        for shard in shards {
            self.quiesce(shard, now, out);
        }
    }

    /// The last of the shard has ended: it may go to another worker.
    fn release_if_quiet(&mut self, shard: ShardId, out: &mut Vec<Effect>) {
        let is_quiet = self.actors.get(&shard).is_none_or(std::collections::BTreeMap::is_empty);
        if is_quiet && !matches!(self.table.standing(shard), Standing::Serving(_) | Standing::Expected) {
            self.actors.remove(&shard);
            self.table.lose(shard);
            out.push(Effect::Tell(NodeEvent::Quiesced(shard)));
        }
    }

    fn lose(&mut self, shard: ShardId, now: Now, out: &mut Vec<Effect>) {
        Self::hand_back(self.table.lose(shard), out);
        self.agenda.forget(shard);
        self.drop_actors(shard, now, out);
    }

    /// Ends the conversations of a shard at once: nothing more is written or sent.
    fn drop_actors(&mut self, shard: ShardId, now: Now, out: &mut Vec<Effect>) {
        let guards = self.common.guards;
        for (_, mut actor) in self.actors.remove(&shard).unwrap_or_default() {
            actor.is_leaving = false;
            actor.feed(Event::Lost, now, guards, out);
            actor.end(out);
        }
    }

    /// The fence of a shard refused this token.
    pub(super) fn fenced(&mut self, shard: ShardId, token: Token, now: Now, out: &mut Vec<Effect>) {
        let is_ours = match self.table.standing(shard) {
            Standing::Serving(ours) => ours == token,
            Standing::Quiescing => true,
            Standing::NotOurs | Standing::Expected => false,
        };
        if is_ours {
            self.lose(shard, now, out);
            if self.common.guards.tells_of_fence {
                out.push(Effect::Tell(NodeEvent::Fenced(shard, token)));
            }
        }
    }

    /// Nothing of a conversation whose shard leaves is under way any more.
    pub(super) fn quiet(&mut self, id: ActorId, out: &mut Vec<Effect>) {
        if !self.actor(id).is_some_and(|actor| actor.is_leaving && actor.is_quiet) {
            return;
        }
        let actors = self.actors.get_mut(&id.shard);
        if let Some(actor) = actors.and_then(|actors| actors.remove(&id.key)) {
            actor.end(out);
        }
        self.release_if_quiet(id.shard, out);
    }

    /// Takes a delivery to its conversation, keeps it until its shard comes, or sends it back.
    pub(super) fn deliver(
        &mut self,
        ticket: Ticket,
        theirs: MapVersion,
        delivery: &Delivery,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let (number, chat) = crate::ingress::head_of(delivery);
        let remaining_ms = u64::from(delivery.remaining_ms);
        let waiting = Waiting {
            ticket,
            number,
            chat,
            remaining_ms,
            is_shed: delivery.is_shed,
            deaths: delivery.deaths,
            arrived_at: now.steady_ms,
            place: self.next_number(),
        };
        let shard = self.common.chats[chat].shard;
        let bytes = delivery.activity.len();
        match self
            .table
            .admit(shard, theirs, waiting, bytes, remaining_ms, now.steady_ms)
        {
            Admission::Serve(waiting, _) => self.serve_delivery(&waiting, now, out),
            Admission::Held => {}
            Admission::Moved(waiting) => Self::hand_back([waiting], out),
        }
    }

    fn serve_delivery(&mut self, waiting: &Waiting, now: Now, out: &mut Vec<Effect>) {
        let (ticket, number) = (waiting.ticket, waiting.number);
        let body = body_of(number);
        let waited = now.steady_ms.saturating_sub(waiting.arrived_at);
        let arrival = Arrival {
            ticket,
            kind: kind_of(number),
            repeat_key: self.common.guards.recognises.then(|| repeat_key(number)),
            remaining: Duration::from_millis(waiting.remaining_ms.saturating_sub(waited)),
            traceparent: String::new(),
            is_shed: waiting.is_shed,
            deaths: waiting.deaths,
            work: Work::Activity {
                parsed: Some(Box::new(Activity::parse(&body).unwrap())),
                body,
                service_url: "https://connector".to_owned(),
                is_verified: true,
            },
        };
        if !self.common.guards.answers_after_commit {
            out.push(Effect::Reply(ticket, Reply::Accepted(Accepted {})));
        }
        if !self.tell(waiting.chat, Event::Arrived(Box::new(arrival)), now, out) {
            out.push(Effect::Reply(ticket, Reply::Moved(Moved {})));
        }
    }

    /// A caller has gone.
    pub(super) fn cancel(&mut self, place: (ShardId, Key), ticket: Ticket, now: Now, out: &mut Vec<Effect>) {
        let (shard, key) = place;
        if self.table.cancel(shard, |waiting| waiting.ticket == ticket) {
            return;
        }
        if let Some(id) = self
            .actors
            .get(&shard)
            .and_then(|actors| actors.get(&key))
            .map(|actor| actor.id)
        {
            self.feed(id, Event::Cancelled(ticket), now, out);
        }
    }

    /// Wakes what is due, reads the wake index where it is time, and goes on with what waited for the lease.
    pub(super) fn look(&mut self, now: Now, out: &mut Vec<Effect>) {
        if now.may_begin {
            if std::mem::take(&mut self.has_waited) {
                let waiting = self.actors.values().flat_map(|actors| actors.values());
                let ids: Vec<ActorId> = waiting.filter(|actor| !actor.is_idle).map(|actor| actor.id).collect();
                for id in ids {
                    self.feed(id, Event::Tick, now, out);
                }
            }
            for (shard, key) in self.agenda.due(now.wall_ms, 500) {
                let chat = self.common.chats.iter().position(|chat| chat.key == key);
                if let Some(chat) = chat.filter(|_| !self.is_awake(shard, &key)) {
                    self.tell(chat, Event::Wake, now, out);
                }
            }
        }
        for reading in self.agenda.take_readings(now.wall_ms, 32 - self.readings) {
            self.readings += 1;
            out.push(Effect::Ask(Request::Due(reading)));
        }
    }

    pub(super) fn was_read(&mut self, reading: Reading, page: Option<Page>, now: Now) {
        self.readings -= 1;
        let is_in_use = self.actors.get(&reading.shard).is_some_and(|actors| !actors.is_empty());
        match page {
            Some(page) => self.agenda.read(reading, page, is_in_use, now.wall_ms),
            None => self.agenda.failed(reading.shard, now.wall_ms),
        }
    }

    /// Lets the idle leave, and ends what waits for too long.
    pub(super) fn sweep(&mut self, now: Now, out: &mut Vec<Effect>) {
        let mut leaving = Vec::new();
        for actor in self.actors.values().flat_map(|actors| actors.values()) {
            let is_due = actor.active_at + IDLE <= now.steady_ms && actor.is_idle;
            if is_due && !actor.is_leaving && actor.may_leave(now) {
                leaving.push((actor.id, actor.core.next_wake_ms()));
            }
        }
        for (id, wake_at) in leaving {
            if let Some(actor) = self.actors.get_mut(&id.shard).and_then(|actors| actors.remove(&id.key)) {
                self.agenda.left(id.shard, id.key, wake_at, now.wall_ms);
                actor.end(out);
            }
        }
        let mut ended = self.table.expire(now.steady_ms);
        ended.moved.sort_by_key(|waiting| waiting.place);
        Self::hand_back(ended.moved, out);
        ended.late.sort_by_key(|waiting| waiting.place);
        for waiting in ended.late {
            let refused = Refused {
                reason: Reason::TooLate as i32,
                retry_after_ms: 0,
            };
            out.push(Effect::Reply(waiting.ticket, Reply::Refused(refused)));
        }
    }
}
