//! `naru exec`.

use wire::exec::{ExecCreate, ExecStart};

use super::accompany::{Terminal, accompany, resize};
use crate::command::{Arity, Command, Completes, Run};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches, Order};
use crate::run::{Surroundings, check, environment};
use crate::stream::{self, End, Wiring};
use crate::term;

/// `naru exec`.
pub(crate) const EXEC: Command = Command {
    also: &["container exec", "exec"],
    flags: &[
        Flag::switch("detach", "Detached mode: run command in the background").short('d'),
        Flag::one("detach-keys", "string", "Override the key sequence for detaching a container"),
        Flag::many("env", "list", "Set environment variables").short('e').check(check::env),
        Flag::many("env-file", "list", "Read in a file of environment variables"),
        Flag::switch("interactive", "Keep STDIN open even if not attached").short('i'),
        Flag::switch("privileged", "Give extended privileges to the command"),
        Flag::switch("tty", "Allocate a pseudo-TTY").short('t'),
        Flag::one("user", "string", "Username or UID (format: \"<name|uid>[:<group|gid>]\")").short('u'),
        Flag::one("workdir", "string", "Working directory inside the container").short('w'),
    ],
    order: Order::FlagsFirst,
    completes: Completes::RunningContainers,
    ..Command::new(
        "[OPTIONS] CONTAINER COMMAND [ARG...]",
        "Execute a command in a running container",
        Arity::AtLeast(2),
        exec,
    )
};

fn exec<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

/// Returns the create request that the flags stand for.
fn body(flags: &Matches, detach_keys: &str, around: &Surroundings<'_>) -> Result<ExecCreate, String> {
    let attached = !flags.on("detach");
    let tty = flags.on("tty");
    Ok(ExecCreate {
        user: flags.text("user").to_owned(),
        privileged: flags.on("privileged"),
        tty,
        console_size: around.terminal.filter(|_| tty).map(|size| [size.rows.into(), size.columns.into()]),
        attach_stdin: attached && flags.on("interactive"),
        attach_stderr: attached,
        attach_stdout: attached,
        detach: !attached,
        detach_keys: detach_keys.to_owned(),
        env: Some(environment(flags, around)?).filter(|env| !env.is_empty()),
        working_dir: flags.text("workdir").to_owned(),
        cmd: Some(flags.args[1..].to_vec()),
    })
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let detach_keys = flags.last("detach-keys").unwrap_or(&context.config.detach_keys).to_owned();
    stream::parse_keys(&detach_keys)?;
    let body =
        Surroundings::with(Vec::new(), |around| body(flags, &detach_keys, around)).map_err(Failure::new)?;
    if !body.detach {
        stream::check_tty(body.attach_stdin, body.tty)?;
    }
    let client = context.engine().await?;
    let id = client.exec_create(flags.first(), &body).await?;
    let start = ExecStart { detach: body.detach, tty: body.tty, console_size: body.console_size };
    if body.detach {
        return Ok(client.exec_start(&id, &start).await?);
    }
    let connection = client.exec_attach(&id, &start).await?;
    let wiring = Wiring { stdin: body.attach_stdin, stdout: true, stderr: true, tty: body.tty, detach_keys };
    let terminal = match body.tty && term::stdin_is_terminal() {
        true => Terminal::Exec(id.clone()),
        false => Terminal::None,
    };
    tokio::spawn(resize(client.clone(), terminal.clone(), term::size()));
    match accompany(client, stream::converse(connection, &wiring), None, terminal).await? {
        End::Detached => Err(Failure::new("read escape sequence")),
        End::Closed => match client.exec_inspect(&id).await?.exit_code.unwrap_or(0) {
            0 => Ok(()),
            code => Err(Failure::status(code)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::parse;

    #[test]
    fn request_is_that_of_dockers_command_line() {
        // docker 28.2.2: the body of POST /v1.50/containers/c/exec sent by `docker exec -d -e A=b c ls -l`.
        let golden = r#"{"User":"","Privileged":false,"Tty":false,"AttachStdin":false,"AttachStderr":false,
            "AttachStdout":false,"Detach":true,"DetachKeys":"","Env":["A=b"],"WorkingDir":"","Cmd":["ls","-l"]}"#;
        let words: Vec<String> = ["-d", "-e", "A=b", "c", "ls", "-l"].map(str::to_owned).to_vec();
        let flags = parse(EXEC.flags, EXEC.missing, EXEC.order, &words).expect("valid");
        let body = Surroundings::with(Vec::new(), |around| body(&flags, "", around)).expect("valid");
        let expected: serde_json::Value = serde_json::from_str(golden).expect("golden");
        assert_eq!(serde_json::to_value(body).expect("JSON"), expected);
    }
}
