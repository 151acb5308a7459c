//! Media control over HTTPS, in the shape of WHIP (RFC 9725), with one deviation: audio goes both ways, where WHIP is ingest only.
//!
//! `POST /legs/<leg>` with an offer and the leg's bearer token gives the answer and the address of the session; `PATCH` there
//! restarts ICE, `DELETE` ends the leg. [`Session`] decides, [`serve`] carries it over HTTP.

mod server;
mod session;

pub use server::{Settings, serve};
pub use session::{Patch, Session, SessionRefusal};
