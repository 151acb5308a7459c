//! How long a caller waits, by kind of activity.

use std::time::Duration;

use trunkline_proto::routing::Kind;

/// Teams gives an activity 15 s ("Bot basics", Teams platform); the rest is for the way back.
const PATIENT: Duration = Duration::from_secs(13);
/// Message extensions have 5 s ("Respond to search command", "Respond to action submit", Teams platform).
const HURRIED: Duration = Duration::from_millis(4_800);

/// From the receipt of a request to the moment when its caller no longer waits.
pub(crate) fn time_to_answer(kind: Kind, name: Option<&str>) -> Duration {
    match (kind, name) {
        (Kind::Invoke, Some("composeExtension/query" | "composeExtension/submitAction")) => HURRIED,
        _ => PATIENT,
    }
}
