//! The command line: what can be asked, and the exit code that answers.

mod arguments;
mod certificate;
mod config;
mod explain;
mod operate;
mod operations;
mod output;

pub use arguments::{
    Arguments, CertificateArguments, Command, ConfigCommand, DevArguments, DevCommand, MediaArguments, Output,
    RoleArgument,
};
pub use certificate::make as make_certificates;
pub use config::run as run_config;
pub use explain::run as run_explain;
pub use operate::{run as run_operation, run_media};
pub use operations::{
    Asking, CallCommand, ConversationCommand, MediaCommand, NodeCommand, OperationCommand, ParkedCommand, ShardCommand,
};
pub use output::{print, report, report_failure};

use std::process::ExitCode;

use crate::roles::AddressUnavailable;

/// How a run of the binary ended, for scripts and service managers. `docs/operating.md` repeats this list for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or stopped by a signal.
    Done,
    /// Failed while running.
    Failed,
    /// The configuration was refused. Starting again does not help.
    Refused,
    /// An address could not be listened on.
    AddressTaken,
}

impl Exit {
    /// The code of a process that ended by this error.
    pub fn of(error: &anyhow::Error) -> Self {
        if error.is::<AddressUnavailable>() {
            Self::AddressTaken
        } else {
            Self::Failed
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        // 2 is what clap ends with for a wrong command line.
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Refused => 3,
            Exit::AddressTaken => 4,
        })
    }
}
