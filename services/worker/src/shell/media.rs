//! Asks media hosts for the legs of calls.

use crate::call::LOST;
use crate::conversation::{Event, GraphAnswer, LegAnswer, LegAsk, LegWish};

/// What this build has no way to.
const NO_WAY: &str = "this build has no way to media hosts yet";

/// Asks for what a call wants of its leg.
pub(crate) fn ask(ask: LegAsk) -> Event {
    let reason = NO_WAY.to_owned();
    match ask.wish {
        LegWish::Open { .. } => Event::LegAnswered(LegAnswer::NoHost { reason }),
        LegWish::Attach { .. } | LegWish::Close { .. } => Event::LegAnswered(LegAnswer::Gone { reason }),
        LegWish::Command { id, .. } => {
            let (status, code) = LOST;
            let answer = GraphAnswer::Refused {
                status,
                code: code.to_owned(),
                message: reason,
            };
            Event::GraphAnswered { id, answer }
        }
    }
}
