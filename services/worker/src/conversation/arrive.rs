//! Arrivals, loads, budgets and the end of a shard: everything that is not a turn or a commit.

use trunkline_bot::logic::End;
use trunkline_proto::routing::Reason;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::event::{Action, Arrival, ArrivalKind, Note, Now, Ticket};
use super::item::Item;
use super::work::Work;
use super::{ANSWER_MARGIN_MS, Conversation, Phase, Reply, milliseconds, moved, refused, reply_all};

/// When a message may come again that found no room even in the inbox.
pub(super) const RETRY_SHED_MS: u32 = 2_000;

impl Conversation {
    /// Queues work, unless it repeats what is known.
    pub(super) fn arrive(&mut self, arrival: Arrival, now: Now, out: &mut Vec<Action>) {
        if self.phase != Phase::Serving {
            let ticket = arrival.ticket;
            out.push(Action::Reply { ticket, reply: moved() });
            return;
        }
        let Some(mut item) = self.item_of(arrival, now, out) else {
            return;
        };
        if self.answer_repeat(&mut item, out) {
            return;
        }
        if item.is_shed {
            if !self.holding.backlog.has_room(now) {
                out.push(Action::Note(Note::ShedRefused));
                reply_all(&mut item, &refused(Reason::Overloaded, RETRY_SHED_MS), out);
                return;
            }
            item.counted = Some(self.holding.backlog.count(now.wall_ms));
            self.queue.push_back(item);
            return;
        }
        let waiting = self.queue.iter().filter(|item| item.is_awaited() && !item.is_shed);
        if waiting.count() >= self.settings.queue {
            out.push(Action::Note(Note::QueueFull));
            reply_all(&mut item, &refused(Reason::QueueFull, 1_000), out);
            return;
        }
        if self.stops_the_turn(&mut item, out) {
            self.queue.push_front(item);
        } else {
            self.queue.push_back(item);
        }
    }

    fn item_of(&mut self, arrival: Arrival, now: Now, out: &mut Vec<Action>) -> Option<Box<Item>> {
        let Arrival {
            ticket,
            kind,
            repeat_key,
            remaining,
            traceparent,
            is_shed,
            deaths,
            mut work,
        } = arrival;
        let Some(identity) = self.identity.clone() else {
            let reply = refused(Reason::UnknownBot, 0);
            out.push(Action::Reply { ticket, reply });
            return None;
        };
        let mut budget = self.settings.message_budget;
        let mut route = None;
        let mut second_key = None;
        if let Some(activity) = work.activity() {
            if kind == ArrivalKind::Invoke {
                let is_short = activity
                    .name
                    .as_deref()
                    .is_some_and(|name| name.starts_with("composeExtension/"));
                budget = if is_short {
                    self.settings.short_invoke_budget
                } else {
                    self.settings.invoke_budget
                };
            }
            route = identity.bot.route_of(activity);
            if let Some(described) = route.and_then(|route| identity.bot.description.routes.get(route)) {
                budget = described.within.map_or(budget, |within| within.min(budget));
                second_key = described.once_per.map(|_| key_of_same_doing(activity));
            }
        }
        let deadline_at = now.steady_ms + milliseconds(remaining);
        let turn_key = repeat_key.unwrap_or_else(|| match &work {
            Work::Activity { body, .. } | Work::Signal { payload: body, .. } | Work::Change { change: body, .. } => {
                xxh3_64(body)
            }
            Work::Sent { .. } | Work::Failed(_) | Work::Call(_) | Work::StartCall(_) => 0,
        });
        let id = self.next_number();
        let mut item = Box::new(Item::internal(id, work, turn_key, now));
        item.kind = kind;
        item.ticket = Some(ticket);
        item.repeat_key = repeat_key;
        item.second_key = second_key;
        item.route = route;
        item.traceparent = traceparent;
        item.is_shed = is_shed && kind == ArrivalKind::Message;
        item.deaths = deaths;
        item.deadline_at = deadline_at;
        // Acceptance is a commit of its own and needs some time.
        let last_moment = now.steady_ms.max(deadline_at.saturating_sub(4 * ANSWER_MARGIN_MS));
        item.budget_at = if item.is_stored_first() {
            now.steady_ms
        } else {
            (now.steady_ms + milliseconds(budget)).min(last_moment)
        };
        Some(item)
    }

