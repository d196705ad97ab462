//! What a create request becomes: merged with its image, checked, completed. Pure.
//!
//! # Source
//! Texts and limits are those that Docker 28.5.2 answers with.

mod check;
mod limits;
mod log_options;
mod merge;

pub(crate) use check::{check, joined_names, stop_signal};
pub(crate) use limits::{Purpose, check as check_limits};
pub use log_options::LOG_ROTATION;
pub(crate) use log_options::{FilePlan, LogPlan, log};
pub(crate) use merge::merge;

use crate::Error;
use crate::spec::Config;

/// Returns program and arguments.
///
/// # Errors
/// InvalidArgument if neither request nor image names a program.
pub(crate) fn command(config: &Config) -> Result<Vec<String>, Error> {
    let words = [&config.entrypoint, &config.cmd];
    let command: Vec<String> = words.into_iter().flatten().flatten().cloned().collect();
    if command.is_empty() { Err(Error::invalid("no command specified")) } else { Ok(command) }
}
