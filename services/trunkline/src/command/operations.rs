//! The operator's part of the command line as types.

mod call;

use std::path::PathBuf;

use clap::{Args, Subcommand};

pub use call::CallCommand;

use super::Output;
use super::operate::ParkedId;

/// Whom an operator's command asks, and how the answer is printed.
#[derive(Args, Debug)]
pub struct Asking {
    /// Address of a worker to ask; unset, those of ingress.workers.
    #[arg(long, value_name = "HOST:PORT")]
    pub worker: Option<String>,
    /// Form of the answer.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// What operators ask of a running cluster.
#[derive(Debug, Subcommand)]
pub enum OperationCommand {
    /// Show the cluster: nodes, leader, shards, moves, load, store.
    #[command(
        after_help = "Examples:\n  trunkline status\n  trunkline status --watch\n  trunkline status --output json | jq .nodes"
    )]
    Status {
        /// Ask again every second, until interrupted.
        #[arg(long)]
        watch: bool,
        /// Whom to ask, and the form of the answer.
        #[command(flatten)]
        asking: Asking,
    },
    /// List the shards, or move one.
    #[command(subcommand)]
    Shard(ShardCommand),
    /// Drain a node, or take it back into service.
    #[command(subcommand)]
    Node(NodeCommand),
    /// Look at a conversation.
    #[command(subcommand)]
    Conversation(ConversationCommand),
    /// List, replay or drop work that was given up.
    #[command(subcommand)]
    Parked(ParkedCommand),
    /// List, show or end calls; show those that ended, and the quota.
    #[command(subcommand)]
    Call(CallCommand),
}

impl OperationCommand {
    /// Whom it asks, and how it prints.
    pub fn asking(&self) -> &Asking {
        match self {
            Self::Status { asking, .. }
            | Self::Shard(ShardCommand::List { asking, .. } | ShardCommand::Move { asking, .. })
            | Self::Node(NodeCommand::Drain { asking, .. } | NodeCommand::Undrain { asking, .. })
            | Self::Conversation(ConversationCommand::Show { asking, .. })
            | Self::Parked(
                ParkedCommand::List { asking, .. }
                | ParkedCommand::Replay { asking, .. }
                | ParkedCommand::Drop { asking, .. },
            ) => asking,
            Self::Call(command) => command.asking(),
        }
    }
}

/// Questions about media hosts.
#[derive(Debug, Subcommand)]
pub enum MediaCommand {
    /// List the media hosts: where they are, how many legs they have, and which drain.
    List {
        /// Whom to ask, and the form of the answer.
        #[command(flatten)]
        asking: Asking,
    },
    /// Decrypt a recording, with the keys of media.recordings_keys.
    Decrypt {
        /// The recording: a file that ends with .sealed.
        recording: PathBuf,
        /// Where to; must not be there yet. Unset: the same name without .sealed.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Questions about shards.
#[derive(Debug, Subcommand)]
pub enum ShardCommand {
    /// Show which node owns which shards.
    List {
        /// Only those of this node.
        #[arg(long, value_name = "NAME")]
        node: Option<String>,
        /// Whom to ask, and the form of the answer.
        #[command(flatten)]
        asking: Asking,
    },
    /// Give a shard to another node; it stays there until that one drains, dies or has too many.
    #[command(after_help = "Example:\n  trunkline shard move 1234 worker-2")]
    Move {
        /// Number of the shard.
        shard: u32,
        /// Name of the node that gets it.
        to: String,
        /// Whom to ask, and the form of the answer.
        #[command(flatten)]
        asking: Asking,
    },
}

/// What a node can be told.
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Move everything away from a worker, or take an ingress out of the balancer. The process stays.
    #[command(after_help = "Examples:\n  trunkline node drain worker-2 --wait\n  trunkline node drain ingress-1")]
    Drain {
        /// Name of the node, as `trunkline status` shows it.
        name: String,
        /// Wait until the worker has no shard left, and show how far it is.
        #[arg(long)]
        wait: bool,
        /// Give up waiting after this many seconds.
        #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "wait")]
        timeout: u64,
        /// Whom to ask, and the form of the answer.
        #[command(flatten)]
        asking: Asking,
    },
    /// Take a node back into service.
    Undrain {
        /// Name of the node.
        name: String,
        /// Whom to ask, and the form of the answer.
        #[command(flatten)]
        asking: Asking,
    },
}

/// Questions about a conversation.
#[derive(Debug, Subcommand)]
pub enum ConversationCommand {
    /// Show a conversation: its owner, sizes, what waits, timers, the last turns. No text of users.
    #[command(
        after_help = "Example:\n  trunkline conversation show 'a:1abc' --bot echo --tenant 5f0e3c1a-7d2b-4e86-9a14-c3b2d1e0f9a8"
    )]
    Show {
        /// Id of the conversation, as Teams gives it.
        id: String,
        /// Name of the bot.
        #[arg(long)]
        bot: String,
        /// Tenant of the conversation.
        #[arg(long)]
        tenant: String,
        /// Whom to ask, and the form of the answer.
        #[command(flatten)]
        asking: Asking,
    },
}

/// What can be done with parked work.
#[derive(Debug, Subcommand)]
pub enum ParkedCommand {
    /// List what was given up, the newest first.
    List {
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Whom to ask, and the form of the answer.
        #[command(flatten)]
        asking: Asking,
    },
    /// Run an entry again, with all its attempts.
    Replay {
        /// The entry, as the list names it.
        #[arg(value_name = "SHARD/KEY/SEQUENCE")]
        id: ParkedId,
        /// Whom to ask, and the form of the answer.
        #[command(flatten)]
        asking: Asking,
    },
    /// Remove an entry for good.
    Drop {
        /// The entry, as the list names it.
        #[arg(value_name = "SHARD/KEY/SEQUENCE")]
        id: ParkedId,
        /// Whom to ask, and the form of the answer.
        #[command(flatten)]
        asking: Asking,
    },
}
