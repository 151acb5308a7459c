//! Poll: a card whose buttons are answered in the HTTP response, votes in the state, the card on the screen kept up to date.

use std::collections::BTreeMap;

use trunkline_bot::prelude::*;

/// What a conversation remembers of its poll.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// What is asked; empty before the first poll.
    pub question: String,
    /// What can be chosen.
    pub choices: Vec<String>,
    /// Who chose what, by the person's id: pressing again changes one's mind.
    pub votes: BTreeMap<String, usize>,
    /// The card on the screen.
    #[serde(default)]
    pub card: Option<SentRef>,
}

/// Version 1 counted votes and did not know whose they were.
#[derive(Deserialize)]
struct PollV1 {
    question: String,
    counts: BTreeMap<String, usize>,
}

impl State for Poll {
    const VERSION: u32 = 2;

    fn upgrade(_from: u32, stored: serde_json::Value) -> Result<Self> {
        let old: PollV1 = serde_json::from_value(stored)?;
        let votes = old.counts.values().enumerate();
        let votes =
            votes.flat_map(|(choice, &count)| (0..count).map(move |vote| (format!("old {choice} {vote}"), choice)));
        Ok(Self {
            question: old.question,
            votes: votes.collect(),
            choices: old.counts.into_keys().collect(),
            card: None,
        })
    }
}

/// The button of one choice.
#[derive(Debug, Serialize, Deserialize)]
pub struct Choose {
    /// Place in [`Poll::choices`].
    pub choice: usize,
}

impl Verb for Choose {
    const VERB: &'static str = "choose";
}

/// The bot.
pub fn bot() -> Bot<Poll> {
    Bot::new("poll")
        .on(command("poll"), ask)
        .on(verb::<Choose>(), choose)
        .on(message(), help)
}

async fn help(turn: &mut Turn, _: &mut Poll, _: Message) -> Result {
    turn.reply("Say **poll** and the question, then the choices: `poll Lunch? Soup, Salad`");
    Ok(())
}

async fn ask(turn: &mut Turn, poll: &mut Poll, message: Message) -> Result {
    let (question, choices) = message
        .text()
        .split_once('?')
        .or_tell("A question ends with a question mark.")?;
    let choices: Vec<String> = choices.split(',').map(|choice| choice.trim().to_owned()).collect();
    if choices.iter().any(String::is_empty) || !(2..=6).contains(&choices.len()) {
        return Err(tell("Give me two to six choices, separated by commas."));
    }
    *poll = Poll {
        question: format!("{question}?"),
        choices,
        ..Poll::default()
    };
    poll.card = Some(turn.reply(card(poll)));
    Ok(())
}

async fn choose(turn: &mut Turn, poll: &mut Poll, pressed: Pressed<Choose>) -> Result<CardReply> {
    let choice = pressed.action.choice;
    poll.choices.get(choice).or_tell("That poll is over.")?;
    poll.votes.insert(pressed.person().id, choice);
    // The answer replaces the card for the one who pressed; the update shows the others.
    if let Some(shown) = poll.card {
        turn.update(shown, card(poll));
    }
    Ok(card(poll).into())
}

fn card(poll: &Poll) -> Card {
    let mut card = Card::new(plain(&poll.question));
    for (place, choice) in poll.choices.iter().enumerate() {
        let votes = poll.votes.values().filter(|&&vote| vote == place).count();
        card = card.fact(choice, votes.to_string());
    }
    let buttons = poll.choices.iter().enumerate();
    buttons.fold(card, |card, (choice, title)| card.button(title, Choose { choice }))
}
