//! What operators ask of calls.

use std::time::Duration;

use clap::Subcommand;
use trunkline_store::contract::Month;

use super::Asking;
use crate::configuration::duration;

const LIST: &str = "\
Each line is a call that is not over: the key by which the other commands name it, where it
stands in Graph's word, and what is not finished in it. Nothing that anybody said or pressed
is shown.

Examples:
  trunkline call list
  trunkline call list --bot ivr --output json | jq '.calls[].key'";

const SHOW: &str = "\
Shows what Graph told, what was asked of it and answered, which turns the bot had, and what is
not finished. A call that is over is shown for a while (calls.retention); `trunkline call audit`
lists older ones, `trunkline explain` its codes.

Examples:
  trunkline call show 57dab8b1-894c-409a-b240-bd8beae78896
  trunkline call show 57dab8b1-894c-409a-b240-bd8beae78896 --bot ivr";

const AUDIT: &str = "\
The log of ended calls: written once when a call has ended, never changed, and kept for
calls.audit_retention.

Examples:
  trunkline call audit
  trunkline call audit --since '7 days' --tenant 5f0e3c1a-7d2b-4e86-9a14-c3b2d1e0f9a8
  trunkline call audit --output json | jq '.calls[].record.result'";

const QUOTA: &str = "\
Calls that began in a month, of each bot in each tenant, against calls.quota. Microsoft
documents 10,000 a month and 100 at once for each app, and does not say whether a tenant
counts apart.

Examples:
  trunkline call quota
  trunkline call quota --month 2026-10";

/// Questions about calls.
#[derive(Debug, Subcommand)]
pub enum CallCommand {
    /// List the calls that are under way, the oldest first.
    #[command(after_help = LIST)]
    List {
        /// Only those of this bot.
        #[arg(long, value_name = "NAME")]
        bot: Option<String>,
        /// Only those of this tenant.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 1_000)]
        limit: u32,
        /// Whom to ask, and the form of the answer.
        #[command(flatten)]
        asking: Asking,
    },
    /// Show a call: how it stands, and the timeline of what happened.
    #[command(after_help = SHOW)]
    Show {
        /// Its key as the list shows it, or Graph's id.
        #[arg(value_name = "CALL")]
        call: String,
        /// Name of its bot; unset, the call is looked for.
        #[arg(long, value_name = "NAME")]
        bot: Option<String>,
        /// Whom to ask, and the form of the answer.
        #[command(flatten)]
        asking: Asking,
    },
    /// End a call. Its bot is told that the call is over, like of any other end.
    #[command(
        name = "hangup",
        after_help = "Example:\n  trunkline call hangup 57dab8b1-894c-409a-b240-bd8beae78896"
    )]
    HangUp {
        /// Its key as the list shows it, or Graph's id.
        #[arg(value_name = "CALL")]
        call: String,
        /// Name of its bot; unset, the call is looked for.
        #[arg(long, value_name = "NAME")]
        bot: Option<String>,
        /// Whom to ask, and the form of the answer.
        #[command(flatten)]
        asking: Asking,
    },
    /// List the calls that have ended, the newest first: who, when, and why they ended.
    #[command(after_help = AUDIT)]
    Audit {
        /// Those that ended within this time.
        #[arg(long, value_name = "TIME", default_value = "1 day", value_parser = duration)]
        since: Duration,
        /// Only those of this tenant.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Whom to ask, and the form of the answer.
        #[command(flatten)]
        asking: Asking,
    },
    /// Show the calls of a month and those just now, against what Graph allows.
    #[command(after_help = QUOTA)]
    Quota {
        /// The month, in UTC; unset, the one that is.
        #[arg(long, value_name = "YYYY-MM", value_parser = month)]
        month: Option<Month>,
        /// Whom to ask, and the form of the answer.
        #[command(flatten)]
        asking: Asking,
    },
}

impl CallCommand {
    /// Whom it asks, and how it prints.
    pub fn asking(&self) -> &Asking {
        match self {
            Self::List { asking, .. }
            | Self::Show { asking, .. }
            | Self::HangUp { asking, .. }
            | Self::Audit { asking, .. }
            | Self::Quota { asking, .. } => asking,
        }
    }
}

fn month(text: &str) -> Result<Month, String> {
    Month::parse(text).ok_or_else(|| "write a month such as 2026-11".to_owned())
}
