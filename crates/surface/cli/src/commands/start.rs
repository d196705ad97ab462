//! `naru start`.

use client::AttachTo;

use super::accompany::{accompany, of_container, outcome, resize};
use super::run::status;
use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, line, warn};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches, Missing};
use crate::signals::Forwarded;
use crate::stream::{self, End, Wiring};
use crate::term;

const CHECKPOINT: &str = "containers cannot be frozen to disk";

/// `naru start`.
pub(crate) const START: Command = Command {
    also: &["container start", "start"],
    flags: &[
        Flag::switch("attach", "Attach STDOUT/STDERR and forward signals").short('a'),
        Flag::one("detach-keys", "string", "Override the key sequence for detaching a container"),
        Flag::switch("interactive", "Attach container's STDIN").short('i'),
    ],
    missing: &[Missing::new("checkpoint", CHECKPOINT), Missing::new("checkpoint-dir", CHECKPOINT)],
    completes: Completes::Containers,
    ..Command::new(
        "[OPTIONS] CONTAINER [CONTAINER...]",
        "Start one or more stopped containers",
        Arity::AtLeast(1),
        start,
    )
};

fn start<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        match flags.on("attach") || flags.on("interactive") {
            true => attached(context, flags).await,
            false => alone(context, &flags.args).await,
        }
    })
}

async fn alone(context: &Context, names: &[String]) -> Outcome {
    let client = context.engine().await?;
    let mut failed = Vec::new();
    for name in names {
        match client.start(name).await {
            Ok(()) => line(name)?,
            Err(error) => {
                warn(&Failure::from(error).shown());
                failed.push(name.as_str());
            }
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(format!("Error: failed to start containers: {}", failed.join(", ")))),
    }
}

async fn attached(context: &Context, flags: &Matches) -> Outcome {
    if flags.args.len() > 1 {
        return Err(Failure::new("you cannot start and attach multiple containers at once"));
    }
    let detach_keys = flags.last("detach-keys").unwrap_or(&context.config.detach_keys).to_owned();
    stream::parse_keys(&detach_keys)?;
    let client = context.engine().await?;
    let container = client.container(flags.first()).await?;
    let (id, tty) = (container.id, container.config.tty);
    let signals = match tty {
        true => None,
        false => Forwarded::catch().ok().map(|signals| (signals, id.clone())),
    };
    let wiring = Wiring {
        stdin: flags.on("interactive") && container.config.open_stdin,
        stdout: true,
        stderr: true,
        tty,
        detach_keys,
    };
    let to =
        AttachTo { stdin: wiring.stdin, stdout: true, stderr: true, detach_keys: wiring.detach_keys.clone() };
    let connection = client.attach(&id, &to).await?;
    let auto_remove = container.host_config.auto_remove;
    let waiting = client.wait(&id, if auto_remove { "removed" } else { "next-exit" }).await?;
    if let Err(error) = client.start(&id).await {
        if auto_remove {
            let _ = waiting.result().await; // the start's error is what counts
        }
        return Err(error.into());
    }
    let terminal = of_container(&id, tty);
    tokio::spawn(resize(client.clone(), terminal.clone(), term::size()));
    match accompany(client, stream::converse(connection, &wiring), signals, terminal).await? {
        End::Detached => Ok(()),
        End::Closed => status(outcome(context, &id, waiting).await?),
    }
}
