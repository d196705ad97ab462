//! `naru push`.

use client::PushImage;
use refs::Reference;

use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, line, warn};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches, Missing};
use crate::progress::{self, Show};

/// `naru push`.
pub(crate) const PUSH: Command = Command {
    also: &["image push", "push"],
    flags: &[
        Flag::switch("all-tags", "Push all tags of an image to the repository").short('a'),
        Flag::one(
            "platform",
            "string",
            "Push only if the image is for this platform. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")",
        ),
        Flag::switch("quiet", "Suppress verbose output").short('q'),
    ],
    missing: &[Missing::new(
        "disable-content-trust",
        "content trust does not exist, so there is nothing to disable",
    )],
    completes: Completes::Images,
    ..Command::new("[OPTIONS] NAME[:TAG]", "Upload an image to a registry", Arity::Exactly(1), push)
};

fn push<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let given = Reference::parse(flags.first()).map_err(|why| Failure::new(why.to_string()))?;
    let (all, quiet) = (flags.on("all-tags"), flags.on("quiet"));
    if all && (given.tag().is_some() || given.digest().is_some()) {
        return Err(Failure::new("tag can't be used with --all-tags/-a"));
    }
    let reference = if all { given.clone() } else { given.clone().with_default_tag() };
    if reference != given && !quiet {
        warn(&format!("Using default tag: {}", refs::DEFAULT_TAG));
    }
    let what = PushImage {
        repository: reference.name(),
        tag: reference.tag().unwrap_or_default().to_owned(),
        platform: super::load::platform(flags)?,
        auth: context.config.registry_auth(reference.domain())?,
    };
    let show = if quiet { Show::Nothing } else { Show::All };
    progress::follow(context.engine().await?.push(&what).await?, show).await?;
    line(&reference.to_string())
}
