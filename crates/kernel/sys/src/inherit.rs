//! Descriptors that this process was started with: sockets of systemd, and those that a caller hands through.

use std::io::{Error, ErrorKind};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// The first descriptor that systemd passes.
const FIRST: i32 = 3;

/// Takes the descriptors that `LISTEN_PID` and `LISTEN_FDS` announce; none if they announce none to this process.
///
/// Call it once, before anything else opens descriptors: each descriptor is owned by the returned values afterwards.
///
/// # Errors
/// The variables are malformed, or a descriptor that they announce is not open.
///
/// # Source
/// man 3 sd_listen_fds.
pub fn listen_fds() -> Result<Vec<OwnedFd>, Error> {
    let variable = |name: &str| -> Result<Option<i32>, Error> {
        match std::env::var(name) {
            Ok(text) => {
                let number = text.parse().map_err(|_| {
                    Error::new(ErrorKind::InvalidInput, format!("{name}={text:?} is not a number"))
                })?;
                Ok(Some(number))
            }
            Err(_) => Ok(None),
        }
    };
    let own = i32::try_from(std::process::id()).expect("process ids fit into i32");
    if variable("LISTEN_PID")? != Some(own) {
        return Ok(Vec::new());
    }
    let count = variable("LISTEN_FDS")?.unwrap_or(0);
    (FIRST..FIRST.saturating_add(count)).map(take).collect()
}

/// Takes the descriptors from 3 on that the caller wants to hand through to a program, with CLOEXEC set.
///
/// Call it once, before anything else opens descriptors: each descriptor is owned by the returned values afterwards.
///
/// # Errors
/// One of them is not open.
pub fn preserved(count: u32) -> Result<Vec<OwnedFd>, Error> {
    let last = i32::try_from(count).ok().and_then(|count| FIRST.checked_add(count));
    let last = last.ok_or_else(|| Error::new(ErrorKind::InvalidInput, format!("{count} is too many")))?;
    // All are looked at first: nothing may be owned, and closed again, of a list that has a hole.
    for fd in FIRST..last {
        // SAFETY: F_GETFD only reads a flag of a descriptor that may or may not be open.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            return Err(Error::new(ErrorKind::InvalidInput, format!("descriptor {fd} is not open")));
        }
    }
    (FIRST..last).map(take).collect()
}

fn take(fd: i32) -> Result<OwnedFd, Error> {
    // SAFETY: fcntl with F_SETFD only sets a flag of a descriptor that may or may not be open; it touches no memory.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return Err(Error::last_os_error());
    }
    // SAFETY: the descriptor is open (fcntl succeeded), and systemd passed it to this process to own; the caller calls
    // this once, before other descriptors could have taken its number.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    debug_assert_eq!(owned.as_raw_fd(), fd);
    Ok(owned)
}
