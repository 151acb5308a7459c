//! The stock binary: every role, every command, and the example bots.

use std::process::ExitCode;

use trunkline_example_bots::{assistant, booking, echo, meeting, notifier, poll, reception, recorder};

fn main() -> ExitCode {
    trunkline::host(|house| {
        let (visits, desk) = (house.settings("meeting")?, house.settings("reception")?);
        let (calls, records): (notifier::Settings, _) = (house.settings("notifier")?, house.settings("recorder")?);
        house
            .offer(echo::bot())
            .offer(booking::bot())
            .offer(poll::bot())
            .offer(assistant::bot())
            .offer(meeting::bot())
            .offer_call_bot(meeting::call_bot(visits))
            .offer(notifier::bot(calls.clone()))
            .offer_call_bot(notifier::call_bot(calls))
            .offer_call_bot(reception::bot(desk))
            .offer_call_bot(recorder::bot(records));
        Ok(())
    })
}