    /// Attaches a repeat to what waits or runs, or answers it from the record. `true` when that was done.
    fn answer_repeat(&mut self, item: &mut Item, out: &mut Vec<Action>) -> bool {
        let Some(key) = item.repeat_key else { return false };
        let running = self.running.as_mut().map(|running| &mut running.item);
        let concluding = self.concluding.as_mut().map(|(concluding, _)| concluding);
        let first = self
            .queue
            .iter_mut()
            .chain(running)
            .chain(concluding)
            .find(|known| known.repeat_key == Some(key));
        if let Some(first) = first {
            out.push(Action::Note(Note::Attached));
            if first.is_stored || first.is_promised {
                reply_all(item, &Reply::Accepted(trunkline_proto::routing::Accepted {}), out);
            } else {
                for ticket in item.take_tickets() {
                    first.attach(ticket);
                }
                first.deadline_at = first.deadline_at.max(item.deadline_at);
            }
            return true;
        }
        self.reply_from_ring(item, out)
    }

    /// Answers an item whose key the record remembers, or that was given up. `true` when that was done.
    pub(super) fn reply_from_ring(&self, item: &mut Item, out: &mut Vec<Action>) -> bool {
        let Some(memory) = &self.memory else { return false };
        if item.repeat_key.is_some_and(|key| memory.is_parked(key)) {
            out.push(Action::Note(Note::Repeat));
            reply_all(item, &Reply::Accepted(trunkline_proto::routing::Accepted {}), out);
            return true;
        }
        let Some(ring) = &memory.record.ring else { return false };
        let status = item.repeat_key.and_then(|key| ring.status_of(key)).or_else(|| {
            let window = self.once_per(item)?;
            let arrived_s = item.arrived_wall_ms / 1_000;
            let (status, at_s) = ring.status_and_time_of(item.second_key?)?;
            (arrived_s.saturating_sub(u64::from(at_s)) < window.as_secs().max(1)).then_some(status)
        });
        let Some(status) = status else { return false };
        out.push(Action::Note(Note::Repeat));
        let name = item.answer_name();
        let kind = item.kind;
        for ticket in item.take_tickets() {
            out.push(match (&name, kind) {
                (Some(name), ArrivalKind::Invoke) => Action::ReplyFromRecord {
                    ticket,
                    name: name.clone(),
                    status,
                },
                _ => Action::Reply {
                    ticket,
                    reply: Reply::Repeated(trunkline_proto::routing::Answer {
                        status: u32::from(status),
                        body: bytes::Bytes::new(),
                    }),
                },
            });
        }
        true
    }

    fn once_per(&self, item: &Item) -> Option<std::time::Duration> {
        let identity = self.identity.as_ref()?;
        identity.bot.description.routes.get(item.route?)?.once_per
    }

    /// A stop word by the person whose turn runs ends that turn quietly.
    fn stops_the_turn(&mut self, item: &mut Item, out: &mut Vec<Action>) -> bool {
        let Some(identity) = &self.identity else { return false };
        let Some(running) = self.running.as_mut().filter(|running| running.ended.is_none()) else {
            return false;
        };
        if item.kind != ArrivalKind::Message || identity.bot.description.stop_words.is_empty() {
            return false;
        }
        let Some(activity) = item.work.activity() else {
            return false;
        };
        let is_stop = activity
            .text
            .as_deref()
            .is_some_and(|text| identity.bot.is_stop_word(text));
        let sender = activity.from.as_ref().and_then(|from| from.id.as_deref());
        if !is_stop || sender.is_none() || sender != running.person.as_deref() {
            return false;
        }
        out.push(Action::Drop { run: running.run });
        running.step = None;
        running.ended = Some((End::Stopped, Vec::new()));
        true
    }

    /// Forgets a caller. Work that nobody waits for any more and that is not durable is not begun.
    pub(super) fn cancel(&mut self, ticket: Ticket) {
        self.cancel_report(ticket);
        let running = self.running.as_mut().map(|running| &mut running.item);
        let concluding = self.concluding.as_mut().map(|(item, _)| item);
        for item in self.queue.iter_mut().chain(running).chain(concluding) {
            if item.detach(ticket) {
                break;
            }
        }
    }
}

/// The second layer of repeats: the same person doing the same again, whatever the id (botbuilder-dotnet issue 5005).
fn key_of_same_doing(activity: &trunkline_teams::activity::Activity) -> u64 {
    let mut hash = Xxh3::with_seed(0x6f_6e63_655f_7065);
    let sender = activity.from.as_ref().and_then(|from| from.id.as_deref());
    for part in [
        sender,
        activity.name.as_deref(),
        activity.text.as_deref(),
        activity.reply_to_id.as_deref(),
    ] {
        hash.update(part.unwrap_or_default().as_bytes());
        hash.update(&[0]);
    }
    if let Some(value) = &activity.value {
        hash.update(value.to_string().as_bytes());
    }
    hash.digest()
}
