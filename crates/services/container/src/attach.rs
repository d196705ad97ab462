//! Attaching clients to a container's first process.

use crate::Error;
use crate::attachments::{Announcement, Attachments};
use crate::context::Context;
use crate::error::Request;
use crate::happenings;
use crate::logs;
use crate::machine::Refusal;
use crate::options::{AttachOptions, LogOptions};
use crate::shared::Shared;
use crate::view::Status;
use futures_util::StreamExt as _;
use shimwire::Attach;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use tokio::io::unix::AsyncFd;

/// A client that was permitted to attach and has not handed over its socket yet. A start of the container waits for it;
/// dropping it gives up.
#[derive(Debug)]
pub struct Attaching {
    /// Whether the container has a terminal: the stream is raw then.
    pub tty: bool,
    context: Arc<Context>,
    shared: Arc<Shared>,
    announcement: Announcement,
    options: AttachOptions,
}

/// Permits a client to attach.
///
/// # Errors
/// Conflict if the container is paused, restarting or being removed.
pub(crate) fn begin(
    context: &Arc<Context>,
    shared: &Arc<Shared>,
    name: &str,
    options: AttachOptions,
) -> Result<Attaching, Error> {
    let view = shared.view();
    let refusal = match view.state.status {
        Status::Created | Status::Running | Status::Exited => None,
        Status::Paused => Some(Refusal::AlreadyPaused),
        Status::Restarting => Some(Refusal::Restarting),
        Status::Removing => Some(Refusal::Removing),
    };
    if let Some(refusal) = refusal {
        return Err(shared.refuse(refusal, Request::Attach, name));
    }
    happenings::publish(context, &view, "attach", []);
    Ok(Attaching {
        tty: view.config.tty,
        context: Arc::clone(context),
        shared: Arc::clone(shared),
        announcement: Attachments::announce(&shared.attachments),
        options,
    })
}

impl Attaching {
    /// Hands the client's socket over, with the bytes that it has sent already. Returns when the supervisor has it, or when
    /// it waits for the container's start; with `stream` unset when the log was replayed.
    ///
    /// # Errors
    /// Internal if the log cannot be read or the client is gone.
    pub async fn connect(self, socket: OwnedFd, early: Vec<u8>) -> Result<(), Error> {
        let Self { tty, context, shared, announcement, options } = self;
        if options.logs {
            replay(&context, &shared, &options, &socket).await?;
        }
        if !options.stream {
            return Ok(()); // Closing the socket ends the stream.
        }
        let attach = Attach {
            stdin: options.stdin,
            stdout: options.stdout,
            stderr: options.stderr && !tty,
            detach_keys: if tty { options.detach_keys } else { Vec::new() },
            early_input: early,
            multiplexed: !tty,
        };
        announcement.connect(attach, socket).await;
        Ok(())
    }
}

async fn replay(
    context: &Arc<Context>,
    shared: &Arc<Shared>,
    options: &AttachOptions,
    socket: &OwnedFd,
) -> Result<(), Error> {
    let wanted = LogOptions { stdout: options.stdout, stderr: options.stderr, ..LogOptions::default() };
    if !wanted.stdout && !wanted.stderr {
        return Ok(());
    }
    let mut logs = logs::open(context, Arc::clone(shared), wanted).await?;
    let copy = socket.try_clone().map_err(Error::file("duplicate", "socket"))?;
    let socket = watch(copy)?;
    while let Some(piece) = logs.next().await {
        let mut rest = &piece[..];
        while !rest.is_empty() {
            match sys::socket::send(socket.get_ref().as_fd(), rest)? {
                Some(count) => rest = &rest[count..],
                None => {
                    let mut guard = socket.writable().await.map_err(Error::file("watch", "socket"))?;
                    guard.clear_ready();
                }
            }
        }
    }
    Ok(())
}

#[expect(
    deprecated,
    reason = "unsound only for types that may close or change their descriptor meanwhile; an OwnedFd does not"
)]
fn watch(fd: OwnedFd) -> Result<AsyncFd<OwnedFd>, Error> {
    AsyncFd::new(fd).map_err(Error::file("watch", "socket"))
}
