//! `naru commit`.

use client::CommitContainer;

use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, line};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches};

/// `naru commit`.
pub(crate) const COMMIT: Command = Command {
    also: &["container commit", "commit"],
    flags: &[
        Flag::one("author", "string", "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")")
            .short('a'),
        Flag::many("change", "list", "Apply Dockerfile instruction to the created image").short('c'),
        Flag::one("message", "string", "Commit message").short('m'),
        Flag::switch("pause", "Pause container during commit").short('p').default("true"),
    ],
    completes: Completes::Containers,
    ..Command::new(
        "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
        "Create a new image from a container's changes",
        Arity::Between(1, 2),
        commit,
    )
};

fn commit<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let (repository, tag) = name(flags.args.get(1).map(String::as_str))?;
    let what = CommitContainer {
        container: flags.first().to_owned(),
        repository,
        tag,
        author: flags.text("author").to_owned(),
        comment: flags.text("message").to_owned(),
        changes: flags.all("change").into_iter().map(str::to_owned).collect(),
        no_pause: !flags.on_by_default("pause"),
    };
    line(&context.engine().await?.commit(&what).await?)
}

/// Splits an optional `REPOSITORY[:TAG]` into what the engine takes.
pub(super) fn name(given: Option<&str>) -> Outcome<(String, String)> {
    let Some(given) = given.filter(|given| !given.is_empty()) else { return Ok(Default::default()) };
    let reference = refs::Reference::parse(given).map_err(|why| Failure::new(why.to_string()))?;
    if reference.digest().is_some() {
        return Err(Failure::new(format!(
            "{} has a digest: an image is given a tag",
            crate::quote::quote(given)
        )));
    }
    Ok((reference.name(), reference.tag().unwrap_or_default().to_owned()))
}
