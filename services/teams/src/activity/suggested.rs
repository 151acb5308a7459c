//! Buttons below a message.

use serde_json::Value;

use crate::wire::wire_object;

wire_object! {
    /// Buttons below a message, gone when one is pressed.
    pub struct SuggestedActions {
        /// Ids of those who see them; empty for everybody.
        to: Vec<String> => "to",
        /// The buttons; Teams shows at most [`crate::limits::SUGGESTED_ACTIONS`].
        actions: Vec<CardAction> => "actions",
    }
}

wire_object! {
    /// A button of a card or below a message.
    ///
    /// Source: Activity protocol specification, "Card action".
    pub struct CardAction {
        /// `imBack`, `messageBack`, `invoke`, `signin`, `openUrl`, `Action.Submit`, `Action.Compose`.
        kind: Option<String> => "type",
        /// Text on the button.
        title: Option<String> => "title",
        /// What the action carries.
        value: Option<Value> => "value",
        /// Text that the bot gets, for `messageBack`.
        text: Option<String> => "text",
        /// Text that the chat shows, for `messageBack`.
        display_text: Option<String> => "displayText",
        /// Picture on the button.
        image: Option<String> => "image",
        /// What the picture shows.
        image_alt_text: Option<String> => "imageAltText",
        /// What Teams adds to the schema.
        channel_data: Option<Value> => "channelData",
    }
}
