//! Commands that do the same to several objects, and say each name when it is done.

use std::future::Future;

use client::{Client, Error};

use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, line, warn};
use crate::failure::{Failure, Outcome};
use crate::flags::Matches;

/// `naru pause`.
pub(crate) const PAUSE: Command = Command {
    also: &["container pause", "pause"],
    completes: Completes::RunningContainers,
    ..Command::new(
        "CONTAINER [CONTAINER...]",
        "Pause all processes within one or more containers",
        Arity::AtLeast(1),
        pause,
    )
};

/// `naru unpause`.
pub(crate) const UNPAUSE: Command = Command {
    also: &["container unpause", "unpause"],
    completes: Completes::RunningContainers,
    ..Command::new(
        "CONTAINER [CONTAINER...]",
        "Unpause all processes within one or more containers",
        Arity::AtLeast(1),
        unpause,
    )
};

fn pause<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(together(context, &flags.args, async |client, name| client.pause(name).await))
}

fn unpause<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(together(context, &flags.args, async |client, name| client.unpause(name).await))
}

/// Does the work for all names at the same time; says the names in their order, and all errors at the end.
pub(crate) async fn together<F>(context: &Context, names: &[String], work: F) -> Outcome
where
    F: AsyncFn(&Client, &str) -> Result<(), Error>,
{
    together_unless(context, names, work, |_| false).await
}

/// As [`together`], but errors that `ignored` accepts are only mentioned: they do not make the command fail.
pub(crate) async fn together_unless<F>(
    context: &Context,
    names: &[String],
    work: F,
    ignored: impl Fn(&Error) -> bool,
) -> Outcome
where
    F: AsyncFn(&Client, &str) -> Result<(), Error>,
{
    let client = context.engine().await?;
    let mut pending: Vec<_> = names.iter().map(|name| Some(Box::pin(work(client, name)))).collect();
    let mut results: Vec<Option<Result<(), Error>>> = names.iter().map(|_| None).collect();
    let mut said = 0;
    let mut failures = Vec::new();
    std::future::poll_fn(|task| {
        for (slot, result) in pending.iter_mut().zip(&mut results) {
            if let Some(future) = slot
                && let std::task::Poll::Ready(done) = future.as_mut().poll(task)
            {
                *slot = None;
                *result = Some(done);
            }
        }
        while let Some(Some(result)) = results.get(said) {
            if result.is_ok()
                && let Err(failure) = line(&names[said])
            {
                return std::task::Poll::Ready(Err(failure));
            }
            said += 1;
        }
        match said == names.len() {
            true => std::task::Poll::Ready(Ok(())),
            false => std::task::Poll::Pending,
        }
    })
    .await?;
    for result in results.into_iter().flatten() {
        match result {
            Ok(()) => {}
            Err(error) if ignored(&error) => warn(&Failure::from(error).shown()),
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    Failure::all(failures)
}
