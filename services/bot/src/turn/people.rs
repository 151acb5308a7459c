//! What is remembered of the person whose turn it is.

use super::Turn;
use crate::error::{Error, Result, port_error};
use crate::logic::Effect;
use crate::state::{self, UserState};

impl<A> Turn<A> {
    /// What is remembered of the person: a snapshot, with the changes that this conversation has asked for.
    ///
    /// # Errors
    /// The turn is nobody's; the bot does not declare `.users::<U>()`; what is stored cannot be read.
    pub async fn user<U: UserState>(&mut self) -> Result<U> {
        let person = self.person_of::<U>()?;
        let snapshot = self.port.user(&person, U::NAME).await.map_err(port_error)?;
        let mut changes = snapshot.pending;
        changes.extend(self.effects.iter().filter_map(|effect| match effect {
            Effect::ChangeUser { name, change, .. } if name == U::NAME => Some(change.clone()),
            _ => None,
        }));
        Ok(state::apply::<U>(snapshot.state.as_ref(), &changes)?)
    }

    /// Changes what is remembered of the person, after the commit and once. [`Turn::user`] shows it from now on.
    ///
    /// # Errors
    /// The turn is nobody's; the bot does not declare `.users::<U>()`.
    #[allow(clippy::needless_pass_by_value, reason = "a value is what authors have at hand")]
    pub fn change_user<U: UserState>(&mut self, change: U::Change) -> Result {
        let person = self.person_of::<U>()?;
        let change = super::json(&change)?;
        let sequence = self.sequence();
        self.effects.push(Effect::ChangeUser {
            sequence,
            person,
            name: U::NAME.to_owned(),
            change,
        });
        Ok(())
    }

    fn person_of<U: UserState>(&self) -> Result<String> {
        let name = U::NAME;
        if !self.known_users.contains(&name) {
            return Err(Error::lasting(format!(
                "the bot does not declare the user state {name:?}: add .users::<..>()"
            )));
        }
        let person = self
            .person
            .as_ref()
            .ok_or_else(|| Error::lasting("a turn of a timer or signal is no person's"))?;
        Ok(person.id.clone())
    }
}
