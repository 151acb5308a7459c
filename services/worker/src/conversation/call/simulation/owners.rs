//! Processes that own the call's shard one after the other, and what reaches them.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use trunkline_store::contract::{Epoch, Incarnation, MapVersion, Token};
use trunkline_store::key::{ShardId, Triple};

use super::super::super::event::{Action, Event, Now, Reply, Ticket};
use super::super::super::{Conversation, ConversationSettings, Gates, Holding, Work};
use super::super::Notified;
use super::world::{Happening, WALL, World};
use crate::conversation::event::{Arrival, ArrivalKind};
use crate::conversation::work::StartCall;

const HOSTED: &[u8] = br##"{"mediaConfig":{"@odata.type":"#microsoft.graph.appHostedMediaConfig"}}"##;

pub(super) struct Owner {
    pub(super) life: u64,
    pub(super) core: Conversation,
    pub(super) may_begin: bool,
    leaves_by: Option<u64>,
    tick_at: Option<u64>,
}

/// What somebody waits for.
pub(super) struct Waiting {
    pub(super) life: u64,
    /// Tried again if it is not taken.
    pub(super) again: Again,
}

pub(super) enum Again {
    Notification { key: u64, body: bytes::Bytes, until: u64 },
    Start,
}

impl World {
    /// The next process claims the shard.
    pub(super) fn claim(&mut self) {
        if self.owner.is_some() {
            return;
        }
        self.life += 1;
        let token = Token {
            epoch: Epoch(WALL + self.schedule.now),
            holder: Incarnation(self.life),
            map: MapVersion(1),
        };
        self.store.fence = Some(token);
        let holding = Holding {
            shard: ShardId(0),
            token,
            backlog: Rc::default(),
            gates: Gates::default(),
        };
        self.owner = Some(Owner {
            life: self.life,
            core: self.core_of(&holding),
            may_begin: true,
            leaves_by: None,
            tick_at: None,
        });
        if self.store.wake.is_some() {
            self.later(50, Happening::Core(self.life, Event::Wake));
        }
    }

    fn core_of(&self, holding: &Holding) -> Conversation {
        let triple = Triple::call("test", self.key());
        let bots = Arc::new([("test".to_owned(), self.rules.clone())].into());
        let settings = Arc::new(ConversationSettings::default());
        Conversation::new(
            triple.key(),
            holding.clone(),
            Some(triple),
            settings,
            bots,
            self.seed ^ self.life,
        )
    }

    pub(super) fn clocks(&self, may_begin: bool) -> Now {
        Now {
            steady_ms: self.schedule.now,
            wall_ms: WALL + self.schedule.now,
            may_begin,
        }
    }

    /// Tells the process of that life something, if it still lives.
    pub(super) fn tell(&mut self, life: u64, event: Event) {
        let Some(owner) = self.owner.as_ref().filter(|owner| owner.life == life) else {
            return;
        };
        let now = self.clocks(owner.may_begin);
        let Some(owner) = self.owner.as_mut() else { return };
        let mut actions = Vec::new();
        owner.core.handle(event, now, &mut actions);
        for action in actions {
            let is_beginning = matches!(action, Action::Run(_) | Action::AskGraph(_) | Action::AskLeg(_));
            assert!(
                now.may_begin || !is_beginning,
                "seed {}: {action:?} without a lease",
                self.seed
            );
            self.act(life, action);
        }
        let at_now = self.schedule.now;
        let Some(owner) = self.owner.as_mut().filter(|owner| owner.life == life) else {
            return;
        };
        if let Some(at) = owner.core.deadline(now).map(|at| at.max(at_now + 1))
            && owner.tick_at.is_none_or(|tick| tick <= at_now || tick > at)
        {
            owner.tick_at = Some(at);
            self.later(at - at_now, Happening::Core(life, Event::Tick));
        }
    }

