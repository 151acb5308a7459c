//! Booking, in the test kit.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use trunkline_bot::assert_transcript;
use trunkline_bot::prelude::*;
use trunkline_bot::test::{self, Chat, Crash};
use trunkline_example_bots::booking::{
    self, Booked, Booking, CancelRoom, Desk, LocalRooms, Reservation, Rooms, RoomsError,
};

fn answer(question: Booking, text: &str) -> Next<Booking> {
    question.answer(&Given::said(text, Moment::new(UNIX_EPOCH, Locale::ENGLISH)))
}

#[test]
fn a_room_is_booked_and_given_back() {
    let mut chat = Chat::with(booking::bot());
    chat.says("hello")
        .says("book")
        .says("Oslo")
        .says("many")
        .says("help")
        .says("6")
        .says("Alder Oslo")
        .says("beech oslo");
    assert_eq!(
        chat.state().booked,
        [Reservation {
            number: "R1".into(),
            room: "Beech Oslo".into()
        }]
    );
    chat.presses(CancelRoom { number: "R1".into() })
        .presses(CancelRoom { number: "R1".into() });
    assert_eq!(chat.state(), Desk::default());
    assert_transcript!(chat, "booking.md");
}

/// Rooms that the test can look at while the bot owns them.
struct Shared(Arc<LocalRooms>);

impl Rooms for Shared {
    fn free(&self, city: &str, people: u32) -> Result<Vec<String>, RoomsError> {
        self.0.free(city, people)
    }
    fn reserve(&self, room: &str, people: u32, key: &str) -> Result<String, RoomsError> {
        self.0.reserve(room, people, key)
    }
    fn cancel(&self, number: &str, key: &str) -> Result<(), RoomsError> {
        self.0.cancel(number, key)
    }
}

#[test]
fn a_crash_while_booking_does_not_book_a_second_room() {
    let rooms = Arc::new(LocalRooms::default());
    let mut chat = Chat::with(booking::with_rooms(Box::new(Shared(Arc::clone(&rooms)))));
    chat.says("book Oslo")
        .says("2")
        .crashes(Crash::BeforeCommit)
        .says("Alder Oslo");
    assert_eq!(rooms.taken(), 1);
    assert_eq!(chat.state().booked.len(), 1);
}

#[test]
fn what_is_full_is_told_and_the_question_stays_open() {
    let mut chat = Chat::with(booking::bot());
    for room in ["Alder Oslo", "Beech Oslo", "Cedar Oslo"] {
        chat.says("book Oslo").says("2").says(room);
    }
    chat.says("book Oslo").says("2");
    assert_eq!(chat.last(), "Nothing is free in Oslo for 2. How many people?");
    assert_eq!(chat.state().booking, Some(Booking::People { city: "Oslo".into() }));
}

#[test]
fn the_dialog_is_a_pair_of_pure_functions() {
    let city = || Booking::People { city: "Oslo".into() };
    assert_eq!(answer(Booking::City, "Oslo"), Next::Ask(city()));
    assert_eq!(
        answer(city(), "3"),
        Next::Done(Booked::Search {
            city: "Oslo".into(),
            people: 3
        })
    );
    assert!(matches!(answer(city(), "21"), Next::Again(..)));
    assert_eq!(answer(city(), "Cancel"), Next::Done(Booked::Dropped));
}

#[test]
fn a_dialog_goes_on_in_the_next_version() {
    let mut chat = Chat::with(booking::bot());
    chat.says("book Oslo");
    let mut chat = chat.newer(booking::bot());
    chat.says("2");
    assert!(chat.last().starts_with("Free: Alder Oslo"), "{}", chat.last());
}

#[test]
fn the_state_of_the_first_version_is_upgraded() {
    let desk: Desk = test::reads("state/desk-v1.json");
    assert_eq!(desk.booking, Some(Booking::People { city: "Oslo".into() }));
    assert_eq!(
        desk.booked,
        [Reservation {
            number: "R7".into(),
            room: "a room".into()
        }]
    );
}
