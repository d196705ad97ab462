//! A process in the foreground: its signals, its terminal, its end.
//!
//! ```text
//! our signals ──▶ the process (but SIGCHLD, SIGPIPE, SIGURG; SIGWINCH sets the size)
//! our standard input ──▶ the terminal's master ──▶ our standard output
//! the pidfd: the end; what is left in the terminal is still copied
//! ```

use crate::Error;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;
use sys::epoll::{Epoll, Interest};
use sys::process::{Exit, Signal};
use sys::tty::{self, Raw};

/// The terminal of a process and ours.
#[derive(Debug)]
pub(crate) struct Terminal {
    master: OwnedFd,
    /// Ours is set back when this is dropped.
    _raw: Option<Raw>,
    /// What was typed and the program has not taken.
    typed: Vec<u8>,
}

impl Terminal {
    /// Connects a terminal's master with our standard input and output.
    ///
    /// # Errors
    /// Internal if ours cannot be set to raw mode.
    pub(crate) fn new(master: OwnedFd) -> Result<Self, Error> {
        let what = "use the terminal";
        sys::pipe::set_nonblocking(&master).map_err(Error::sys(what))?;
        let stdin = io::stdin().as_fd().try_clone_to_owned().ok();
        let raw = stdin.map(Raw::enter).transpose().map_err(Error::sys(what))?.flatten();
        let terminal = Self { master, _raw: raw, typed: Vec::new() };
        if terminal._raw.is_some() {
            terminal.resize();
        }
        Ok(terminal)
    }

    fn resize(&self) {
        if let Some(size) = tty::size(io::stdin()) {
            let _ = tty::set_size(&self.master, size); // The program may have ended.
        }
    }
}

/// Collects this process's signals from here on, so that none is lost that comes before [`follow`].
///
/// # Errors
/// EMFILE.
pub(crate) fn collect() -> Result<OwnedFd, Error> {
    sys::signals::collect().map_err(Error::sys("collect signals"))
}

const PROCESS: u64 = 0;
const SIGNALS: u64 = 1;
const INPUT: u64 = 2;
const MASTER: u64 = 3;

/// Serves a child of ours until its end.
///
/// # Errors
/// Those of the event loop; none is expected.
pub(crate) fn follow(pidfd: &OwnedFd, terminal: Option<Terminal>, signals: OwnedFd) -> Result<Exit, Error> {
    let what = || Error::sys("follow the container's process");
    let epoll = Epoll::new().map_err(what())?;
    epoll.add(pidfd, PROCESS, Interest::READ).map_err(what())?;
    epoll.add(&signals, SIGNALS, Interest::READ).map_err(what())?;
    let mut terminal = terminal;
    if let Some(terminal) = &terminal {
        epoll.add(&terminal.master, MASTER, Interest::READ).map_err(what())?;
        let _ = epoll.add(io::stdin(), INPUT, Interest::READ); // A file is always ready, and epoll refuses it: nothing is typed.
    }
    let mut events = Vec::new();
    loop {
        events.clear();
        epoll.wait(&mut events, None).map_err(what())?;
        for event in &events {
            match (event.token, &mut terminal) {
                (SIGNALS, terminal) => {
                    while let Some(arrived) = sys::signals::next(&signals).map_err(what())? {
                        pass(arrived.signal, pidfd, terminal.as_ref());
                    }
                }
                (INPUT, Some(terminal)) => type_in(&epoll, terminal),
                (MASTER, Some(terminal)) => {
                    if event.writable {
                        flush(&epoll, terminal);
                    }
                    if !show(terminal) {
                        let _ = epoll.remove(&terminal.master); // It is open, and was added.
                    }
                }
                _ => {}
            }
        }
        if let Some(exit) = sys::process::try_wait(pidfd).map_err(what())? {
            if let Some(terminal) = &mut terminal {
                drain(&epoll, terminal);
            }
            return Ok(exit);
        }
    }
}

fn pass(signal: Signal, pidfd: &OwnedFd, terminal: Option<&Terminal>) {
    const PIPE: i32 = 13;
    const URG: i32 = 23;
    if signal == Signal::WINCH {
        if let Some(terminal) = terminal {
            terminal.resize();
        }
    } else if signal != Signal::CHLD && ![PIPE, URG].contains(&signal.number()) {
        let _ = sys::process::send(pidfd, signal); // It may have ended just now.
    }
}

/// Copies what was typed, as far as the program takes it.
fn type_in(epoll: &Epoll, terminal: &mut Terminal) {
    let mut buffer = [0; 4096];
    match sys::pipe::read(io::stdin(), &mut buffer) {
        Ok(None) => {}
        Ok(Some(0)) | Err(_) => drop(epoll.remove(io::stdin())), // No more is typed.
        Ok(Some(count)) => {
            terminal.typed.extend_from_slice(&buffer[..count]);
            flush(epoll, terminal);
        }
    }
}

fn flush(epoll: &Epoll, terminal: &mut Terminal) {
    while !terminal.typed.is_empty() {
        match sys::pipe::write(&terminal.master, &terminal.typed) {
            Ok(Some(count)) => drop(terminal.typed.drain(..count)),
            Ok(None) => break,
            Err(_) => terminal.typed.clear(), // The program has ended.
        }
    }
    // While it does not take any, nothing more is read.
    let (input, master) = match terminal.typed.is_empty() {
        true => (Interest::READ, Interest::READ),
        false => (Interest::NONE, Interest { write: true, ..Interest::READ }),
    };
    let _ = epoll.modify(io::stdin(), INPUT, input); // It may be at its end and no longer in the set.
    let _ = epoll.modify(&terminal.master, MASTER, master); // As above.
}

/// Copies what the program has printed; false at the end.
fn show(terminal: &Terminal) -> bool {
    let mut buffer = [0; 8192];
    loop {
        match sys::pipe::read(&terminal.master, &mut buffer) {
            Ok(None) => return true,
            Ok(Some(0)) | Err(_) => return false,
            Ok(Some(count)) => {
                let mut output = io::stdout().lock();
                // Nobody reads it any more: the program goes on, as behind a closed window.
                let _ = output.write_all(&buffer[..count]).and_then(|()| output.flush());
            }
        }
    }
}

/// Copies what is left after the end; other processes may hold the terminal open, so not for ever.
fn drain(epoll: &Epoll, terminal: &Terminal) {
    let mut events = Vec::new();
    while show(terminal) {
        events.clear();
        let waited = epoll.wait(&mut events, Some(Duration::from_millis(100)));
        if waited.is_err() || !events.iter().any(|event| event.token == MASTER) {
            return;
        }
    }
}
