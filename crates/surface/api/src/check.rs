//! `/images/{name}/verify` and `/system/check`: whether the disk holds what it should. Extensions of ours.

use crate::State;
use crate::dispatch::Call;
use crate::respond::{self, Reply};
use image::{Finding, Part, Problem, Repair};
use wire::image::ImageFinding;
use wire::system::{CheckProblem, CheckReport};

/// `GET /images/{name}/verify`: reads all of an image again.
pub(crate) async fn verify(state: &State, name: String) -> Reply {
    let images = state.images.clone();
    let verify = move || images.resolve(&name).and_then(|image| images.verify(&image));
    let findings = state.disk.run(verify).await?;
    let rows: Vec<ImageFinding> = findings.into_iter().map(finding).collect();
    respond::ok(&rows)
}

/// `POST /system/check?repair=1&rebuild=1`.
pub(crate) async fn check(state: &State, call: &Call) -> Reply {
    let repair = if call.query.flag("repair") { Repair::Yes } else { Repair::No };
    let rebuild = call.query.flag("rebuild");
    let images = state.images.clone();
    let check = move || -> Result<CheckReport, image::Error> {
        let mut report = CheckReport::default();
        if rebuild {
            let rebuilt = images.rebuild()?;
            report.rebuilt = rebuilt.names;
            report.problems.extend(rebuilt.lost.into_iter().map(|(what, flaw)| CheckProblem {
                what: format!("image {what}"),
                flaw,
                repaired: String::new(),
            }));
        }
        report.problems.extend(images.check(repair)?.into_iter().map(problem));
        Ok(report)
    };
    respond::ok(&state.disk.run(check).await?)
}

fn finding(finding: Finding) -> ImageFinding {
    let part = match finding.part {
        Part::Blob => "blob",
        Part::LayerFile => "layer (file)",
        Part::LayerDirectory => "layer (directory)",
    };
    ImageFinding {
        digest: finding.digest.to_string(),
        part: part.to_owned(),
        flaw: finding.flaw.unwrap_or_default(),
    }
}

fn problem(problem: Problem) -> CheckProblem {
    CheckProblem { what: problem.what, flaw: problem.flaw, repaired: problem.repaired.unwrap_or_default() }
}
