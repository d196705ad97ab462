//! `naru logs`.

use client::LogQuery;
use refs::Timestamp;

use crate::command::{Arity, Command, Completes, Run};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches};
use crate::format::zone::Zone;
use crate::stream::{Sink, Wiring};

/// `naru logs`.
pub(crate) const LOGS: Command = Command {
    also: &["container logs", "logs"],
    flags: &[
        Flag::switch("details", "Show extra details provided to logs"),
        Flag::switch("follow", "Follow log output").short('f'),
        Flag::one(
            "since",
            "string",
            "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)",
        ),
        Flag::one("tail", "string", "Number of lines to show from the end of the logs")
            .short('n')
            .default("all"),
        Flag::switch("timestamps", "Show timestamps").short('t'),
        Flag::one(
            "until",
            "string",
            "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)",
        ),
    ],
    completes: Completes::Containers,
    ..Command::new("[OPTIONS] CONTAINER", "Fetch the logs of a container", Arity::Exactly(1), logs)
};

fn logs<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let what = LogQuery {
        follow: flags.on("follow"),
        timestamps: flags.on("timestamps"),
        details: flags.on("details"),
        since: moment(flags, "since")?,
        until: moment(flags, "until")?,
        tail: flags.last("tail").unwrap_or("all").to_owned(),
    };
    let client = context.engine().await?;
    let container = client.container(flags.first()).await?;
    let mut chunks = client.logs(&container.id, &what).await?;
    let tty = container.config.tty;
    let wiring = Wiring { stdin: false, stdout: true, stderr: true, tty, detach_keys: String::new() };
    let mut sink = Sink::new(&wiring)?;
    while let Some(chunk) = chunks.next().await? {
        sink.write(&chunk).await?;
    }
    Ok(())
}

/// Reads a flag that is a moment, or a time back from now, and returns it as the API takes it; empty stays empty.
pub(super) fn moment(flags: &Matches, name: &str) -> Outcome<String> {
    let text = flags.text(name);
    if text.is_empty() {
        return Ok(String::new());
    }
    let now = Timestamp::from(std::time::SystemTime::now());
    let offset_s = Zone::local().at(now.seconds()).offset_s;
    let moment = Timestamp::parse_moment(text, now, offset_s)
        .map_err(|why| Failure::new(format!("invalid value for {}: {why}", crate::quote::quote(name))))?;
    Ok(format!("{}.{:09}", moment.seconds(), moment.subsec_nanos()))
}
