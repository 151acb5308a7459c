//! The operator's commands: they ask a worker of the cluster by gRPC and print what it says, as tables or as JSON.

mod call;
mod connect;
mod conversation;
mod media;
mod node;
mod parked;
mod shard;
mod status;
mod table;

pub(super) use self::parked::ParkedId;
pub(super) use self::table::table;

use anyhow::Context as _;

use self::connect::Cluster;
use super::{Exit, MediaCommand, OperationCommand};
use crate::configuration::Configuration;

/// Carries an operator's command out.
pub fn run(command: &OperationCommand, configuration: &Configuration) -> Exit {
    finished(carry_out(command, configuration))
}

/// Answers a question about media hosts, or decrypts what one recorded.
pub fn run_media(command: &MediaCommand, configuration: &Configuration) -> Exit {
    finished(async {
        match command {
            MediaCommand::List { asking } => {
                let cluster = Cluster::of(configuration, asking.worker.as_deref()).await?;
                media::list(&cluster, asking.output).await
            }
            MediaCommand::Decrypt { recording, output } => media::decrypt(
                recording,
                output.as_deref(),
                configuration.media.recordings_keys.as_deref(),
            ),
        }
    })
}

fn finished(command: impl Future<Output = anyhow::Result<()>>) -> Exit {
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime for the command")
        .and_then(|runtime| runtime.block_on(command));
    match ended {
        Ok(()) => Exit::Done,
        Err(error) => {
            super::report_failure(&error);
            Exit::Failed
        }
    }
}

async fn carry_out(command: &OperationCommand, configuration: &Configuration) -> anyhow::Result<()> {
    let cluster = Cluster::of(configuration, command.asking().worker.as_deref()).await?;
    match command {
        OperationCommand::Status { watch, asking } => status::run(&cluster, *watch, asking.output).await,
        OperationCommand::Shard(command) => shard::run(&cluster, command).await,
        OperationCommand::Node(command) => node::run(&cluster, command).await,
        OperationCommand::Conversation(command) => conversation::run(&cluster, command).await,
        OperationCommand::Parked(command) => parked::run(&cluster, command).await,
        OperationCommand::Call(command) => call::run(&cluster, command, configuration).await,
    }
}
