//! How a turn begins and what is left of it at its end.

use super::{Misuse, Turn};
use crate::address::{Locale, Person};
use crate::draft::Draft;
use crate::logic::{Begin, Effect, Input, Port};

impl<A> Turn<A> {
    /// A turn and what it is about.
    pub(crate) fn start(
        app: &'static A,
        known_users: &'static [&'static str],
        begin: Begin,
        port: Box<dyn Port>,
    ) -> (Self, Input) {
        let (mut person, mut bot, mut answered) = (None, None, None);
        if let Input::Activity(activity) = &begin.input {
            person = activity.from.as_ref().map(Person::from);
            bot = activity.recipient.as_ref().map(Person::from);
            // Only ids of messages can be replied to; all others begin with `f:`.
            let id = activity
                .id
                .as_ref()
                .filter(|id| activity.is("message") && !id.starts_with("f:"));
            answered = id.cloned();
        }
        let turn = Self {
            app,
            port,
            here: begin.here,
            now: begin.now,
            seed: begin.seed,
            attempt: begin.attempt,
            locale: begin.locale.map_or(Locale::ENGLISH, Locale::new),
            person,
            bot,
            answered,
            known_users,
            kept: begin.steps,
            named: Vec::new(),
            effects: Vec::new(),
            first_sequence: begin.next_sequence,
            next_sequence: begin.next_sequence,
            fresh_keys: 0,
            misuse: None,
        };
        (turn, begin.input)
    }

    /// What was asked for.
    ///
    /// # Errors
    /// Something was asked for that cannot be done, where no error could be returned.
    pub(crate) fn finish(self) -> Result<Vec<Effect>, Misuse> {
        match self.misuse {
            Some(misuse) => Err(misuse),
            None => Ok(self.effects),
        }
    }

    /// Throws away what was asked for and says this instead.
    pub(crate) fn only_says(mut self, draft: &Draft) -> Result<Vec<Effect>, Misuse> {
        self.effects.clear();
        self.misuse = None;
        self.next_sequence = self.first_sequence;
        self.push_reply(draft, None);
        self.finish()
    }
}
