//! Asks media hosts for what calls want of their legs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use trunkline_bot::logic::{Logic, SoundEnds};
use trunkline_proto::media::Open;
use trunkline_store::key::Triple;

use super::context::WorkerParts;
use crate::conversation::{Event, GraphAnswer, LegAnswer, LegAsk, LegPlace, LegWish};
use crate::media::{LegSound, Owner};

/// Runs a bot's listener on the sound of a leg, until that ends. A panic of it ends the listening alone.
pub(crate) async fn listen(worker: Arc<WorkerParts>, logic: Arc<dyn Logic>, leg: LegPlace, epoch: u64, call: Triple) {
    let key = call.conversation.clone();
    let LegSound { heard, said } = match worker.media.follow(&worker, &leg, epoch, call).await {
        Ok(sound) => sound,
        Err(reason) => {
            tracing::warn!(
                call = key,
                leg = leg.name,
                reason,
                "a bot does not get the sound of its call"
            );
            return;
        }
    };
    let ends = SoundEnds {
        call: key.clone(),
        heard,
        said,
    };
    let Ok(listener) = catch_unwind(AssertUnwindSafe(|| logic.listen(ends))) else {
        tracing::error!(call = key, "a bot that listens to a call panicked");
        return;
    };
    if let Some(listener) = listener
        && AssertUnwindSafe(listener).catch_unwind().await.is_err()
    {
        tracing::error!(call = key, "a bot that listens to a call panicked");
    }
}

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
            is_live,
            hears_only,
            tenant,
            near,
            within_ms,
        } => {
            let (host, near) = near.map(|near| (near.host, near.leg)).unzip();
            let open = Open {
                compliance: of_policy,
                near: near.unwrap_or_default(),
                speech: tells_speech,
                live: is_live,
                hears_only,
                tenant,
                ..Open::default()
            };
            let within = Duration::from_millis(within_ms);
            lines.open(worker, epoch, open, host.as_deref(), within).await
        }
        LegWish::Attach { leg, last_event } => lines.attach(worker, &leg, epoch, last_event, owner).await,
        LegWish::Close { leg, number } => lines.close(worker, &leg, epoch, number).await,
    };
    Event::LegAnswered(answer)
}
