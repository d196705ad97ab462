//! `naru explain`: how a container was born, step by step.

use wire::container::BirthStep;

use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, line, print};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches};
use crate::format::ellipsis;
use crate::term;

/// `naru explain`.
pub(crate) const EXPLAIN: Command = Command {
    flags: &[
        Flag::one("format", "string", "\"text\" for a timeline, \"json\" for the records").default("text")
    ],
    completes: Completes::Containers,
    ..Command::new(
        "[OPTIONS] CONTAINER",
        "Show how a container was born: every step with its duration",
        Arity::Exactly(1),
        explain,
    )
};

fn explain<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let format = flags.last("format").unwrap_or("text");
    if !matches!(format, "text" | "json") {
        let text = format!("unknown format {}: use text or json", crate::quote::quote(format));
        return Err(Failure::new(text));
    }
    let client = context.engine().await?;
    let steps = client.birth(flags.first()).await?;
    if format == "json" {
        for step in &steps {
            let text = serde_json::to_string(step)
                .map_err(|why| Failure::new(format!("cannot write a step as JSON: {why}")))?;
            line(&text)?;
        }
        return Ok(());
    }
    if steps.is_empty() {
        return Err(Failure::new(format!("container {:?} was never started", flags.first()))
            .with_hint("start it first"));
    }
    let columns = term::columns().map_or(usize::MAX, usize::from);
    print(&timeline(flags.first(), &steps, columns))
}

/// Returns the steps in the order in which they began, with the time since the first.
fn timeline(name: &str, steps: &[BirthStep], columns: usize) -> String {
    let mut steps: Vec<&BirthStep> = steps.iter().collect();
    steps.sort_by_key(|step| step.t_ns);
    let begin = steps.first().map_or(0, |step| step.t_ns);
    let end = steps.iter().map(|step| step.t_ns.saturating_add_unsigned(step.dur_ns)).max().unwrap_or(begin);
    let failed = steps.iter().filter(|step| step.errno != 0).count();
    let slowest = steps.iter().map(|step| step.dur_ns).max().unwrap_or(0);
    let mut out = format!(
        "{name}: {} steps in {}, {failed} failed\n\n",
        steps.len(),
        milliseconds(end.saturating_sub(begin))
    );
    out.push_str("        AT       TOOK  WHO     STEP\n");
    for step in &steps {
        let took = i64::try_from(step.dur_ns).unwrap_or(i64::MAX);
        let mut text = format!(
            "{:>10} {:>10}  {:<7} {}",
            milliseconds(step.t_ns.saturating_sub(begin)),
            milliseconds(took),
            step.who,
            step.step
        );
        if !step.args.is_empty() {
            text.push(' ');
            text.push_str(&step.args.replace(|c: char| c.is_control(), " "));
        }
        let note = match (step.errno, step.dur_ns == slowest && slowest > 0) {
            (0, false) => String::new(),
            (0, true) => "  <- slowest".to_owned(),
            (errno, _) => format!("  <- failed: {}", std::io::Error::from_raw_os_error(errno)),
        };
        let room = columns.saturating_sub(note.chars().count()).max(40);
        out.push_str(&ellipsis(&text, room));
        out.push_str(&note);
        out.push('\n');
    }
    out
}

fn milliseconds(nanoseconds: i64) -> String {
    format!("{:.3} ms", nanoseconds as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(t_ns: i64, dur_ns: u64, who: &str, step: &str, args: &str, errno: i32) -> BirthStep {
        BirthStep { t_ns, dur_ns, who: who.into(), step: step.into(), args: args.into(), errno }
    }

    #[test]
    fn timeline_names_the_slowest_and_the_failed_step() {
        let steps = [
            step(2_000_000, 500_000, "shim", "clone3", "NEWPID NEWNS", 0),
            step(1_000_000, 700_000, "engine", "attach network", "", 0),
            step(3_000_000, 1_000, "init", "execve", "sh", 2),
        ];
        let expected = "web: 3 steps in 2.001 ms, 1 failed

        AT       TOOK  WHO     STEP
  0.000 ms   0.700 ms  engine  attach network  <- slowest
  1.000 ms   0.500 ms  shim    clone3 NEWPID NEWNS
  2.000 ms   0.001 ms  init    execve sh  <- failed: No such file or directory (os error 2)
";
        assert_eq!(timeline("web", &steps, usize::MAX), expected);
    }
}
