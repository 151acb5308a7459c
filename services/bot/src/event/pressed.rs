//! Buttons of cards.

use serde::de::DeserializeOwned;
use serde_json::Value;
use trunkline_teams::activity::Activity;

use super::{person_of, replied_to};
use crate::address::{ActivityId, Person};
use crate::error::Result;

/// A button was pressed that is answered in place.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pressed<V> {
    /// What the button carried, with the card's inputs in the members of their names.
    pub action: V,
    pub(crate) data: Value,
    pub(crate) activity: Box<Activity>,
}

/// A button was pressed that arrives as a message.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Submitted<V> {
    /// What the button carried, with the card's inputs in the members of their names.
    pub action: V,
    pub(crate) data: Value,
    pub(crate) activity: Box<Activity>,
}

macro_rules! of_a_card {
    ($event:ident) => {
        impl<V> $event<V> {
            /// Who pressed.
            pub fn person(&self) -> Person {
                person_of(&self.activity)
            }

            /// The message that holds the card; it can be updated and deleted by this.
            pub fn card(&self) -> Option<ActivityId> {
                replied_to(&self.activity)
            }

            /// The card's inputs, for those that are no members of the action.
            ///
            /// # Errors
            /// They are not a `T`.
            pub fn inputs<T: DeserializeOwned>(&self) -> Result<T> {
                Ok(T::deserialize(&self.data)?)
            }

            /// All that Teams sent, apart from what the button carried.
            pub fn activity(&self) -> &Activity {
                &self.activity
            }
        }
    };
}

of_a_card!(Pressed);
of_a_card!(Submitted);
