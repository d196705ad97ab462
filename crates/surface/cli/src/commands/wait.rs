//! `naru wait`.

use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, line};
use crate::failure::{Failure, Outcome};
use crate::flags::Matches;

/// `naru wait`.
pub(crate) const WAIT: Command = Command {
    also: &["container wait", "wait"],
    completes: Completes::Containers,
    ..Command::new(
        "CONTAINER [CONTAINER...]",
        "Block until one or more containers stop, then print their exit codes",
        Arity::AtLeast(1),
        wait,
    )
};

fn wait<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, &flags.args))
}

async fn work(context: &Context, names: &[String]) -> Outcome {
    let client = context.engine().await?;
    let mut failures = Vec::new();
    for name in names {
        let waited = match client.wait(name, "").await {
            Ok(waiting) => waiting.result().await,
            Err(error) => Err(error),
        };
        match waited {
            Ok(waited) => line(&waited.status_code.to_string())?,
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    Failure::all(failures)
}
