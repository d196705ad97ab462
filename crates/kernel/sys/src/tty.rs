//! Terminals: the two sides of a pseudo-terminal, and their size.

use crate::{Call, Result};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use std::os::fd::{AsFd, OwnedFd};

/// A terminal's size in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters per line.
    pub columns: u16,
}

/// Permits opening the slave of a master.
///
/// # Errors
/// ENOTTY if it is no master.
///
/// # Source
/// man 3 unlockpt
pub fn unlock(master: impl AsFd) -> Result<()> {
    Call("ioctl").result(rustix::pty::unlockpt(&master), || format!("{:?}, TIOCSPTLCK, 0", master.as_fd()))
}

/// Opens the slave of a master without naming it: no path can be swapped in between.
///
/// # Errors
/// EIO if it is locked.
///
/// # Source
/// man 2 ioctl_tty, TIOCGPTPEER (since 4.13)
pub fn open_peer(master: impl AsFd) -> Result<OwnedFd> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    Call("ioctl").result(rustix::pty::ioctl_tiocgptpeer(&master, flags), || {
        format!("{:?}, TIOCGPTPEER, O_RDWR|O_NOCTTY|O_CLOEXEC", master.as_fd())
    })
}

/// Sets a terminal's size; the foreground process group gets SIGWINCH if it differs.
///
/// # Errors
/// ENOTTY if it is no terminal.
pub fn set_size(terminal: impl AsFd, size: Size) -> Result<()> {
    let Size { rows, columns } = size;
    let value = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    Call("ioctl").result(rustix::termios::tcsetwinsize(&terminal, value), || {
        format!("{:?}, TIOCSWINSZ, {{{rows}, {columns}}}", terminal.as_fd())
    })
}

/// Returns a terminal's size; none if the descriptor is no terminal.
pub fn size(terminal: impl AsFd) -> Option<Size> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    Some(Size { rows: size.ws_row, columns: size.ws_col })
}

/// A terminal in raw mode; dropping it sets back how it was.
#[derive(Debug)]
pub struct Raw {
    terminal: OwnedFd,
    before: rustix::termios::Termios,
}

impl Raw {
    /// Sets a terminal to raw mode; none if the descriptor is no terminal.
    ///
    /// # Errors
    /// EIO if it is another session's.
    pub fn enter(terminal: OwnedFd) -> Result<Option<Self>> {
        let Ok(before) = rustix::termios::tcgetattr(&terminal) else { return Ok(None) };
        let mut raw = before.clone();
        raw.make_raw();
        let done = rustix::termios::tcsetattr(&terminal, rustix::termios::OptionalActions::Now, &raw);
        Call("ioctl").result(done, || format!("{terminal:?}, TCSETS"))?;
        Ok(Some(Self { terminal, before }))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let how = rustix::termios::OptionalActions::Now;
        let _ = rustix::termios::tcsetattr(&self.terminal, how, &self.before); // The terminal may be gone.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn master_and_peer_are_one_terminal() {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("ptmx");
        unlock(&master).expect("unlock");
        let peer = open_peer(&master).expect("peer");
        set_size(&master, Size { rows: 30, columns: 100 }).expect("resize");
        let size = rustix::termios::tcgetwinsize(&peer).expect("size");
        assert_eq!((size.ws_row, size.ws_col), (30, 100));
        assert_eq!(crate::pipe::write(&peer, b"hi\n"), Ok(Some(3)));
        let mut buffer = [0; 8];
        assert_eq!(crate::pipe::read(&master, &mut buffer), Ok(Some(4)));
        assert_eq!(&buffer[..4], b"hi\r\n");
    }
}