    pub(super) fn notify(&mut self, key: u64, body: bytes::Bytes, until: u64) {
        if until <= self.schedule.now {
            return;
        }
        let again = Again::Notification { key, body, until };
        let Some(life) = self.owner.as_ref().map(|owner| owner.life) else {
            self.try_again(again);
            return;
        };
        let Again::Notification { key, body, until } = &again else {
            return;
        };
        let told = Notified {
            ticket: self.ticket(),
            repeat_key: Some(*key),
            remaining: Duration::from_millis(until - self.schedule.now),
            traceparent: String::new(),
            tenant: "tenant".to_owned(),
            received_ms: WALL + until - 3_000,
            body: body.clone(),
        };
        self.tickets.insert(told.ticket.seq, Waiting { life, again });
        self.tell(life, Event::Notified(Box::new(told)));
    }

    /// A conversation begins the call; it is told again until that is known to be taken.
    pub(super) fn start(&mut self) {
        let Some(life) = self.owner.as_ref().map(|owner| owner.life) else {
            self.try_again(Again::Start);
            return;
        };
        let ticket = self.ticket();
        self.tickets.insert(
            ticket.seq,
            Waiting {
                life,
                again: Again::Start,
            },
        );
        let start = StartCall {
            tenant: "tenant".to_owned(),
            service_url: String::new(),
            call: bytes::Bytes::from_static(if self.is_hosted { HOSTED } else { b"{}" }),
            name: "hello".to_owned(),
            key: String::new(),
            payload: bytes::Bytes::from_static(b"{}"),
        };
        let arrival = Arrival {
            ticket,
            kind: ArrivalKind::Message,
            repeat_key: Some(7),
            remaining: Duration::from_secs(13),
            traceparent: String::new(),
            is_shed: false,
            deaths: 0,
            work: Work::StartCall(Box::new(start)),
        };
        self.tell(life, Event::Arrived(Box::new(arrival)));
    }

    fn ticket(&mut self) -> Ticket {
        let seq = self.next_key();
        Ticket { stream: 1, seq }
    }

    fn try_again(&mut self, again: Again) {
        let wait = 50 + self.below(200);
        let happening = match again {
            Again::Notification { key, body, until } => Happening::Notification { key, body, until },
            Again::Start => Happening::Start,
        };
        self.later(wait, happening);
    }

    pub(super) fn hear(&mut self, ticket: Ticket, reply: &Reply) {
        let Some(waiting) = self.tickets.remove(&ticket.seq) else {
            return;
        };
        if !matches!(reply, Reply::Done(_) | Reply::Accepted(_) | Reply::Repeated(_)) {
            self.try_again(waiting.again);
        }
    }

    /// The process ends without a word.
    pub(super) fn die(&mut self) {
        let Some(owner) = self.owner.take() else { return };
        self.is_not_attached(owner.life);
        let gone: Vec<u64> = self
            .tickets
            .iter()
            .filter(|(_, waiting)| waiting.life == owner.life)
            .map(|(seq, _)| *seq)
            .collect();
        for seq in gone {
            if let Some(waiting) = self.tickets.remove(&seq) {
                self.try_again(waiting.again);
            }
        }
        let wait = 300 + self.below(1_500);
        self.later(wait, Happening::Claim);
    }

    /// The shard is given to another: this owner leaves in order.
    pub(super) fn hand_over(&mut self) {
        let leaves_by = self.schedule.now + 4_000;
        let Some(owner) = self.owner.as_mut().filter(|owner| owner.leaves_by.is_none()) else {
            return;
        };
        owner.leaves_by = Some(leaves_by);
        let life = owner.life;
        self.tell(life, Event::Quiesce);
        self.later(20, Happening::Leaves(life));
    }

    pub(super) fn leaves(&mut self, life: u64) {
        let now = self.schedule.now;
        let Some(owner) = self.owner.as_ref().filter(|owner| owner.life == life) else {
            return;
        };
        if owner.core.is_quiet() || owner.leaves_by.is_some_and(|by| by <= now) {
            self.tell(life, Event::Lost);
            self.die();
        } else {
            self.later(20, Happening::Leaves(life));
        }
    }

    /// What is idle leaves memory.
    pub(super) fn passivate(&mut self) {
        let now = self.clocks(true);
        let may_leave = self
            .owner
            .as_ref()
            .is_some_and(|owner| owner.leaves_by.is_none() && owner.core.is_idle(now));
        if may_leave {
            let life = self.life;
            self.owner = None;
            self.is_not_attached(life);
            self.claim();
        }
    }
}
