//! Answers that appear while they are written.

use super::{StepKey, Turn};
use crate::draft::{Draft, Text};
use crate::error::{Result, port_error};
use crate::logic::{Partial, Port};

/// The answer while it is written.
pub struct Stream<'s> {
    port: &'s mut dyn Port,
    name: &'s str,
    written: String,
}

impl Stream<'_> {
    /// Says what the bot is doing; shown until the first text.
    ///
    /// # Errors
    /// The user pressed Stop.
    pub fn note(&mut self, note: &str) -> Result {
        self.port
            .partial(self.name, Partial::Note(note.to_owned()))
            .map_err(port_error)
    }

    /// Adds to the text. The screen follows at most once a second, best effort.
    ///
    /// # Errors
    /// The user pressed Stop: by `?` the turn ends quietly. Who wants to keep the half answer asks
    /// [`crate::Error::is_stopped`].
    pub fn push(&mut self, words: &str) -> Result {
        self.written.push_str(words);
        self.port
            .partial(self.name, Partial::Text(self.written.clone()))
            .map_err(port_error)
    }

    /// What was written so far, as the draft to end with.
    pub fn written(&self) -> Draft {
        Text::from(self.written.clone()).into()
    }
}

impl<A> Turn<A> {
    /// Streams an answer. It ends by itself: the returned draft is kept like the result of a step and sent after the commit. If
    /// the turn runs again it is written anew only if it was not done.
    ///
    /// Only one-to-one chats show the partial texts; elsewhere the draft comes as a plain message.
    ///
    /// # Errors
    /// Those of [`Turn::once`], and Stop.
    pub async fn stream(
        &mut self,
        name: &str,
        write: impl AsyncFnOnce(&mut Stream<'_>, StepKey) -> Result<Draft>,
    ) -> Result<Draft> {
        let draft = if let Some(kept) = self.kept_step(name)? {
            super::steps::read(name, &kept)?
        } else {
            let key = self.step_key(name);
            let mut stream = Stream {
                port: self.port.as_mut(),
                name,
                written: String::new(),
            };
            let draft = write(&mut stream, key).await?;
            self.keep(name, &draft).await?;
            draft
        };
        self.push_reply(&draft, Some(name));
        Ok(draft)
    }
}
