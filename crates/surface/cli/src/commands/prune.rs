//! `naru container prune`, `naru system prune`, and what all prunes have in common.

use client::{Client, Error, Prune};
use error::{Fault as _, Kind};
use refs::{Filters, human_size};

use super::ps::{filters, filters_json};
use crate::command::{Arity, Command, Run};
use crate::context::{Context, line, print, warn};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches};
use crate::run::check;

/// `naru container prune`.
pub(crate) const CONTAINER_PRUNE: Command = Command {
    flags: &[
        Flag::many("filter", "filter", "Provide filter values (e.g. \"until=<timestamp>\")")
            .check(check::filter),
        Flag::switch("force", "Do not prompt for confirmation").short('f'),
    ],
    ..Command::new("[OPTIONS]", "Remove all stopped containers", Arity::None, containers)
};

/// `naru image prune`.
pub(crate) const IMAGE_PRUNE: Command = Command {
    flags: &[
        Flag::switch("all", "Remove all unused images, not just dangling ones").short('a'),
        Flag::many("filter", "filter", "Provide filter values (e.g. \"until=<timestamp>\")")
            .check(check::filter),
        Flag::switch("force", "Do not prompt for confirmation").short('f'),
    ],
    ..Command::new("[OPTIONS]", "Remove unused images", Arity::None, images)
};

/// `naru system prune`.
pub(crate) const SYSTEM_PRUNE: Command = Command {
    flags: &[
        Flag::switch("all", "Remove all unused images not just dangling ones").short('a'),
        Flag::many("filter", "filter", "Provide filter values (e.g. \"label=<key>=<value>\")")
            .check(check::filter),
        Flag::switch("force", "Do not prompt for confirmation").short('f'),
        Flag::switch("volumes", "Prune anonymous volumes"),
    ],
    ..Command::new("[OPTIONS]", "Remove unused data", Arity::None, system)
};

fn containers<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let filters = filters(flags)?;
        let warning =
            "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] ";
        if !flags.on("force") && !confirm(warning)? {
            return Ok(());
        }
        let (text, bytes) = prune(context.engine().await?, Prune::Containers, &filters).await?;
        print(&text)?;
        reclaimed(bytes)
    })
}

fn images<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let mut filters = filters(flags)?;
        let all = flags.on("all");
        filters.add("dangling", if all { "false" } else { "true" });
        let warning = match all {
            true => {
                "WARNING! This will remove all images without at least one container associated to them.\n"
            }
            false => "WARNING! This will remove all dangling images.\n",
        };
        if !flags.on("force") && !confirm(&format!("{warning}Are you sure you want to continue? [y/N] "))? {
            return Ok(());
        }
        let (text, bytes) = prune(context.engine().await?, Prune::Images, &filters).await?;
        print(&text)?;
        reclaimed(bytes)
    })
}

fn system<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let filters = filters(flags)?;
        if flags.on("volumes") && filters.contains("until") {
            return Err(Failure::new("ERROR: The \"until\" filter is not supported with \"--volumes\""));
        }
        if !flags.on("force") && !confirm(&warning(flags, &filters))? {
            return Ok(());
        }
        let client = context.engine().await?;
        let mut total: u64 = 0;
        for part in parts(flags) {
            let mut filters = filters.clone();
            if part == Prune::Images {
                filters.add("dangling", if flags.on("all") { "false" } else { "true" });
            }
            match prune(client, part, &filters).await {
                Ok((text, bytes)) => {
                    print(&text)?;
                    total = total.saturating_add(bytes);
                }
                // An engine may lack a part; the others are pruned all the same.
                Err(error) if error.kind() == Kind::Unimplemented => warn(&Failure::from(error).shown()),
                Err(error) => return Err(error.into()),
            }
        }
        reclaimed(total)
    })
}

/// Networks before volumes before images: what is gone frees what comes next.
fn parts(flags: &Matches) -> Vec<Prune> {
    let mut parts = vec![Prune::Containers, Prune::Networks];
    parts.extend(flags.on("volumes").then_some(Prune::Volumes));
    parts.push(Prune::Images);
    parts
}

fn warning(flags: &Matches, filters: &Filters) -> String {
    let mut text = "WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n".to_owned();
    if flags.on("volumes") {
        text.push_str("  - all anonymous volumes not used by at least one container\n");
    }
    text.push_str(match flags.on("all") {
        true => "  - all images without at least one container associated to them\n",
        false => "  - all dangling images\n",
    });
    if !filters.is_empty() {
        text.push_str("\n  Items to be pruned will be filtered with:\n");
        for given in flags.all("filter") {
            text.push_str(&format!("  - {given}\n"));
        }
    }
    text + "\nAre you sure you want to continue? [y/N] "
}

/// Prunes one kind of things; returns what is said about it, and the bytes.
async fn prune(client: &Client, what: Prune, filters: &Filters) -> Result<(String, u64), Error> {
    let pruned = client.prune(what, &filters_json(filters)).await?;
    let images = pruned.images_deleted.unwrap_or_default().into_iter().flat_map(|one| {
        let untagged = one.untagged.map(|reference| format!("untagged: {reference}"));
        let deleted = one.deleted.map(|id| format!("deleted: {id}"));
        untagged.into_iter().chain(deleted)
    });
    let (title, gone): (&str, Vec<String>) = match what {
        Prune::Containers => ("Deleted Containers", pruned.containers_deleted.unwrap_or_default()),
        Prune::Networks => ("Deleted Networks", pruned.networks_deleted.unwrap_or_default()),
        Prune::Volumes => ("Deleted Volumes", pruned.volumes_deleted.unwrap_or_default()),
        Prune::Images => ("Deleted Images", images.collect()),
    };
    if gone.is_empty() {
        return Ok((String::new(), 0));
    }
    Ok((format!("{title}:\n{}\n\n", gone.join("\n")), pruned.space_reclaimed))
}

/// Says how much space was won.
pub(crate) fn reclaimed(bytes: u64) -> Outcome {
    #[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
    let bytes = bytes as f64;
    line(&format!("Total reclaimed space: {}", human_size(bytes)))
}

/// Asks the user; true for `y` and `yes`.
pub(crate) fn confirm(question: &str) -> Outcome<bool> {
    print(question)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
