//! What the buttons of cards send. Microsoft's page: "Card actions in bots".

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Place, World,
    action::{Acted, ActionRefusal},
    activity::{Delivery, InvokeKind, InvokeTarget, MessageEvent, Scene, members},
    chat::Author,
    id::MessageId,
    people::PersonNumber,
};

/// A button as it stands in the card, with what the person filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Press {
    /// `Action.Submit` of an Adaptive Card.
    Submit {
        /// The button's `data` with the values of the card's inputs.
        data: Value,
    },
    /// `Action.Execute` of an Adaptive Card.
    Execute {
        /// The button's `verb`.
        #[serde(default)]
        verb: Option<String>,
        /// The button's `id`.
        #[serde(default)]
        id: Option<String>,
        /// What stands on the button.
        #[serde(default)]
        title: Option<String>,
        /// The button's `data` with the values of the card's inputs.
        #[serde(default)]
        data: Value,
    },
    /// A card action of a hero or thumbnail card.
    CardAction {
        /// The action as it stands in the card: `type`, `title`, `value`, `text`, `displayText`.
        action: Value,
    },
    /// A suggested action.
    Suggested {
        /// The action as the bot wrote it.
        action: Value,
    },
}

/// A press on a button of this card.
#[derive(Clone, Copy)]
struct Pressed {
    scene: Scene,
    card: MessageId,
}

impl World {
    pub(crate) fn press(
        &mut self,
        person: PersonNumber,
        chat: usize,
        card: MessageId,
        press: &Press,
        now: u64,
    ) -> Result<Acted, ActionRefusal> {
        let message = self.chats[chat].message(card).filter(|message| !message.deleted);
        let message = message.ok_or(ActionRefusal::NoSuchMessage)?;
        let Author::Bot(bot) = message.author else {
            return Err(ActionRefusal::NotABotMessage);
        };
        if !self.is_installed(chat, bot) {
            return Err(ActionRefusal::NoSuchBot);
        }
        let place = Place {
            chat,
            thread: message.thread,
        };
        let pressed = Pressed {
            scene: Scene {
                bot,
                person,
                place,
                now,
            },
            card,
        };
        match press {
            Press::Submit { data } => self.submit(pressed, data),
            Press::Execute { verb, id, title, data } => {
                let mut action = members([("type", "Action.Execute".into())]);
                for (name, value) in [("title", title), ("verb", verb), ("id", id)] {
                    if let Some(value) = value {
                        action.insert(name.to_owned(), value.clone().into());
                    }
                }
                if !data.is_null() {
                    action.insert("data".to_owned(), data.clone());
                }
                let value = json!({ "action": action, "trigger": "manual" });
                Ok(self.invoke(pressed, Some("adaptiveCard/action"), value))
            }
            Press::Suggested { action } if kind_of(action) == "Action.Submit" => {
                let value = action.get("value").cloned().unwrap_or_else(|| json!({}));
                Ok(self.invoke(pressed, Some("suggestedActions/submit"), value))
            }
            Press::CardAction { action } | Press::Suggested { action } => self.card_action(pressed, action),
        }
    }

    /// `data.msteams.type` turns a submit into one of the other actions.
    fn submit(&mut self, pressed: Pressed, data: &Value) -> Result<Acted, ActionRefusal> {
        let Some(teams) = data.get("msteams").filter(|teams| teams.get("type").is_some()) else {
            let extra = members([("value", data.clone())]);
            return Ok(self.card_message(pressed, None, extra));
        };
        if kind_of(teams) == "task/fetch" {
            let value = json!({ "data": data, "context": { "theme": "default" } });
            return Ok(self.invoke(pressed, Some("task/fetch"), value));
        }
        self.card_action(pressed, teams)
    }

