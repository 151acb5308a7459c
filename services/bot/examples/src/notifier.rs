//! Notifier: a chat command calls a list of people one after the other and reads them a message; who acknowledged it by a key is
//! reported to the chat.
//!
//! Two bots of one name: [`bot`] in the chat keeps the list, [`call_bot`] leads one call. They tell each other by signals. The
//! prompts are WAV files below one address: `message.wav` (the message, and "press 1 to confirm"), `thanks.wav`.

mod reading;

use std::time::Duration;

use trunkline_bot::prelude::*;

pub use reading::{Reading, call_bot};

/// What the notifier is told by its configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Below this address lie the prompts; Graph fetches them.
    pub prompts: String,
    /// Who is called, in this order.
    pub people: Vec<Contact>,
    /// Object id of the resource account with a number, from which telephones are called.
    pub account: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            prompts: "http://localhost:3980/notifier".to_owned(),
            people: Vec::new(),
            account: None,
        }
    }
}

/// Somebody on the list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// As the report calls them.
    pub name: String,
    /// Where they are reached.
    pub reach: Callee,
}

/// What the chat remembers of its round of calls.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Counts rounds, so that a late word of an old one is known.
    pub number: u32,
    /// The call that goes on.
    pub call: Option<CallKey>,
    /// What became of those who were called, in the order of the list.
    pub outcomes: Vec<Outcome>,
}

impl State for Round {}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The message was confirmed by key.
    Acknowledged,
    /// Somebody took the call and confirmed nothing.
    Heard,
    /// Nobody took the call.
    NotReached,
    /// Nobody knows.
    Unknown,
}

impl Outcome {
    fn text(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Heard => "reached, not acknowledged",
            Self::NotReached => "not reached",
            Self::Unknown => "unknown",
        }
    }
}

/// The first that a call hears: whom it tells what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// The chat that asked.
    pub chat: Address,
    /// Of which round.
    pub round: u32,
    /// Which place of the list.
    pub place: usize,
}

impl Signal for Read {
    const NAME: &'static str = "read-message";
}

/// What became of a call, for the chat that asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Of which round.
    pub round: u32,
    /// Which place of the list.
    pub place: usize,
    /// What became of it.
    pub outcome: Outcome,
}

impl Signal for Report {
    const NAME: &'static str = "message-read";
}

/// The chat wants the call to end.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cancel;

impl Signal for Cancel {
    const NAME: &'static str = "cancel-call";
}

/// Nothing was heard of a call for too long.
#[derive(Debug, Serialize, Deserialize)]
struct Overdue {
    round: u32,
    place: usize,
}

impl Signal for Overdue {
    const NAME: &'static str = "call-overdue";
}

/// Longest time that one call keeps the others waiting.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// The half in the chat.
pub fn bot(settings: Settings) -> Bot<Round, Settings> {
    Bot::with("notifier", settings)
        .on(command("call"), call)
        .on(command("stop"), stop)
        .on(signal::<Report>(), reported)
        .on(signal::<Overdue>(), overdue)
        .on(message(), help)
}

async fn help(turn: &mut Turn<Settings>, _: &mut Round, _: Message) -> Result {
    let many = turn.app.people.len();
    turn.reply(format!(
        "Say **call** and I call {many} people, one after the other, and read them the message; **stop** ends it."
    ));
    Ok(())
}

async fn call(turn: &mut Turn<Settings>, round: &mut Round, _: Message) -> Result {
    if round.call.is_some() {
        return Err(tell("I am at it already. Say **stop** to end it."));
    }
    let has_phones = turn
        .app
        .people
        .iter()
        .any(|contact| matches!(contact.reach, Callee::Phone(_)));
    if has_phones && turn.app.account.is_none() {
        return Err(tell(
            "There are telephones on the list, and I have no account to call them from.",
        ));
    }
    if turn.app.people.is_empty() {
        return Err(tell("There is nobody on the list."));
    }
    round.number += 1;
    round.outcomes.clear();
    next(turn, round)
}

/// Calls the next on the list, or tells how it went.
fn next(turn: &mut Turn<Settings>, round: &mut Round) -> Result {
    let settings = turn.app;
    let place = round.outcomes.len();
    let Some(contact) = settings.people.get(place) else {
        round.call = None;
        turn.forget::<Overdue>();
        turn.reply(summary(settings, round));
        return Ok(());
    };
    let outgoing = match (&contact.reach, &settings.account) {
        (Callee::User(id), _) => Outgoing::to_user(id),
        (reach, account) => Outgoing::to_phone(reach.id(), account.clone().unwrap_or_default()),
    };
    let read = Read {
        chat: turn.here(),
        round: round.number,
        place,
    };
    round.call = Some(turn.start_call(outgoing, read)?);
    turn.reply(plain(&format!("Calling {}.", contact.name)));
    turn.call_me_in(
        PATIENCE,
        Overdue {
            round: round.number,
            place,
        },
    )
}

async fn reported(turn: &mut Turn<Settings>, round: &mut Round, report: Report) -> Result {
    goes_on(turn, round, report)
}

async fn overdue(turn: &mut Turn<Settings>, round: &mut Round, overdue: Overdue) -> Result {
    let report = Report {
        round: overdue.round,
        place: overdue.place,
        outcome: Outcome::Unknown,
    };
    goes_on(turn, round, report)
}

fn goes_on(turn: &mut Turn<Settings>, round: &mut Round, report: Report) -> Result {
    let is_awaited = round.call.is_some() && report.round == round.number && report.place == round.outcomes.len();
    if !is_awaited {
        return Ok(());
    }
    round.outcomes.push(report.outcome);
    next(turn, round)
}

async fn stop(turn: &mut Turn<Settings>, round: &mut Round, _: Message) -> Result {
    let call = round.call.take().or_tell("I am calling nobody.")?;
    let call = turn.here().call(&call);
    turn.signal(&call, Cancel)?;
    turn.forget::<Overdue>();
    turn.reply(summary(turn.app, round));
    Ok(())
}

fn summary(settings: &Settings, round: &Round) -> Card {
    let called = settings.people.iter().zip(&round.outcomes);
    called.fold(Card::new("Who heard the message"), |card, (contact, outcome)| {
        card.fact(&contact.name, outcome.text())
    })
}
