//! `naru export`.

use super::save::Target;
use crate::command::{Arity, Command, Completes, Run};
use crate::context::Context;
use crate::flags::{Flag, Matches};

/// `naru export`.
pub(crate) const EXPORT: Command = Command {
    also: &["container export", "export"],
    flags: &[Flag::one("output", "string", "Write to a file, instead of STDOUT").short('o')],
    completes: Completes::Containers,
    ..Command::new(
        "[OPTIONS] CONTAINER",
        "Export a container's filesystem as a tar archive",
        Arity::Exactly(1),
        export,
    )
};

fn export<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let output = Target::of(flags, "export")?;
        output.write(context.engine().await?.export(flags.first()).await?).await
    })
}
