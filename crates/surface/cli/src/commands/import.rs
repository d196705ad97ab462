//! `naru import`.

use client::ImportImage;
use std::io::Read;

use crate::command::{Arity, Command, Run};
use crate::context::{Context, line};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches};
use crate::progress;

/// `naru import`.
pub(crate) const IMPORT: Command = Command {
    also: &["image import", "import"],
    flags: &[
        Flag::many("change", "list", "Apply Dockerfile instruction to the created image").short('c'),
        Flag::one("message", "string", "Set commit message for imported image").short('m'),
        Flag::one("platform", "string", "Set platform if server is multi-platform capable"),
    ],
    ..Command::new(
        "[OPTIONS] file|- [REPOSITORY[:TAG]]",
        "Import the contents from a tarball to create a filesystem image",
        Arity::AtLeast(1),
        import,
    )
};

fn import<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let source = flags.first();
    let archive: Box<dyn Read + Send> = match source {
        "-" => Box::new(std::io::stdin()),
        address if address.starts_with("http://") || address.starts_with("https://") => {
            return Err(Failure::new("images cannot be imported from an address")
                .with_hint("fetch it, and pipe it to naru import -"));
        }
        path => Box::new(super::load::open(path)?),
    };
    let (repository, tag) = super::commit::name(flags.args.get(1).map(String::as_str))?;
    let message = match (flags.text("message"), source) {
        ("", "-") => String::new(),
        ("", path) => format!("Imported from {path}"),
        (message, _) => message.to_owned(),
    };
    let what = ImportImage {
        repository,
        tag,
        message,
        changes: flags.all("change").into_iter().map(str::to_owned).collect(),
        platform: super::pull::platform(flags)?,
    };
    let mut lines = context.engine().await?.import(archive, &what).await?;
    while let Some(step) = lines.next().await? {
        if let Some(failure) = progress::failure(&step) {
            return Err(failure);
        }
        line(&step.status)?;
    }
    Ok(())
}
