//! Descriptors that a caller hands through to the program: `--preserve-fds`, and sockets of systemd.

use crate::Error;
use std::os::fd::OwnedFd;

/// Descriptors, and what the program is told about them.
#[derive(Debug, Default)]
pub(crate) struct Preserved {
    /// They have the numbers from 3 on.
    pub(crate) fds: Vec<OwnedFd>,
    /// Variables of its environment.
    pub(crate) env: Vec<String>,
}

/// Takes the descriptors from 3 on, as many as asked for and, with `sockets`, as `LISTEN_FDS` announces. Must come before anything else is
/// opened.
///
/// # Errors
/// InvalidArgument if one of them is not open.
pub(crate) fn take(count: u32, sockets: bool) -> Result<Preserved, Error> {
    let listen = std::env::var("LISTEN_FDS")
        .ok()
        .filter(|_| sockets)
        .and_then(|text| text.parse::<u32>().ok())
        .unwrap_or(0);
    let all = count.saturating_add(listen);
    let fds =
        sys::inherit::preserved(all).map_err(|error| Error::usage(format!("--preserve-fds: {error}")))?;
    let env = match listen {
        0 => Vec::new(),
        _ => vec![format!("LISTEN_FDS={listen}"), "LISTEN_PID=1".to_owned()],
    };
    Ok(Preserved { fds, env })
}
