//! What create, run and exec share: the program's own file, standard streams, cgroups that are taken.

use crate::Error;
use crate::store::Record;
use runtime::{Running, Stdio};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

/// Goes on only in a program whose file no container can write: executes it again from a safe place if need be.
///
/// # Errors
/// Internal if no safe place can be made.
pub(crate) fn protect() -> Result<(), Error> {
    let what = "run from a file that containers cannot write";
    if sys::protect::is_protected().map_err(Error::sys(what))? {
        return Ok(());
    }
    // Returns only if it failed; the new program finds itself protected.
    Err(Error::sys(what)(sys::protect::execute_protected()))
}

/// Returns the streams of a process: the caller's, or a terminal.
///
/// # Errors
/// EMFILE.
pub(crate) fn stdio(terminal: bool) -> Result<Stdio, Error> {
    if terminal {
        return Ok(Stdio::Terminal);
    }
    Ok(Stdio::Streams {
        stdin: duplicate(io::stdin().as_fd().try_clone_to_owned())?,
        stdout: duplicate(io::stdout().as_fd().try_clone_to_owned())?,
        stderr: duplicate(io::stderr().as_fd().try_clone_to_owned())?,
    })
}

/// A caller that has closed a stream gets /dev/null for it.
fn duplicate(copy: io::Result<OwnedFd>) -> Result<OwnedFd, Error> {
    let null = Path::new("/dev/null");
    match copy {
        Ok(fd) => Ok(fd),
        Err(_) => {
            let opened = File::options().read(true).write(true).open(null);
            Ok(opened.map_err(Error::file("open", null))?.into())
        }
    }
}

/// Refuses a cgroup in which there are processes: they would get the container's limits, and its end.
///
/// # Errors
/// Conflict if there are some.
pub(crate) fn refuse_taken_cgroup(record: &Record) -> Result<(), Error> {
    if record.cgroup.is_empty() {
        return Ok(());
    }
    let cgroup = record.cgroup()?;
    if !cgroup.exists() {
        return Ok(());
    }
    match cgroup.pids()?.len() {
        0 => Ok(()),
        count => Err(Error::Status(format!(
            "container's cgroup is not empty: {count} process(es) found in {}",
            cgroup.path()
        ))),
    }
}

/// Ends a process that could not be told of, and all that belongs to it.
pub(crate) fn end(running: &Running) {
    let _ = sys::process::send(&running.pidfd, sys::process::Signal::KILL); // It may have ended just now.
    if let Some(cgroup) = &running.cgroup {
        let _ = runtime::kill_all(cgroup); // The error that led here is the one to report.
    }
    let _ = sys::process::wait(&running.pidfd); // It is our child.
}
