//! A bot that does things outside once: each message books a collection and a delivery at a service.
//!
//! A turn may run again, after a crash or when it failed. What it changes in its state is committed once by itself; a call to
//! another service is not. Two things together make it happen once:
//!
//! - [`Turn::once`] keeps a call's result before the handler goes on: a second run of the turn gets the result without the call.
//! - A process that dies between the call and the keeping calls again, with the same [`StepKey`]: the service tells by it that
//!   this is a repeat.
//!
//! `cargo run -p trunkline --example courier -- dev --set bots.courier.settings.service=http://127.0.0.1:8080` talks.

use std::process::ExitCode;
use std::time::Duration;

use trunkline_bot::prelude::*;

/// `[bots.courier.settings]`.
#[derive(Deserialize)]
struct Settings {
    /// Base URL of the service that collects and delivers.
    service: String,
}

/// What all turns share: the settings, and one client that keeps its connections.
struct Courier {
    settings: Settings,
    client: reqwest::Client,
}

impl Courier {
    fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        // Without a deadline a silent service would hold the conversation until the turn's own limit.
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        Ok(Self { settings, client })
    }

    /// Books one thing, and returns the number that the service gave it.
    async fn book(&self, path: &str, key: &StepKey, order: &impl Serialize) -> Result<u64> {
        let booked: Booked = self
            .client
            .post(format!("{}/{path}", self.settings.service))
            .header("idempotency-key", key.as_str())
            .json(order)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        Ok(booked.number)
    }
}

#[derive(Serialize)]
struct Collection<'a> {
    parcel: &'a str,
}

#[derive(Serialize)]
struct Delivery<'a> {
    parcel: &'a str,
    /// Number of the collection that brings the parcel.
    collection: u64,
}

#[derive(Deserialize)]
struct Booked {
    number: u64,
}

/// What a conversation remembers.
#[derive(Default, Serialize, Deserialize)]
struct Ledger {
    delivered: u64,
}

impl State for Ledger {}

async fn deliver(turn: &mut Turn<Courier>, ledger: &mut Ledger, message: Message) -> Result {
    let courier = turn.app;
    let parcel = message.text();
    let collection = turn
        .once("collect", async |key| {
            courier.book("collections", &key, &Collection { parcel }).await
        })
        .await?;
    turn.once("deliver", async |key| {
        courier.book("deliveries", &key, &Delivery { parcel, collection }).await
    })
    .await?;
    ledger.delivered += 1;
    turn.reply(plain(&format!("{}. {parcel}", ledger.delivered)));
    Ok(())
}

fn main() -> ExitCode {
    trunkline::host(|house| {
        let courier = Courier::new(house.settings("courier")?)?;
        house.bot(Bot::with("courier", courier).on(message(), deliver));
        Ok(())
    })
}
