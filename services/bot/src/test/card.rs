//! What can be said against a message before Teams does: a check of Adaptive Cards of our own, modest but strict about what
//! Teams drops in silence. Schema: adaptivecards.io, version 1.5.

use serde_json::Value;

/// Elements and actions, and the members that they must have.
const REQUIRED: [(&str, &[&str]); 26] = [
    ("AdaptiveCard", &["version"]),
    ("TextBlock", &["text"]),
    ("RichTextBlock", &["inlines"]),
    ("TextRun", &["text"]),
    ("Image", &["url"]),
    ("ImageSet", &["images"]),
    ("Media", &["sources"]),
    ("Container", &["items"]),
    ("ColumnSet", &["columns"]),
    ("Column", &[]),
    ("FactSet", &["facts"]),
    ("ActionSet", &["actions"]),
    ("Table", &["columns", "rows"]),
    ("TableRow", &["cells"]),
    ("TableCell", &["items"]),
    ("Input.Text", &["id"]),
    ("Input.Number", &["id"]),
    ("Input.Date", &["id"]),
    ("Input.Time", &["id"]),
    ("Input.Toggle", &["id", "title"]),
    ("Input.ChoiceSet", &["id"]),
    ("Action.Execute", &[]),
    ("Action.Submit", &[]),
    ("Action.OpenUrl", &["url"]),
    ("Action.ShowCard", &["card"]),
    ("Action.ToggleVisibility", &["targetElements"]),
];

/// Members that hold elements or actions.
const CHILDREN: [&str; 10] = [
    "body",
    "items",
    "columns",
    "actions",
    "images",
    "rows",
    "cells",
    "card",
    "selectAction",
    "inlines",
];

/// Most people for whom a card is refreshed. Teams platform, "Up-to-date cards".
const REFRESHED: usize = 60;

/// Everything that Teams would refuse or drop, and every verb whose button nobody listens to.
pub(super) fn problems(activity: &Value, is_listened_to: &dyn Fn(&Value) -> bool) -> Vec<String> {
    let mut problems = Vec::new();
    nulls(activity, &mut problems);
    let attachments = activity["attachments"].as_array().into_iter().flatten();
    for card in attachments.filter(|one| one["contentType"] == trunkline_teams::attachment::ADAPTIVE_CARD) {
        problems.extend(card_problems(&card["content"], is_listened_to));
    }
    problems
}

/// The same for a card alone.
pub(super) fn card_problems(card: &Value, is_listened_to: &dyn Fn(&Value) -> bool) -> Vec<String> {
    let mut check = Check {
        problems: Vec::new(),
        input_ids: Vec::new(),
        is_listened_to,
    };
    if card["type"] != "AdaptiveCard" {
        check.problems.push("a card's `type` is not AdaptiveCard".to_owned());
    }
    check.element(card);
    check.problems
}

/// Teams refuses members that are null (recorded: a null member of an attachment is answered with 400).
fn nulls(value: &Value, problems: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if member.is_null() {
                    problems.push(format!("the member `{name}` is null: leave it out"));
                }
                nulls(member, problems);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| nulls(value, problems)),
        _ => {}
    }
}

struct Check<'a> {
    problems: Vec<String>,
    input_ids: Vec<String>,
    is_listened_to: &'a dyn Fn(&Value) -> bool,
}

impl Check<'_> {
    fn element(&mut self, element: &Value) {
        let kind = element["type"].as_str().unwrap_or_default();
        match REQUIRED.iter().find(|(known, _)| *known == kind) {
            None if element.is_string() => {}
            None => self.problems.push(format!("a card has no element {kind:?}")),
            Some((_, required)) => {
                for name in required.iter().filter(|name| element.get(**name).is_none()) {
                    self.problems.push(format!("{kind} has no member `{name}`"));
                }
            }
        }
        if element["refresh"]["userIds"]
            .as_array()
            .is_some_and(|people| people.len() > REFRESHED)
        {
            self.problems
                .push(format!("a card is refreshed for at most {REFRESHED} people"));
        }
        self.input(kind, element);
        self.action(kind, element);
        for name in CHILDREN {
            match &element[name] {
                // The columns of a table only have a width.
                Value::Array(_) if kind == "Table" && name == "columns" => {}
                Value::Array(children) if name == "columns" => children.iter().for_each(|child| self.column(child)),
                Value::Array(children) => children.iter().for_each(|child| self.element(child)),
                child @ Value::Object(_) => self.element(child),
                _ => {}
            }
        }
    }

    /// The type of a column may be left out.
    fn column(&mut self, column: &Value) {
        let mut column = column.clone();
        if let Value::Object(members) = &mut column {
            members.entry("type").or_insert_with(|| "Column".into());
        }
        self.element(&column);
    }

    fn input(&mut self, kind: &str, element: &Value) {
        let Some(id) = element["id"].as_str().filter(|_| kind.starts_with("Input.")) else {
            return;
        };
        if self.input_ids.iter().any(|known| known == id) {
            self.problems
                .push(format!("two inputs have the id {id:?}: one value would be lost"));
        }
        self.input_ids.push(id.to_owned());
    }

    fn action(&mut self, kind: &str, action: &Value) {
        if matches!(kind, "Action.Execute" | "Action.Submit") && !(self.is_listened_to)(action) {
            self.problems.push(format!("no route listens to the button {action}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Card, CardInput, Column};

    fn problems_of(card: &Value) -> Vec<String> {
        card_problems(card, &|_| true)
    }

    #[test]
    fn what_the_builder_makes_is_accepted() {
        let card = Card::new("Lunch")
            .text("Which one?")
            .fact("Price", "7")
            .fact("Place", "Canteen")
            .image("https://example.org/soup.png", "soup")
            .columns([Column::auto().text("a"), Column::stretch().text("b")])
            .input(
                CardInput::choice("dish", &[("Soup", "soup")])
                    .label("Dish")
                    .required("Choose one"),
            )
            .open("Menu", "https://example.org/menu");
        assert_eq!(problems_of(&Value::Object(card.json().clone())), Vec::<String>::new());
    }

    #[test]
    fn misspelt_elements_and_missing_members_are_named() {
        let card =
            json!({ "type": "AdaptiveCard", "version": "1.5", "body": [{ "type": "Textblock" }, { "type": "Image" }] });
        assert_eq!(
            problems_of(&card),
            ["a card has no element \"Textblock\"", "Image has no member `url`"]
        );
    }

    #[test]
    fn two_inputs_of_one_id_are_refused() {
        let card = Card::default()
            .input(CardInput::text("name"))
            .input(CardInput::text("name"));
        assert_eq!(problems_of(&Value::Object(card.json().clone())).len(), 1);
    }
}
