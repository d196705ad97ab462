//! `naru tag`.

use crate::command::{Arity, Command, Completes, Run};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::Matches;

/// `naru tag`.
pub(crate) const TAG: Command = Command {
    also: &["image tag", "tag"],
    completes: Completes::Images,
    ..Command::new(
        "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
        "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
        Arity::Exactly(2),
        tag,
    )
};

fn tag<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, &flags.args[0], &flags.args[1]))
}

async fn work(context: &Context, source: &str, target: &str) -> Outcome {
    let invalid = |why: refs::Error| {
        Failure::new(format!(
            "Error parsing reference: {} is not a valid repository/tag: {why}",
            crate::quote::quote(target)
        ))
    };
    let reference = refs::Reference::parse(target).map_err(invalid)?;
    if reference.digest().is_some() {
        return Err(Failure::new("refusing to create a tag with a digest reference"));
    }
    let reference = reference.with_default_tag();
    let client = context.engine().await?;
    Ok(client.tag(source, &reference.name(), reference.tag().unwrap_or(refs::DEFAULT_TAG)).await?)
}
