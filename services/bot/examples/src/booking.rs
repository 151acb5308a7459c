//! Booking: questions over several turns, a way out, an outside call made once, a card with a button.

mod rooms;

use trunkline_bot::prelude::*;

pub use rooms::{LocalRooms, Reservation, Rooms, RoomsError};

/// What a conversation with the desk remembers.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desk {
    /// The dialog that is open.
    pub booking: Option<Booking>,
    /// What was booked here, oldest first.
    pub booked: Vec<Reservation>,
}

/// Version 1 remembered only the numbers of what was booked.
#[derive(Deserialize)]
struct DeskV1 {
    booking: Option<Booking>,
    booked: Vec<String>,
}

impl State for Desk {
    const VERSION: u32 = 2;

    fn upgrade(_from: u32, stored: serde_json::Value) -> Result<Self> {
        let old: DeskV1 = serde_json::from_value(stored)?;
        let reservation = |number| Reservation {
            number,
            room: "a room".to_owned(),
        };
        Ok(Self {
            booking: old.booking,
            booked: old.booked.into_iter().map(reservation).collect(),
        })
    }
}

/// The questions; each knows what was answered before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Booking {
    /// Where?
    City,
    /// For how many?
    People {
        /// Where.
        city: String,
    },
    /// Which of these?
    Which {
        /// Where.
        city: String,
        /// For how many.
        people: u32,
        /// What was free when the question was put.
        rooms: Vec<String>,
    },
}

/// What the questions lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Booked {
    /// Look for free rooms, then ask which.
    Search {
        /// Where.
        city: String,
        /// For how many.
        people: u32,
    },
    /// Book this one.
    Room {
        /// Where.
        city: String,
        /// For how many.
        people: u32,
        /// Its name.
        room: String,
    },
    /// The person does not want to.
    Dropped,
}

impl Dialog for Booking {
    type Outcome = Booked;

    fn question(&self, _: &Moment) -> Draft {
        match self {
            Self::City => "Which city?".into(),
            Self::People { city } => plain(&format!("How many people in {city}?")).into(),
            Self::Which { rooms, .. } => {
                let question = Draft::from(plain(&format!("Free: {}. Which one?", rooms.join(", "))));
                rooms.iter().take(3).fold(question, Draft::suggest)
            }
        }
    }

    fn answer(self, given: &Given) -> Next<Self> {
        if given.text().eq_ignore_ascii_case("cancel") {
            return Next::Done(Booked::Dropped);
        }
        match self {
            Self::City => Next::Ask(Self::People {
                city: given.text().to_owned(),
            }),
            Self::People { city } => match given.text().parse() {
                Ok(people @ 1..=20) => Next::Done(Booked::Search { city, people }),
                _ => Next::Again(Self::People { city }, "A number from 1 to 20, please.".into()),
            },
            Self::Which { city, people, rooms } => {
                match rooms
                    .iter()
                    .find(|room| room.eq_ignore_ascii_case(given.text()))
                    .cloned()
                {
                    Some(room) => Next::Done(Booked::Room { city, people, room }),
                    None => Next::Again(Self::Which { city, people, rooms }, "That one is not free.".into()),
                }
            }
        }
    }
}

/// The button that gives a room back.
#[derive(Debug, Serialize, Deserialize)]
pub struct CancelRoom {
    /// Number of the reservation.
    pub number: String,
}

impl Verb for CancelRoom {
    const VERB: &'static str = "cancel-room";
}

/// What the desk works with.
pub struct App {
    /// Where rooms are booked.
    pub rooms: Box<dyn Rooms>,
}

/// The bot, with rooms of its own that live as long as the process.
pub fn bot() -> Bot<Desk, App> {
    with_rooms(Box::new(LocalRooms::default()))
}

/// The bot, with the rooms of somebody else.
pub fn with_rooms(rooms: Box<dyn Rooms>) -> Bot<Desk, App> {
    Bot::with("booking", App { rooms })
        .on(text("help"), help)
        .dialog(|desk: &mut Desk| &mut desk.booking, booked)
        .on(command("book"), book)
        .on(verb::<CancelRoom>(), cancel)
        .on(message(), help)
}

async fn help(turn: &mut Turn<App>, _: &mut Desk, _: Message) -> Result {
    turn.reply("Say **book** and I will ask for the rest; **cancel** ends it.");
    Ok(())
}

async fn book(turn: &mut Turn<App>, desk: &mut Desk, message: Message) -> Result {
    let first = match message.text() {
        "" => Booking::City,
        city => Booking::People { city: city.to_owned() },
    };
    turn.begin(&mut desk.booking, first);
    Ok(())
}

async fn booked(turn: &mut Turn<App>, desk: &mut Desk, outcome: Booked) -> Result {
    match outcome {
        Booked::Search { city, people } => {
            // In a step: what is free may be something else when the turn runs again.
            let rooms = turn
                .once("free", async |_| Ok(turn.app.rooms.free(&city, people)?))
                .await?;
            if rooms.is_empty() {
                return Err(tell(plain(&format!(
                    "Nothing is free in {city} for {people}. How many people?"
                ))));
            }
            turn.begin(&mut desk.booking, Booking::Which { city, people, rooms });
        }
        Booked::Room { city, people, room } => {
            let reserve = async |key: StepKey| Ok(turn.app.rooms.reserve(&room, people, key.as_str())?);
            let number = turn.once("reserve", reserve).await?;
            let card = Card::new("Booked")
                .fact("Room", plain(&room))
                .fact("City", plain(&city))
                .fact("People", people.to_string())
                .button("Cancel the room", CancelRoom { number: number.clone() });
            turn.reply(card);
            desk.booked.push(Reservation { number, room });
        }
        Booked::Dropped => {
            turn.reply("Dropped.");
        }
    }
    Ok(())
}

async fn cancel(turn: &mut Turn<App>, desk: &mut Desk, pressed: Pressed<CancelRoom>) -> Result<CardReply> {
    let number = pressed.action.number;
    let place = desk.booked.iter().position(|booked| booked.number == number);
    let place = place.or_tell("That room is not booked any more.")?;
    turn.once("cancel", async |key| {
        Ok(turn.app.rooms.cancel(&number, key.as_str())?)
    })
    .await?;
    let gone = desk.booked.remove(place);
    Ok(Card::new("Cancelled").fact("Room", plain(&gone.room)).into())
}
