//! Mentions: `@Name` in what a person typed becomes `<at>Name</at>`, an entity, and a rendered form beside the text.

use serde_json::{Value, json};

use super::people::BotNumber;

/// Somebody who can be mentioned.
#[derive(Debug)]
pub(crate) struct Mentionable<'a> {
    pub(crate) name: &'a str,
    /// A bot's account, or the object id of a person, whose account differs for each bot.
    pub(crate) id: &'a str,
    pub(crate) bot: Option<BotNumber>,
}

/// A text with its mentions marked.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Marked {
    pub(crate) text: String,
    pub(crate) entities: Vec<Value>,
    /// The attachment that comes beside a text with mentions; plain text has none.
    pub(crate) rendered: Option<Value>,
    pub(crate) bots: Vec<BotNumber>,
}

/// Marks every `@Name` of `who` in `typed`; of two names that fit, the longer is meant.
pub(crate) fn mark(typed: &str, who: &[Mentionable<'_>]) -> Marked {
    let mut marked = Marked::default();
    let mut html = String::from("<p>");
    let mut rest = typed;
    while let Some(at) = rest.find('@') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        marked.text.push_str(before);
        escape(before, &mut html);
        let fits = who.iter().filter(|one| starts_with_name(after, one.name));
        let Some(one) = fits.max_by_key(|one| one.name.len()) else {
            marked.text.push('@');
            html.push('@');
            rest = after;
            continue;
        };
        let tag = format!("<at>{}</at>", one.name);
        html.push_str("<span itemtype=\"http://schema.skype.com/Mention\" itemscope=\"\" itemid=\"");
        html.push_str(&marked.entities.len().to_string());
        html.push_str("\">");
        escape(one.name, &mut html);
        html.push_str("</span>");
        marked.text.push_str(&tag);
        marked.entities.push(json!({
            "mentioned": { "id": one.id, "name": one.name }, "text": tag, "type": "mention",
        }));
        if let Some(bot) = one.bot
            && !marked.bots.contains(&bot)
        {
            marked.bots.push(bot);
        }
        rest = &after[one.name.len()..];
    }
    marked.text.push_str(rest);
    escape(rest, &mut html);
    html.push_str("</p>");
    if !marked.entities.is_empty() {
        marked.rendered = Some(json!({ "contentType": "text/html", "content": html }));
    }
    marked
}

/// Compares without case; the name must not go on as a longer word.
fn starts_with_name(text: &str, name: &str) -> bool {
    text.get(..name.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(name))
        && !text[name.len()..].starts_with(|next: char| next.is_alphanumeric())
}

fn escape(text: &str, html: &mut String) {
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            other => html.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: [Mentionable<'_>; 3] = [
        Mentionable {
            name: "Echo",
            id: "28:echo",
            bot: Some(BotNumber(0)),
        },
        Mentionable {
            name: "Echo Two",
            id: "28:two",
            bot: Some(BotNumber(1)),
        },
        Mentionable {
            name: "Ines",
            id: "object",
            bot: None,
        },
    ];

    #[test]
    fn a_name_after_an_at_sign_becomes_a_mention() {
        let marked = mark("@echo two hello <b>", &WHO);
        assert_eq!(marked.text, "<at>Echo Two</at> hello <b>");
        assert_eq!(marked.bots, [BotNumber(1)]);
        assert_eq!(marked.entities[0]["text"], "<at>Echo Two</at>");
        let html = marked.rendered.unwrap_or_default()["content"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(html.ends_with("Echo Two</span> hello &lt;b&gt;</p>"), "{html}");
    }

    #[test]
    fn a_longer_word_and_a_lone_at_sign_are_text() {
        let marked = mark("mail me @ home, @Echolocation", &WHO);
        assert_eq!(marked.text, "mail me @ home, @Echolocation");
        assert_eq!(marked.rendered, None);
    }

    #[test]
    fn a_person_is_mentioned_without_the_bot_being_told() {
        let marked = mark("thanks @Ines", &WHO);
        assert!(marked.bots.is_empty());
        assert_eq!(marked.entities.len(), 1);
    }
}
