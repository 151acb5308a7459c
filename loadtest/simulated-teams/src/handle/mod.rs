//! Acting without a browser: for tests, load drivers and the page's own API.

mod calls;
#[cfg(feature = "lines")]
mod lines;

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::{oneshot, watch};

use crate::{
    config::{Fault, Limits},
    delivery::{DeliveryOutcome, Job},
    error::SimulatedTeamsError,
    login::{ConnectorClaims, Overlap, key::SigningKey},
    shared::Shared,
    traffic::Exchange,
    world::{
        action::{ActionRefusal, UserAction},
        activity::Delivery,
        card,
        id::MessageId,
        people::{BotNumber, PersonNumber},
        view::{BotView, ConversationView, MessageView, PersonView},
    },
};

#[cfg(feature = "lines")]
pub use lines::Line;

/// Acts in a running simulated Teams, from any thread. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
}

/// An action that was taken; what the bot makes of it comes later.
#[derive(Debug)]
pub struct Sent {
    /// The message that the person wrote, if that is what the action was. It is the activity's id too.
    pub message: Option<MessageId>,
    done: oneshot::Receiver<Vec<DeliveryOutcome>>,
}

impl Sent {
    /// Waits until the bot has answered every activity of the action, or Teams has given up: at most the repeats of the
    /// configuration. An action that concerns no bot has no outcomes.
    pub async fn outcomes(self) -> Result<Vec<DeliveryOutcome>, SimulatedTeamsError> {
        self.done.await.map_err(|_| SimulatedTeamsError::NotDelivered)
    }

    /// Like [`Sent::outcomes`], for actions that concern one bot by one activity.
    pub async fn outcome(self) -> Result<DeliveryOutcome, SimulatedTeamsError> {
        self.outcomes().await?.pop().ok_or(SimulatedTeamsError::NotDelivered)
    }
}

impl Handle {
    /// Everybody in the tenant.
    pub fn people(&self) -> Vec<PersonView> {
        self.shared.with(|state, _| state.world.people_view())
    }

    /// Every registered bot.
    pub fn bots(&self) -> Vec<BotView> {
        self.shared.with(|state, _| state.world.bots_view())
    }

    /// Every chat and channel: personal chats first, by person and bot, then the group chat, General and the other channel.
    pub fn conversations(&self) -> Vec<ConversationView> {
        self.shared.with(|state, _| state.world.conversations_view())
    }

    /// The id of the chat of a person with a bot.
    pub fn personal_chat(&self, person: PersonNumber, bot: BotNumber) -> Result<String, SimulatedTeamsError> {
        let mut conversations = self.conversations().into_iter();
        let chat = conversations.find(|chat| chat.bot == Some(bot) && chat.members == [person]);
        chat.map(|chat| chat.id).ok_or(ActionRefusal::NoSuchConversation.into())
    }

    /// The id of the group chat.
    pub fn group_chat(&self) -> Result<String, SimulatedTeamsError> {
        let chat = self.conversations().into_iter().find(|chat| chat.kind == "groupChat");
        chat.map(|chat| chat.id).ok_or(ActionRefusal::NoSuchConversation.into())
    }

    /// The id of the team's channel that is not General.
    pub fn channel(&self) -> Result<String, SimulatedTeamsError> {
        let chat = self.conversations().into_iter().rfind(|chat| chat.kind == "channel");
        chat.map(|chat| chat.id).ok_or(ActionRefusal::NoSuchConversation.into())
    }

    /// Lets a person do something.
    pub fn act(&self, action: &UserAction) -> Result<Sent, SimulatedTeamsError> {
        let (acted, waiting) = self.shared.with(|state, now| -> Result<_, SimulatedTeamsError> {
            let mut acted = state.world.act(action, now)?;
            let (done, waiting) = oneshot::channel();
            // Inside the lock: activities enter the queue in the order of their actions.
            self.shared.deliver(Job {
                deliveries: std::mem::take(&mut acted.deliveries),
                done,
            })?;
            Ok((acted, waiting))
        })?;
        Ok(Sent {
            message: acted.message,
            done: waiting,
        })
    }

    /// Writes a message; `@Name` mentions.
    pub fn say(
        &self,
        person: PersonNumber,
        conversation: &str,
        text: impl Into<String>,
    ) -> Result<Sent, SimulatedTeamsError> {
        self.act(&UserAction::Say {
            person,
            conversation: conversation.to_owned(),
            text: text.into(),
        })
    }

    /// Presses the button with this title in a bot's message, with `inputs` as the values of the card's inputs.
    pub fn press(
        &self,
        person: PersonNumber,
        message: &MessageView,
        title: &str,
        inputs: &Map<String, Value>,
    ) -> Result<Sent, SimulatedTeamsError> {
        let replaced = message.replaced.iter().find(|replaced| replaced.person == person);
        let attachments = replaced.map_or(&message.attachments, |replaced| &replaced.attachments);
        let press = card::find_button(attachments, message.suggested_actions.as_ref(), title, inputs);
        let press = press.ok_or_else(|| SimulatedTeamsError::NoSuchButton {
            title: title.to_owned(),
        })?;
        self.act(&UserAction::Press {
            person,
            conversation: message.conversation.clone(),
            message: message.id,
            press,
        })
    }

