//! `naru top`.

use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, print};
use crate::failure::Outcome;
use crate::flags::{Matches, Order};
use crate::format::tabs::{Columns, align};

/// `naru top`.
pub(crate) const TOP: Command = Command {
    also: &["container top", "top"],
    order: Order::FlagsFirst,
    completes: Completes::RunningContainers,
    ..Command::new(
        "CONTAINER [ps OPTIONS]",
        "Display the running processes of a container",
        Arity::AtLeast(1),
        top,
    )
};

fn top<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let processes = context.engine().await?.top(flags.first(), &flags.args[1..].join(" ")).await?;
    let titles = processes.titles.unwrap_or_default();
    let mut text = titles.join("\t") + "\n";
    for process in processes.processes.unwrap_or_default() {
        text.push_str(&process.join("\t"));
        text.push('\n');
    }
    print(&align(&text, Columns { min_width: 20, padding: 3 }))
}
