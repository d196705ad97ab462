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
            multiplexed: !tty && !options.raw,
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
    let wanted = LogOptions {
        stdout: options.stdout,
        stderr: options.stderr,
        raw: options.raw,
        ..LogOptions::default()
    };
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

/// Reads what a supervisor sends to a client, frame by frame, until it closes the connection.
///
/// # Errors
/// Those of the socket.
pub(crate) async fn read_frames(socket: OwnedFd, mut take: impl FnMut(&[u8])) -> Result<(), Error> {
    let socket = watch(socket)?;
    let mut scratch = [0; 4096];
    let mut frames = Frames::default();
    loop {
        match sys::socket::receive(socket.get_ref().as_fd(), &mut scratch)? {
            Some(0) => return Ok(()),
            Some(count) => frames.push(&scratch[..count], &mut take),
            None => {
                let mut guard = socket.readable().await.map_err(Error::file("watch", "socket"))?;
                guard.clear_ready();
            }
        }
    }
}

/// Takes the eight-byte headers out of a stream: stream, three zeros, length.
#[derive(Debug, Default)]
struct Frames {
    header: Vec<u8>,
    /// What is missing of the present frame.
    rest: usize,
}

impl Frames {
    fn push(&mut self, mut bytes: &[u8], take: &mut impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            if self.rest > 0 {
                let (now, later) = bytes.split_at(self.rest.min(bytes.len()));
                take(now);
                self.rest -= now.len();
                bytes = later;
                continue;
            }
            let (now, later) = bytes.split_at((8 - self.header.len()).min(bytes.len()));
            self.header.extend_from_slice(now);
            bytes = later;
            if let Ok([_, _, _, _, length @ ..]) = <[u8; 8]>::try_from(&self.header[..]) {
                self.rest = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                self.header.clear();
            }
        }
    }
}

#[expect(
    deprecated,
    reason = "unsound only for types that may close or change their descriptor meanwhile; an OwnedFd does not"
)]
fn watch(fd: OwnedFd) -> Result<AsyncFd<OwnedFd>, Error> {
    AsyncFd::new(fd).map_err(Error::file("watch", "socket"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_joined_however_they_are_cut() {
        let stream = [
            &[1, 0, 0, 0, 0, 0, 0, 3][..],
            b"abc",
            &[2, 0, 0, 0, 0, 0, 0, 0],
            &[2, 0, 0, 0, 0, 0, 0, 2],
            b"de",
        ]
        .concat();
        for size in 1..stream.len() {
            let (mut frames, mut text) = (Frames::default(), Vec::new());
            for piece in stream.chunks(size) {
                frames.push(piece, &mut |bytes| text.extend_from_slice(bytes));
            }
            assert_eq!(text, b"abcde", "pieces of {size}");
        }
    }
}