    fn card_action(&mut self, pressed: Pressed, action: &Value) -> Result<Acted, ActionRefusal> {
        match kind_of(action) {
            "imBack" => {
                let text = text_of(action, "value").or_else(|| text_of(action, "title"));
                self.im_back(pressed, &text.ok_or(ActionRefusal::EmptyText)?)
            }
            "messageBack" => Ok(self.message_back(pressed, action)),
            "invoke" => {
                let value = object_from_text(action.get("value"));
                let is_task = kind_of(&value) == "task/fetch";
                if is_task {
                    let value = json!({ "data": value, "context": { "theme": "default" } });
                    return Ok(self.invoke(pressed, Some("task/fetch"), value));
                }
                Ok(self.invoke(pressed, None, value))
            }
            _ => Err(ActionRefusal::SendsNothing),
        }
    }

    /// The text appears as the person's own message, and is one.
    fn im_back(&mut self, pressed: Pressed, text: &str) -> Result<Acted, ActionRefusal> {
        let Scene {
            bot,
            person,
            place,
            now,
        } = pressed.scene;
        let id = self.write_for(person, place, text, now);
        let message = self.chats[place.chat]
            .message_mut(id)
            .ok_or(ActionRefusal::NoSuchMessage)?;
        message.told.push(bot);
        let message = self.chats[place.chat].message(id).ok_or(ActionRefusal::NoSuchMessage)?;
        let activity = self.message_activity(MessageEvent::Written, pressed.scene, message);
        let delivery = Delivery {
            bot,
            person,
            message: Some((place.chat, id)),
            invoke: None,
            activity,
        };
        Ok(Acted {
            message: Some(id),
            deliveries: vec![delivery],
        })
    }

    /// The bot gets `text` and `value`; the chat shows `displayText`, if there is one.
    fn message_back(&mut self, pressed: Pressed, action: &Value) -> Acted {
        let shown = text_of(action, "displayText").map(|text| {
            let Scene { person, place, now, .. } = pressed.scene;
            self.write_for(person, place, &text, now)
        });
        let mut extra = members([("value", object_from_text(action.get("value")))]);
        if let Some(text) = text_of(action, "text") {
            extra.insert("text".to_owned(), text.into());
            extra.insert("textFormat".to_owned(), "plain".into());
        }
        self.card_message(pressed, shown, extra)
    }

    fn card_message(&mut self, pressed: Pressed, shown: Option<MessageId>, extra: Map<String, Value>) -> Acted {
        let Scene { bot, person, place, .. } = pressed.scene;
        let activity = self.card_activity("message", pressed.scene, pressed.card, extra);
        let message = shown.map(|id| (place.chat, id));
        Acted {
            message: shown,
            deliveries: vec![Delivery {
                bot,
                person,
                message,
                invoke: None,
                activity,
            }],
        }
    }

    /// An invoke without a name is what the `invoke` button of a hero card sends.
    fn invoke(&mut self, pressed: Pressed, name: Option<&str>, value: Value) -> Acted {
        let Scene { bot, person, place, .. } = pressed.scene;
        let mut extra = members([("value", value)]);
        if let Some(name) = name {
            extra.insert("name".to_owned(), name.into());
        }
        let activity = self.card_activity("invoke", pressed.scene, pressed.card, extra);
        let kind = if name == Some("adaptiveCard/action") {
            InvokeKind::CardAction
        } else {
            InvokeKind::Other
        };
        let invoke = Some(InvokeTarget {
            chat: place.chat,
            message: pressed.card,
            kind,
        });
        Acted {
            message: None,
            deliveries: vec![Delivery {
                bot,
                person,
                message: None,
                invoke,
                activity,
            }],
        }
    }
}

fn kind_of(action: &Value) -> &str {
    action.get("type").and_then(Value::as_str).unwrap_or("")
}

fn text_of(action: &Value, member: &str) -> Option<String> {
    match action.get(member)? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        _ => None,
    }
}

/// Teams turns a JSON string into the object it spells.
fn object_from_text(value: Option<&Value>) -> Value {
    match value {
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(object @ Value::Object(_)) => object,
            _ => Value::String(text.clone()),
        },
        Some(value) => value.clone(),
        None => json!({}),
    }
}
