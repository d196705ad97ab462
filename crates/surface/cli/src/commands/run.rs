//! `naru run`.

use client::{AttachTo, Client};
use error::{Fault, Kind};
use wire::container::Waited;

use super::accompany::{accompany, of_container, outcome, resize};
use super::create;
use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, line, warn};
use crate::failure::{ENGINE, Failure, Outcome};
use crate::flags::{Matches, Order};
use crate::run::flags;
use crate::signals::Forwarded;
use crate::stream::{self, End, Wiring};
use crate::term;

/// `naru run`.
pub(crate) const RUN: Command = Command {
    also: &["container run", "run"],
    flags: flags::RUN,
    missing: flags::MISSING,
    order: Order::FlagsFirst,
    completes: Completes::Images,
    ..Command::new(
        "[OPTIONS] IMAGE [COMMAND] [ARG...]",
        "Create and run a new container from an image",
        Arity::AtLeast(1),
        run,
    )
};

fn run<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        work(context, flags).await.map_err(|failure| match failure.code {
            // What was not said to be anything else is the engine's fault, or ours; a program that failed says nothing.
            1 if !failure.text.is_empty() => failure.with_code(ENGINE).of_command("run"),
            _ => failure.of_command("run"),
        })
    })
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let body = create::body(context, flags)?;
    let config = &body.config;
    let detach_keys = flags.last("detach-keys").unwrap_or(&context.config.detach_keys);
    let wiring = Wiring {
        stdin: config.attach_stdin,
        stdout: config.attach_stdout,
        stderr: config.attach_stderr,
        tty: config.tty,
        detach_keys: detach_keys.to_owned(),
    };
    stream::parse_keys(&wiring.detach_keys)?;
    match flags.on("detach") {
        true if !flags.all("attach").is_empty() => {
            return Err(Failure::new("conflicting options: cannot specify both --attach and --detach"));
        }
        true => {}
        false => stream::check_tty(wiring.stdin, wiring.tty)?,
    }
    let id = create::new_container(context, flags, &body).await?;
    let client = context.engine().await?;
    let run = Running { context, client, id, auto_remove: flags.on("rm") };
    match wiring.stdin || wiring.stdout || wiring.stderr {
        false => run.alone().await,
        true => run.attached(&wiring, flags.on_by_default("sig-proxy")).await,
    }
}

struct Running<'a> {
    context: &'a Context,
    client: &'a Client,
    id: String,
    auto_remove: bool,
}

impl Running<'_> {
    /// Starts the container and leaves it alone.
    async fn alone(&self) -> Outcome {
        line(&self.id)?;
        match self.client.start(&self.id).await {
            Ok(()) => Ok(()),
            Err(error) => {
                if self.auto_remove
                    && let Ok(waiting) = self.client.wait(&self.id, "removed").await
                {
                    let _ = waiting.result().await; // the start's error is what counts
                }
                Err(start_failure(error))
            }
        }
    }

    /// Attaches, starts the container, and stays until it has ended.
    async fn attached(&self, wiring: &Wiring, proxy: bool) -> Outcome {
        let signals = match proxy {
            true => Some((Forwarded::catch().map_err(no_signals)?, self.id.clone())),
            false => None,
        };
        let to = AttachTo {
            stdin: wiring.stdin,
            stdout: wiring.stdout,
            stderr: wiring.stderr,
            detach_keys: wiring.detach_keys.clone(),
        };
        // In this order no output and no exit is lost: attach, wait, start.
        let connection = self.client.attach(&self.id, &to).await?;
        let condition = if self.auto_remove { "removed" } else { "next-exit" };
        let waiting = self.client.wait(&self.id, condition).await?;
        if let Err(error) = self.client.start(&self.id).await {
            drop(connection);
            if self.auto_remove {
                let _ = waiting.result().await; // the start's error is what counts
            }
            return Err(start_failure(error));
        }
        let terminal = of_container(&self.id, wiring.tty);
        tokio::spawn(resize(self.client.clone(), terminal.clone(), term::size()));
        let conversation = stream::converse(connection, wiring);
        let (end, waited) = if wiring.stdout || wiring.stderr {
            match accompany(self.client, conversation, signals, terminal).await? {
                End::Detached => (End::Detached, None),
                End::Closed => (End::Closed, Some(outcome(self.context, &self.id, waiting).await?)),
            }
        } else {
            // Nothing comes back: only the end of the program ends this.
            let mut waiting = std::pin::pin!(outcome(self.context, &self.id, waiting));
            tokio::select! {
                waited = &mut waiting => (End::Closed, Some(waited?)),
                end = accompany(self.client, conversation, signals, terminal) => match end? {
                    End::Detached => (End::Detached, None),
                    End::Closed => (End::Closed, Some(waiting.await?)),
                },
            }
        };
        match (end, waited) {
            (End::Detached, _) | (End::Closed, None) => Ok(()),
            (End::Closed, Some(waited)) => status(waited),
        }
    }
}

fn no_signals(why: std::io::Error) -> Failure {
    Failure::new(format!("cannot catch signals: {why}"))
}

/// Turns a container's end into ours.
pub(super) fn status(waited: Waited) -> Outcome {
    if let Some(error) = waited.error.filter(|error| !error.message.is_empty()) {
        warn(&format!("Error waiting for container: {}", error.message));
        return Err(Failure::status(i64::from(ENGINE)));
    }
    match waited.status_code {
        0 => Ok(()),
        code => Err(Failure::status(code)),
    }
}

/// Returns the failure of a start: 127 or 126 if the program is at fault, as a shell would say.
fn start_failure(error: client::Error) -> Failure {
    let code = start_code(&error);
    Failure::from(error).with_code(code)
}

fn start_code(error: &client::Error) -> u8 {
    if let client::Error::Engine { code: None, message, .. } = error {
        // Docker's engines say it in the text only.
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if says(&["executable file not found", "no such file or directory"]) {
            return 127;
        }
        if says(&["permission denied", "is a directory"]) {
            return 126;
        }
    }
    match error.kind() {
        kind @ (Kind::CommandNotFound | Kind::CommandNotExecutable) => kind.exit_code(),
        _ => ENGINE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(message: &str, code: Option<&str>) -> client::Error {
        client::Error::Engine {
            status: 400,
            message: message.into(),
            code: code.map(str::to_owned),
            hint: None,
        }
    }

    #[test]
    fn exit_code_of_a_failed_start_is_a_shells() {
        let cases = [
            (engine("exec: \"x\": executable file not found in $PATH", None), 127),
            (engine("exec: \"/x\": stat /x: no such file or directory", None), 127),
            (engine("exec: \"/etc\": is a directory: permission denied", None), 126),
            (engine("port is already allocated", None), 125),
            (engine("any words", Some("command_not_found")), 127),
            (engine("any words", Some("command_not_executable")), 126),
            (engine("bind source: no such file or directory", Some("invalid_argument")), 125),
        ];
        for (error, code) in cases {
            assert_eq!(start_code(&error), code, "{error}");
        }
    }

    #[test]
    fn exit_code_of_the_program_is_passed_on() {
        let waited = |status_code| Waited { status_code, ..Waited::default() };
        assert_eq!(status(waited(0)), Ok(()));
        assert_eq!(status(waited(3)).map_err(|failure| failure.code), Err(3));
        assert_eq!(status(waited(137)).map_err(|failure| failure.code), Err(137));
    }
}
