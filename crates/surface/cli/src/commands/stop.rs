//! `naru stop`, `naru restart`.

use super::each::together;
use crate::command::{Arity, Command, Completes, Run};
use crate::context::Context;
use crate::flags::{Flag, Matches, int};

const FLAGS: &[Flag] = &[
    Flag::one("signal", "string", "Signal to send to the container").short('s'),
    Flag::one("timeout", "int", "Seconds to wait before killing the container")
        .short('t')
        .also(&["time"])
        .check(int),
];

/// `naru stop`.
pub(crate) const STOP: Command = Command {
    also: &["container stop", "stop"],
    flags: FLAGS,
    completes: Completes::RunningContainers,
    ..Command::new(
        "[OPTIONS] CONTAINER [CONTAINER...]",
        "Stop one or more running containers",
        Arity::AtLeast(1),
        stop,
    )
};

/// `naru restart`.
pub(crate) const RESTART: Command = Command {
    also: &["container restart", "restart"],
    flags: FLAGS,
    completes: Completes::Containers,
    ..Command::new(
        "[OPTIONS] CONTAINER [CONTAINER...]",
        "Restart one or more containers",
        Arity::AtLeast(1),
        restart,
    )
};

fn stop<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    let (signal, timeout) = (flags.text("signal"), flags.int("timeout"));
    Box::pin(together(context, &flags.args, async move |client, name| {
        client.stop(name, signal, timeout).await
    }))
}

fn restart<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    let (signal, timeout) = (flags.text("signal"), flags.int("timeout"));
    Box::pin(together(context, &flags.args, async move |client, name| {
        client.restart(name, signal, timeout).await
    }))
}
