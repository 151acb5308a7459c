//! The processes that own the shard one after the other: how it comes to one, leaves it, and is taken from it.

use std::rc::Rc;
use std::sync::Arc;

use trunkline_store::contract::{Epoch, Incarnation, MapVersion, Token};
use trunkline_store::key::{ShardId, Triple};

use super::super::event::{Action, Event, Now};
use super::super::{Conversation, ConversationSettings, Gates, Holding};
use super::world::{Happening, WALL, World};

/// How long an owner may take to leave.
const LEAVE_MS: u64 = 4_000;

/// A process with the conversation in memory.
pub(super) struct Owner {
    pub(super) core: Conversation,
    holding: Holding,
    pub(super) may_begin: bool,
    /// What it will see when it goes on.
    held: Option<Vec<Event>>,
    leaves_by: Option<u64>,
    tick_at: Option<u64>,
}

impl World {
    /// The process to which the map gives the shard.
    pub(super) fn serving(&self) -> Option<&Owner> {
        self.owners.get(&self.serving?)
    }

    pub(super) fn clock_of(&self, life: u64) -> Now {
        Now {
            steady_ms: self.schedule.now,
            wall_ms: WALL + self.schedule.now,
            may_begin: self.owners.get(&life).is_none_or(|owner| owner.may_begin),
        }
    }

    /// A new process claims the shard; it is woken if something is due.
    pub(super) fn claim(&mut self) {
        if self.serving.is_some() {
            return;
        }
        self.life += 1;
        let life = self.life;
        self.epoch = (self.epoch + 1).max(WALL + self.schedule.now);
        let token = Token {
            epoch: Epoch(self.epoch),
            holder: Incarnation(life),
            map: MapVersion(life),
        };
        self.store.claim(token);
        let holding = Holding {
            shard: ShardId(0),
            token,
            backlog: Rc::default(),
            gates: Gates::default(),
        };
        let owner = Owner {
            core: self.core_of(&holding),
            holding,
            may_begin: true,
            held: None,
            leaves_by: None,
            tick_at: None,
        };
        self.owners.insert(life, owner);
        self.serving = Some(life);
        self.wake(life);
    }

    fn wake(&mut self, life: u64) {
        if self.store.primary.wake.is_some() {
            self.core_later(life, 300, Event::Wake);
        }
    }

    fn core_of(&self, holding: &Holding) -> Conversation {
        let triple = Triple::conversation("test", "tenant", "a:1");
        let bots = Arc::new([("test".to_owned(), self.rules.clone())].into());
        let settings = Arc::new(ConversationSettings::default());
        let seed = self.seed ^ (holding.token.epoch.0 << 20) ^ self.schedule.now;
        Conversation::new(triple.key(), holding.clone(), Some(triple), settings, bots, seed)
    }

    /// Tells a process something, now or when it goes on.
    pub(super) fn tell(&mut self, life: u64, event: Event) {
        let now = self.clock_of(life);
        let Some(owner) = self.owners.get_mut(&life) else {
            return;
        };
        if let Some(held) = &mut owner.held {
            held.push(event);
            return;
        }
        let mut actions = Vec::new();
        owner.core.handle(event, now, &mut actions);
        for action in actions {
            let is_beginning = matches!(action, Action::Run(_) | Action::Send(_));
            assert!(
                now.may_begin || !is_beginning,
                "seed {}: {action:?} without a lease",
                self.seed
            );
            self.act(life, action);
        }
        let Some(owner) = self.owners.get_mut(&life) else {
            return;
        };
        if let Some(at) = owner.core.deadline(now).map(|at| at.max(self.schedule.now + 1))
            && owner.tick_at.is_none_or(|tick| tick <= self.schedule.now || tick > at)
        {
            owner.tick_at = Some(at);
            self.core_later(life, at - self.schedule.now, Event::Tick);
        }
    }

    /// The process dies. Its callers hear nothing: the ingress sends again, and says that a worker died with it.
    pub(super) fn die(&mut self, life: u64) {
        if self.owners.remove(&life).is_none() {
            return;
        }
        self.stepping.retain(|(of, _), _| *of != life);
        self.forget_callers(life, true);
        self.lose_serving(life);
    }

    /// The fence refused it, or it noticed that it is not a member any more.
    pub(super) fn has_lost(&mut self, life: u64) {
        if self.owners.contains_key(&life) {
            self.tell(life, Event::Lost);
            self.owners.remove(&life);
            self.stepping.retain(|(of, _), _| *of != life);
            self.forget_callers(life, false);
            self.lose_serving(life);
        }
    }

    fn lose_serving(&mut self, life: u64) {
        if self.serving == Some(life) {
            self.serving = None;
            let wait = 200 + self.below(1_300);
            self.later(wait, Happening::Claim);
        }
    }

    /// The map gives the shard to another: the owner leaves in order.
    pub(super) fn hand_over(&mut self) {
        let Some(life) = self.serving else { return };
        if self.owners.get(&life).is_none_or(|owner| owner.held.is_some()) {
            return;
        }
        let leaves_by = self.schedule.now + LEAVE_MS;
        if let Some(owner) = self.owners.get_mut(&life) {
            owner.leaves_by = Some(leaves_by);
        }
        self.tell(life, Event::Quiesce);
        self.later(20, Happening::Leaves(life));
    }

    /// Whether it has left yet.
    pub(super) fn leaves(&mut self, life: u64) {
        let Some(owner) = self.owners.get(&life) else { return };
        if owner.core.is_quiet() || owner.leaves_by.is_some_and(|by| by <= self.schedule.now) {
            self.has_lost(life);
        } else {
            self.later(20, Happening::Leaves(life));
        }
    }

    /// The process stands still; another takes the shard by force. It goes on later and knows nothing of it for a moment.
    pub(super) fn pause(&mut self) {
        let Some(life) = self.serving else { return };
        let Some(owner) = self.owners.get_mut(&life) else {
            return;
        };
        if owner.leaves_by.is_some() {
            return;
        }
        owner.held.get_or_insert_default();
        self.forget_callers(life, false);
        self.lose_serving(life);
        let wait = self.below(12_000);
        self.later(wait, Happening::GoesOn(life));
    }

    pub(super) fn goes_on(&mut self, life: u64) {
        let Some(owner) = self.owners.get_mut(&life) else {
            return;
        };
        let held = owner.held.take().unwrap_or_default();
        // Its lease has run out by its own clock.
        owner.may_begin = false;
        for event in held {
            self.tell(life, event);
        }
        self.later(50, Happening::Notices(life));
    }

    /// The lease of the serving process runs out, or is back.
    pub(super) fn set_lease(&mut self, may_begin: bool) {
        let Some(life) = self.serving else { return };
        if let Some(owner) = self.owners.get_mut(&life) {
            owner.may_begin = may_begin;
        }
        self.tell(life, Event::Tick);
    }

    /// The conversation leaves memory when it is idle, and comes back when the wake index says so.
    pub(super) fn passivate(&mut self) {
        let Some(life) = self.serving else { return };
        let now = self.clock_of(life);
        let holding = match self.owners.get(&life) {
            Some(owner) if owner.held.is_none() && owner.leaves_by.is_none() && owner.core.is_idle(now) => {
                owner.holding.clone()
            }
            _ => return,
        };
        let core = self.core_of(&holding);
        if let Some(owner) = self.owners.get_mut(&life) {
            owner.core = core;
            owner.tick_at = None;
        }
        self.wake(life);
    }
}
