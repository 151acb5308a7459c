//! `[bots.NAME]`: one registration at Azure Bot Service.

use std::path::PathBuf;
use std::time::Duration;

use trunkline_teams::token::Secret;

use super::super::choice::choice;
use super::super::section::section;
use super::super::value::{BotSettings, Guid};

choice! {
    /// How the bot is registered at Azure Bot Service.
    pub enum AppType {
        /// In the operator's own tenant.
        SingleTenant = "single-tenant",
        /// In any tenant; new registrations of this type are not possible any more.
        MultiTenant = "multi-tenant",
    }
}

choice! {
    /// What happens to stored state that the bot's code cannot read.
    pub enum Unreadable {
        /// The turn waits for a fixed version; nothing is lost.
        Park = "park",
        /// The conversation starts anew.
        Reset = "reset",
    }
}

choice! {
    /// Where the bot's turns run.
    pub enum Executor {
        /// On the thread of the conversation's actor.
        Arbiter = "arbiter",
        /// On threads of their own, for bots that compute.
        Pool = "pool",
    }
}

section! {
    /// One section for each bot, named like the bot in the code. It holds the bot's registration at Azure Bot Service.
    pub struct BotSection {
        /// Application (client) id of the registration. Tokens from Teams must be meant for it.
        pub app_id: Option<Guid> => "5c1f0a2e-6d4b-4f7a-9b7e-0d9c6a3f1e52",
        /// How the bot is registered: single-tenant or multi-tenant.
        pub app_type: AppType = "single-tenant",
        /// Tenant id of the registration. Demanded for single-tenant bots: their tokens are asked from it.
        pub tenant: Option<String> => "0b6a4d3c-2f1e-4c5d-8a7b-9e0f1a2b3c4d",
        /// Client secret. Better put it into a file of its own (client_secret_file) or into the environment
        /// (TRUNKLINE_BOTS__NAME__CLIENT_SECRET). Never shown.
        pub client_secret: Option<Secret> => "...",
        /// File whose first line is the client secret.
        pub client_secret_file: Option<PathBuf> => "/run/secrets/echo",
        /// Certificate in PEM, in place of a client secret. Goes with private_key_file.
        pub certificate_file: Option<PathBuf> => "/etc/trunkline/echo.crt",
        /// Private key of the certificate, in PEM.
        pub private_key_file: Option<PathBuf> => "/etc/trunkline/echo.key",
        /// Tenants whose people may talk to the bot. Empty: the tenant of the registration for a single-tenant bot, all
        /// tenants for a multi-tenant one. "*" allows all.
        pub tenants: Vec<String> = [],
        /// The bot takes and makes calls, as the section "calls" says. Its registration needs calling switched on (Teams channel, tab
        /// Calling), its app the manifest's supportsCalling, and its tenants the admin's consent to Calls.* permissions.
        pub calling: bool = false,
        /// A turn that takes longer has failed.
        pub turn_limit: Duration = "120 s",
        /// Where turns run: arbiter, or pool for bots that compute long between two awaits.
        pub executor: Executor = "arbiter",
        /// Stored state that the bot's code cannot read: park the turn, or reset the conversation.
        pub unreadable: Unreadable = "park",
        /// Accept requests without a token. Only `trunkline dev` on a loopback address takes it: anybody who reaches the
        /// port can then speak as anybody.
        pub allow_unauthenticated: bool = false,
        /// What the bot's own code asks for by `house.settings(NAME)`; its names are the bot's.
        pub settings: BotSettings,
    }
}
