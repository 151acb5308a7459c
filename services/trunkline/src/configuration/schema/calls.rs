//! `[calls]`: what all calling bots have in common.

use std::time::Duration;

use url::Url;

use super::super::section::section;
use super::super::value::Size;

section! {
    /// Calls. It concerns the bots whose section says `calling = true`.
    pub struct CallsSection {
        /// Public address of the webhook of calls: the one that is registered at Azure (Teams channel, tab Calling). Graph tells
        /// of each call at an address below it, by HTTPS only. Demanded when a bot takes calls.
        pub callback: Option<Url> => "https://bots.example.org/api/calls",
        /// Path at which the ingress serves the webhook, where a proxy in front changes paths. Unset: that of callback.
        pub path: Option<String> => "/api/calls",
        /// Largest body of notifications. A larger one is refused with 413. A whole roster has about 1 KiB for each
        /// participant.
        pub body_limit: Size = "1 MiB",
        /// Issuers that tokens of the calling platform may name. Unset: those of the cloud.
        pub issuers: Option<Vec<String>> => ["https://api.botframework.com", "https://graph.microsoft.com"],
        /// OpenID metadata document that names the keys of those issuers. Unset: that of the cloud.
        pub metadata: Option<Url> => "https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration",
        /// Address of Graph, with its version. Unset: that of the cloud.
        pub graph: Option<Url> => "https://graph.microsoft.com/v1.0",
        /// Scope of the bots' tokens for Graph. Unset: that of the cloud.
        pub graph_scope: Option<String> => "https://graph.microsoft.com/.default",
        /// How often Graph is told that a call is still wanted. It drops a call of which it heard nothing for 45 minutes, and
        /// advises 15; Microsoft's samples take 10.
        pub keep_alive: Duration = "10 min",
        /// Most calls of a tenant at once, of all its bots; more are rejected as busy, or not made. Unset: any number.
        pub simultaneous: Option<u32> => 100,
        /// Most calls of a bot in a tenant in a month; more are rejected as busy, or not made. Unset: any number.
        pub monthly: Option<u32> => 10000,
        /// Calls that Graph allows a bot in a month, for `trunkline call quota` to compare with. It refuses nothing here.
        pub quota: u32 = 10000,
        /// How long what is known of a call stays after its end, for `trunkline call show`.
        pub retention: Duration = "1 days",
        /// How long a call stands in the log of ended calls, for `trunkline call audit`.
        pub audit_retention: Duration = "400 days",
    }
}
