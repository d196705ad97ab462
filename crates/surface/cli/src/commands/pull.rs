//! `naru pull`, and pulling for `run` and `create`.

use client::{Client, PullImage};
use refs::Reference;

use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, env, line, warn};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches, Missing};
use crate::progress::{self, Show};

/// `naru pull`.
pub(crate) const PULL: Command = Command {
    also: &["image pull", "pull"],
    flags: &[
        Flag::one("platform", "string", "Set platform if server is multi-platform capable"),
        Flag::switch("quiet", "Suppress verbose output").short('q'),
    ],
    missing: &[
        Missing::new("all-tags", "one tag is pulled at a time").short('a'),
        Missing::new("disable-content-trust", "content trust does not exist, so there is nothing to disable"),
    ],
    completes: Completes::Images,
    ..Command::new(
        "[OPTIONS] NAME[:TAG|@DIGEST]",
        "Download an image from a registry",
        Arity::Exactly(1),
        pull,
    )
};

fn pull<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let given = Reference::parse(flags.first()).map_err(|why| Failure::new(why.to_string()))?;
    let quiet = flags.on("quiet");
    let reference = given.clone().with_default_tag();
    if reference != given && !quiet {
        warn(&format!("Using default tag: {}", refs::DEFAULT_TAG));
    }
    let platform = platform(flags)?;
    let client = context.engine().await?;
    let show = if quiet { Show::Nothing } else { Show::All };
    fetch(context, client, &reference, &platform, show).await?;
    line(&reference.to_string())
}

/// Returns the platform that was asked for, checked; empty for the engine's.
pub(crate) fn platform(flags: &Matches) -> Outcome<String> {
    let text = match flags.last("platform") {
        Some(text) => text.to_owned(),
        None => env("DOCKER_DEFAULT_PLATFORM").unwrap_or_default(),
    };
    if !text.is_empty() {
        refs::Platform::parse(&text, &refs::Platform::host())
            .map_err(|why| Failure::new(format!("error parsing specified platform: {why}")))?;
    }
    Ok(text)
}

/// Pulls an image and shows the progress.
pub(crate) async fn fetch(
    context: &Context,
    client: &Client,
    reference: &Reference,
    platform: &str,
    show: Show,
) -> Outcome {
    let tag = match reference.digest() {
        Some(digest) => digest.as_str().to_owned(),
        None => reference.tag().unwrap_or(refs::DEFAULT_TAG).to_owned(),
    };
    let what = PullImage {
        repository: reference.name(),
        tag,
        platform: platform.to_owned(),
        auth: context.config.registry_auth(reference.domain())?,
    };
    progress::follow(client.pull(&what).await?, show).await
}
