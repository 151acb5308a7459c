//! Those who send: callers with numbered activities, Teams that repeats, and an ingress that sends again.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use trunkline_teams::activity::Activity;

use super::super::Work;
use super::super::event::{Arrival, ArrivalKind, Event, Reply, Ticket};
use super::world::{ACTIVITIES, CALLERS, Happening, World};

/// Somebody who waits: a caller, unless it is Teams that repeats, for an activity at a process.
pub(super) struct Waiting {
    caller: Option<u64>,
    number: u64,
    life: u64,
}

impl World {
    /// A caller's next activity, or the same again.
    pub(super) fn call(&mut self, caller: u64) {
        let place = self.at[&caller];
        if place < ACTIVITIES {
            self.arrive(Some(caller), place * CALLERS + caller);
        }
    }

    pub(super) fn arrive(&mut self, caller: Option<u64>, number: u64) {
        let deaths = self.deaths.get(&number).copied().unwrap_or_default();
        let Some(life) = self.serving else {
            if let Some(caller) = caller {
                self.later(100, Happening::Caller(caller));
            }
            return;
        };
        if deaths >= 2 && !self.acknowledged.contains(&number) {
            // The ingress refuses it for good.
            if let Some(caller) = caller {
                *self.at.get_mut(&caller).unwrap() += 1;
                self.later(100, Happening::Caller(caller));
            }
            return;
        }
        let seq = self.schedule.next_number();
        self.tickets.insert(seq, Waiting { caller, number, life });
        let body = json!({ "type": "message", "id": number.to_string(), "text": "hi", "from": { "id": "29:ines" } });
        let body: Bytes = serde_json::to_vec(&body).unwrap().into();
        let arrival = Arrival {
            ticket: Ticket { stream: 1, seq },
            kind: ArrivalKind::Message,
            repeat_key: Some(number + 1),
            remaining: Duration::from_secs(13),
            traceparent: String::new(),
            is_shed: self.is_faulty(self.faults.owners) && self.below(6) == 0,
            deaths,
            work: Work::Activity {
                parsed: Some(Box::new(Activity::parse(&body).unwrap())),
                body,
                service_url: "https://connector".to_owned(),
                is_verified: true,
            },
        };
        self.tell(life, Event::Arrived(Box::new(arrival)));
    }

    pub(super) fn hear(&mut self, ticket: Ticket, reply: Reply) {
        let Some(Waiting { caller, number, .. }) = self.tickets.remove(&ticket.seq) else {
            let was_forgotten = self.forgotten.remove(&ticket.seq);
            assert!(was_forgotten, "seed {}: a caller was answered twice", self.seed);
            return;
        };
        let is_acknowledged = matches!(reply, Reply::Done(_) | Reply::Accepted(_) | Reply::Repeated(_));
        let Some(caller) = caller else { return };
        self.heard.push(reply);
        if is_acknowledged {
            self.acknowledged.insert(number);
            *self.at.get_mut(&caller).unwrap() += 1;
            if self.below(4) == 0 {
                let wait = self.below(4_000);
                self.later(wait, Happening::Repeat(number));
            }
        }
        let wait = self.below(if is_acknowledged { 300 } else { 1_500 });
        self.later(wait, Happening::Caller(caller));
    }

    /// A process does not answer its callers any more: they come again.
    pub(super) fn forget_callers(&mut self, life: u64, has_died: bool) {
        let gone: Vec<u64> = self
            .tickets
            .iter()
            .filter(|(_, waiting)| waiting.life == life)
            .map(|(seq, _)| *seq)
            .collect();
        for seq in gone {
            self.forgotten.insert(seq);
            let Some(waiting) = self.tickets.remove(&seq) else {
                continue;
            };
            if has_died {
                *self.deaths.entry(waiting.number).or_default() += 1;
            }
            if let Some(caller) = waiting.caller {
                let wait = self.below(2_000);
                self.later(wait, Happening::Caller(caller));
            }
        }
    }
}
