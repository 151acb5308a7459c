//! What a node asks for: delivered late, twice or not at all, and answered the same way.

use rand::RngExt as _;

use super::super::times::{BEAT_ANSWER, PROBE_ANSWER, STORE_ANSWER};
use super::super::{Action, Event, Trouble};
use super::store::Model;
use super::world::{STORE_EPOCH, What, World};

impl World {
    pub(super) fn act(&mut self, number: usize, run: u32, action: Action) {
        match action {
            Action::Order(order) => self.ordered(number, run, order),
            Action::Left => self.processes[number].left = true,
            Action::Moved { answer, .. } => self.moved.push(answer),
            Action::Probe { node, address } => {
                let at = self
                    .processes
                    .iter()
                    .find(|process| address == format!("{}:7400", process.name));
                let refused = at.is_none_or(|process| !process.alive);
                let answer = if refused { self.delay() } else { PROBE_ANSWER };
                self.at(
                    self.now + answer,
                    What::Hears(number, run, Event::Probed { node, refused }),
                );
            }
            request => self.send(number, run, request),
        }
    }

    pub(super) fn send(&mut self, number: usize, run: u32, request: Action) {
        let patience = match request {
            Action::Beat { .. } | Action::Lead { .. } => BEAT_ANSWER,
            _ => STORE_ANSWER,
        };
        let arrives = self.now + self.delay();
        if self.chance(self.network.repeated) {
            let again = arrives + self.rng.random_range(0..3_000);
            self.at(again, What::Arrives(None, request.clone()));
        }
        let silence = Model::silence(&request);
        let (is_lost, answer_is_lost) = (self.chance(self.network.lost), self.chance(self.network.lost));
        if !is_lost {
            let from = (!answer_is_lost).then_some((number, run));
            self.at(arrives, What::Arrives(from, request));
        }
        if let Some(silence) = silence.filter(|_| is_lost || answer_is_lost) {
            self.at(self.now + patience, What::Hears(number, run, silence));
        }
    }

    pub(super) fn arrives(&mut self, from: Option<(usize, u32)>, action: &Action) {
        let patience = match action {
            Action::Beat { .. } | Action::Lead { .. } => BEAT_ANSWER,
            _ => STORE_ANSWER,
        };
        let mut after = self.delay() + self.store_slow;
        let answer = if self.store_away {
            after = patience;
            Model::silence(action)
        } else if self.store_empty {
            Model::failure(action, &Trouble::Lost("it came back empty".to_owned()))
        } else {
            let now = (STORE_EPOCH + self.now).saturating_add_signed(self.store_ahead);
            let answer = self.store.carry_out(now, action);
            if after > patience {
                after = patience;
                Model::silence(action)
            } else {
                answer
            }
        };
        if let (Some((number, run)), Some(answer)) = (from, answer) {
            self.at(self.now + after, What::Hears(number, run, answer));
        }
    }

    pub(super) fn delay(&mut self) -> u64 {
        if self.chance(self.network.late) {
            self.rng.random_range(5..400)
        } else {
            self.rng.random_range(0..4)
        }
    }

    pub(super) fn chance(&mut self, in_a_thousand: u32) -> bool {
        in_a_thousand > 0 && self.rng.random_range(0..1_000) < in_a_thousand
    }
}
