//! `naru rename`.

use crate::command::{Arity, Command, Completes, Run};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::Matches;

/// `naru rename`.
pub(crate) const RENAME: Command = Command {
    also: &["container rename", "rename"],
    completes: Completes::Containers,
    ..Command::new("CONTAINER NEW_NAME", "Rename a container", Arity::Exactly(2), rename)
};

fn rename<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, &flags.args[0], &flags.args[1]))
}

async fn work(context: &Context, old: &str, new: &str) -> Outcome {
    if old.trim().is_empty() || new.trim().is_empty() {
        return Err(Failure::new("Error: Neither old nor new names may be empty"));
    }
    let client = context.engine().await?;
    client.rename(old, new).await.map_err(|error| {
        let mut failure = Failure::from(error);
        failure.text.push_str(&format!("\nError: failed to rename container named {old}"));
        failure
    })
}