    /// Posts an activity as it is, with a token for the service URL that it names: for kinds that no action makes.
    pub fn deliver(&self, bot: BotNumber, activity: Map<String, Value>) -> Result<Sent, SimulatedTeamsError> {
        if bot.0 >= self.shared.config.bots.len() {
            return Err(ActionRefusal::NoSuchBot.into());
        }
        let (done, waiting) = oneshot::channel();
        let delivery = Delivery {
            bot,
            person: PersonNumber(0),
            message: None,
            invoke: None,
            activity,
        };
        self.shared.deliver(Job {
            deliveries: vec![delivery],
            done,
        })?;
        Ok(Sent {
            message: None,
            done: waiting,
        })
    }

    /// Everything that was said in a conversation, or in one thread of a channel, in the order of writing.
    pub fn transcript(&self, conversation: &str) -> Result<Vec<MessageView>, SimulatedTeamsError> {
        self.shared.with(|state, _| {
            let place = state
                .world
                .place(conversation)
                .ok_or(ActionRefusal::NoSuchConversation)?;
            Ok(state.world.transcript(place.chat, place.thread))
        })
    }

    /// Follows what bots write in a conversation from now on. Take it before the action whose replies it shall give.
    pub fn bot_messages(&self, conversation: &str) -> Result<BotMessages, SimulatedTeamsError> {
        let version = self.shared.watch_version();
        let seen = self
            .transcript(conversation)?
            .last()
            .map_or(0, |message| message.arrival);
        Ok(BotMessages {
            handle: self.clone(),
            conversation: conversation.to_owned(),
            version,
            seen,
        })
    }

    /// The last requests and answers, oldest first.
    pub fn traffic(&self) -> Vec<Exchange> {
        self.shared.with(|state, _| state.traffic.all())
    }

    /// The claims that a request to this bot carries now, to be changed and signed.
    pub fn claims(&self, bot: BotNumber) -> Result<ConnectorClaims, SimulatedTeamsError> {
        self.shared.with(|state, now| {
            let bot = state.world.bots.get(bot.0).ok_or(ActionRefusal::NoSuchBot)?;
            Ok(state.login.claims(&bot.app_id, &state.world.service_url, now))
        })
    }

    /// Signs any claims with the key that vouches for Teams.
    pub fn sign<C: Serialize>(&self, claims: &C) -> Result<String, SimulatedTeamsError> {
        self.shared.with(|state, _| state.login.sign(claims))
    }

    /// Signs with a new key from now on, published with these endorsements (real ones hold `msteams`).
    pub fn rotate_keys(&self, endorsements: &[&str], overlap: Overlap) -> Result<(), SimulatedTeamsError> {
        let key = SigningKey::generate()?;
        let endorsements = endorsements.iter().map(|&channel| channel.to_owned()).collect();
        self.shared
            .with(|state, _| state.login.rotate(key, endorsements, overlap));
        Ok(())
    }

    /// Forgets every access token that bots hold: their next call is answered 401.
    pub fn revoke_tokens(&self) {
        self.shared.with(|state, _| state.login.revoke_all());
    }

    /// The Connector's faults that are in force.
    pub fn faults(&self) -> Vec<Fault> {
        self.shared.with(|state, _| state.faults.in_force().to_vec())
    }

    /// Replaces the Connector's faults.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.shared.with(|state, _| state.faults.set(faults));
    }

    /// Replaces the Connector's limits, and forgets what was counted.
    pub fn set_limits(&self, limits: Limits) {
        self.shared.with(|state, _| state.limiter.set(limits));
    }
}

/// What bots write in one conversation, one message after the other. Changes of a message are not given again.
#[derive(Debug)]
pub struct BotMessages {
    handle: Handle,
    conversation: String,
    version: watch::Receiver<u64>,
    seen: u64,
}

impl BotMessages {
    /// Waits at most `deadline` for the next message of a bot; a streamed one is given when it is complete.
    pub async fn next(&mut self, deadline: Duration) -> Result<MessageView, SimulatedTeamsError> {
        let found = tokio::time::timeout(deadline, async {
            loop {
                self.version.borrow_and_update();
                if let Some(message) = self.look()? {
                    return Ok(message);
                }
                self.version
                    .changed()
                    .await
                    .map_err(|_| SimulatedTeamsError::NotDelivered)?;
            }
        });
        found
            .await
            .map_err(|_| SimulatedTeamsError::NothingCame { waited: deadline })?
    }

    fn look(&mut self) -> Result<Option<MessageView>, SimulatedTeamsError> {
        let next = self.handle.shared.with(|state, _| {
            let place = state
                .world
                .place(&self.conversation)
                .ok_or(ActionRefusal::NoSuchConversation)?;
            Ok::<_, SimulatedTeamsError>(state.world.bot_message_after(place, self.seen))
        })?;
        let next = next.filter(MessageView::is_complete);
        if let Some(message) = &next {
            self.seen = message.arrival;
        }
        Ok(next)
    }
}
