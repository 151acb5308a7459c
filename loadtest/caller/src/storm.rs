//! Many callers at the same moment.

use tokio::task::JoinSet;

use crate::caller::{Caller, CallerSettings, Prepared};
use crate::error::CallerError;
use crate::invitation::Invitation;

/// Callers that all come at once: each has its offer ready before the first is posted. Gives what became of each, in their order.
/// A host answers only so many requests a second of one address: callers of a storm come from several ([`CallerSettings::from`]).
pub async fn storm(callers: Vec<(Invitation, CallerSettings)>) -> Vec<Result<Caller, CallerError>> {
    let mut ready = Vec::with_capacity(callers.len());
    for (invitation, settings) in callers {
        ready.push((invitation, Prepared::new(&settings).await));
    }
    let mut under_way = JoinSet::new();
    for (place, (invitation, prepared)) in ready.into_iter().enumerate() {
        under_way.spawn(async move {
            let connected = async { prepared?.connect(&invitation).await };
            (place, connected.await)
        });
    }
    let mut results = under_way.join_all().await;
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}
