//! Asks media hosts for what calls want of their legs.

use std::sync::Arc;
use std::time::Duration;

use trunkline_proto::media::Open;

use super::context::WorkerParts;
use crate::conversation::{Event, GraphAnswer, LegAnswer, LegAsk, LegWish};
use crate::media::Owner;

/// Asks once; gives what the call hears of it.
pub(crate) async fn ask(ask: LegAsk, owner: Owner, worker: &Arc<WorkerParts>) -> Event {
    let LegAsk { epoch, wish } = ask;
    let may_begin = worker.membership.may_begin();
    let lines = &worker.media;
    let answer = match wish {
        LegWish::Command { id, .. } if !may_begin => {
            let answer = GraphAnswer::Withheld;
            return Event::GraphAnswered { id, answer };
        }
        LegWish::Command {
            id,
            leg,
            number,
            command,
            within_ms,
        } => {
            let within = Duration::from_millis(within_ms);
            let answer = lines.command(worker, &leg, epoch, number, command, within).await;
            return Event::GraphAnswered { id, answer };
        }
        _ if !may_begin => LegAnswer::Withheld,
        LegWish::Open {
            of_policy,
            tells_speech,
            within_ms,
        } => {
            let open = Open {
                compliance: of_policy,
                speech: tells_speech,
                ..Open::default()
            };
            lines.open(worker, epoch, open, Duration::from_millis(within_ms)).await
        }
        LegWish::Attach { leg, last_event } => lines.attach(worker, &leg, epoch, last_event, owner).await,
        LegWish::Close { leg, number } => lines.close(worker, &leg, epoch, number).await,
    };
    Event::LegAnswered(answer)
}
