//! The half of the bot that is in the meeting.

use trunkline_bot::calls::{Participant, ResultInfo};
use trunkline_bot::event::{Lobby, participant_name};
use trunkline_bot::prelude::*;

use super::{Join, Leave, Over, Settings, WhoIsThere};

/// What the call remembers.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// Who asked for it.
    pub chat: Option<Address>,
    /// Those who were there first were told of.
    pub has_told: bool,
}

impl State for Visit {}

/// The half in the meeting.
pub fn call_bot(settings: Settings) -> CallBot<Visit, Settings> {
    CallBot::calling("meeting", settings)
        .on(calls::signal::<Join>(), asked)
        .on(calls::connected(), greet)
        .on(calls::lobby(), lobby)
        .on(calls::joined(), joined)
        .on(calls::left(), left)
        .on(calls::signal::<WhoIsThere>(), who)
        .on(calls::signal::<Leave>(), leave)
        .on(calls::in_doubt(), in_doubt)
        .ended(ended)
}

async fn asked(_: &mut Call<Settings>, visit: &mut Visit, join: Join) -> Result<Then> {
    visit.chat = Some(join.chat);
    Ok(Then::Stay)
}

async fn greet(call: &mut Call<Settings>, _: &mut Visit, _: Connected) -> Result<Then> {
    let hello = format!("{}/hello.wav", call.app.prompts.trim_end_matches('/'));
    call.play(Prompt::at(hello));
    Ok(Then::Stay)
}

async fn lobby(call: &mut Call<Settings>, visit: &mut Visit, lobby: Lobby) -> Result<Then> {
    let words = if lobby.waits {
        "I wait in the lobby: somebody has to let me in."
    } else {
        "I was let in."
    };
    say(call, visit, words);
    Ok(Then::Stay)
}

async fn joined(call: &mut Call<Settings>, visit: &mut Visit, joined: Joined) -> Result<Then> {
    let came = names(&joined.people);
    if came.is_empty() {
        return Ok(Then::Stay);
    }
    // Who is told of first was there already.
    let words = if visit.has_told { "joined" } else { "in the meeting" };
    visit.has_told = true;
    say(call, visit, &format!("{came}: {words}."));
    Ok(Then::Stay)
}

async fn left(call: &mut Call<Settings>, visit: &mut Visit, left: Left) -> Result<Then> {
    let went = names(&left.people);
    if went.is_empty() {
        return Ok(Then::Stay);
    }
    say(call, visit, &format!("{went}: left."));
    let is_alone = names(call.present()).is_empty();
    Ok(if is_alone { Then::HangUp } else { Then::Stay })
}

async fn who(call: &mut Call<Settings>, visit: &mut Visit, _: WhoIsThere) -> Result<Then> {
    let present = names(call.present());
    let words = if present.is_empty() {
        "Nobody whom I know of."
    } else {
        present.as_str()
    };
    say(call, visit, words);
    Ok(Then::Stay)
}

async fn leave(_: &mut Call<Settings>, _: &mut Visit, _: Leave) -> Result<Then> {
    Ok(Then::HangUp)
}

async fn in_doubt(call: &mut Call<Settings>, visit: &mut Visit, _: InDoubt) -> Result<Then> {
    say(
        call,
        visit,
        "I do not know whether I am in the meeting: look for me there.",
    );
    Ok(Then::Stay)
}

async fn ended(turn: &mut Turn<Settings>, visit: &mut Visit, ended: Ended) -> Result {
    let (Some(chat), Address::Call { call, .. }) = (visit.chat.take(), turn.here()) else {
        return Ok(());
    };
    let failure = ended.result.filter(ResultInfo::is_failure);
    let failure = failure.map(|result| (result.code(), result.subcode()));
    turn.signal(&chat, Over { call, failure })
}

fn say(call: &mut Call<Settings>, visit: &Visit, words: &str) {
    if let Some(chat) = &visit.chat {
        call.send(chat, plain(words));
    }
}

/// Names of the people among these: bots and services are on the roster too.
fn names(participants: &[Participant]) -> String {
    let is_person = |participant: &&Participant| {
        participant
            .identity()
            .is_some_and(|identity| identity.user.is_some() || identity.guest.is_some() || identity.phone.is_some())
    };
    let people = participants.iter().filter(is_person).map(participant_name);
    people.collect::<Vec<_>>().join(", ")
}
