//! `naru rmi`.

use client::RemoveImage;

use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, line, warn};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches, Missing};

/// `naru rmi`.
pub(crate) const RMI: Command = Command {
    also: &["image rm", "image remove", "rmi"],
    flags: &[
        Flag::switch("force", "Force removal of the image").short('f'),
        Flag::switch("no-prune", "Do not delete untagged parents"),
    ],
    missing: &[Missing::new("platform", "single platforms of an image cannot be removed yet")],
    completes: Completes::Images,
    ..Command::new("[OPTIONS] IMAGE [IMAGE...]", "Remove one or more images", Arity::AtLeast(1), remove)
};

fn remove<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let client = context.engine().await?;
    let how = RemoveImage { force: flags.on("force"), keep_parents: flags.on("no-prune") };
    let mut failures = Vec::new();
    for name in &flags.args {
        match client.remove_image(name, how).await {
            Ok(removed) => {
                for one in removed {
                    match (one.untagged, one.deleted) {
                        (_, Some(id)) => line(&format!("Deleted: {id}"))?,
                        (Some(reference), None) => line(&format!("Untagged: {reference}"))?,
                        (None, None) => {}
                    }
                }
            }
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    let fatal = failures.iter().any(|failure| !failure.not_found);
    match Failure::all(failures) {
        // With --force it is enough that the image is gone.
        Err(failure) if how.force && !fatal => {
            warn(&failure.shown());
            Ok(())
        }
        outcome => outcome,
    }
}
