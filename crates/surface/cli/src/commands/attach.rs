//! `naru attach`.

use client::{AttachTo, Client};
use wire::inspect::ContainerInspect;

use super::accompany::{accompany, of_container, outcome, resize};
use super::run::status;
use crate::command::{Arity, Command, Completes, Run};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches};
use crate::signals::Forwarded;
use crate::stream::{self, End, Wiring};
use crate::term::{self, Size};

/// `naru attach`.
pub(crate) const ATTACH: Command = Command {
    also: &["container attach", "attach"],
    flags: &[
        Flag::one("detach-keys", "string", "Override the key sequence for detaching a container"),
        Flag::switch("no-stdin", "Do not attach STDIN"),
        Flag::switch("sig-proxy", "Proxy all received signals to the process").default("true"),
    ],
    completes: Completes::RunningContainers,
    ..Command::new(
        "[OPTIONS] CONTAINER",
        "Attach local standard input, output, and error streams to a running container",
        Arity::Exactly(1),
        attach,
    )
};

fn attach<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let detach_keys = flags.last("detach-keys").unwrap_or(&context.config.detach_keys).to_owned();
    stream::parse_keys(&detach_keys)?;
    let client = context.engine().await?;
    let name = flags.first();
    // Asked for first: an exit between here and the attaching is not missed.
    let waiting = client.wait(name, "").await?;
    let container = attachable(client, name).await?;
    let (id, tty) = (container.id, container.config.tty);
    stream::check_tty(!flags.on("no-stdin"), tty)?;
    let wiring = Wiring {
        stdin: !flags.on("no-stdin") && container.config.open_stdin,
        stdout: true,
        stderr: true,
        tty,
        detach_keys,
    };
    let signals = match flags.on_by_default("sig-proxy") && !tty {
        true => Forwarded::catch().ok().map(|signals| (signals, id.clone())),
        false => None,
    };
    let to =
        AttachTo { stdin: wiring.stdin, stdout: true, stderr: true, detach_keys: wiring.detach_keys.clone() };
    let connection = client.attach(&id, &to).await?;
    attachable(client, &id).await?;
    let terminal = of_container(&id, tty);
    if let Some(size) = term::size()
        && !matches!(terminal, super::accompany::Terminal::None)
    {
        // A program draws its screen again when the size changes; so it is changed, and changed back.
        let other = Size { rows: size.rows.saturating_add(1), columns: size.columns.saturating_add(1) };
        resize(client.clone(), terminal.clone(), Some(other)).await;
        tokio::spawn(resize(client.clone(), terminal.clone(), Some(size)));
    }
    match accompany(client, stream::converse(connection, &wiring), signals, terminal).await? {
        End::Detached => Err(Failure::new("read escape sequence")),
        End::Closed => status(outcome(context, &id, waiting).await?),
    }
}

async fn attachable(client: &Client, name: &str) -> Outcome<ContainerInspect> {
    let container = client.container(name).await?;
    let state = &container.state;
    let why = match () {
        () if !state.running => "You cannot attach to a stopped container, start it first",
        () if state.paused => "You cannot attach to a paused container, unpause it first",
        () if state.restarting => "You cannot attach to a restarting container, wait until it is running",
        () => return Ok(container),
    };
    Err(Failure::new(why))
}
