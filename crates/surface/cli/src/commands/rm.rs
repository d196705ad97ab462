//! `naru rm`.

use client::RemoveContainer;

use super::each::together_unless;
use crate::command::{Arity, Command, Completes, Run};
use crate::context::Context;
use crate::flags::{Flag, Matches, Missing};

/// `naru rm`.
pub(crate) const RM: Command = Command {
    also: &["container rm", "container remove", "rm"],
    flags: &[
        Flag::switch("force", "Force the removal of a running container (uses SIGKILL)").short('f'),
        Flag::switch("volumes", "Remove anonymous volumes associated with the container").short('v'),
    ],
    missing: &[Missing::new("link", "there are no links between containers").short('l')],
    completes: Completes::Containers,
    ..Command::new(
        "[OPTIONS] CONTAINER [CONTAINER...]",
        "Remove one or more containers",
        Arity::AtLeast(1),
        remove,
    )
};

fn remove<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    let how = RemoveContainer { volumes: flags.on("volumes"), force: flags.on("force") };
    Box::pin(together_unless(
        context,
        &flags.args,
        async move |client, name| client.remove(name.trim_matches('/'), how).await,
        // With --force it is enough that the container is gone.
        move |error| how.force && error.is_not_found(),
    ))
}
