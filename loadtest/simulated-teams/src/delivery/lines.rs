//! Ties the sound of a call to the call: whichever ends first ends the other.

use std::sync::Arc;

use trunkline_caller::Caller;

use crate::shared::Shared;

/// Watches both until one of them has ended. Nothing else is awaited in between, so neither end is missed.
pub(crate) async fn watch_line(shared: Arc<Shared>, call: String, whip: String, caller: Arc<Caller>) {
    let look = || {
        let view = shared.with_calls(|calls, _| calls.view(&call));
        view.is_none_or(|view| view.state.is_over()).then_some(())
    };
    tokio::select! {
        () = caller.ended() => {
            // A call that is over meanwhile needs nothing more.
            let _ = shared.with_calls(|calls, now| calls.line_lost(&call, &whip, now));
        }
        () = shared.find_at_call(&call, look) => {}
    }
    if let Err(error) = caller.close().await {
        tracing::debug!(%error, "the connection of a call is not closed in order");
    }
}
