//! `naru kill`.

use super::each::together;
use crate::command::{Arity, Command, Completes, Run};
use crate::context::Context;
use crate::flags::{Flag, Matches};

/// `naru kill`.
pub(crate) const KILL: Command = Command {
    also: &["container kill", "kill"],
    flags: &[Flag::one("signal", "string", "Signal to send to the container").short('s')],
    completes: Completes::RunningContainers,
    ..Command::new(
        "[OPTIONS] CONTAINER [CONTAINER...]",
        "Kill one or more running containers",
        Arity::AtLeast(1),
        kill,
    )
};

fn kill<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    let signal = flags.text("signal");
    Box::pin(together(context, &flags.args, async move |client, name| client.kill(name, signal).await))
}
