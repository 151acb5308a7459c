//! Who hears whom in a call of several.

use super::word::wire_word;
use crate::wire::wire_object;

wire_object! {
    /// A private way of sound: what its sources say, or what a bot among them plays, is heard by its receivers. Source: Graph,
    /// `audioRoutingGroup`.
    pub struct AudioRoutingGroup {
        /// `#microsoft.graph.audioRoutingGroup`.
        odata_type: Option<String> => "@odata.type",
        /// Chosen by whoever creates it (in Microsoft's samples the word of its mode).
        id: Option<String> => "id",
        /// To how many it leads.
        routing_mode: Option<RoutingMode> => "routingMode",
        /// Ids of participants that are heard.
        sources: Vec<String> => "sources",
        /// Ids of participants that hear them.
        receivers: Vec<String> => "receivers",
    }
}

wire_word! {
    /// To how many a way of sound leads. Source: Graph, `routingMode`.
    pub enum RoutingMode {
        /// From one to one.
        OneToOne => "oneToOne",
        /// From one to several.
        Multicast => "multicast",
    }
}
