//! Letting a process go that waits for its start without a parent.
//!
//! ```text
//! who starts                      child, at Op::Await on a listening socket
//!   connect ── byte ───────────▶  accept, read; a connection without a byte was only a look
//!           ◀── shared page ────  (a memory file: reporting needs no system call that a filter could refuse)
//!                                 op, op, …
//!   end of file ◀───────────────  execve succeeded, or the shared page says what failed
//! ```

use super::run::Done;
use super::shared::{Fault, Named as _, Reason, Shared, State};
use super::spawn::{Event, await_parent, failure};
use crate::process::Exit;
use crate::{Call, Errno, Result, socket};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, recvmsg, send, sendmsg,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, IntoRawFd as _, OwnedFd};
use std::path::Path;

/// The names of the ops that a waiting process still has before it, for the text of an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// The number of the first of them in the whole list.
    pub from: usize,
    /// Their names and arguments.
    pub names: Vec<(String, String)>,
}

/// Returns whether a process waits for [`release`] at this socket.
///
/// # Errors
/// Those of connect but for what says that nobody waits.
pub fn waits(path: &Path) -> Result<bool> {
    match socket::connect_messages(path) {
        Ok(_) => Ok(true),
        Err(error) if error.is(Errno::NOENT) || error.is(Errno::CONNREFUSED) => Ok(false),
        Err(error) if error.is(Errno::AGAIN) => Ok(true), // Its queue is full: it is frozen.
        Err(error) => Err(error),
    }
}

/// Lets the process go on that waits at the socket, and waits until it has executed its program or given up.
///
/// # Errors
/// ENOENT, ECONNREFUSED if nobody waits there.
pub fn release(path: &Path, labels: &Labels) -> Result<Event> {
    let connection = socket::connect_messages(path)?;
    let args = || "child".to_owned();
    Call("send").retry(|| send(&connection, &[0], SendFlags::NOSIGNAL), args)?;
    let page = receive(&connection)?;
    let Some(page) = page else { return Ok(died()) };
    let shared = Shared::of_file(page)?;
    receive(&connection)?; // The end of the connection: nothing more is sent.
    Ok(match shared.state() {
        State::Executing => Event::Executed,
        State::Preparing => died(),
        State::Failed => Event::Failed(failure(&shared, |op| {
            let at = op.checked_sub(labels.from).and_then(|at| labels.names.get(at));
            at.cloned().unwrap_or_default()
        })),
    })
}

/// Only SIGKILL ends a process that has reached this point without its saying so.
fn died() -> Event {
    Event::Died(Exit { code: 128 + libc::SIGKILL, signal: Some(libc::SIGKILL) })
}

fn receive(connection: &OwnedFd) -> Result<Option<OwnedFd>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    loop {
        let parts = &mut [IoSliceMut::new(&mut byte)];
        match recvmsg(connection, parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            Err(Errno::CONNRESET) => return Ok(None),
            other => {
                Call("recvmsg").result(other, || "child".into())?;
                break;
            }
        }
    }
    Ok(ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    }))
}

/// Waits in the child. The connection stays open until execve.
pub(super) fn await_release(listener: &OwnedFd, shared: &Shared) -> Done {
    let page = shared.file().ok_or(Errno::BADF).call("sendmsg")?;
    loop {
        let connection = match rustix::net::accept_with(listener, SocketFlags::CLOEXEC) {
            Err(Errno::INTR | Errno::CONNABORTED) => continue,
            other => other.call("accept4")?,
        };
        if !matches!(await_parent(connection.as_fd()), Ok(true)) {
            continue;
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let fds = [page.as_fd()];
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
        let sent = sendmsg(&connection, &[IoSlice::new(&[0])], &mut ancillary, SendFlags::NOSIGNAL);
        match sent {
            // Who wanted to start it is gone again: the next one may.
            Err(Errno::PIPE | Errno::CONNRESET) => {}
            Err(errno) => return Err(Fault { reason: Reason::Call, call: "sendmsg", errno }),
            Ok(_) => {
                let _ = connection.into_raw_fd(); // CLOEXEC: execve or the end of the process closes it.
                return Ok(());
            }
        }
    }
}
