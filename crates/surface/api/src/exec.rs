//! `/exec`: further processes in running containers.

use crate::State;
use crate::containers::size;
use crate::convert::inspect as to_wire;
use crate::dispatch::Call;
use crate::error::{Error, invalid};
use crate::hijack::{self, Hijack};
use crate::request;
use crate::respond::{self, Reply};
use container::options::{ExecSpec, ExecStartOptions};
use http::StatusCode;
use wire::exec::{ExecCreate, ExecStart};

/// `POST /containers/{name}/exec`.
pub(crate) async fn create(state: &State, name: &str, call: Call) -> Reply {
    let (head, body) = call.request.into_parts();
    let body: ExecCreate = request::json(&head.headers, body).await?;
    let cmd = body.cmd.unwrap_or_default();
    if cmd.is_empty() {
        return Err(invalid(wire::text::NO_EXEC_COMMAND).into());
    }
    let spec = ExecSpec {
        cmd,
        env: body.env.unwrap_or_default(),
        user: body.user,
        working_dir: body.working_dir,
        tty: body.tty,
        privileged: body.privileged,
        attach_stdin: body.attach_stdin,
        attach_stdout: body.attach_stdout,
        attach_stderr: body.attach_stderr,
        detach_keys: container::detach_keys::parse(&body.detach_keys)?,
        console_size: console_size(body.console_size)?,
        is_probe: false,
    };
    let id = state.containers.exec_create(name, spec).await?;
    Ok(respond::json(StatusCode::CREATED, &wire::Id { id: id.as_str().to_owned() }))
}

fn console_size(size: Option<[u32; 2]>) -> Result<Option<(u16, u16)>, Error> {
    let Some([rows, columns]) = size else { return Ok(None) };
    match (u16::try_from(rows), u16::try_from(columns)) {
        (Ok(0), Ok(0)) => Ok(None),
        (Ok(rows), Ok(columns)) => Ok(Some((rows, columns))),
        _ => Err(invalid(format!("invalid ConsoleSize: {rows} rows, {columns} columns"))),
    }
}

/// `POST /exec/{id}/start`.
pub(crate) async fn start(state: &State, id: &str, mut call: Call) -> Reply {
    let hijack = Hijack::before_body(&mut call.request);
    let upgraded = matches!(hijack, Hijack::Upgrade(_));
    let (head, body) = call.request.into_parts();
    let start: ExecStart = request::json_or_default(&head.headers, body).await?;
    let options = ExecStartOptions { detach: start.detach, console_size: console_size(start.console_size)? };
    let attaching = state.containers.exec_start(id, options).await?;
    let Some(attaching) = attaching else { return Ok(respond::empty(StatusCode::OK)) };
    let content_type = hijack::content_type(upgraded, attaching.tty, call.version);
    let id = id.to_owned();
    hijack.answer(content_type, move |fd, early| async move {
        if let Err(error) = attaching.connect(fd, early).await {
            tracing::debug!(exec = id, error = error::chain(&error), "a client cannot be attached");
        }
    })
}

/// `POST /exec/{id}/resize`.
pub(crate) async fn resize(state: &State, id: &str, call: &Call) -> Reply {
    let (rows, columns) = size(&call.query)?;
    state.containers.exec_resize(id, rows, columns).await?;
    Ok(respond::empty(StatusCode::OK))
}

/// `GET /exec/{id}/json`.
pub(crate) async fn inspect(state: &State, id: &str) -> Reply {
    let view = state.containers.exec_inspect(id).await?;
    respond::ok(&to_wire::exec(&view))
}
