//! Content that somebody shares in a call.

use crate::wire::wire_object;

wire_object! {
    /// Somebody shares content: no more than its id is documented. Source: Graph, `contentSharingSession`.
    pub struct ContentSharingSession {
        /// `#microsoft.graph.contentSharingSession`.
        odata_type: Option<String> => "@odata.type",
        /// No GUID in Microsoft's samples of notifications, but one in those of the API.
        id: Option<String> => "id",
    }
}
