//! Handing a terminal's master to the caller (`--console-socket`).

use crate::Error;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

/// Sends the master over the socket, with its name as runc and crun do.
///
/// # Errors
/// Internal if nobody listens.
pub(crate) fn send(socket: &Path, master: &OwnedFd) -> Result<(), Error> {
    let what = || format!("send the terminal to {}", socket.display());
    let connection = sys::socket::connect_stream(socket).map_err(Error::sys(what()))?;
    let sent = sys::socket::send_message(&connection, b"/dev/ptmx", &[master.as_fd()]);
    match sent.map_err(Error::sys(what()))? {
        Some(()) => Ok(()),
        None => Err(Error::Status(format!("cannot {}: its queue is full", what()))),
    }
}
