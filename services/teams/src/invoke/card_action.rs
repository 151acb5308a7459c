//! What an Adaptive Card action brings.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::InvokeError;
use crate::activity::Activity;
use crate::wire::{Read, Tolerant, wire_object};

wire_object! {
    /// `value` of an invoke named [`super::ADAPTIVE_CARD_ACTION`].
    ///
    /// Source: Adaptive Cards "Universal Action Model"; Teams "Enable SSO for your Adaptive Cards".
    pub struct CardActionRequest {
        /// The action of the card.
        action: Option<ExecutedAction> => "action",
        /// `manual` for a press, `automatic` for a refresh.
        trigger: Option<String> => "trigger",
        /// Set when the client sends the action again with a token, after the bot asked for a sign-in.
        authentication: Option<TokenExchange> => "authentication",
        /// The code of a sign-in window, when the client sends the action again after it.
        state: Option<String> => "state",
    }
}

wire_object! {
    /// The action that was executed.
    pub struct ExecutedAction {
        /// `Action.Execute`.
        kind: Option<String> => "type",
        /// Id of the element.
        id: Option<String> => "id",
        /// What the author calls the action.
        verb: Option<String> => "verb",
        /// The action's own data and the card's inputs in one object.
        data: Option<Value> => "data",
        /// Text on the button.
        title: Option<String> => "title",
    }
}

wire_object! {
    /// A token of the person, to be exchanged for one of an OAuth connection.
    pub struct TokenExchange {
        /// Id that the bot's login request named. Every client of the person sends the same one: exactly one may be used.
        id: Option<String> => "id",
        /// Name of the OAuth connection.
        connection_name: Option<String> => "connectionName",
        /// The person's token for the bot's app.
        token: Option<ExchangeToken> => "token",
    }
}

/// A person's token. Prints as dots.
#[derive(Clone, PartialEq, Eq)]
pub struct ExchangeToken(String);

impl ExchangeToken {
    /// The token itself: for the token service, never for logs.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ExchangeToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ExchangeToken(...)")
    }
}

impl Serialize for ExchangeToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Tolerant for ExchangeToken {
    fn from_text(text: &str) -> Read<Self> {
        Read::Known(Self(text.to_owned()))
    }

    fn from_owned_text(text: String) -> Read<Self> {
        Read::Known(Self(text))
    }
}

impl CardActionRequest {
    /// Reads what a card action brings.
    ///
    /// # Errors
    /// The invoke carries no object, or no action in it.
    pub fn read(activity: &Activity) -> Result<Self, InvokeError> {
        let value = activity.value_object().ok_or(InvokeError::NoValue)?;
        let request = Self::deserialize(value.as_ref()).map_err(|_| InvokeError::NoValue)?;
        if request.action.is_some() {
            Ok(request)
        } else {
            Err(InvokeError::NoAction)
        }
    }

    /// The verb; empty if the author gave none.
    pub fn verb(&self) -> &str {
        self.action
            .as_ref()
            .and_then(|action| action.verb.as_deref())
            .unwrap_or_default()
    }

    /// Data and inputs; `None` if the action has none.
    pub fn data(&self) -> Option<&Value> {
        self.action.as_ref()?.data.as_ref()
    }

    /// Whether the client refreshes the card by itself, nobody pressed anything.
    pub fn is_refresh(&self) -> bool {
        self.trigger
            .as_deref()
            .is_some_and(|trigger| trigger.eq_ignore_ascii_case("automatic"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn invoke(value: &Value) -> Activity {
        Activity::parse(json!({ "type": "invoke", "value": value }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn verb_and_data_are_read_also_from_json_inside_a_text() {
        let value = json!({
            "action": { "type": "Action.Execute", "verb": "approve", "data": { "order": 7 } },
            "trigger": "manual",
        });
        for value in [value.clone(), Value::String(value.to_string())] {
            let request = CardActionRequest::read(&invoke(&value)).unwrap();
            assert_eq!(
                (request.verb(), request.data()),
                ("approve", Some(&json!({ "order": 7 })))
            );
            assert!(!request.is_refresh());
        }
    }

    #[test]
    fn a_refresh_is_told_from_a_press() {
        let value = json!({ "action": { "verb": "show" }, "trigger": "automatic" });
        assert!(CardActionRequest::read(&invoke(&value)).unwrap().is_refresh());
    }

    #[rstest]
    #[case(json!(null))]
    #[case(json!(7))]
    #[case(json!("not json"))]
    #[case(json!({}))]
    #[case(json!({ "action": "approve" }))]
    fn an_invoke_without_an_action_is_refused(#[case] value: Value) {
        assert!(CardActionRequest::read(&invoke(&value)).is_err());
    }

    #[test]
    fn the_token_of_a_person_is_not_printed() {
        let value = json!({
            "action": { "verb": "show" },
            "authentication": { "id": "1", "connectionName": "graph", "token": "eyJ.secret" },
        });
        let request = CardActionRequest::read(&invoke(&value)).unwrap();
        assert!(!format!("{request:?}").contains("secret"));
        let token = request.authentication.as_ref().unwrap().token.as_ref().unwrap();
        assert_eq!(token.expose(), "eyJ.secret");
        assert_eq!(serde_json::to_value(&request).unwrap(), value);
    }
}
