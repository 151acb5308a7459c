//! Messages among actors, and the verbs of a card's buttons: named, typed, stored.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A message among actors: a timer is a signal to oneself later, another conversation or the outside may send one as well.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a signal",
    label = "not a signal",
    note = "derive Serialize and Deserialize for it and add `impl Signal for {Self} {{ const NAME: &'static str = \"..\"; }}`"
)]
pub trait Signal: Serialize + DeserializeOwned + Send + 'static {
    /// Name on the wire and in the store. Renaming the type changes nothing; renaming this loses what is under way.
    const NAME: &'static str;

    /// Tells signals of one name apart: a timer is replaced by one of the same name and key.
    fn key(&self) -> String {
        String::new()
    }
}

/// The action of a card's button. Its members travel in the button and come back with what was put into the card's inputs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the verb of a card's button",
    label = "not a verb",
    note = "derive Serialize and Deserialize for it and add `impl Verb for {Self} {{ const VERB: &'static str = \"..\"; }}`"
)]
pub trait Verb: Serialize + DeserializeOwned + Send + 'static {
    /// The verb on the wire. Cards that were sent stay on the screen: renaming this makes their buttons dead.
    const VERB: &'static str;
}
