//! Where rooms are booked: a service outside, and a stand-in that lives in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// A room that was booked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// By which the service knows it.
    pub number: String,
    /// Name of the room.
    pub room: String,
}

/// Why a room was not booked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoomsError {
    /// Somebody was faster.
    #[error("{0} is taken")]
    Taken(String),
}

/// A service that books rooms. It knows idempotency keys: the same key books once.
pub trait Rooms: Send + Sync + 'static {
    /// Rooms of a city with place for so many people.
    fn free(&self, city: &str, people: u32) -> Result<Vec<String>, RoomsError>;

    /// Books a room; returns the number of the reservation.
    fn reserve(&self, room: &str, people: u32, key: &str) -> Result<String, RoomsError>;

    /// Gives a room back.
    fn cancel(&self, number: &str, key: &str) -> Result<(), RoomsError>;
}

/// Rooms in memory: three in each city, of 4, 8 and 20 places.
#[derive(Debug, Default)]
pub struct LocalRooms {
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    /// Room by number.
    taken: BTreeMap<String, String>,
    /// Number by key.
    answered: BTreeMap<String, String>,
}

const ROOMS: [(&str, u32); 3] = [("Alder", 4), ("Beech", 8), ("Cedar", 20)];

impl LocalRooms {
    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many rooms are taken.
    pub fn taken(&self) -> usize {
        self.book().taken.len()
    }
}

impl Rooms for LocalRooms {
    fn free(&self, city: &str, people: u32) -> Result<Vec<String>, RoomsError> {
        let book = self.book();
        let names = ROOMS
            .iter()
            .filter(|(_, places)| *places >= people)
            .map(|(name, _)| format!("{name} {city}"));
        Ok(names
            .filter(|name| !book.taken.values().any(|taken| taken == name))
            .collect())
    }

    fn reserve(&self, room: &str, _: u32, key: &str) -> Result<String, RoomsError> {
        let mut book = self.book();
        if let Some(number) = book.answered.get(key) {
            return Ok(number.clone());
        }
        if book.taken.values().any(|taken| taken == room) {
            return Err(RoomsError::Taken(room.to_owned()));
        }
        let number = format!("R{}", book.answered.len() + 1);
        book.taken.insert(number.clone(), room.to_owned());
        book.answered.insert(key.to_owned(), number.clone());
        Ok(number)
    }

    fn cancel(&self, number: &str, _: &str) -> Result<(), RoomsError> {
        // Giving back twice is giving back once.
        self.book().taken.remove(number);
        Ok(())
    }
}
