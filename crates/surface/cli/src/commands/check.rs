//! `naru image verify` and `naru system check`.

use client::CheckSystem;

use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, line};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches};

/// `naru image verify`.
pub(crate) const VERIFY: Command = Command {
    completes: Completes::Images,
    ..Command::new(
        "IMAGE [IMAGE...]",
        "Read all of an image again and compare it with its digests",
        Arity::AtLeast(1),
        verify,
    )
};

/// `naru system check`.
pub(crate) const CHECK: Command = Command {
    flags: &[
        Flag::switch("rebuild", "Find images that the database has lost"),
        Flag::switch("repair", "Mend what is damaged, or remove it so that the next pull brings it"),
    ],
    ..Command::new(
        "[OPTIONS]",
        "Prove that the database and the disk agree: every layer and blob is read",
        Arity::None,
        check,
    )
};

fn verify<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(verify_all(context, flags))
}

async fn verify_all(context: &Context, flags: &Matches) -> Outcome {
    let client = context.engine().await?;
    let mut damaged = Vec::new();
    for name in &flags.args {
        let mut is_whole = true;
        for finding in client.verify_image(name).await? {
            let judgement = match finding.flaw.as_str() {
                "" => "ok",
                flaw => {
                    is_whole = false;
                    flaw
                }
            };
            line(&format!("{}  {:<17}  {judgement}", finding.digest, finding.part))?;
        }
        if !is_whole {
            damaged.push(format!("{name:?}"));
        }
    }
    if damaged.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("damaged: {}", damaged.join(", ")))
        .with_hint("`naru system check --repair` mends what can be mended; pull the rest again"))
}

fn check<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(check_all(context, flags))
}

async fn check_all(context: &Context, flags: &Matches) -> Outcome {
    let what = CheckSystem { repair: flags.on("repair"), rebuild: flags.on("rebuild") };
    let report = context.engine().await?.check(what).await?;
    for name in &report.rebuilt {
        line(&format!("{name}: found again"))?;
    }
    let mut open = 0;
    for problem in &report.problems {
        let done = match problem.repaired.as_str() {
            "" => {
                open += 1;
                "not repaired"
            }
            done => done,
        };
        line(&format!("{}: {}: {done}", problem.what, problem.flaw))?;
    }
    match open {
        0 => Ok(()),
        open => Err(Failure::new(format!("{open} of {} problems are left", report.problems.len()))
            .with_hint("--repair mends what can be mended")),
    }
}
