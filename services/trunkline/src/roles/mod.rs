//! Starting and ending the roles of a process.

mod crew;

pub use crew::{Crew, CrewEnd, Stage};
